package compat

// SetSystemPython replaces /usr/bin/python3, so that a test can have a machine
// without Python. It returns the function that undoes it.
func SetSystemPython(path string) (restore func()) {
	old := systemPython
	systemPython = path
	return func() { systemPython = old }
}
