package manager

import (
	"errors"

	"github.com/pyshm-go/pyshm/pyshm/internal/shmfile"
)

// A hold is a handle to a segment: as long as a process has one, the segment exists and
// no other segment can have its name. So nothing has to be restored, and several keepers
// can hold one segment.
type hold struct {
	name, hidden string // there is no hidden name: hidden is the key of the hold alone
	file         *shmfile.File
}

// errLost is never returned.
var errLost = errors.New("the handle was closed")

func newHold(name string) (*hold, error) {
	file, err := shmfile.Open(name, true)
	if err != nil {
		return nil, err
	}
	return &hold{name: name, hidden: shmfile.HiddenPrefix + name, file: file}, nil
}

// drop closes the handle.
func (h *hold) drop() error { return h.file.Close() }

func (h *hold) owner(string) (owner, error) { return ours, nil }

func (h *hold) restore() (news string, err error) { return "", nil }

// isClaimed reports whether another keeper would undo a release.
func isClaimed(string) bool { return false }
