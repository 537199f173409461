package testkit

import (
	"os/exec"
	"sync"
	"testing"
)

// KeepStarting has this process start others, each with copies of its descriptors until its
// program runs, until the test ends.
func KeepStarting(t testing.TB) {
	t.Helper()
	// Package os tries out pidfds by a child of its own, once and without syscall.ForkLock.
	Check(t, exec.Command("true").Run())
	stop := make(chan struct{})
	var starters sync.WaitGroup
	t.Cleanup(func() {
		close(stop)
		starters.Wait()
	})
	for range 2 {
		starters.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if err := exec.Command("true").Run(); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
}
