package worker

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
)

// Goroutines start while others wait for the end of all: each Wait returns, and not before
// every goroutine has ended that was started before it. A sync.WaitGroup panics here, and
// is a data race.
func TestTally(t *testing.T) {
	const starters, waiters, rounds = 4, 4, 500
	var all tally
	var others sync.WaitGroup
	for range starters {
		others.Go(func() {
			for range rounds {
				var ended atomic.Bool
				all.Go(func() {
					runtime.Gosched()
					ended.Store(true)
				})
				runtime.Gosched()
				all.Wait()
				if !ended.Load() {
					t.Error("Wait returned before a goroutine that was started before it has ended")
				}
			}
		})
	}
	for range waiters {
		others.Go(func() {
			for range rounds {
				all.Wait()
				runtime.Gosched()
			}
		})
	}
	others.Wait()
	all.Wait()
	if all.count != 0 || all.none != nil {
		t.Errorf("%d goroutines, waited for: %v", all.count, all.none != nil)
	}
}
