//go:build !posixshm

package shmfile

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// OpenDescriptor opens the file that another process has open as a descriptor. The file
// needs no name. A missing process or descriptor is ENOENT. The process 0 is this one,
// which has inherited the descriptor, perhaps from another user: the file is not opened
// again then. If the file is not regular, the error is [ErrSpecial].
func OpenDescriptor(pid, fd int, readOnly bool) (*File, error) {
	if pid == 0 {
		return duplicate(fd)
	}
	// A file opened in this way is not used yet: a FIFO, say, gets no reader.
	path, err := openAny(fmt.Sprintf("/proc/%d/fd/%d", pid, fd), unix.O_PATH)
	if err != nil {
		return nil, err
	}
	defer path.Close()
	access := unix.O_RDWR
	if readOnly {
		access = unix.O_RDONLY
	}
	return openAny(path.procPath(), access|unix.O_NONBLOCK)
}

// openAny opens a regular file anywhere.
func openAny(path string, flags int) (*File, error) {
	fd, err := open(path, flags, 0)
	if err != nil {
		return nil, err
	}
	return regular(fd)
}

// duplicate returns another descriptor of a regular file that this process has open.
func duplicate(fd int) (*File, error) {
	again, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err == unix.EBADF {
		err = unix.ENOENT
	}
	if err != nil {
		return nil, err
	}
	return regular(again)
}

// regular returns the file of a descriptor, which it closes if the file is not regular.
func regular(fd int) (*File, error) {
	f := &File{fd: fd}
	if err := f.checkRegular(); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}
