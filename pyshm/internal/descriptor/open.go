//go:build linux || darwin || freebsd

package descriptor

import (
	"errors"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// errKind is the reason when a descriptor is neither a pipe nor a stream socket.
var errKind = errors.New("the descriptor is neither a pipe nor a stream socket")

// Open returns a stream of an open file, and the directions in which the stream works. The
// stream has descriptors of its own. The open file stays as it is, flags included.
//
// On Linux a pipe is opened anew through /proc if possible: only this process uses the new
// open file, and so may set O_NONBLOCK on it. On macOS and FreeBSD, /dev/fd leads to the open
// file itself.
func Open(f *os.File) (s Stream, readable, writable bool, err error) {
	fd, flags, err := duplicate(f)
	if err != nil {
		return nil, false, false, err
	}
	mode := flags & unix.O_ACCMODE
	readable, writable = mode != unix.O_WRONLY, mode != unix.O_RDONLY
	isSocket, err := kind(fd)
	if err == nil && !isSocket {
		if again, err := openAnew(fd, mode); err == nil {
			unix.Close(fd)
			return again, readable, writable, nil
		}
	}
	if err == nil {
		s, err = newFile(fd, isSocket, readable, writable)
	}
	if err != nil {
		unix.Close(fd)
		return nil, false, false, err
	}
	return s, readable, writable, nil
}

// duplicate returns another descriptor of an open file, and the open file's flags.
func duplicate(c syscall.Conn) (fd, flags int, err error) {
	err = control(c, func(old int) (err error) {
		if flags, err = unix.FcntlInt(uintptr(old), unix.F_GETFL, 0); err == nil {
			fd, err = unix.FcntlInt(uintptr(old), unix.F_DUPFD_CLOEXEC, 0)
		}
		return err
	})
	return fd, flags, err
}

// kind reports whether a descriptor is a stream socket. Otherwise the descriptor is a
// pipe, or the error is errKind.
func kind(fd int) (isSocket bool, err error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return false, err
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFIFO:
		return false, nil
	case unix.S_IFSOCK:
		if socket, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE); err != nil || socket != unix.SOCK_STREAM {
			return false, errKind
		}
		return true, nil
	}
	return false, errKind
}

// Pair returns the two ends of a new socket, as Python's multiprocessing.Pipe makes it:
// one for this process, and one in blocking mode for a child.
func Pair() (Stream, *os.File, error) {
	ends, err := socketPair()
	if err != nil {
		return nil, nil, err
	}
	if err := unix.SetNonblock(ends[0], true); err != nil {
		unix.Close(ends[0])
		unix.Close(ends[1])
		return nil, nil, err
	}
	return os.NewFile(uintptr(ends[0]), "pipe"), os.NewFile(uintptr(ends[1]), "pipe"), nil
}

// socketPair is socketpair(2) with close-on-exec. ForkLock keeps this process from starting
// another between the two steps, which are one on Linux only.
func socketPair() (ends [2]int, err error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	ends, err = unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err == nil {
		unix.CloseOnExec(ends[0])
		unix.CloseOnExec(ends[1])
	}
	return ends, err
}

// IsReady reports whether a read from a stream would not have to wait.
func IsReady(s Stream) (ready bool, err error) {
	err = control(s, func(fd int) error {
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		n, err := ignoringEINTR(func() (int, error) { return unix.Poll(fds, 0) })
		ready = n > 0
		return err
	})
	return ready, err
}

// Detach returns a descriptor of a stream's open file, in blocking mode. The stream is of
// no use any more, and has to be closed.
func Detach(s Stream) (*os.File, error) {
	fd, _, err := duplicate(s)
	if err != nil {
		return nil, err
	}
	if _, isShared := s.(*file); !isShared {
		if err := unix.SetNonblock(fd, false); err != nil {
			unix.Close(fd)
			return nil, err
		}
	}
	return os.NewFile(uintptr(fd), "connection"), nil
}
