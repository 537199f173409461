// Package wait lets goroutines wait for a semaphore that several processes share.
// Package sem has the steps on the semaphore's words, and package futex the sleep
// on one of them. This package decides which goroutine takes which step, and when.
// It knows neither files nor names: the words may be in any memory.
//
// A process has one [Handle] for each time that it has attached to the semaphore,
// and one queue for all of them together.
//
// # How a goroutine waits
//
// The value of the semaphore alone says whether there is a token. A wake is a hint
// to look at the value, so a wake too many costs time, and a wake too few leaves a
// waiter asleep beside a token. A goroutine that finds no token goes through these
// steps:
//
//  1. It receives from queue.lead, behind the goroutines that came before. Only the
//     goroutine that has received, the leader, goes on. The others cost neither a
//     thread nor a place in the count of waiters.
//  2. It locks Handle.leading of its handle.
//  3. It sleeps while this process rests. The type turn says what a rest is for.
//  4. It tries for 2 µs. Then it counts itself as a waiter in the semaphore.
//  5. It sleeps in package futex until it takes a token, which ends its count in the
//     same step, or until its context is done, its handle is closed, its memory is
//     gone or this process has to rest. Then it ends its count without a token. A
//     wake that it may have got by then is for another waiter. It passes the wake on.
//  6. It unlocks Handle.leading, and puts queue.lead back for the next goroutine.
//
// These two are the only locks that are held while a goroutine sleeps, and always
// taken in this order. The registry of queues has a mutex of its own, under which
// no other lock is taken.
//
// # What wakes it
//
//   - Release adds its tokens first. If the count of waiters was not 0, it wakes as
//     many waiters as there are new tokens. The kernel wakes the one that has slept
//     the longest, of whatever process. If that may be the leader of the releasing
//     process, Release wakes one more, so that waiters of other processes get a turn.
//   - A goroutine that ends its count wakes as many waiters as package sem returns:
//     those that a release may have passed over because of that count.
//   - When a context is done, the leader that waits with it is roused. Close rouses the
//     leader of its handle. To rouse means to ring the leader's alarm. Package futex may
//     wake other waiters of the word for it, which look at the value and sleep again.
//   - Goroutines behind the leader see their context and the closing of their handle
//     by themselves.
//   - A leader wakes up each second by itself, because a process can be killed
//     between adding a token and waking a waiter.
//
// # Crowds
//
// A process that waits for more than 16 semaphores at once has leaders that share a
// thread. Package futex calls such leaders a crowd. The thread looks at all its words
// whenever one of them is woken or another leader comes. So a leader in a crowd may find
// a token without a wake meant for it, and takes the token. No token is lost by this: the
// waiter that was woken for it finds none and sleeps again.
//
// # Closing
//
// Close ends the sleep of the leader of its handle, and locks Handle.leading: from
// then on no goroutine is counted through this handle. Then it freezes the memory,
// wakes waiters, and revokes the memory, in this order. A Release under way may have
// added a token, and find the memory gone before it wakes a waiter. After the freeze no
// Release adds a token through this handle. So Close sees every token that was added, and
// wakes the waiters itself. After the revocation Close could neither see tokens nor wake
// waiters.
package wait

import (
	"context"
	"errors"
	"math"
	"sync"

	"github.com/pyshm-go/pyshm/pyshm/internal/sem"
)

var (
	// ErrClosed is the reason when Close ends the waiting.
	ErrClosed = errors.New("the handle is closed")

	// ErrFault is the reason when the memory of the words is gone.
	ErrFault = errors.New("the memory of the semaphore is gone")
)

// A Handle waits for one semaphore. Its methods may be called by several goroutines at
// once. A method that touches the words faults if the memory is gone. The caller has to
// expect such faults.
type Handle struct {
	words sem.Semaphore
	queue *queue

	leading sync.Mutex    // held while a goroutine leads the queue through this handle
	closing chan struct{} // closed when Close begins
	begin   sync.Once     // closes closing
	revoked bool          // Close has succeeded; leading protects it
}

// Open makes h a handle of the semaphore with these words. It is called once, before
// any other method.
func (h *Handle) Open(id ID, words sem.Semaphore) {
	h.words = words
	h.queue = queueOf(id)
	h.closing = make(chan struct{})
}

// Acquire waits until there is a token, and takes it. When ctx is done it looks once
// more, and returns ctx.Err() if there is none. It returns ErrClosed if Close ends
// the waiting, and ErrFault if the memory ends it.
func (h *Handle) Acquire(ctx context.Context) error {
	if !h.queue.turn.mayTake() || !h.words.Take() {
		// A rest or a queue that outlasts ctx is no reason to leave a token.
		if err := h.wait(ctx); err != nil && (h.isClosing() || !h.words.Take()) {
			return err
		}
	}
	h.queue.acquired()
	return nil
}

// TryAcquire takes a token if there is one, past goroutines that wait.
func (h *Handle) TryAcquire() (taken bool) {
	taken = h.words.Take()
	if taken {
		h.queue.acquired()
	}
	return taken
}

// Acquired is for a caller that has seen a token and not taken it. It informs the race
// detector that everything before the token's release happened before the caller goes
// on, as after Acquire and TryAcquire.
func (h *Handle) Acquired() { h.queue.acquired() }

// Release adds n tokens and wakes as many waiters, unless that would raise the value
// above bound.
func (h *Handle) Release(n, bound uint32) (released bool) {
	h.queue.releasing()
	released, waiters := h.words.Post(n, bound)
	if released && waiters > 0 {
		h.wakeNext(int(n), int(min(waiters, math.MaxInt32))) // no more than an int of 32 bits has
	}
	return released
}

func (h *Handle) isClosing() bool {
	select {
	case <-h.closing:
		return true
	default:
		return false
	}
}

// Memory is the memory of the words: the methods with which Close ends its use.
type Memory interface {
	// Freeze ends writing: afterwards no write is under way, and later ones fault.
	Freeze() error
	// Revoke ends every use. Later ones fault.
	Revoke() error
	// Guard calls f, and returns if f faults.
	Guard(f func())
}

// Close ends the waiting through this handle, with ErrClosed, and revokes the memory.
// After an error of the memory it may be called again. After a success it does
// nothing.
func (h *Handle) Close(m Memory) error {
	h.begin.Do(func() { close(h.closing) })
	if l := h.queue.asleep.Load(); l != nil && l.h == h {
		l.alarm.Ring()
	}
	h.leading.Lock() // until then the leader has ended its count
	defer h.leading.Unlock()
	if h.revoked {
		return nil
	}
	err := m.Freeze()
	if err == nil {
		m.Guard(h.wakeForTokens)
		err = m.Revoke()
	}
	h.revoked = err == nil
	return err
}

// wakeForTokens wakes as many waiters as there are tokens. If the memory is gone,
// the waiters find out by themselves.
func (h *Handle) wakeForTokens() {
	if n := h.words.Value(); n > 0 && h.words.Waiters() > 0 {
		h.wake(int(min(n, sem.MaxValue)))
	}
}
