package pyshm

import (
	"context"
	"errors"
	"sync"

	"github.com/pyshm-go/pyshm/format"
)

// A Lock is a handle to a lock that several processes share, the counterpart of
// Python's multiprocessing.Lock; to others than its owner an RLock is the same.
// A lock is a [Semaphore] with one token.
//
// A Lock is not recursive: goroutines have no identity, so one that acquires a
// lock twice waits for itself. Its methods may be called by several goroutines
// at once, Close included.
type Lock struct{ s Semaphore }

// CreateLock makes a lock that no process holds. [CreateSemaphore] says more about
// names, errors and lifetimes.
func CreateLock(name string, opts ...LockOption) (*Lock, error) {
	l := new(Lock)
	err := l.s.create(name, 1, 1, newCreateOptions(opts))
	return opened(l, wrap("create lock", name, err))
}

// AttachLock attaches to an existing lock, of [CreateLock] or of Python. There,
// Lock and RLock objects have a name if they were made in the context spawn or
// forkserver, which the function parts of pyshm_attach.py tells. [AttachSemaphore] says what is
// refused.
func AttachLock(name string) (*Lock, error) {
	l := new(Lock)
	err := l.s.openNamed(name, 1)
	return opened(l, wrap("attach lock", name, err))
}

// AttachLockContext is [AttachLock] for a lock that may not be there yet: it waits
// until it exists, as [AttachContext] does.
func AttachLockContext(ctx context.Context, name string) (*Lock, error) {
	return await(ctx, func() (*Lock, error) { return AttachLock(name) })
}

// Name returns the name, without a slash: what Python takes.
func (l *Lock) Name() string { return l.s.Name() }

// String returns, for example, Lock('frames.lock').
func (l *Lock) String() string { return "Lock(" + format.Repr(l.Name()) + ")" }

// Acquire waits until no process holds the lock, and takes it. When ctx is done
// it looks once more: it takes the lock if it is free, also if ctx was done
// before the call, and returns ctx.Err() otherwise. A holder that has died holds
// the lock forever: see Reset. [Semaphore.Acquire] says more about waiting.
func (l *Lock) Acquire(ctx context.Context) error { return l.s.Acquire(ctx) }

// TryAcquire takes the lock if nobody holds it, and reports whether it has.
func (l *Lock) TryAcquire() (bool, error) { return l.s.TryAcquire() }

// Release lets go of the lock and wakes one of those who wait for it. Any
// goroutine of any process may release it, as in Python. If nobody holds it, the
// error is [ErrNotAcquired]; [Semaphore.Release] says how exact that is.
func (l *Lock) Release() error { return l.s.Release() }

// With acquires the lock, calls f, and releases the lock, also if f panics or ends
// its goroutine. It returns what Acquire returns, without a call of f, or what f and
// Release return, joined by [errors.Join] where both fail. When f panics, an error
// of Release is lost.
//
// f must not acquire the lock itself. It is not interrupted when ctx is done.
func (l *Lock) With(ctx context.Context, f func() error) error { return with(ctx, l, f) }

// Reset makes a lock free that was left locked by a process that has died. If
// the lock is free it refuses, with an error that is [fs.ErrInvalid].
//
// Nothing in memory tells who holds a lock. Reset cannot know whether the
// holder lives: if it does, two hold the lock afterwards, and what the lock
// protects is at their mercy. Call it only when every process that could hold
// the lock is known to be gone, and look at what that process left half done.
//
// A process that was killed while it waited stays in the count of waiters for
// ever. That costs time alone: with each release the kernel is asked to wake
// somebody who is not there, and a process that keeps the lock busy while others
// wait leaves it to them for 10 ms, and not 1, until it has noticed. Reset leaves
// the count alone, for were it set back while others wait, nobody would wake
// them.
func (l *Lock) Reset() error { return l.s.Reset() }

// Value returns 1 if the lock is free and 0 if somebody holds it. That may have
// changed by the time it is returned.
func (l *Lock) Value() (int, error) { return l.s.Value() }

// Waiters returns the number of waiters; see [Semaphore.Waiters].
func (l *Lock) Waiters() (int, error) { return l.s.Waiters() }

// Locker returns a [sync.Locker] whose Lock is Acquire, without an end to the
// waiting, and whose Unlock is Release. Where these return an error, it panics.
func (l *Lock) Locker() sync.Locker { return locker{l} }

// Current reports whether the name still leads to this lock. [SharedMemory.Current]
// says more.
func (l *Lock) Current() (bool, error) { return l.s.Current() }

// Unlink removes the name, before or after Close. Those who are attached keep
// the lock. [SharedMemory.Unlink] says what it refuses. Leave what Python has made
// to Python, which otherwise prints a traceback when its object ends.
func (l *Lock) Unlink() error { return l.s.Unlink() }

// Close detaches from the lock. Those who wait through this handle return
// [fs.ErrClosed], as does every method from then on. A lock that is held stays
// held. Calling Close again does nothing, unless it has failed.
func (l *Lock) Close() error { return l.s.Close() }

// An acquirer is a Lock, or what is used like one.
type acquirer interface {
	Acquire(context.Context) error
	Release() error
}

func with(ctx context.Context, l acquirer, f func() error) (err error) {
	if err := l.Acquire(ctx); err != nil {
		return err
	}
	defer func() {
		switch released := l.Release(); {
		case err == nil:
			err = released
		case released != nil:
			err = errors.Join(err, released)
		}
	}()
	return f()
}

type locker struct{ l acquirer }

func (l locker) Lock() {
	if err := l.l.Acquire(context.Background()); err != nil {
		panic(err)
	}
}

func (l locker) Unlock() {
	if err := l.l.Release(); err != nil {
		panic(err)
	}
}
