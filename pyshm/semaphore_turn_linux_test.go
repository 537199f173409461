package pyshm

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// In these tests time passes only where they sleep.

// wantTake fails unless a token may, or may not, be taken past those who wait.
func (t *turn) wantTake(tb testing.TB, when string, want bool) {
	tb.Helper()
	if got := t.mayTake(); got != want {
		tb.Errorf("%s: may take a token: %v", when, got)
	}
}

func TestTurnBeforeOwnWaiters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var turn turn
		turn.wantTake(t, "nobody waits", true)
		turn.waiting.Store(clock())
		turn.wantTake(t, "one has begun to wait", true)
		time.Sleep(turnTime - time.Nanosecond)
		turn.wantTake(t, "just before the end of the turn", true)
		time.Sleep(time.Nanosecond)
		turn.wantTake(t, "at the end of the turn", false)
		if turn.resting() {
			t.Error("rests for the sake of its own waiters")
		}
		turn.waiting.Store(0)
		turn.wantTake(t, "the waiter has been served", true)
	})
}

func TestTurnBeforeOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var turn turn
		const step = turnTime / 10
		for range 10 {
			turn.released(1, 1)
			turn.wantTake(t, "during the turn", true)
			time.Sleep(step)
		}
		turn.released(1, 0) // woken and not yet here
		time.Sleep(step)
		turn.wantTake(t, "after the turn", false)
		if !turn.resting() {
			t.Error("does not rest")
		}
		time.Sleep(time.Hour)
		turn.wantTake(t, "while a rest goes on", false)
	})
}

// Others who have been served, and who were killed while they waited, are no
// reason to rest.
func TestTurnWithoutOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var turn turn
		turn.released(1, 1)
		time.Sleep(contendedTime + 1)
		turn.wantTake(t, "nobody has been seen since", true)
		time.Sleep(turnTime)
		turn.released(1, 0)
		turn.wantTake(t, "one is counted, and nobody was woken", true)
		turn.absent.Store(1)
		turn.released(2, 1) // another comes, and is served
		for range 100 {
			time.Sleep(turnTime / 10)
			turn.released(1, 0)
			turn.wantTake(t, "one is counted who is absent", true)
		}
	})
}

// One who was taken for absent and only was late is a reason again.
func TestTurnWithLateOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var turn turn
		turn.absent.Store(1)
		turn.released(1, 0)
		turn.released(1, 1)
		time.Sleep(turnTime)
		turn.released(1, 0)
		time.Sleep(time.Nanosecond)
		turn.wantTake(t, "after the turn", false)
	})
}

// newLock creates a lock that is there until the end of the test.
func newLock(t *testing.T) *Lock {
	l, err := CreateLock("pyshm_tcore_" + rand.Text()[:12])
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		l.Close()
		l.Unlink()
	})
	return l
}

func TestRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLock(t)
		rest := func(ctx context.Context) (time.Duration, error) {
			l.s.queue.turn.beginRest(clock())
			began := time.Now()
			err := l.s.rest(ctx)
			return time.Since(began), err
		}
		if took, err := rest(t.Context()); took != restTime || err != nil {
			t.Errorf("others take turns: %v, %v", took, err)
		}
		l.s.sem.Count()
		time.AfterFunc(3*restTime+1, func() { l.s.sem.Uncount() })
		if took, err := rest(t.Context()); took != 4*restTime || err != nil {
			t.Errorf("another arrives late: %v, %v", took, err)
		}
		for absent := range 2 {
			l.s.sem.Count()
			if took, err := rest(t.Context()); took != longestRest || err != nil {
				t.Errorf("another does not arrive, besides %d: %v, %v", absent, took, err)
			}
			if took, err := rest(t.Context()); took != restTime || err != nil {
				t.Errorf("nobody else is on the way: %v, %v", took, err)
			}
		}
		l.s.queue.turn.wantTake(t, "after a rest", true)
		time.AfterFunc(restTime/2, func() { l.Close() })
		if took, err := rest(context.Background()); took != restTime/2 || err != errClosed {
			t.Errorf("closed: %v, %v", took, err)
		}
	})
}

// A rest ends by the time that has passed, also if no caller has the time to
// wait for its end.
func TestRestOutlivesCallers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLock(t)
		l.s.sem.Count() // a waiter that was killed
		l.s.queue.turn.beginRest(clock())
		const deadline = restTime * 3 / 4
		for i := range 14 {
			ctx, cancel := context.WithTimeout(t.Context(), deadline)
			began := time.Now()
			err := l.s.rest(ctx)
			cancel()
			if took := time.Since(began); i < 13 && (took != deadline || !errors.Is(err, context.DeadlineExceeded)) {
				t.Errorf("number %d: %v, %v", i, took, err)
			} else if i == 13 && (took != longestRest-13*deadline || err != nil) {
				t.Errorf("the last one: %v, %v", took, err)
			}
		}
		l.s.queue.turn.wantTake(t, "after the rest", true)
	})
}

// A lock that no process holds is acquired, however short the deadlines are: at
// their end while a rest goes on, and at once after it. An event needs its lock.
func TestFreeLockHasNoDeadline(t *testing.T) {
	for what, tc := range map[string]struct {
		deadline, pause time.Duration
		killed          bool // a waiter
	}{
		"done before the call":     {0, restTime, false},
		"far below a rest":         {20 * time.Microsecond, 5 * time.Millisecond, false},
		"below a rest":             {restTime / 2, restTime / 10, false},
		"below it, one killed":     {restTime / 2, restTime / 10, true},
		"between the rests":        {longestRest / 2, restTime / 10, false},
		"between them, one killed": {longestRest / 2, restTime / 10, true},
	} {
		synctest.Test(t, func(t *testing.T) {
			l := newLock(t)
			e, err := CreateEvent("pyshm_tcore_" + rand.Text()[:12])
			if err != nil {
				t.Fatal(err)
			}
			defer e.Unlink()
			defer e.Close()
			for s, call := range map[*Semaphore]func(context.Context) error{
				&l.s: func(ctx context.Context) error {
					err := l.Acquire(ctx)
					return cmp.Or(err, l.Release())
				},
				&e.cond.lock: func(ctx context.Context) error {
					_, err := e.IsSet(ctx)
					return err
				},
			} {
				if tc.killed {
					s.sem.Count()
				}
				turn := &s.queue.turn
				turn.released(1, 1)
				turn.beginRest(clock())
				turn.wantTake(t, what, false)
				took := time.Hour
				for end := time.Now().Add(2 * longestRest); time.Now().Before(end); time.Sleep(tc.pause) {
					ctx, cancel := context.WithTimeout(t.Context(), tc.deadline)
					began := time.Now()
					err := call(ctx)
					took = time.Since(began)
					cancel()
					if err != nil {
						t.Fatalf("%s: %v", what, err)
					}
				}
				if took > 0 {
					t.Errorf("%s: waits for %v when the rest is over", what, took)
				}
			}
		})
	}
}

// After a wait that was contended nothing is left of it.
func TestWaitLeavesNothing(t *testing.T) {
	l := newLock(t)
	if err := l.Acquire(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := make(chan error)
	go func() { got <- l.Acquire(t.Context()) }()
	for l.s.queue.turn.waiting.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	if err := errors.Join(l.Release(), <-got); err != nil {
		t.Fatal(err)
	}
	if since := l.s.queue.turn.waiting.Load(); since != 0 {
		t.Errorf("still waiting since %d", since)
	}
	id := l.s.m.id
	forgetQueue(id) // as the cleanup of an earlier queue would
	if queueOf(id) != l.s.queue {
		t.Error("a queue that is in use was forgotten")
	}
}
