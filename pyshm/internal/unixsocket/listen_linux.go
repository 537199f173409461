package unixsocket

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
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
	l, err := bind(address)
	if errors.Is(err, unix.EADDRINUSE) && isDead(path) {
		if err := unix.Unlink(path); err != nil {
			return nil, fmt.Errorf("%w: no process listens at the socket, but it could not be removed: %w", unix.EADDRINUSE, err)
		}
		l, err = bind(address)
	}
	if err != nil {
		return nil, err
	}
	id, err := restrict(path)
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return &listener{UnixListener: l, path: path, id: id}, nil
}

func bind(address string) (*net.UnixListener, error) {
	config := net.ListenConfig{Control: beforeBind}
	l, err := config.Listen(context.Background(), "unix", address)
	if err != nil {
		return nil, err
	}
	// Package net would remove whatever file is at the path.
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	return l.(*net.UnixListener), nil
}

// beforeBind sets the mode of a socket. Linux gives the same mode to the socket's file.
// A chmod afterwards would leave the file open to others for a moment, and the umask
// belongs to the whole process.
func beforeBind(_, _ string, socket syscall.RawConn) error {
	var err error
	if controlErr := socket.Control(func(fd uintptr) { err = unix.Fchmod(int(fd), ownerMode) }); controlErr != nil {
		return controlErr
	}
	return err
}

// restrict gives the owner the permissions that the umask took away, and returns the
// identity of the socket. It follows no symbolic link and changes only a socket: where
// other users may rename files, they may have put another file there.
func restrict(path string) (id, error) {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return id{}, err
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return id{}, err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFSOCK {
		return id{}, fmt.Errorf("%w: another process has replaced the socket", unix.EPERM)
	}
	if st.Mode&0o7777 == ownerMode {
		return idOf(&st), nil
	}
	// fchmod(2) refuses an O_PATH descriptor, and fchmodat2(2) exists only since Linux 6.6.
	return idOf(&st), unix.Chmod("/proc/self/fd/"+strconv.Itoa(fd), ownerMode)
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
	if !refuses(path) {
		return false
	}
	time.Sleep(bindPause)
	return refuses(path)
}

func refuses(path string) bool {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	// Other errors do not prove that it is dead. For example, a server whose queue of
	// clients is full is EAGAIN.
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
