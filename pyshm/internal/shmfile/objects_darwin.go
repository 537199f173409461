package shmfile

import (
	"fmt"
	"io/fs"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The facts here are from xnu, the kernel of macOS: bsd/kern/posix_shm.c, and the numbers
// and arguments of system calls from bsd/kern/syscalls.master. The C library's shm_open is
// variadic, and the system call takes the mode as its third argument.

const (
	system            = "macOS"
	longestObjectName = 31 // PSHMNAMLEN, without the NUL
)

var errTooLong = &reason{fmt.Sprintf("the name has more than the %d bytes that macOS takes", LongestName), unix.ENAMETOOLONG}

// openObject opens or creates an object. The kernel sets close-on-exec.
func openObject(name string, flags int, mode uint32) (fd int, err error) {
	path, err := objectName(name)
	if err != nil {
		return -1, err
	}
	err = ignoringEINTR(func() error {
		r, _, errno := unix.Syscall(unix.SYS_SHM_OPEN, uintptr(unsafe.Pointer(path)), uintptr(flags), uintptr(mode))
		if errno != 0 {
			return errno
		}
		fd = int(r)
		return nil
	})
	return fd, err
}

// chmodObject returns an error if the object does not have the mode. fchmod(2) works on
// files only, so the umask has the last word.
func chmodObject(fd int, mode fs.FileMode) error { return checkMode(fd, mode) }

// statObject describes an object by the few fields that pshm_stat sets.
func statObject(fd int) (Info, error) {
	var st unix.Stat_t
	if err := ignoringEINTR(func() error { return unix.Fstat(fd, &st) }); err != nil {
		return Info{}, err
	}
	return Info{
		Size: st.Size, Allocated: st.Size, Mode: fs.FileMode(st.Mode & 0o777),
		UID: st.Uid, GID: st.Gid, Links: 1,
	}, nil
}
