//go:build linux || darwin || freebsd

package descriptor

import (
	"io"
	"io/fs"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A file is a stream that leaves O_NONBLOCK alone, which the open file shares with other
// processes.
type file struct {
	f        *os.File
	isSocket bool
	in, out  *direction // nil in a direction that does not exist
}

// newFile returns the stream of a descriptor, which it takes over unless it fails.
func newFile(fd int, isSocket, readable, writable bool) (*file, error) {
	f := &file{isSocket: isSocket}
	var err error
	if readable {
		if f.in, err = newDirection(fd, false); err != nil {
			return nil, err
		}
	}
	if writable {
		if f.out, err = newDirection(fd, true); err != nil {
			if f.in != nil {
				f.in.close()
			}
			return nil, err
		}
	}
	f.f = os.NewFile(uintptr(fd), "inherited")
	return f, nil
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
	err = f.in.when(f.f, func(fd int) error {
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

// Write implements io.Writer.
func (f *file) Write(p []byte) (written int, err error) {
	if f.out == nil || len(p) == 0 {
		return 0, noDirection(f.out)
	}
	for written < len(p) {
		var n int
		err := f.out.when(f.f, func(fd int) (err error) {
			rest := p[written:]
			n, err = ignoringEINTR(func() (int, error) {
				if !f.isSocket {
					return unix.Write(fd, rest[:min(len(rest), pipeBuf)])
				}
				return unix.SendmsgN(fd, rest, nil, nil, unix.MSG_DONTWAIT|noSignal)
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

// noDirection returns EBADF, as read(2) and write(2) do, if there is no direction.
func noDirection(d *direction) error {
	if d == nil {
		return unix.EBADF
	}
	return nil
}

// SetReadDeadline is like the method of net.Conn.
func (f *file) SetReadDeadline(t time.Time) error {
	if f.in == nil {
		return unix.EBADF
	}
	return f.in.setDeadline(t)
}

// SetWriteDeadline is like the method of net.Conn.
func (f *file) SetWriteDeadline(t time.Time) error {
	if f.out == nil {
		return unix.EBADF
	}
	return f.out.setDeadline(t)
}

// SyscallConn gives access to the descriptor. Its Read and Write do not wait.
func (f *file) SyscallConn() (syscall.RawConn, error) { return f.f.SyscallConn() }

// Close ends reads and writes that are waiting, with fs.ErrClosed.
func (f *file) Close() error {
	for _, d := range []*direction{f.in, f.out} {
		if d != nil {
			d.close()
		}
	}
	return f.f.Close()
}
