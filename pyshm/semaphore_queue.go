package pyshm

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"weak"

	"github.com/pyshm-go/pyshm/pyshm/internal/futex"
	"github.com/pyshm-go/pyshm/pyshm/internal/shmfile"
)

// A queue is where the goroutines of this process wait for one semaphore,
// through whichever handles. The one in front, the leader, is counted as a
// waiter in shared memory and sleeps in the kernel; the others cost neither a
// thread nor a place in the count.
type queue struct {
	lead   chan struct{}          // holds an element while nobody leads; receivers are served in order
	asleep atomic.Pointer[leader] // the leader from just before to just after its sleep
	turn   turn
}

// A leader is one goroutine's time in front of the queue.
type leader struct{ s *Semaphore }

// queues has the queues of all semaphores that this process is attached to.
var queues struct {
	sync.Mutex
	of map[shmfile.ID]weak.Pointer[queue]
}

func queueOf(id shmfile.ID) *queue {
	queues.Lock()
	defer queues.Unlock()
	if q := queues.of[id].Value(); q != nil {
		return q
	}
	q := &queue{lead: make(chan struct{}, 1)}
	q.lead <- struct{}{}
	if queues.of == nil {
		queues.of = make(map[shmfile.ID]weak.Pointer[queue])
	}
	queues.of[id] = weak.Make(q)
	runtime.AddCleanup(q, forgetQueue, id)
	return q
}

func forgetQueue(id shmfile.ID) {
	queues.Lock()
	defer queues.Unlock()
	if queues.of[id].Value() == nil { // not the queue of a later semaphore
		delete(queues.of, id)
	}
}

// recheck is how long a leader sleeps before it looks again by itself. Those
// who have something for it do wake it; but a process can be killed between
// putting a token back and waking somebody, and a word that has been truncated
// away cannot be woken on.
const recheck = time.Second

// wait takes a token when the caller's turn in the queue has come.
func (s *Semaphore) wait(ctx context.Context) error {
	select {
	case <-s.queue.lead:
	case <-ctx.Done():
		return ctx.Err()
	case <-s.closing:
		return errClosed
	}
	defer func() { s.queue.lead <- struct{}{} }()
	s.leading.Lock()
	defer s.leading.Unlock()
	s.queue.turn.waiting.Store(clock())
	defer s.queue.turn.waiting.Store(0)
	for {
		if err := s.ended(ctx); err != nil {
			return err
		}
		if err := s.rest(ctx); err != nil {
			return err
		}
		if taken, err := s.waitCounted(ctx); taken || err != nil {
			return err
		}
	}
}

// ended returns the reason to stop waiting, if there is one.
func (s *Semaphore) ended(ctx context.Context) error {
	if s.m.closed.Load() {
		return errClosed
	}
	return ctx.Err()
}

// waitCounted counts the caller as a waiter until it has taken a token, or
// until this process has to rest.
func (s *Semaphore) waitCounted(ctx context.Context) (taken bool, err error) {
	if s.spin() {
		return true, nil
	}
	self := &leader{s}
	stop := context.AfterFunc(ctx, func() {
		s.rouse(func(l *leader) bool { return l == self })
	})
	defer stop()
	s.sem.Count()
	taken, err = s.sleepForToken(ctx, self)
	if !taken {
		s.wake(s.sem.Uncount())
	}
	return taken, err
}

// spinTime is how long a leader tries before it has itself counted. To be woken
// takes longer than most holders keep a token; and while somebody is counted,
// every release is a system call.
const spinTime = 2 * time.Microsecond

func (s *Semaphore) spin() (taken bool) {
	for began := clock(); ; {
		if s.sem.Take() {
			return true
		}
		if clock()-began > int64(spinTime) {
			return false
		}
	}
}

// maxAwake is how often a leader may be denied its sleep because of a token
// that it does not get, before it rests: a process that does nothing but change
// the word would keep it running otherwise.
const maxAwake = 64

func (s *Semaphore) sleepForToken(ctx context.Context, self *leader) (taken bool, err error) {
	for awake := 0; awake < maxAwake; {
		if err := s.ended(ctx); err != nil {
			return false, err
		}
		if s.queue.turn.resting() {
			return false, nil
		}
		taken, wake := s.sem.TakeCounted()
		if taken {
			s.wake(wake)
			return true, nil
		}
		slept, err := s.sleep(ctx, self)
		if err != nil {
			return false, err
		}
		if !slept {
			awake++
		}
	}
	s.queue.turn.beginRest(clock())
	return false, nil
}

// sleep blocks the thread until there may be a token or an end to the waiting.
func (s *Semaphore) sleep(ctx context.Context, self *leader) (slept bool, err error) {
	s.queue.asleep.Store(self)
	defer s.queue.asleep.Store(nil)
	// Who comes after this look finds the leader asleep, and rouses it.
	if err := s.ended(ctx); err != nil {
		return false, err
	}
	slept, err = s.sem.Sleep(recheck)
	if err == syscall.EFAULT {
		err = ErrFault
	}
	return slept, err
}

// rouse wakes the leader for another reason than a token, for as long as it is
// the one in question. A single wake would get lost if the leader was about to
// sleep and not yet asleep. Others who wake up too go back to sleep.
func (s *Semaphore) rouse(isAsleep func(*leader) bool) {
	for pause := time.Microsecond; isAsleep(s.queue.asleep.Load()); pause = min(2*pause, time.Millisecond) {
		s.wake(futex.All)
		time.Sleep(pause)
	}
}

// wake wakes up to n of those who sleep, and returns how many it has woken. It
// can only fail because the memory is gone, and with it what they wait for.
func (s *Semaphore) wake(n int) (woken int) {
	if n > 0 {
		woken, _ = s.sem.Wake(n)
	}
	return woken
}

// wakeNext wakes n of the given number of waiters, of other processes if there
// are so many. It does not touch the memory, which Close may have taken away
// since the tokens were put back.
func (s *Semaphore) wakeNext(n, waiters int) {
	own := 0
	if s.queue.asleep.Load() != nil {
		own = 1 // it may be the first that the kernel wakes
	}
	woken := s.wake(n + own)
	s.queue.turn.released(waiters-own, max(woken-own, 0))
}
