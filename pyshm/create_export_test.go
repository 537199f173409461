package pyshm

// NamesOf calls f with the names that a new segment gets by a pattern, until f
// returns another error than that a name is in use, and returns the last.
func NamesOf(pattern string, f func(name string) error) (string, error) {
	n, err := parsePattern(segmentNames, pattern)
	if err != nil {
		return "", err
	}
	return n.give(f)
}
