package pyshm

import (
	"context"
	"sync"

	"github.com/pyshm-go/pyshm/format"
	"github.com/pyshm-go/pyshm/pyshm/internal/sem"
)

// A Semaphore is a handle to a semaphore that several processes share, the
// counterpart of Python's multiprocessing.Semaphore and BoundedSemaphore. Its
// value is a number of tokens: Acquire waits for one and takes it, Release puts
// one back.
//
// The methods may be called by several goroutines at once, Close included.
type Semaphore struct{ semaphore }

// CreateSemaphore makes a semaphore of the given value, at most 2147483647. If the name
// is empty, CreateSemaphore chooses a name, as Python does.
//
// Names, errors and lifetimes are as for [Create]. The file is /dev/shm/sem.NAME. NAME
// has at most 251 bytes, and does not begin with "sem." itself. On macOS a semaphore is an
// object of the kernel. There NAME has at most 29 bytes, the value is at most 32767, and
// there is no [Replace].
func CreateSemaphore(name string, value int, opts ...LockOption) (*Semaphore, error) {
	s := new(Semaphore)
	err := s.create(name, value, sem.MaxValue, newCreateOptions(opts))
	return opened(s, wrap("create semaphore", name, err))
}

// CreateBoundedSemaphore is [CreateSemaphore] for the counterpart of Python's
// BoundedSemaphore: Release does not raise it beyond the initial value, which is at
// least 1.
//
// As in Python, the bound belongs to the handle and is not in memory. A handle of
// [AttachSemaphore] has no such bound. On macOS no bound but 1 is supported, because Release
// could not compare it with the value. Python ignores it there.
func CreateBoundedSemaphore(name string, value int, opts ...LockOption) (*Semaphore, error) {
	s := new(Semaphore)
	err := s.create(name, value, value, newCreateOptions(opts))
	return opened(s, wrap("create bounded semaphore", name, err))
}

// AttachSemaphore attaches to an existing semaphore, no matter which process made it.
//
// A missing semaphore is [fs.ErrNotExist]. Another file of that name is
// [ErrNotSemaphore], and AttachSemaphore does not write to it.
func AttachSemaphore(name string) (*Semaphore, error) {
	s := new(Semaphore)
	err := s.openNamed(name, sem.MaxValue)
	return opened(s, wrap("attach semaphore", name, err))
}

// AttachBoundedSemaphore is [AttachSemaphore] with a bound: Release does not raise the
// semaphore beyond it. The bound should be the value with which
// [CreateBoundedSemaphore] or Python's BoundedSemaphore made the semaphore.
func AttachBoundedSemaphore(name string, bound int) (*Semaphore, error) {
	s := new(Semaphore)
	err := s.openNamed(name, bound)
	return opened(s, wrap("attach bounded semaphore", name, err))
}

// AttachSemaphoreContext is [AttachSemaphore] for a semaphore that may not exist yet: it
// waits until the semaphore exists, as [AttachContext] does.
func AttachSemaphoreContext(ctx context.Context, name string) (*Semaphore, error) {
	return await(ctx, func() (*Semaphore, error) { return AttachSemaphore(name) })
}

// AttachBoundedSemaphoreContext is [AttachBoundedSemaphore] for a semaphore that may
// not exist yet: it waits until the semaphore exists, as [AttachContext] does.
func AttachBoundedSemaphoreContext(ctx context.Context, name string, bound int) (*Semaphore, error) {
	return await(ctx, func() (*Semaphore, error) { return AttachBoundedSemaphore(name, bound) })
}

// opened returns h, or nil with an error: the results of a function that opens h.
func opened[H any](h *H, err error) (*H, error) {
	if err != nil {
		return nil, err
	}
	return h, nil
}

// create makes a semaphore and opens s on it.
func (s *Semaphore) create(pattern string, value, bound int, o createOptions) error {
	n, err := parsePattern(semaphoreNames, pattern)
	if err != nil {
		return err
	}
	return s.createNamed(n, value, bound, o)
}

// checkTokens returns an error if a semaphore cannot have the value and the bound, or if
// this system has none.
func checkTokens(value, bound int) error {
	if err := sem.Supported(); err != nil {
		return err
	}
	switch {
	case bound < 1 || bound > sem.MaxValue:
		return invalid("bound %d is not between 1 and %d", bound, sem.MaxValue)
	case value < 0 || value > bound:
		return invalid("value %d is not between 0 and %d", value, bound)
	}
	return nil
}

func errPrefix(name string) error {
	return invalid("sem. is part of the file's name alone: use the name %q", name[len(semaphorePrefix):])
}

// Name returns the name, without a slash and without the prefix of the file's name.
// Python attaches by this name.
func (s *Semaphore) Name() string {
	if s == nil {
		return ""
	}
	return s.semaphoreName()
}

// String returns, for example, Semaphore('jobs').
func (s *Semaphore) String() string { return "Semaphore(" + format.Repr(s.Name()) + ")" }

func (s *Semaphore) errClosed(op string) error {
	return &Error{Op: op, Name: s.Name(), Err: errClosed}
}

// Acquire waits until there is a token, and takes it. When ctx is done, Acquire tries
// once more: it takes a token if there is one, and returns ctx.Err() otherwise.
// It does the same if ctx was done before the call: a semaphore with tokens can be
// acquired whatever the deadline. So a loop that should end with ctx has to check ctx
// itself.
//
// Only one waiting goroutine per process is counted as a waiter and occupies a thread.
// The goroutines of a process are served in about the order in which they came. If
// other processes wait too, a goroutine that acquires and releases without a pause has
// to wait now and then, for a millisecond or a few.
//
// Any goroutine of any process may release a token.
//
// On macOS, where no thread can wait for a limited time, Acquire tries again and again, as
// Python does for an acquire with a timeout: after 50 µs, with pauses that grow to 20 ms. One
// goroutine of a process does so, without a thread. A thread that waits in sem_wait, as
// Python's acquire without a timeout does, gets the next token before it.
func (s *Semaphore) Acquire(ctx context.Context) (err error) { return s.acquire(ctx) }

// TryAcquire takes a token if there is one, and reports whether it has taken one. It
// does not wait behind other waiters.
func (s *Semaphore) TryAcquire() (taken bool, err error) { return s.tryAcquire() }

// Release puts a token back, or adds one, and wakes one waiter. If the value would
// exceed the bound, Release fails with [ErrNotAcquired]. Without
// [CreateBoundedSemaphore] or [AttachBoundedSemaphore] the bound is 2147483647.
//
// Among Go processes the bound is exact. Python checks the value before it raises it, so
// the value may exceed the bound if a Python process releases at the same moment.
func (s *Semaphore) Release() error { return s.release(1) }

// Reset raises the value from 0 to the bound, after the processes that had the tokens
// have died. It fails with [fs.ErrInvalid] if the value is above 0 or if there is no
// bound. Like [Lock.Reset], it cannot know which processes live.
func (s *Semaphore) Reset() (err error) { return s.reset() }

var errNotLocked = invalid("it can be acquired: there is nothing to reset")

// Value returns the number of tokens. The value may be out of date when Value returns. On
// macOS the error is [errors.ErrUnsupported]: no system call returns the value, and Python's
// get_value raises NotImplementedError.
func (s *Semaphore) Value() (value int, err error) { return s.value() }

// Waiters returns the number of waiters that are counted. Each waiting thread of Python
// or another program counts, and each Go process in which goroutines wait counts once.
// Waiters that were killed stay in the count. On macOS the error is [errors.ErrUnsupported].
func (s *Semaphore) Waiters() (waiters int, err error) { return s.waiters() }

// Locker returns a [sync.Locker] whose Lock calls Acquire, without an end to the
// waiting, and whose Unlock calls Release. It panics if these return an error.
func (s *Semaphore) Locker() sync.Locker { return locker{s} }

// With acquires the semaphore, calls f, and releases the semaphore. [Lock.With] has the
// details.
func (s *Semaphore) With(ctx context.Context, f func() error) error { return with(ctx, s, f) }

// Current reports whether the name still leads to this semaphore. [SharedMemory.Current]
// has the details. On macOS the error is [errors.ErrUnsupported]: nothing tells semaphores
// apart.
func (s *Semaphore) Current() (bool, error) { return s.current() }

// Unlink removes the name, before or after Close. Processes that are attached keep
// the semaphore. Unlink fails as [SharedMemory.Unlink] does. Semaphores that Python has
// made are for Python to unlink: otherwise it prints a traceback when its object ends.
// On macOS it removes the name whichever semaphore has it.
func (s *Semaphore) Unlink() error { return s.unlink() }

// Close detaches from the semaphore. Goroutines that wait through this handle get
// [fs.ErrClosed], as does every later call. Tokens that were taken stay taken. Calling
// Close again does nothing, unless it has failed.
func (s *Semaphore) Close() error { return s.close() }
