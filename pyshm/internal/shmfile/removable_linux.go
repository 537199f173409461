//go:build !posixshm

package shmfile

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// checkRemovable returns an error unless this process may remove the names of a
// segment by the rules of unlink(2): /dev/shm is usually sticky, so only the owner of
// a segment may remove its names.
func (i Info) checkRemovable() error {
	user := uint32(os.Geteuid())
	var dir unix.Stat_t
	if err := unix.Stat(Dir, &dir); err != nil {
		return err
	}
	if user == i.UID || user == dir.Uid || dir.Mode&unix.S_ISVTX == 0 || ignoresOwners() {
		return nil
	}
	text := fmt.Sprintf("%v: it belongs to user %d, and another user could not remove the new name", unix.EPERM, i.UID)
	return &reason{text, unix.EPERM}
}

// ignoresOwners reports whether this thread has the privilege to treat all files
// as its own. Root may have given it up.
func ignoresOwners() bool {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var sets [2]unix.CapUserData // of 32 capabilities each
	err := unix.Capget(&header, &sets[0])
	return err == nil && sets[0].Effective&(1<<unix.CAP_FOWNER) != 0
}
