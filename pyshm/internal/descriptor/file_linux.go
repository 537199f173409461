package descriptor

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A file is a stream that leaves O_NONBLOCK alone, which the open file shares with other
// processes.
//
// Go's poller waits for non-blocking descriptors only. An epoll instance can be
// non-blocking, even if the descriptor that it watches blocks. So each direction has an
// instance, and the poller waits for the instance.
type file struct {
	f        *os.File
	isSocket bool
	in, out  *os.File // epoll instances, nil in a direction that does not exist
}

// newFile returns the stream of a descriptor, which it takes over unless it fails.
func newFile(fd int, isSocket, readable, writable bool) (*file, error) {
	f := &file{isSocket: isSocket}
	var err error
	if readable {
		if f.in, err = watch(fd, unix.EPOLLIN|unix.EPOLLRDHUP); err != nil {
			return nil, err
		}
	}
	if writable {
		if f.out, err = watch(fd, unix.EPOLLOUT); err != nil {
			if f.in != nil {
				f.in.Close()
			}
			return nil, err
		}
	}
	f.f = os.NewFile(uintptr(fd), "inherited")
	return f, nil
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

// when calls op with the descriptor as soon as the instance reports that it is ready. op
// must not block. If it returns EAGAIN, because another process was faster, when waits
// again.
func (f *file) when(instance *os.File, op func(fd int) error) error {
	raw, err := instance.SyscallConn()
	if err != nil {
		return fs.ErrClosed
	}
	err = unix.EAGAIN
	waitErr := raw.Read(func(epoll uintptr) bool {
		for err = unix.EAGAIN; isReady(int(epoll)) && err == unix.EAGAIN; {
			err = control(f.f, op)
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

func ignoringEINTR(f func() (int, error)) (int, error) {
	for {
		if n, err := f(); err != unix.EINTR {
			return n, err
		}
	}
}

// control calls op with the descriptor of c, which stays open meanwhile.
func control(c syscall.Conn, op func(fd int) error) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return fs.ErrClosed
	}
	var opErr error
	if err := raw.Control(func(fd uintptr) { opErr = op(int(fd)) }); err != nil {
		return fs.ErrClosed
	}
	return opErr
}

// Read implements io.Reader.
func (f *file) Read(p []byte) (n int, err error) {
	if f.in == nil || len(p) == 0 {
		return 0, noDirection(f.in)
	}
	err = f.when(f.in, func(fd int) error {
		n, err = ignoringEINTR(func() (int, error) {
			if !f.isSocket {
				return unix.Read(fd, p)
			}
			n, _, err := unix.Recvfrom(fd, p, unix.MSG_DONTWAIT)
			return n, err
		})
		return err
	})
	if err != nil {
		return 0, err
	}
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

// pipeBuf is how many bytes a write to a ready pipe takes without blocking, if there is
// no other writer: a page.
const pipeBuf = 4096

// Write implements io.Writer.
func (f *file) Write(p []byte) (written int, err error) {
	if f.out == nil || len(p) == 0 {
		return 0, noDirection(f.out)
	}
	for written < len(p) {
		var n int
		err := f.when(f.out, func(fd int) (err error) {
			rest := p[written:]
			n, err = ignoringEINTR(func() (int, error) {
				if !f.isSocket {
					return unix.Write(fd, rest[:min(len(rest), pipeBuf)])
				}
				return unix.SendmsgN(fd, rest, nil, nil, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
			})
			return err
		})
		if err != nil {
			return written, err
		}
		written += n
	}
	return written, nil
}

// noDirection returns EBADF, as read(2) and write(2) do, if there is no instance.
func noDirection(instance *os.File) error {
	if instance == nil {
		return unix.EBADF
	}
	return nil
}

// SetReadDeadline is like the method of net.Conn.
func (f *file) SetReadDeadline(t time.Time) error {
	if f.in == nil {
		return unix.EBADF
	}
	return f.in.SetReadDeadline(t)
}

// SetWriteDeadline is like the method of net.Conn.
func (f *file) SetWriteDeadline(t time.Time) error {
	if f.out == nil {
		return unix.EBADF
	}
	return f.out.SetReadDeadline(t) // waiting for an instance is a read, in both directions
}

// SyscallConn gives access to the descriptor. Its Read and Write do not wait.
func (f *file) SyscallConn() (syscall.RawConn, error) { return f.f.SyscallConn() }

// Close ends reads and writes that are waiting, with fs.ErrClosed.
func (f *file) Close() error {
	for _, instance := range []*os.File{f.in, f.out} {
		if instance != nil {
			instance.Close()
		}
	}
	return f.f.Close()
}
