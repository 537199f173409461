// Package alloctest measures what memory a function allocates, for tests.
package alloctest

import (
	"math"
	"runtime"
)

// tries is how often a function is called at most.
const tries = 5

// Least returns how many bytes f allocates: the least of a few calls, because the
// runtime counts what all other goroutines of the process allocate meanwhile, such as
// a fuzz worker's, and what a first call prepares. No more than enough is enough: f is
// not called again then.
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
