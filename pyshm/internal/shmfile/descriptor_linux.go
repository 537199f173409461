package shmfile

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// OpenDescriptor opens the file that another process has open as a descriptor. The
// process 0 is this one. The file needs no name, and is a regular one, else the error is
// [ErrSpecial]: nothing else is opened. A missing process or descriptor is ENOENT.
func OpenDescriptor(pid, fd int, readOnly bool) (*File, error) {
	f, err := duplicate(pid, fd)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if err := f.checkRegular(); err != nil {
		return nil, err
	}
	access := unix.O_RDWR
	if readOnly {
		access = unix.O_RDONLY
	}
	again, err := open(f.procPath(), access|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	return &File{fd: again}, nil
}

// duplicate returns a descriptor of the same file, with which nothing can be done to a
// file that is not regular: a FIFO, say, would get a reader.
func duplicate(pid, fd int) (*File, error) {
	process := "self"
	if pid != 0 {
		process = fmt.Sprint(pid)
	}
	path, err := open(fmt.Sprintf("/proc/%s/fd/%d", process, fd), unix.O_PATH, 0)
	if err != nil {
		return nil, err
	}
	return &File{fd: path}, nil
}
