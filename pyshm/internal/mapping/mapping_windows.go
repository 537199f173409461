package mapping

import (
	"os"
	"unsafe"

	"golang.org/x/sys/windows"
)

// A place has the notes about a range.
type place struct {
	account
	section windows.Handle // keeps the section's name; 0 after Revoke
}

// Map maps the first size bytes (at least 1) of a section, shared with all processes that
// map the section. The Mapping has a handle of its own to the section: its name
// exists as long as a process has a handle, and a view alone does not keep it.
//
// If there is no room, and when much has been mapped since the last collection, Map has
// the garbage collector release mappings that are not used any more.
func Map(section, size int, readOnly bool) (*Mapping, error) {
	access := uint32(windows.FILE_MAP_READ | windows.FILE_MAP_WRITE)
	if readOnly {
		access = windows.FILE_MAP_READ
	}
	own, err := duplicate(windows.Handle(section))
	if err != nil {
		return nil, err
	}
	var addr uintptr
	err = reserved.retry(func() (err error) {
		addr, err = windows.MapViewOfFile(own, access, 0, 0, uintptr(size))
		return err
	})
	if err != nil {
		windows.CloseHandle(own)
		return nil, err
	}
	page := uintptr(os.Getpagesize())
	m := &Mapping{
		addr: toPointer(addr), size: size, length: (uintptr(size) + page - 1) &^ (page - 1),
		place: place{section: own},
	}
	reserved.add(m)
	return m, nil
}

// toPointer returns an address outside of Go's heap as a pointer. Vet takes the plain
// conversion for a mistake.
func toPointer(addr uintptr) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(&addr)) }

func duplicate(h windows.Handle) (own windows.Handle, err error) {
	self := windows.CurrentProcess()
	err = windows.DuplicateHandle(self, h, self, &own, 0, false, windows.DUPLICATE_SAME_ACCESS)
	return own, err
}

// Pin makes Release do nothing from now on. It has to be called before a caller gets a
// slice of the memory that the garbage collector cannot follow.
func (m *Mapping) Pin() {
	if !m.pinned.Swap(true) {
		reserved.pinned(m)
	}
}

// Freeze takes away the right to write. When it returns, no goroutine's write to the
// range is still under way, and later writes fault.
func (m *Mapping) Freeze() error { return m.protect(windows.PAGE_READONLY) }

// Revoke makes the range inaccessible, and closes the handle to the section. A goroutine
// still at work on the range faults. It never sees other memory.
//
// Nothing can take the place of a view in one step: between unmapping it and
// reserving its addresses another thread could get them. So the view stays, and with it
// the section's memory, until Release.
func (m *Mapping) Revoke() error {
	if err := m.protect(windows.PAGE_NOACCESS); err != nil {
		return err
	}
	m.closeSection()
	if !m.pinned.Load() && !m.empty.Swap(true) {
		reserved.add(m)
	}
	return nil
}

func (m *Mapping) protect(protection uint32) error {
	var old uint32
	return windows.VirtualProtect(uintptr(m.addr), m.length, protection, &old)
}

func (m *Mapping) closeSection() {
	if m.place.section != 0 {
		_ = windows.CloseHandle(m.place.section) // fails only if it is closed already
		m.place.section = 0
	}
}

// Release gives the range of addresses back, unless it is pinned. The Mapping
// must not be used afterwards.
func (m *Mapping) Release() error {
	if m.pinned.Load() {
		return nil
	}
	defer reserved.remove(m)
	m.closeSection()
	return windows.UnmapViewOfFile(uintptr(m.addr))
}
