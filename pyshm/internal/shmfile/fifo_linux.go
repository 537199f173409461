//go:build !posixshm

package shmfile

import (
	"cmp"
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// NewFIFO makes a FIFO with exactly the permissions of mode. Like a segment, it has its
// mode when its name appears. If the name is taken, the error is EEXIST.
func NewFIFO(name string, mode fs.FileMode) error {
	hidden, err := newHiddenFIFO()
	if err != nil {
		return blame(err, unix.W_OK|unix.X_OK)
	}
	// The umask would cut a mode given to mkfifo(3).
	if err = unix.Chmod(pathOf(hidden), uint32(mode.Perm())); err == nil {
		err = blame(link(hidden, name), unix.W_OK|unix.X_OK)
	}
	unlinkErr := Unlink(hidden)
	return cmp.Or(err, unlinkErr)
}

func newHiddenFIFO() (string, error) {
	for {
		hidden := hiddenName()
		if err := unix.Mkfifo(pathOf(hidden), 0o600); !errors.Is(err, fs.ErrExist) {
			return hidden, err
		}
	}
}

// LocateFIFO returns a file that stands for the FIFO called name, without opening the
// FIFO. The error for another file is [ErrNotFIFO].
func LocateFIFO(name string) (*os.File, Info, error) {
	fd, err := open(pathOf(name), unix.O_PATH|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, Info{}, blame(err, unix.X_OK)
	}
	var st unix.Stat_t
	if err = unix.Fstat(fd, &st); err == nil && st.Mode&unix.S_IFMT != unix.S_IFIFO {
		err = ErrNotFIFO
	}
	if err != nil {
		unix.Close(fd)
		return nil, Info{}, err
	}
	return os.NewFile(uintptr(fd), pathOf(name)), infoOf(&st), nil
}
