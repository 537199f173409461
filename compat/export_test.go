package compat

import "time"

// SetSystemPython replaces /usr/bin/python3, so that a test can have a machine
// without Python. It returns the function that undoes it.
func SetSystemPython(path string) (restore func()) {
	old := systemPython
	systemPython = path
	return func() { systemPython = old }
}

// SetProbeTimeout changes how long a candidate may take. It returns the function that
// undoes it.
func SetProbeTimeout(d time.Duration) (restore func()) {
	old := probeTimeout
	probeTimeout = d
	return func() { probeTimeout = old }
}

// Executable and Prefix return the paths that distinguish two interpreters.
func Executable(py Interpreter) string { return py.executable }
func Prefix(py Interpreter) string     { return py.prefix }

// Unnumbered returns an interpreter without its number, as [Probe] does.
func Unnumbered(py Interpreter) Interpreter {
	py.number = 0
	return py
}
