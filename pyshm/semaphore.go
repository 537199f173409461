package pyshm

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"math"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"

	"github.com/pyshm-go/pyshm/format"
	"github.com/pyshm-go/pyshm/pyshm/internal/sem"
	"github.com/pyshm-go/pyshm/pyshm/internal/shmfile"
	"github.com/pyshm-go/pyshm/pyshm/internal/wait"
)

// A Semaphore is a handle to a semaphore that several processes share, the
// counterpart of Python's multiprocessing.Semaphore and BoundedSemaphore. Its
// value is a number of tokens: Acquire waits for one and takes it, Release puts
// one back.
//
// The methods may be called by several goroutines at once, Close included.
type Semaphore struct {
	m     *SharedMemory // nil in the zero value
	sem   sem.Semaphore
	bound uint32
	wait  wait.Handle
}

// CreateSemaphore makes a semaphore of the given value, at most 2147483647. If the name
// is empty, CreateSemaphore chooses a name, as Python does.
//
// Names, errors and lifetimes are as for [Create]. The file is /dev/shm/sem.NAME. NAME
// has at most 251 bytes, and does not begin with "sem." itself.
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
// [AttachSemaphore] has no such bound.
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

// createNamed is create for a name that the caller has checked.
func (s *Semaphore) createNamed(n newName, value, bound int, o createOptions) error {
	if err := checkTokens(value, bound); err != nil {
		return err
	}
	_, err := n.create(content{
		size: sem.Size,
		fill: func(w io.WriterAt) error {
			_, err := w.WriteAt(sem.Bytes(uint32(value)), 0)
			return err
		},
		open: s.opener(bound),
	}, o)
	return err
}

// openNamed opens s on an existing semaphore.
func (s *Semaphore) openNamed(name string, bound int) error {
	if err := checkTokens(0, bound); err != nil {
		return err
	}
	_, err := attachTo(semaphoreNames, name, attachOptions{lock: true}, s.opener(bound))
	if errors.Is(err, fs.ErrNotExist) {
		return missingSemaphore(strings.TrimPrefix(name, "/"), err)
	}
	return err
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

// missingSemaphore returns the error for a name without a semaphore: err, or a better
// one if there is a file of the name itself, without the prefix.
func missingSemaphore(name string, err error) error {
	const muslSize = 32
	info, errFile := shmfile.Lookup(name)
	switch {
	case errFile != nil || !info.Mode.IsRegular():
		return err
	case strings.HasPrefix(name, semaphorePrefix):
		return &reason{errPrefix(name).Error(), fs.ErrNotExist}
	case info.Size == muslSize:
		return errMusl
	}
	return &reason{syscall.ENOENT.Error() + " (the segment of that name is no lock or semaphore)", err}
}

func errPrefix(name string) error {
	return invalid("sem. is part of the file's name alone: use the name %q", name[len(semaphorePrefix):])
}

var errMusl = &reason{
	text: "no such file with the prefix sem., but there is one without: if it is a semaphore of musl, processes with glibc cannot use it",
	kind: errors.Join(fs.ErrNotExist, errors.ErrUnsupported),
}

// opener returns an opener that makes s the handle to a semaphore.
func (s *Semaphore) opener(bound int) opener {
	return func(m *SharedMemory, _ *shmfile.File) error { return s.open(m, bound) }
}

// open makes s the handle to the semaphore in m.
func (s *Semaphore) open(m *SharedMemory, bound int) error {
	err := m.touch(func() (err error) {
		s.sem, err = sem.At(m.mem.Bytes())
		return err
	})
	if err != nil {
		return err
	}
	s.m, s.bound = m, uint32(bound)
	s.wait.Open(wait.ID(m.id), s.sem)
	return nil
}

// Name returns the name, without a slash and without the prefix of the file's name.
// Python attaches by this name.
func (s *Semaphore) Name() string {
	if s == nil {
		return ""
	}
	return s.m.Name()
}

// String returns, for example, Semaphore('jobs').
func (s *Semaphore) String() string { return "Semaphore(" + format.Repr(s.Name()) + ")" }

func (s *Semaphore) isClosed() bool { return s == nil || s.m.isClosed() }

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
func (s *Semaphore) Acquire(ctx context.Context) (err error) {
	const op = "acquire"
	if s.isClosed() {
		return s.errClosed(op)
	}
	was := enterCall(&err)
	defer func() {
		if debug.SetPanicOnFault(was); err != nil {
			err = s.m.failed(op, err, recover())
		}
	}()
	return waitError(s.wait.Acquire(ctx))
}

// waitError returns the error of this package for an error of package wait.
func waitError(err error) error {
	switch err {
	case nil:
		return nil
	case wait.ErrClosed:
		return errClosed
	case wait.ErrFault:
		return ErrFault
	}
	return err
}

// TryAcquire takes a token if there is one, and reports whether it has taken one. It
// does not wait behind other waiters.
func (s *Semaphore) TryAcquire() (taken bool, err error) {
	const op = "acquire"
	if s.isClosed() {
		return false, s.errClosed(op)
	}
	was := enterCall(&err)
	defer func() {
		if debug.SetPanicOnFault(was); err != nil {
			err = s.m.failed(op, err, recover())
		}
	}()
	return s.wait.TryAcquire(), nil
}

// takeUpTo takes all tokens, but at most n.
func (s *Semaphore) takeUpTo(n uint32) (taken uint32, err error) {
	const op = "acquire"
	if s.isClosed() {
		return 0, s.errClosed(op)
	}
	defer s.m.leave(op, s.m.enter(), &err)
	return s.sem.TakeUpTo(n), nil
}

// Release puts a token back, or adds one, and wakes one waiter. If the value would
// exceed the bound, Release fails with [ErrNotAcquired]. Without
// [CreateBoundedSemaphore] or [AttachBoundedSemaphore] the bound is 2147483647.
//
// Among Go processes the bound is exact. Python checks the value before it raises it, so
// the value may exceed the bound if a Python process releases at the same moment.
func (s *Semaphore) Release() error { return s.release(1) }

// release is Release of n tokens, all of them or none.
func (s *Semaphore) release(n uint32) (err error) {
	const op = "release"
	if s.isClosed() {
		return s.errClosed(op)
	}
	was := enterCall(&err)
	defer func() {
		if debug.SetPanicOnFault(was); err != nil {
			err = s.m.failed(op, err, recover())
		}
	}()
	if !s.wait.Release(n, s.bound) {
		return ErrNotAcquired
	}
	return nil
}

// Reset raises the value from 0 to the bound, after the processes that had the tokens
// have died. It fails with [fs.ErrInvalid] if the value is above 0 or if there is no
// bound. Like [Lock.Reset], it cannot know which processes live.
func (s *Semaphore) Reset() (err error) {
	const op = "reset"
	if s.isClosed() {
		return s.errClosed(op)
	}
	defer s.m.leave(op, s.m.enter(), &err)
	if s.bound == sem.MaxValue {
		return invalid("a semaphore without a bound has no full value")
	}
	if !s.wait.Release(s.bound, s.bound) { // fits only if there is no token
		return errNotLocked
	}
	return nil
}

var errNotLocked = invalid("it can be acquired: there is nothing to reset")

// Value returns the number of tokens. The value may be out of date when Value returns.
func (s *Semaphore) Value() (value int, err error) {
	const op = "value"
	if s.isClosed() {
		return 0, s.errClosed(op)
	}
	defer s.m.leave(op, s.m.enter(), &err)
	return int(s.sem.Value()), nil
}

// Waiters returns the number of waiters that are counted. Each waiting thread of Python
// or another program counts, and each Go process in which goroutines wait counts once.
// Waiters that were killed stay in the count.
func (s *Semaphore) Waiters() (waiters int, err error) {
	const op = "waiters"
	if s.isClosed() {
		return 0, s.errClosed(op)
	}
	defer s.m.leave(op, s.m.enter(), &err)
	return int(min(s.sem.Waiters(), math.MaxInt32)), nil // another process may count any number
}

// Locker returns a [sync.Locker] whose Lock calls Acquire, without an end to the
// waiting, and whose Unlock calls Release. It panics if these return an error.
func (s *Semaphore) Locker() sync.Locker { return locker{s} }

// With acquires the semaphore, calls f, and releases the semaphore. [Lock.With] has the
// details.
func (s *Semaphore) With(ctx context.Context, f func() error) error { return with(ctx, s, f) }

// Current reports whether the name still leads to this semaphore. [SharedMemory.Current]
// has the details.
func (s *Semaphore) Current() (bool, error) {
	if s == nil {
		return false, s.errClosed("current")
	}
	return s.m.Current()
}

// Unlink removes the name, before or after Close. Processes that are attached keep
// the semaphore. Unlink fails as [SharedMemory.Unlink] does. Semaphores that Python has
// made are for Python to unlink: otherwise it prints a traceback when its object ends.
func (s *Semaphore) Unlink() error {
	if s == nil {
		return s.errClosed("unlink")
	}
	return s.m.Unlink()
}

// Close detaches from the semaphore. Goroutines that wait through this handle get
// [fs.ErrClosed], as does every later call. Tokens that were taken stay taken. Calling
// Close again does nothing, unless it has failed.
func (s *Semaphore) Close() error {
	if s == nil || s.m == nil {
		return nil
	}
	s.m.closed.Store(true)
	return wrap("close", s.m.name, s.wait.Close(semaphoreMemory{s.m}))
}

// semaphoreMemory is the memory of a semaphore, for its closing.
type semaphoreMemory struct{ m *SharedMemory }

func (s semaphoreMemory) Freeze() error { return s.m.mem.Freeze() }
func (s semaphoreMemory) Revoke() error { return s.m.mem.Revoke() }

func (s semaphoreMemory) Guard(f func()) {
	var err error
	defer s.m.leave("close", s.m.enter(), &err)
	f()
}
