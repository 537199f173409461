//go:build !posixshm

package shmfile

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// blame returns the error of Dir itself if a system call on a name in Dir failed with
// err because of it, and otherwise err. The call needs this access to Dir.
func blame(err error, access uint32) error {
	switch err {
	case unix.EROFS:
		access = unix.W_OK
	case unix.ENOENT, unix.ENOTDIR, unix.EACCES, unix.ELOOP:
	default:
		return err
	}
	if wrong := checkDir(access); wrong != nil {
		return wrong
	}
	return err
}

// CheckDir returns an error unless this process can list the names in Dir.
func CheckDir() error { return checkDir(unix.R_OK | unix.X_OK) }

// checkDir returns an error unless this process has the access to Dir.
func checkDir(access uint32) error {
	var st unix.Stat_t
	switch err := unix.Stat(Dir, &st); {
	case err == unix.ENOENT:
		return &reason{"there is no shared memory here: " + Dir + " does not exist", errors.ErrUnsupported}
	case err != nil:
		return fmt.Errorf("%s: %w", Dir, err)
	case st.Mode&unix.S_IFMT != unix.S_IFDIR:
		return &reason{"there is no shared memory here: " + Dir + " is not a folder", errors.ErrUnsupported}
	}
	switch err := unix.Faccessat(unix.AT_FDCWD, Dir, access, unix.AT_EACCESS); err {
	case unix.EROFS:
		return &reason{Dir + " is mounted read-only", err}
	case unix.EACCES:
		text := fmt.Sprintf("%v in %s itself, which belongs to user %d and has mode %04o", err, Dir, st.Uid, st.Mode&0o7777)
		return &reason{text, err}
	}
	return nil
}
