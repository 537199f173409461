//go:build !darwin && !pyshm_posix

package pyshm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/pyshm-go/pyshm/pyshm/internal/sem"
	"github.com/pyshm-go/pyshm/pyshm/internal/shmfile"
	"github.com/pyshm-go/pyshm/pyshm/internal/wait"
)

// A semaphore is glibc's: words in a file that processes map. These methods are what a
// [Semaphore] does with them.
type semaphore struct {
	m     *SharedMemory // nil in the zero value
	sem   sem.Semaphore
	bound uint32
	wait  wait.Handle
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

// semaphoreName returns the name. The handle must not be nil.
func (s *Semaphore) semaphoreName() string { return s.m.Name() }

func (s *Semaphore) isClosed() bool { return s == nil || s.m.isClosed() }

func (s *Semaphore) acquire(ctx context.Context) (err error) {
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

func (s *Semaphore) tryAcquire() (taken bool, err error) {
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

func (s *Semaphore) reset() (err error) {
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

func (s *Semaphore) value() (value int, err error) {
	const op = "value"
	if s.isClosed() {
		return 0, s.errClosed(op)
	}
	defer s.m.leave(op, s.m.enter(), &err)
	return int(s.sem.Value()), nil
}

// looksWithoutLock reports whether isZero changes nothing.
const looksWithoutLock = true

// isZero reports whether there is no token.
func (s *Semaphore) isZero() (bool, error) {
	value, err := s.Value()
	return value == 0, err
}

// exceeds reports whether there are more than n tokens.
func (s *Semaphore) exceeds(n int) (bool, error) {
	value, err := s.Value()
	return value > n, err
}

// acquired is for a caller that has seen a token and not taken it.
func (s *Semaphore) acquired() { s.wait.Acquired() }

func (s *Semaphore) waiters() (waiters int, err error) {
	const op = "waiters"
	if s.isClosed() {
		return 0, s.errClosed(op)
	}
	defer s.m.leave(op, s.m.enter(), &err)
	return int(min(s.sem.Waiters(), math.MaxInt32)), nil // another process may count any number
}

// owner returns the user that the semaphore belongs to.
func (s *Semaphore) owner() uint32 { return s.m.owner }

// checkOwner returns an error if the semaphore belongs to another user.
func (s *Semaphore) checkOwner(owner uint32) error {
	if s.m.owner != owner {
		return errOwner(s.m.owner, owner)
	}
	return nil
}

func errOwner(owner, whole uint32) error {
	return &reason{fmt.Sprintf("it belongs to user %d, and the object to user %d", owner, whole), fs.ErrPermission}
}

func (s *Semaphore) current() (bool, error) {
	if s == nil {
		return false, s.errClosed("current")
	}
	return s.m.Current()
}

func (s *Semaphore) unlink() error {
	if s == nil {
		return s.errClosed("unlink")
	}
	return s.m.Unlink()
}

func (s *Semaphore) close() error {
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

// unlinkFile removes the name of a segment or, with the prefix, of a semaphore.
func unlinkFile(file string) error { return shmfile.Unlink(file) }
