package pyshm

import (
	"context"
	"errors"
	"sync"

	"github.com/pyshm-go/pyshm/format"
)

// A Lock is a handle to a lock that several processes share, the counterpart of
// Python's multiprocessing.Lock. It also works with an RLock of Python, which differs
// only for the Python process that holds it. A lock is a [Semaphore] with one token.
//
// A Lock is not recursive: goroutines have no identity, so a goroutine that acquires a
// lock twice waits for itself. Several goroutines may call its methods at once, Close
// included.
type Lock struct{ s Semaphore }

// CreateLock makes a lock that no process holds. [CreateSemaphore] describes names,
// errors and lifetimes.
func CreateLock(name string, opts ...LockOption) (*Lock, error) {
	l := new(Lock)
	err := l.s.create(name, 1, 1, newCreateOptions(opts))
	return opened(l, wrap("create lock", name, err))
}

// AttachLock attaches to an existing lock that [CreateLock] or Python made. A Lock or
// RLock object of Python has a name if it was made in the context spawn or forkserver.
// The function parts of pyshm_attach.py returns the name. [AttachSemaphore] describes
// the errors.
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

// Name returns the name, without a slash. Python attaches by this name.
func (l *Lock) Name() string { return l.s.Name() }

// String returns, for example, Lock('frames.lock').
func (l *Lock) String() string { return "Lock(" + format.Repr(l.Name()) + ")" }

// Acquire waits until no process holds the lock, and takes it. When ctx is done,
// Acquire tries once more: it takes the lock if it is free, also if ctx was done
// before the call, and returns ctx.Err() otherwise. A holder that has died holds
// the lock forever: see Reset. [Semaphore.Acquire] describes the waiting.
func (l *Lock) Acquire(ctx context.Context) error { return l.s.Acquire(ctx) }

// TryAcquire takes the lock if no process holds it, and reports whether it has taken it.
func (l *Lock) TryAcquire() (bool, error) { return l.s.TryAcquire() }

// Release releases the lock and wakes one waiter. Any goroutine of any process may
// release it, as in Python. If no process holds the lock, the error is
// [ErrNotAcquired]; [Semaphore.Release] describes how exact that is.
func (l *Lock) Release() error { return l.s.Release() }

// With acquires the lock, calls f, and releases the lock, also if f panics or ends
// its goroutine. If Acquire fails, With returns its error and does not call f. Otherwise
// it returns the error of f or of Release, joined by [errors.Join] if both fail. When f
// panics, an error of Release is lost.
//
// f must not acquire the lock itself. It is not interrupted when ctx is done.
func (l *Lock) With(ctx context.Context, f func() error) error { return with(ctx, l, f) }

// Reset frees a lock whose holder has died. If the lock is free, Reset fails with
// [fs.ErrInvalid].
//
// Memory does not record which process holds a lock, so Reset cannot know whether the
// holder lives. If it does, two processes hold the lock afterwards, and the lock
// protects nothing. Only call Reset when every process that could hold the lock is
// known to be gone, and then look at what that process left half done.
//
// A process that was killed while it waited stays in the count of waiters for
// ever. That only costs time. With each release the kernel looks for a waiter that
// is not there. A process that keeps the lock busy while others wait leaves it to them
// for 10 ms instead of 1, until it has noticed. Reset does not change the count: if it
// set the count back while other processes wait, no release would wake them.
func (l *Lock) Reset() error { return l.s.Reset() }

// Value returns 1 if the lock is free and 0 if a process holds it. The value may be out
// of date when Value returns.
func (l *Lock) Value() (int, error) { return l.s.Value() }

// Waiters returns the number of waiters; see [Semaphore.Waiters].
func (l *Lock) Waiters() (int, error) { return l.s.Waiters() }

// Locker returns a [sync.Locker] whose Lock calls Acquire, without an end to the
// waiting, and whose Unlock calls Release. It panics if these return an error.
func (l *Lock) Locker() sync.Locker { return locker{l} }

// Current reports whether the name still leads to this lock. [SharedMemory.Current]
// has the details.
func (l *Lock) Current() (bool, error) { return l.s.Current() }

// Unlink removes the name, before or after Close. Processes that are attached keep
// the lock. Unlink fails as [SharedMemory.Unlink] does. Locks that Python has made are
// for Python to unlink: otherwise it prints a traceback when its object ends.
func (l *Lock) Unlink() error { return l.s.Unlink() }

// Close detaches from the lock. Goroutines that wait through this handle get
// [fs.ErrClosed], as does every later call. Close does not release the lock. Calling
// Close again does nothing, unless it has failed.
func (l *Lock) Close() error { return l.s.Close() }

// An acquirer is a Lock, or a type with the same methods.
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
