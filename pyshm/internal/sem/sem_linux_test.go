package sem_test

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pyshm-go/pyshm/pyshm/internal/futex"
)

// acquire waits as a thread does, until it has a token, or until the timeout. It may time
// out although there is a token by then, if no poster has woken it.
func acquire(s semaphore, timeout time.Duration) bool {
	s.Count()
	for end := time.Now().Add(timeout); time.Now().Before(end); {
		taken, wake := s.TakeCounted()
		if taken {
			s.Wake(wake)
			return true
		}
		s.Sleep(time.Until(end), new(futex.Alarm))
	}
	s.Wake(s.Uncount())
	return false
}

func release(s semaphore) {
	if _, waiters := s.Post(1, 1<<20); waiters > 0 {
		s.Wake(1)
	}
}

// Some threads wait, a few of them only for a moment, and others release. No token is
// lost or invented, no thread sleeps while there is a token for it, and the count of
// waiters ends at 0.
func TestWaiting(t *testing.T) {
	const threads, tokens, patience = 6, 3, 10 * time.Second
	forLayouts(t, tokens, func(t *testing.T, s semaphore, _ []byte) {
		var holding, timeouts atomic.Int32
		var all sync.WaitGroup
		for i := range threads {
			all.Go(func() {
				for range 2000 {
					timeout := patience
					if i%2 == 0 {
						timeout = time.Duration(rand.IntN(20)) * time.Microsecond
					}
					if !acquire(s, timeout) {
						if timeout == patience {
							t.Error("overslept")
							return
						}
						timeouts.Add(1)
						continue
					}
					if n := holding.Add(1); n > tokens {
						t.Errorf("%d tokens of %d", n, tokens)
					}
					holding.Add(-1)
					release(s)
				}
			})
		}
		all.Wait()
		if s.Value() != tokens || s.Waiters() != 0 {
			t.Errorf("value %d, %d waiters", s.Value(), s.Waiters())
		}
		t.Logf("%d times given up", timeouts.Load())
	})
}

func TestSleep(t *testing.T) {
	forLayouts(t, 1, func(t *testing.T, s semaphore, _ []byte) {
		s.Count()
		if slept, err := s.Sleep(time.Hour, new(futex.Alarm)); slept || err != nil {
			t.Errorf("with a token: %v, %v", slept, err)
		}
		s.Take()
		const maxSleeps = 100 // signals of the Go runtime end some sleeps early
		end := time.Now().Add(20 * time.Millisecond)
		for sleeps := 1; time.Until(end) > 10*time.Millisecond; sleeps++ {
			if slept, err := s.Sleep(time.Until(end), new(futex.Alarm)); !slept || err != nil || sleeps > maxSleeps {
				t.Fatalf("without: %v, %v, sleep %d", slept, err, sleeps)
			}
		}
		if woken, err := s.Wake(9); woken != 0 || err != nil {
			t.Errorf("woke %d, %v", woken, err)
		}
	})
}
