//go:build darwin || freebsd

package shmfile

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// unlinkObject removes a name. The object's owner may do so. So may other users with the
// right to write to it, on FreeBSD with the right to read it, too.
func unlinkObject(name string) error {
	path, err := objectName(name)
	if err != nil {
		return err
	}
	return ignoringEINTR(func() error {
		if _, _, errno := unix.Syscall(unix.SYS_SHM_UNLINK, uintptr(unsafe.Pointer(path)), 0, 0); errno != 0 {
			return errno
		}
		return nil
	})
}

// truncateObject gives an object its size: whole pages on macOS, where pshm_truncate allows
// it once, and a number of bytes on FreeBSD.
func truncateObject(fd int, size int64) error {
	return ignoringEINTR(func() error { return unix.Ftruncate(fd, size) })
}
