//go:build !unix

package manager

import "math"

// descriptorsForSessions returns how many connections may be open at a time. There
// is no limit to know of.
func descriptorsForSessions() int { return math.MaxInt }
