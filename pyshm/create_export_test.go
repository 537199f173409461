package pyshm

// NamesOf calls f with names that fit a pattern, until f returns nil or another error
// than fs.ErrExist, and returns the last name.
func NamesOf(pattern string, f func(name string) error) (string, error) {
	n, err := parsePattern(segmentNames, pattern)
	if err != nil {
		return "", err
	}
	return n.give(f)
}
