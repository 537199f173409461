//go:build posixshm

package shmfile

import (
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// Objects here are files in /dev/shm, so that Linux's Pythons attach to them by name. They
// have the limits of macOS: see objects_darwin.go.

const (
	system            = "a system with macOS's shared memory"
	longestObjectName = 31
)

var errTooLong = &reason{fmt.Sprintf("the name has more than the %d bytes that macOS takes", LongestName), unix.ENAMETOOLONG}

func pathOf(name string) (string, error) {
	if _, err := objectName(name); err != nil {
		return "", err
	}
	return "/dev/shm/" + name, nil
}

// openObject opens or creates a file.
func openObject(name string, flags int, mode uint32) (fd int, err error) {
	path, err := pathOf(name)
	if err != nil {
		return -1, err
	}
	err = ignoringEINTR(func() error {
		fd, err = unix.Open(path, flags|unix.O_CLOEXEC|unix.O_NOFOLLOW|unix.O_NONBLOCK, mode)
		return err
	})
	return fd, err
}

func unlinkObject(name string) error {
	path, err := pathOf(name)
	if err != nil {
		return err
	}
	return unix.Unlink(path)
}

// truncateObject gives a file its size, once, in whole pages.
func truncateObject(fd int, size int64) error {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	if st.Size != 0 {
		return unix.EINVAL
	}
	return ignoringEINTR(func() error { return unix.Ftruncate(fd, inPages(size)) })
}

// inPages rounds a size up to whole pages.
func inPages(size int64) int64 {
	page := int64(os.Getpagesize())
	return (size + page - 1) &^ (page - 1)
}

func chmodObject(fd int, mode fs.FileMode) error { return checkMode(fd, mode) }

// statObject describes a file, without an ID. A Python on Linux has not rounded its size.
func statObject(fd int) (Info, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return Info{}, err
	}
	size := inPages(st.Size)
	return Info{
		Size: size, Allocated: size, Mode: fs.FileMode(st.Mode & 0o777),
		UID: st.Uid, GID: st.Gid, Links: 1,
	}, nil
}
