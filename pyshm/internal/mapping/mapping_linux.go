package mapping

import (
	"os"

	"golang.org/x/sys/unix"
)

// Map maps the first size bytes (at least 1) of a file, shared with all who
// map it. The descriptor is not needed afterwards.
func Map(fd, size int, readOnly bool) (*Mapping, error) {
	prot := unix.PROT_READ | unix.PROT_WRITE
	if readOnly {
		prot = unix.PROT_READ
	}
	addr, err := unix.MmapPtr(fd, 0, nil, uintptr(size), prot, unix.MAP_SHARED)
	if err != nil {
		return nil, err
	}
	page := uintptr(os.Getpagesize())
	return &Mapping{addr: addr, size: size, length: (uintptr(size) + page - 1) &^ (page - 1)}, nil
}

// Freeze takes away the right to write: after it, nobody's write to the range
// is still under way, and later ones fault.
func (m *Mapping) Freeze() error { return unix.Mprotect(m.Bytes(), unix.PROT_READ) }

// Revoke gives the file's memory back and leaves inaccessible pages in its
// place, in one step: a goroutine that is still at work on the range faults,
// and never meets memory that belongs to somebody else.
func (m *Mapping) Revoke() error {
	const flags = unix.MAP_FIXED | unix.MAP_PRIVATE | unix.MAP_ANONYMOUS | unix.MAP_NORESERVE
	_, err := unix.MmapPtr(-1, 0, m.addr, m.length, unix.PROT_NONE, flags)
	return err
}

// Release gives the range of addresses back, unless it is pinned. The Mapping
// must not be used any more.
func (m *Mapping) Release() error {
	if m.pinned.Load() {
		return nil
	}
	return unix.MunmapPtr(m.addr, m.length)
}
