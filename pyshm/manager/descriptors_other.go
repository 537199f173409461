//go:build !unix

package manager

import "math"

// descriptorsForSessions returns how many connections may be open at a time. This
// system has no known limit.
func descriptorsForSessions() int { return math.MaxInt }
