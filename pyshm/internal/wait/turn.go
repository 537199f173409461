package wait

import (
	"context"
	"sync/atomic"
	"time"
)

// A turn keeps this process from having a semaphore to itself. A waiter that has been
// woken needs tens of microseconds to arrive. Long before that, a goroutine that releases
// and acquires in a loop has taken the token again. Handing over at every release would be
// fair, and slow for all: a handover costs as much as a hundred acquisitions. So a
// goroutine may take tokens past waiters for the time of a turn, and not for longer. After
// the turn, waiting goroutines of this process are served in their order. If other
// processes have waiters, this process leaves the semaphore alone for a rest, which is
// long enough for turns of the other processes.
//
// The zero value is ready for use. Times come from clock, and 0 is never.
type turn struct {
	waiting        atomic.Int64 // since when the leader has been waiting
	contendedSince atomic.Int64 // when a release first woke another process since the last rest
	lastContended  atomic.Int64 // when a release last saw that another process was waiting

	// restingSince is when the current rest began. Any leader ends a rest whose time
	// has passed, however little time that leader has itself.
	restingSince atomic.Int64

	// absent is how many counted waiters of other processes have taken no token
	// during the longest rest: waiters that were killed are counted for ever. A waiter
	// that was only late is noticed when a release wakes it.
	absent atomic.Int64
}

const (
	turnTime = 250 * time.Microsecond
	restTime = time.Millisecond

	// If no waiter has been seen for this time, the waiters that were woken have had
	// their tokens.
	contendedTime = 200 * time.Microsecond

	// On a busy machine a process may run long after it has been woken. A rest goes on
	// until it runs, for this time at most.
	longestRest = 10 * restTime
)

var epoch = time.Now()

// clock is a monotonic clock in nanoseconds.
func clock() int64 { return int64(time.Since(epoch)) + 1 }

// released notes the waiters of other processes that a release found: how many were
// counted, and how many it has woken.
func (t *turn) released(waiting, woken int) {
	now := clock()
	if woken > 0 {
		t.contendedSince.CompareAndSwap(0, now)
	}
	absent := max(min(t.absent.Load(), int64(waiting-woken)), 0)
	t.absent.Store(absent)
	if int64(waiting) > absent {
		t.lastContended.Store(now)
	}
}

// mayTake reports whether a token may be taken past waiters. If other processes
// have waited for long enough, it begins the rest. It is small enough for the
// compiler to inline it.
func (t *turn) mayTake() bool {
	return t.waiting.Load()|t.contendedSince.Load() == 0 || t.lasts()
}

// lasts is mayTake when there are waiters.
func (t *turn) lasts() bool {
	waiting, since := t.waiting.Load(), t.contendedSince.Load()
	if t.resting() {
		return false
	}
	now := clock()
	if since != 0 && now-t.lastContended.Load() > int64(contendedTime) {
		t.contendedSince.Store(0)
	} else if since != 0 && now-since > int64(turnTime) {
		t.beginRest(now)
		return false
	}
	return waiting == 0 || now-waiting < int64(turnTime)
}

func (t *turn) resting() bool { return t.restingSince.Load() != 0 }

// beginRest begins a rest, unless one is under way.
func (t *turn) beginRest(now int64) { t.restingSince.CompareAndSwap(0, now) }

// rest leaves the semaphore to other processes until the current rest is over. Callers
// that return earlier, because ctx is done, do not prolong the rest: its end depends on
// the time since it began.
func (h *Handle) rest(ctx context.Context) error {
	for {
		left := h.restLeft()
		if left == 0 {
			return nil
		}
		select {
		case <-time.After(left):
		case <-ctx.Done():
		case <-h.closing:
		}
		if err := h.ended(ctx); err != nil {
			return err
		}
	}
}

// restLeft ends the rest if its time has passed, and returns 0. Otherwise it returns the
// time after which to call it again.
func (h *Handle) restLeft() time.Duration {
	t := &h.queue.turn
	since := t.restingSince.Load()
	if since == 0 {
		return 0
	}
	rested := time.Duration(clock() - since)
	if rested < restTime {
		return restTime - rested
	}
	// A waiter beside a token has been woken, but its process does not run yet.
	waiting := int64(h.words.Waiters())
	late := h.words.Value() > 0 && waiting > t.absent.Load()
	if late && rested < longestRest {
		return restTime - rested%restTime
	}
	if late {
		t.absent.Store(waiting)
	}
	t.contendedSince.Store(0)
	t.restingSince.Store(0)
	return 0
}
