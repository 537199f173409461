//go:build linux || darwin || freebsd

package unixsocket

import (
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// ownerMode is the mode of every socket here.
const ownerMode = 0o600

// A listener removes its socket when it is closed, if the path still leads to it.
type listener struct {
	*net.UnixListener
	path string // absolute, as the working directory may change
	id   id

	once     sync.Once
	closeErr error
}

// An id distinguishes a file from every other file that exists at the same time. On ext4
// the next file often gets the number of the file that was removed last.
type id struct {
	dev uint64
	ino uint64
}

func idOf(st *unix.Stat_t) id { return id{uint64(st.Dev), st.Ino} }

// Listen listens at a path, with mode 0600 from the first moment. It fails with
// EADDRINUSE if a process listens there, or if the path leads to something other than a
// socket. A socket at which no process listens is removed.
//
// Close of the listener removes the socket, or returns the reason why it could not.
func Listen(path string) (net.Listener, error) {
	if absolute, err := filepath.Abs(path); err == nil {
		// The given address is kept: it may be shorter, and the length is limited.
		return listen(path, absolute)
	}
	return listen(path, path)
}

func listen(address, path string) (net.Listener, error) {
	unlock, err := lock(path)
	if err != nil {
		return nil, err
	}
	defer unlock()
	l, id, err := bind(address, path)
	if errors.Is(err, unix.EADDRINUSE) && isDead(path) {
		if err := unix.Unlink(path); err != nil {
			return nil, fmt.Errorf("%w: no process listens at the socket, but it could not be removed: %w", unix.EADDRINUSE, err)
		}
		l, id, err = bind(address, path)
	}
	if err != nil {
		return nil, err
	}
	return &listener{UnixListener: l, path: path, id: id}, nil
}

// bindPause is the time that a server may take between bind(2) and listen(2). In this
// time it refuses clients, like a dead one.
const bindPause = 20 * time.Millisecond

// isDead reports whether a path leads to a socket at which no process listens. The
// caller has locked the path. So no server of this package is between bind and listen.
func isDead(path string) bool {
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil || st.Mode&unix.S_IFMT != unix.S_IFSOCK {
		return false
	}
	for range looks {
		if !refuses(path) {
			return false
		}
		time.Sleep(bindPause)
	}
	return refuses(path)
}

func refuses(path string) bool {
	fd, err := newSocket()
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	if err := unix.SetNonblock(fd, true); err != nil {
		return false
	}
	// Other errors do not prove that it is dead.
	return unix.Connect(fd, &unix.SockaddrUnix{Name: path}) == unix.ECONNREFUSED
}

// Close implements net.Listener. It may be called again.
func (l *listener) Close() error {
	l.once.Do(func() {
		// Unlink first: as long as the socket is open, no other file has its number.
		err := l.unlink()
		l.closeErr = errors.Join(err, l.UnixListener.Close())
	})
	return l.closeErr
}

// unlink removes the path, if it still leads to this socket.
func (l *listener) unlink() error {
	unlock, err := lock(l.path)
	if errors.Is(err, unix.ENOENT) {
		return nil // the whole folder is gone
	}
	if err != nil {
		return err
	}
	defer unlock()
	var st unix.Stat_t
	if err := unix.Lstat(l.path, &st); err != nil || idOf(&st) != l.id {
		return nil
	}
	return unix.Unlink(l.path)
}

// newSocket returns a socket in blocking mode.
func newSocket() (int, error) {
	// Linux could close it on exec in the same step. The other systems cannot, and ForkLock
	// keeps this process from starting another between the two steps.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err == nil {
		unix.CloseOnExec(fd)
	}
	return fd, err
}
