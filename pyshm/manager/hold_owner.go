//go:build !windows

package manager

import (
	"errors"
	"io/fs"

	"github.com/pyshm-go/pyshm/pyshm/internal/shmfile"
)

// owner returns which segment a name belongs to. On macOS, where segments have no ID, the
// segment of a name counts as the hold's.
func (h *hold) owner(name string) (owner, error) {
	info, err := shmfile.Lookup(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return unowned, nil
	case err != nil:
		return unowned, err
	case info.ID != h.id:
		return another, nil
	}
	return ours, nil
}
