package shmfile

import (
	"fmt"
	"io/fs"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The facts here are from FreeBSD's shm_open(2), sys/kern/uipc_shm.c, and the numbers and
// arguments of system calls from sys/kern/syscalls.master. FreeBSD 13 has replaced the
// system call shm_open by shm_open2, to which the C library's shm_open(3) passes the
// flag O_CLOEXEC, no shmflags and no name (lib/libc/sys/shm_open.c).

const (
	system            = "FreeBSD"
	longestObjectName = 1023 // MAXPATHLEN, without the NUL
)

// sysShmOpen2 is the number of int shm_open2(const char *path, int flags, mode_t mode,
// int shmflags, const char *name).
const sysShmOpen2 = 571

var errTooLong = &reason{fmt.Sprintf("the name has more than the %d bytes that FreeBSD takes", LongestName), unix.ENAMETOOLONG}

// openObject opens or creates an object.
func openObject(name string, flags int, mode uint32) (fd int, err error) {
	path, err := objectName(name)
	if err != nil {
		return -1, err
	}
	err = ignoringEINTR(func() error {
		r, _, errno := unix.Syscall6(sysShmOpen2, uintptr(unsafe.Pointer(path)), uintptr(flags|unix.O_CLOEXEC), uintptr(mode), 0, 0, 0)
		if errno != 0 {
			return errno
		}
		fd = int(r)
		return nil
	})
	return fd, err
}

// chmodObject gives an object its mode, from which shm_open2 has cut the umask.
func chmodObject(fd int, mode fs.FileMode) error { return unix.Fchmod(fd, uint32(mode)) }

// statObject describes an object. Its inode is the number that shm_alloc gives it, no other
// object has it at the same time.
func statObject(fd int) (Info, error) {
	var st unix.Stat_t
	if err := ignoringEINTR(func() error { return unix.Fstat(fd, &st) }); err != nil {
		return Info{}, err
	}
	return Info{
		ID:   ID{Dev: st.Dev, Ino: st.Ino},
		Size: st.Size, Allocated: st.Blocks * 512, Mode: fs.FileMode(st.Mode & 0o777),
		UID: st.Uid, GID: st.Gid, Links: 1,
		Modified: time.Unix(st.Mtim.Unix()), Changed: time.Unix(st.Ctim.Unix()),
	}, nil
}
