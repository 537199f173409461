//go:build !pyshm_posix

package descriptor

import (
	"errors"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// pipeBuf is how many bytes a write to a ready pipe takes without blocking, if there is
// no other writer: a page.
const pipeBuf = 4096

// A direction waits until a descriptor can be read from, or written to.
//
// Go's poller waits for non-blocking descriptors only. An epoll instance can be
// non-blocking, even if the descriptor that it watches blocks. So each direction has an
// instance, and the poller waits for the instance.
type direction struct{ instance *os.File }

func newDirection(fd int, write bool) (*direction, error) {
	events := uint32(unix.EPOLLIN | unix.EPOLLRDHUP)
	if write {
		events = unix.EPOLLOUT
	}
	instance, err := watch(fd, events)
	if err != nil {
		return nil, err
	}
	return &direction{instance}, nil
}

// watch returns an epoll instance that can be read from when a descriptor is ready.
func watch(fd int, events uint32) (*os.File, error) {
	instance, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	err = unix.EpollCtl(instance, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: events})
	if err == nil {
		err = unix.SetNonblock(instance, true)
	}
	if err != nil {
		unix.Close(instance)
		return nil, err
	}
	return os.NewFile(uintptr(instance), "epoll"), nil
}

// when calls op with the descriptor as soon as it is ready. op must not block. If it returns
// EAGAIN, because another process was faster, when waits again.
func (d *direction) when(f *os.File, op func(fd int) error) error {
	raw, err := d.instance.SyscallConn()
	if err != nil {
		return fs.ErrClosed
	}
	err = unix.EAGAIN
	waitErr := raw.Read(func(epoll uintptr) bool {
		for err = unix.EAGAIN; isReady(int(epoll)) && err == unix.EAGAIN; {
			err = control(f, op)
		}
		return err != unix.EAGAIN
	})
	switch {
	case waitErr == nil:
		return err
	case errors.Is(waitErr, os.ErrDeadlineExceeded):
		return os.ErrDeadlineExceeded
	}
	return fs.ErrClosed
}

// isReady reports whether the descriptor that an epoll instance watches is ready now.
func isReady(epoll int) bool {
	var event [1]unix.EpollEvent
	n, err := ignoringEINTR(func() (int, error) { return unix.EpollWait(epoll, event[:], 0) })
	return n > 0 || err != nil // op then fails with the reason
}

// setDeadline sets when the waiting ends. Waiting for an instance is a read, in both
// directions.
func (d *direction) setDeadline(t time.Time) error { return d.instance.SetReadDeadline(t) }

func (d *direction) close() { d.instance.Close() }

// openAnew opens a pipe anew if possible.
func openAnew(fd, mode int) (*os.File, error) { return reopen(fd, mode) }
