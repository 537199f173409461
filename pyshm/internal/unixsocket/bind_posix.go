//go:build darwin || freebsd || pyshm_posix

package unixsocket

import (
	"errors"
	"fmt"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// looks is how many refusals, bindPause apart, precede the one that proves a server dead. On
// macOS and FreeBSD a server whose queue of clients is full refuses as a dead one does, see
// connect(2). A server that lives has accepted a client in half a second. Tests change it.
var looks = 25

// bind listens at a path, and returns the identity of the socket that it has made there. On
// macOS and FreeBSD the umask alone decides about the mode of a new socket, and belongs to
// the whole process. So bind changes the mode before listen(2): until then connect(2) is
// refused to every user.
func bind(address, path string) (*net.UnixListener, id, error) {
	fd, err := newSocket()
	if err != nil {
		return nil, id{}, os.NewSyscallError("socket", err)
	}
	socket := os.NewFile(uintptr(fd), path)
	defer socket.Close() // FileListener duplicates it
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: address}); err != nil {
		return nil, id{}, os.NewSyscallError("bind", err)
	}
	own, err := restrict(path)
	if err != nil {
		return nil, own, err
	}
	if err := unix.Listen(fd, unix.SOMAXCONN); err != nil {
		return nil, own, errors.Join(os.NewSyscallError("listen", err), unix.Unlink(path))
	}
	l, err := net.FileListener(socket)
	if err != nil {
		return nil, own, errors.Join(err, unix.Unlink(path))
	}
	return l.(*net.UnixListener), own, nil // which does not remove the path
}

// restrict gives a new socket its mode, and returns its identity. It follows no symbolic
// link. There is no descriptor of a socket's file here, as O_PATH is on Linux. So where other
// users may rename files, it may change the mode of another file of this user, but never
// listens then.
func restrict(path string) (id, error) {
	before, err := identify(path)
	if err != nil {
		return id{}, err
	}
	if err := unix.Fchmodat(unix.AT_FDCWD, path, ownerMode, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return id{}, os.NewSyscallError("fchmodat", err)
	}
	after, err := identify(path)
	if err == nil && after != before {
		err = errReplaced
	}
	return after, err
}

// identify returns the identity of the socket at a path.
func identify(path string) (id, error) {
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		return id{}, os.NewSyscallError("lstat", err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFSOCK {
		return id{}, errReplaced
	}
	return idOf(&st), nil
}

var errReplaced = fmt.Errorf("%w: another process has replaced the socket", unix.EPERM)
