package manager

import (
	"context"
	"slices"
	"sync"
)

// waiters are goroutines that wait until what a mutex guards has changed. The mutex guards
// the waiters, too.
type waiters struct{ list []chan struct{} }

// wait unlocks mu and waits to be woken. When it returns, mu is locked. The error is that
// of ctx, and nil if the wake came first: a wake is never lost.
func (w *waiters) wait(ctx context.Context, mu *sync.Mutex) error {
	woken := make(chan struct{})
	w.list = append(w.list, woken)
	mu.Unlock()
	select {
	case <-woken:
		mu.Lock()
		return nil
	case <-ctx.Done():
	}
	mu.Lock()
	if i := slices.Index(w.list, woken); i >= 0 {
		w.list = slices.Delete(w.list, i, i+1)
		return ctx.Err()
	}
	return nil
}

// wake wakes the n waiters that have waited longest.
func (w *waiters) wake(n int) {
	n = min(n, len(w.list))
	for _, woken := range w.list[:n] {
		close(woken)
	}
	w.list = slices.Delete(w.list, 0, n)
}

func (w *waiters) wakeAll() { w.wake(len(w.list)) }
