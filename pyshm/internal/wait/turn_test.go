package wait

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// In these tests time passes only where they sleep.

// wantTake fails unless mayTake returns want.
func (t *turn) wantTake(tb testing.TB, when string, want bool) {
	tb.Helper()
	if got := t.mayTake(); got != want {
		tb.Errorf("%s: may take a token: %v", when, got)
	}
}

func TestTurnBeforeOwnWaiters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var turn turn
		turn.wantTake(t, "no goroutine waits", true)
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

// Waiters of other processes that were served, or killed while they waited, are no
// reason to rest.
func TestTurnWithoutOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var turn turn
		turn.released(1, 1)
		time.Sleep(contendedTime + 1)
		turn.wantTake(t, "no waiter has been seen since", true)
		time.Sleep(turnTime)
		turn.released(1, 0)
		turn.wantTake(t, "one is counted, and none was woken", true)
		turn.absent.Store(1)
		turn.released(2, 1) // another comes, and is served
		for range 100 {
			time.Sleep(turnTime / 10)
			turn.released(1, 0)
			turn.wantTake(t, "the one that is counted is absent", true)
		}
	})
}

// A waiter that was taken for absent, and was only late, is a reason to rest again.
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

func TestRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHandle(t, 1)
		rest := func(ctx context.Context) (time.Duration, error) {
			h.queue.turn.beginRest(clock())
			began := time.Now()
			err := h.rest(ctx)
			return time.Since(began), err
		}
		if took, err := rest(t.Context()); took != restTime || err != nil {
			t.Errorf("others take turns: %v, %v", took, err)
		}
		h.words.Count()
		time.AfterFunc(3*restTime+1, func() { h.words.Uncount() })
		if took, err := rest(t.Context()); took != 4*restTime || err != nil {
			t.Errorf("another arrives late: %v, %v", took, err)
		}
		for absent := range 2 {
			h.words.Count()
			if took, err := rest(t.Context()); took != longestRest || err != nil {
				t.Errorf("another does not arrive, besides %d: %v, %v", absent, took, err)
			}
			if took, err := rest(t.Context()); took != restTime || err != nil {
				t.Errorf("no other is on the way: %v, %v", took, err)
			}
		}
		h.queue.turn.wantTake(t, "after a rest", true)
		time.AfterFunc(restTime/2, func() { h.Close(new(plainMemory)) })
		if took, err := rest(context.Background()); took != restTime/2 || err != ErrClosed {
			t.Errorf("closed: %v, %v", took, err)
		}
	})
}

// A rest ends when its time has passed, also if no caller waits until its end.
func TestRestOutlivesCallers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHandle(t, 1)
		h.words.Count() // a waiter that was killed
		h.queue.turn.beginRest(clock())
		const deadline = restTime * 3 / 4
		for i := range 14 {
			ctx, cancel := context.WithTimeout(t.Context(), deadline)
			began := time.Now()
			err := h.rest(ctx)
			cancel()
			if took := time.Since(began); i < 13 && (took != deadline || !errors.Is(err, context.DeadlineExceeded)) {
				t.Errorf("number %d: %v, %v", i, took, err)
			} else if i == 13 && (took != longestRest-13*deadline || err != nil) {
				t.Errorf("the last one: %v, %v", took, err)
			}
		}
		h.queue.turn.wantTake(t, "after the rest", true)
	})
}

// A semaphore that has a token is acquired, however short the deadlines are: at
// their end while a rest goes on, and at once after it.
func TestTokenHasNoDeadline(t *testing.T) {
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
			h := newHandle(t, 1)
			if tc.killed {
				h.words.Count()
			}
			turn := &h.queue.turn
			turn.released(1, 1)
			turn.beginRest(clock())
			turn.wantTake(t, what, false)
			took := time.Hour
			for end := time.Now().Add(2 * longestRest); time.Now().Before(end); time.Sleep(tc.pause) {
				ctx, cancel := context.WithTimeout(t.Context(), tc.deadline)
				began := time.Now()
				err := h.Acquire(ctx)
				took = time.Since(began)
				cancel()
				if err != nil {
					t.Fatalf("%s: %v", what, err)
				}
				if !h.Release(1, 1) {
					t.Fatalf("%s: cannot release", what)
				}
			}
			if took > 0 {
				t.Errorf("%s: waits for %v when the rest is over", what, took)
			}
		})
	}
}
