//go:build !pyshm_posix

package manager

import (
	"errors"
	"io/fs"
	"syscall"

	"github.com/pyshm-go/pyshm/pyshm/internal/mapping"
	"github.com/pyshm-go/pyshm/pyshm/internal/shmfile"
)

// A hold is a segment with two names. The second one is the keeper's own.
type hold struct {
	name, hidden string
	id           shmfile.ID
	displaced    bool // the name belongs to another segment just now

	// A page of the segment, mapped but never touched. It shows processes that look
	// for orphans that this segment has a user, and it keeps the claim to the name.
	// It is nil if the segment could not be opened, and has no claim if writing is
	// not allowed.
	page *mapping.Mapping
}

// errLost is the reason when neither name is left.
var errLost = errors.New("both names were removed")

func newHold(name string) (*hold, error) {
	hidden, err := shmfile.LinkHidden(name)
	if err != nil {
		return nil, err
	}
	h := &hold{name: name, hidden: hidden}
	// Only the hidden name shows which segment was linked.
	info, err := shmfile.Lookup(hidden)
	if err == nil && !info.Mode.IsRegular() {
		err = invalid("it is not a segment but a special file")
	}
	if err != nil {
		return nil, errors.Join(err, h.drop())
	}
	h.id = info.ID
	if err := h.claim(); err != nil {
		return nil, errors.Join(err, h.drop())
	}
	return h, nil
}

// claim maps the page. It fails if another keeper holds the name, because two keepers
// would undo each other's release.
func (h *hold) claim() error {
	// A process that is started meanwhile would have a copy of the descriptor, and keep the
	// claim for some time after drop.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	f, err := shmfile.Claim(h.hidden, h.name)
	if errors.Is(err, shmfile.ErrClaimed) {
		return ErrOwned
	}
	if err != nil {
		h.page = mapPage(h.hidden)
		return nil
	}
	defer f.Close()
	h.page, err = mapping.Map(f.Fd(), 1, true)
	if err != nil {
		h.page = nil
	}
	return nil
}

// mapPage does not wait while another process has a lease on the segment: the
// keeper has other segments to look after. The next restore tries again.
func mapPage(name string) *mapping.Mapping {
	f, err := shmfile.Open(name, true)
	if err != nil {
		return nil
	}
	defer f.Close()
	page, err := mapping.Map(f.Fd(), 1, true)
	if err != nil {
		return nil
	}
	return page
}

// drop removes the hidden name.
func (h *hold) drop() error {
	err := shmfile.Unlink(h.hidden)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	if h.page != nil {
		err = errors.Join(err, h.page.Release())
	}
	return err
}

// restore restores a missing name from the other one, and returns what has changed, or
// "". A name that another segment has taken stays with the other segment.
func (h *hold) restore() (news string, err error) {
	name, err := h.owner(h.name)
	if err != nil {
		return "", err
	}
	hidden, err := h.owner(h.hidden)
	if err != nil {
		return "", err
	}
	if h.page == nil && hidden == ours {
		if err := h.claim(); err != nil {
			return "", err
		}
	}
	wasDisplaced := h.displaced
	h.displaced = name == another
	switch {
	case name != ours && hidden != ours:
		return "", errLost
	case name == unowned:
		return "name restored", shmfile.Link(h.hidden, h.name)
	case hidden == unowned:
		return "hidden name restored", h.linkHidden()
	case h.displaced && !wasDisplaced:
		return "name taken by another segment, left alone", nil
	}
	return "", nil
}

// linkHidden restores the hidden name. If the name passes to another segment just
// before, linkHidden removes the hidden name again, and the next restore reports the
// loss.
func (h *hold) linkHidden() error {
	if err := shmfile.Link(h.name, h.hidden); err != nil {
		return err
	}
	if hidden, _ := h.owner(h.hidden); hidden == another {
		return shmfile.Unlink(h.hidden)
	}
	return nil
}

// isClaimed reports whether another keeper would undo a release.
func isClaimed(name string) bool { return shmfile.IsClaimed(name) }
