package wait

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"weak"

	"github.com/pyshm-go/pyshm/pyshm/internal/futex"
)

// A queue is where the goroutines of this process wait for one semaphore, through any
// of its handles.
type queue struct {
	lead   chan struct{}          // holds an element while no goroutine leads; receivers are served in order
	asleep atomic.Pointer[leader] // the leader from just before to just after its sleep
	turn   turn

	nudge chan struct{} // ends a pause of a Poller
}

// A leader is one goroutine's time in front of the queue.
type leader struct {
	h     *Handle
	alarm futex.Alarm // rouses it for another reason than a token
}

// An ID tells the memory of one semaphore from the memory of every other that exists
// at the same time, by the device and inode of its file.
type ID struct{ Dev, Ino uint64 }

// queues has the queues of all semaphores that this process is attached to, by ID or, for a
// Poller, by name.
var queues struct {
	sync.Mutex
	of map[any]weak.Pointer[queue]
}

func queueOf(id any) *queue {
	queues.Lock()
	defer queues.Unlock()
	if q := queues.of[id].Value(); q != nil {
		return q
	}
	q := &queue{lead: make(chan struct{}, 1), nudge: make(chan struct{}, 1)}
	q.lead <- struct{}{}
	if queues.of == nil {
		queues.of = make(map[any]weak.Pointer[queue])
	}
	queues.of[id] = weak.Make(q)
	runtime.AddCleanup(q, forgetQueue, id)
	return q
}

func forgetQueue(id any) {
	queues.Lock()
	defer queues.Unlock()
	if queues.of[id].Value() == nil { // not the queue of a later semaphore
		delete(queues.of, id)
	}
}

// recheck is how long a leader sleeps before it looks again by itself. A process can be
// killed after adding a token and before waking a waiter. And if another process
// truncates the memory, no wake reaches the word.
const recheck = time.Second

// wait takes a token when the caller's turn in the queue has come.
func (h *Handle) wait(ctx context.Context) error {
	select {
	case <-h.queue.lead:
	case <-ctx.Done():
		return ctx.Err()
	case <-h.closing:
		return ErrClosed
	}
	defer func() { h.queue.lead <- struct{}{} }()
	h.leading.Lock()
	defer h.leading.Unlock()
	h.queue.turn.waiting.Store(clock())
	defer h.queue.turn.waiting.Store(0)
	for {
		if err := h.ended(ctx); err != nil {
			return err
		}
		if err := h.rest(ctx); err != nil {
			return err
		}
		if taken, err := h.waitCounted(ctx); taken || err != nil {
			return err
		}
	}
}

// ended returns the reason to stop waiting, if there is one.
func (h *Handle) ended(ctx context.Context) error {
	if h.isClosing() {
		return ErrClosed
	}
	return ctx.Err()
}

// waitCounted counts the caller as a waiter until it has taken a token, or
// until this process has to rest.
func (h *Handle) waitCounted(ctx context.Context) (taken bool, err error) {
	if h.spin() {
		return true, nil
	}
	self := &leader{h: h}
	stop := context.AfterFunc(ctx, self.alarm.Ring)
	defer stop()
	h.words.Count()
	taken, err = h.sleepForToken(ctx, self)
	if !taken {
		h.wake(h.words.Uncount())
	}
	return taken, err
}

// spinTime is how long a leader tries before it counts itself. Waking up takes longer
// than most holders keep a token, and while a waiter is counted, every release is a
// system call.
const spinTime = 2 * time.Microsecond

// spins is false where a holder does not run while this process tries.
var spins = runtime.NumCPU() > 1

func (h *Handle) spin() (taken bool) {
	if !spins {
		return h.words.Take()
	}
	for began := clock(); ; {
		if h.words.Take() {
			return true
		}
		if clock()-began > int64(spinTime) {
			return false
		}
	}
}

// maxAwake is how often a token may keep a leader from sleeping, without the leader
// getting it, before the leader rests. Without this limit a process that only changes
// the word would keep the leader running.
const maxAwake = 64

func (h *Handle) sleepForToken(ctx context.Context, self *leader) (taken bool, err error) {
	for awake := 0; awake < maxAwake; {
		if err := h.ended(ctx); err != nil {
			return false, err
		}
		if h.queue.turn.resting() {
			return false, nil
		}
		taken, wake := h.words.TakeCounted()
		if taken {
			h.wake(wake)
			return true, nil
		}
		slept, err := h.sleep(ctx, self)
		if err != nil {
			return false, err
		}
		if !slept {
			awake++
		}
	}
	h.queue.turn.beginRest(clock())
	return false, nil
}

// sleep blocks the thread until there may be a token or an end to the waiting.
func (h *Handle) sleep(ctx context.Context, self *leader) (slept bool, err error) {
	h.queue.asleep.Store(self)
	defer h.queue.asleep.Store(nil)
	// A Close that begins after this look finds the leader asleep.
	if err := h.ended(ctx); err != nil {
		return false, err
	}
	slept, err = h.words.Sleep(recheck, &self.alarm)
	if err == syscall.EFAULT {
		err = ErrFault
	}
	return slept, err
}

// wake wakes up to n waiters that sleep, and returns how many it has woken. It fails only
// if the memory is gone, and the tokens with it.
func (h *Handle) wake(n int) (woken int) {
	if n > 0 {
		woken, _ = h.words.Wake(n)
	}
	return woken
}

// wakeNext wakes n of the given number of waiters. All of them are in other processes if
// those have n waiters. It does not touch the memory, which Close may have taken away
// since the tokens were added.
func (h *Handle) wakeNext(n, waiters int) {
	own := 0
	if h.queue.asleep.Load() != nil {
		own = 1 // the kernel may wake it first
	}
	woken := h.wake(n + own)
	h.queue.turn.released(waiters-own, max(woken-own, 0))
}
