//go:build darwin || pyshm_posix

package pyshm

import (
	"context"
	"errors"
	"io/fs"
	"strings"
	"sync/atomic"

	"github.com/pyshm-go/pyshm/pyshm/internal/namedsem"
	"github.com/pyshm-go/pyshm/pyshm/internal/shmfile"
	"github.com/pyshm-go/pyshm/pyshm/internal/wait"
)

// A semaphore is macOS's: an object of the kernel, with a name. These methods are what a
// [Semaphore] does with it. The system calls are in package namedsem. No call returns the
// value or waits for a limited time: what CPython does about that in
// Modules/_multiprocessing/semaphore.c, under HAVE_BROKEN_SEM_GETVALUE and without
// HAVE_SEM_TIMEDWAIT, is done here.
type semaphore struct {
	name   string
	wait   *wait.Poller // nil in the zero value
	bound  uint32
	closed atomic.Bool
}

// createNamed is create for a name that the caller has checked.
func (s *Semaphore) createNamed(n newName, value, bound int, o createOptions) error {
	if err := checkNamed(value, bound); err != nil {
		return err
	}
	switch {
	case o.mode&^fs.ModePerm != 0:
		return invalid("mode %v has more bits than the permissions", o.mode)
	case o.replace:
		return &reason{"a semaphore cannot take the name of another one in one step on macOS", errors.ErrUnsupported}
	}
	_, err := n.give(func(name string) error {
		made, err := namedsem.Create(name, uint32(value), o.mode)
		if err == nil {
			s.open(name, bound, made)
		}
		return err
	})
	return err
}

// openNamed opens s on an existing semaphore.
func (s *Semaphore) openNamed(name string, bound int) error {
	if err := checkNamed(0, bound); err != nil {
		return err
	}
	name, err := shmfile.FileName(name)
	if err != nil {
		return err
	}
	opened, err := namedsem.Open(name)
	switch {
	case errors.Is(err, fs.ErrNotExist) && strings.HasPrefix(name, semaphorePrefix):
		return &reason{errPrefix(name).Error(), fs.ErrNotExist}
	case err != nil:
		return err
	}
	s.open(name, bound, opened)
	return nil
}

// checkNamed is checkTokens with macOS's limits.
func checkNamed(value, bound int) error {
	if err := checkTokens(value, bound); err != nil {
		return err
	}
	if bound != 1 && bound < namedsem.MaxValue {
		return errBound
	}
	return nil
}

// isUnbounded reports whether a bound is the highest value. Python reports it as the bound of
// a semaphore without one.
func isUnbounded(bound uint32) bool { return bound >= namedsem.MaxValue }

var (
	errBound   = &reason{"a bound cannot be checked: macOS has no sem_getvalue", errors.ErrUnsupported}
	errValue   = &reason{"macOS has no sem_getvalue", errors.ErrUnsupported}
	errWaiters = &reason{"macOS does not tell how many threads wait", errors.ErrUnsupported}
	errCurrent = &reason{"nothing distinguishes one semaphore of macOS from another", errors.ErrUnsupported}
)

func (s *Semaphore) open(name string, bound int, opened *namedsem.Semaphore) {
	s.name, s.bound, s.wait = name, uint32(bound), new(wait.Poller)
	s.wait.Open(name, opened)
}

// semaphoreName returns the name. The handle must not be nil.
func (s *Semaphore) semaphoreName() string { return s.name }

func (s *Semaphore) isClosed() bool { return s == nil || s.wait == nil || s.closed.Load() }

// use calls f, and wraps its error.
func (s *Semaphore) use(op string, f func(p *wait.Poller) error) error {
	if s.isClosed() {
		return s.errClosed(op)
	}
	err := f(s.wait)
	if err == wait.ErrClosed || err == fs.ErrClosed {
		err = errClosed
	}
	return wrap(op, s.name, err)
}

func (s *Semaphore) acquire(ctx context.Context) error {
	return s.use("acquire", func(p *wait.Poller) error { return p.Acquire(ctx) })
}

func (s *Semaphore) tryAcquire() (taken bool, err error) {
	err = s.use("acquire", func(p *wait.Poller) (err error) {
		taken, err = p.TryAcquire()
		return err
	})
	return taken, err
}

// takeUpTo takes all tokens, but at most n.
func (s *Semaphore) takeUpTo(n uint32) (taken uint32, err error) {
	err = s.use("acquire", func(p *wait.Poller) (err error) {
		taken, err = p.TakeUpTo(min(n, mostTaken))
		return err
	})
	return taken, err
}

// mostTaken bounds takeUpTo, which would not end if another process kept adding tokens.
const mostTaken = namedsem.MaxValue

// release is Release of n tokens. With the bound 1 it looks first whether there is a token,
// as Python does.
func (s *Semaphore) release(n uint32) error {
	return s.use("release", func(p *wait.Poller) error {
		if n > namedsem.MaxValue {
			return ErrNotAcquired
		}
		if s.bound == 1 {
			if zero, err := p.IsZero(); err != nil {
				return err
			} else if !zero {
				return ErrNotAcquired
			}
		}
		return p.Release(n)
	})
}

func (s *Semaphore) reset() error {
	return s.use("reset", func(p *wait.Poller) error {
		if isUnbounded(s.bound) {
			return invalid("a semaphore without a bound has no full value")
		}
		zero, err := p.IsZero()
		switch {
		case err != nil:
			return err
		case !zero:
			return errNotLocked
		}
		return p.Release(1)
	})
}

func (s *Semaphore) value() (int, error) {
	return 0, s.use("value", func(*wait.Poller) error { return errValue })
}

// looksWithoutLock reports whether isZero changes nothing.
const looksWithoutLock = false

// isZero reports whether there is no token. If there is one, it takes the token for a moment,
// as Python's _is_zero does: the caller holds the lock under which others look.
func (s *Semaphore) isZero() (zero bool, err error) {
	err = s.use("value", func(p *wait.Poller) (err error) {
		zero, err = p.IsZero()
		return err
	})
	return zero, err
}

// exceeds returns false: the value cannot be had, and takeUpTo has its own limit.
func (s *Semaphore) exceeds(int) (bool, error) { return false, nil }

// acquired does nothing: isZero has taken the token.
func (s *Semaphore) acquired() {}

func (s *Semaphore) waiters() (int, error) {
	return 0, s.use("waiters", func(*wait.Poller) error { return errWaiters })
}

// owner returns 0: nothing tells which user a semaphore belongs to. Its mode decides which
// users may open it.
func (s *Semaphore) owner() uint32 { return 0 }

// checkOwner checks nothing.
func (s *Semaphore) checkOwner(uint32) error { return nil }

func (s *Semaphore) current() (bool, error) {
	return false, s.use("current", func(*wait.Poller) error { return errCurrent })
}

func (s *Semaphore) unlink() error {
	if s == nil || s.wait == nil {
		return s.errClosed("unlink")
	}
	return wrap("unlink", s.name, namedsem.Unlink(s.name))
}

func (s *Semaphore) close() error {
	if s == nil || s.wait == nil {
		return nil
	}
	s.closed.Store(true)
	return wrap("close", s.name, s.wait.Close())
}

// unlinkFile removes the name of a segment or, with the prefix, of a semaphore.
func unlinkFile(file string) error {
	if name, ok := strings.CutPrefix(file, semaphorePrefix); ok {
		return namedsem.Unlink(name)
	}
	return shmfile.Unlink(file)
}
