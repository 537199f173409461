//go:build darwin || pyshm_posix

package namedsem

import (
	"fmt"
	"io/fs"
	"sync"

	"golang.org/x/sys/unix"
)

const (
	// LongestName is how many bytes a name may have without its slash: PSEMNAMLEN of xnu's
	// bsd/sys/posix_sem.h is 31, and sem_open counts the slash and the NUL, too.
	LongestName = 29

	// MaxValue is SEM_VALUE_MAX of macOS's sys/semaphore.h.
	MaxValue = 32767
)

// A Semaphore is an open semaphore. Its methods may be called by several goroutines at once.
type Semaphore struct {
	mu     sync.RWMutex // held for reading while the handle is used
	h      handle
	closed bool
}

// Create makes a semaphore. The error is fs.ErrExist if there is one of the name.
func Create(name string, value uint32, mode fs.FileMode) (*Semaphore, error) {
	if value > MaxValue {
		return nil, fmt.Errorf("%w: the value %d is above %d, the highest on macOS", fs.ErrInvalid, value, MaxValue)
	}
	return open(name, unix.O_CREAT|unix.O_EXCL, mode, value)
}

// Open opens a semaphore. The error is fs.ErrNotExist if there is none of the name.
func Open(name string) (*Semaphore, error) { return open(name, 0, 0, 0) }

func open(name string, flags int, mode fs.FileMode, value uint32) (*Semaphore, error) {
	if err := CheckName(name); err != nil {
		return nil, err
	}
	h, err := openHandle(name, flags, uint32(mode.Perm()), value)
	if err != nil {
		return nil, err
	}
	return &Semaphore{h: h}, nil
}

// Unlink removes a name, whichever semaphore has it.
func Unlink(name string) error {
	if err := CheckName(name); err != nil {
		return err
	}
	return unlinkName(name)
}

// CheckName returns an error if a name is too long.
func CheckName(name string) error {
	if len(name) > LongestName {
		return fmt.Errorf("%w: the name has %d bytes, and semaphores of macOS have up to %d", unix.ENAMETOOLONG, len(name), LongestName)
	}
	return nil
}

// TryWait takes a token if there is one, and reports whether it has taken one.
func (s *Semaphore) TryWait() (taken bool, err error) {
	err = s.use(handle.tryWait)
	if err == unix.EAGAIN {
		return false, nil
	}
	return err == nil, err
}

// Post adds a token. If threads wait in sem_wait, one of them gets it.
func (s *Semaphore) Post() error { return s.use(handle.post) }

// use calls f, again as long as signals interrupt it.
func (s *Semaphore) use(f func(handle) error) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return fs.ErrClosed
	}
	for {
		if err := f(s.h); err != unix.EINTR {
			return err
		}
	}
}

// Close ends the use of the semaphore. It may be called again.
func (s *Semaphore) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	return s.h.close()
}
