// Package alloctest measures how much memory a function allocates, for tests.
package alloctest

import (
	"math"
	"runtime"
)

// tries is how often Least calls a function at most.
const tries = 5

// Least returns how many bytes f allocates: the least of a few calls. A single call
// would not do, because the runtime also counts the memory that all other goroutines of
// the process allocate meanwhile, such as a fuzz worker's, and the memory that a first
// call prepares. Least does not call f again after a call that allocates no more than
// enough.
func Least(enough uint64, f func()) uint64 {
	least := uint64(math.MaxUint64)
	for range tries {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		f()
		runtime.ReadMemStats(&after)
		if least = min(least, after.TotalAlloc-before.TotalAlloc); least <= enough {
			break
		}
	}
	return least
}
