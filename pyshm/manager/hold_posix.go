//go:build (!linux && !windows) || pyshm_posix

package manager

import (
	"errors"

	"github.com/pyshm-go/pyshm/pyshm/internal/shmfile"
)

// A hold is an open segment. On macOS and FreeBSD a segment has no other name than its own,
// and none can be given to it: see shm_open(2). So the keeper notices that a name is gone,
// and cannot restore it. It has nothing to claim a name with, either: several keepers can
// hold one segment.
type hold struct {
	name, hidden string // there is no hidden name: hidden is the key of the hold alone
	file         *shmfile.File
	id           shmfile.ID // always zero on macOS, which does not number segments
}

// errLost is the reason when the name is gone.
var errLost = errors.New("its name was removed, and this system cannot restore it")

func newHold(name string) (*hold, error) {
	file, err := shmfile.Open(name, true)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return &hold{name: name, hidden: shmfile.HiddenPrefix + name, file: file, id: info.ID}, nil
}

// drop closes the segment.
func (h *hold) drop() error { return h.file.Close() }

// restore returns errLost if the name is gone, or belongs to another segment.
func (h *hold) restore() (news string, err error) {
	whose, err := h.owner(h.name)
	if err == nil && whose != ours {
		err = errLost
	}
	return "", err
}

// isClaimed reports whether another keeper would undo a release.
func isClaimed(string) bool { return false }
