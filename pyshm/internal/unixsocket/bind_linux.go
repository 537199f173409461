//go:build !pyshm_posix

package unixsocket

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// looks is how many refusals, bindPause apart, precede the one that proves a server dead. A
// server whose queue of clients is full does not refuse: it is EAGAIN. Tests change it.
var looks = 1

// bind listens at a path, and returns the identity of the socket that it has made there.
func bind(address, path string) (*net.UnixListener, id, error) {
	config := net.ListenConfig{Control: beforeBind}
	l, err := config.Listen(context.Background(), "unix", address)
	if err != nil {
		return nil, id{}, err
	}
	// Package net would remove whatever file is at the path.
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	id, err := restrict(path)
	if err != nil {
		return nil, id, errors.Join(err, l.Close())
	}
	return l.(*net.UnixListener), id, nil
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
