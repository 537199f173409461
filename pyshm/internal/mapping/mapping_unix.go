//go:build linux || darwin || freebsd

package mapping

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A place has the notes about a range.
type place struct{ account }

// Map maps the first size bytes (at least 1) of a file, shared with all processes that
// map the file. The descriptor is not needed afterwards.
//
// The error is ENOMEM if the address space has no room, or the process has nearly as
// many mappings as it may have. Before it fails, and when much has been mapped since
// the last collection, Map has the garbage collector release mappings that are not used
// any more.
func Map(fd, size int, readOnly bool) (*Mapping, error) {
	prot := unix.PROT_READ | unix.PROT_WRITE
	if readOnly {
		prot = unix.PROT_READ
	}
	var addr unsafe.Pointer
	err := reserved.retry(func() error {
		err := entries.take()
		if err == nil {
			addr, err = unix.MmapPtr(fd, 0, nil, uintptr(size), prot, unix.MAP_SHARED)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	page := uintptr(os.Getpagesize())
	m := &Mapping{addr: addr, size: size, length: (uintptr(size) + page - 1) &^ (page - 1)}
	reserved.add(m)
	return m, nil
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
func (m *Mapping) Freeze() error { return unix.Mprotect(m.Bytes(), unix.PROT_READ) }

// Revoke gives the file's memory back and leaves inaccessible pages in its
// place, in one step. A goroutine still at work on the range faults. It never sees other
// memory. macOS and FreeBSD, too, replace a range by MAP_FIXED without a gap in which
// another thread could get the addresses: mmap in xnu's bsd/kern/kern_mman.c
// (VM_FLAGS_OVERWRITE), and vm_map_fixed in FreeBSD's sys/vm/vm_map.c.
func (m *Mapping) Revoke() error {
	const flags = unix.MAP_FIXED | unix.MAP_PRIVATE | unix.MAP_ANON | noReserve
	err := reserved.retry(func() error {
		_, err := unix.MmapPtr(-1, 0, m.addr, m.length, unix.PROT_NONE, flags)
		return err
	})
	if err == nil && !m.pinned.Load() && !m.empty.Swap(true) {
		reserved.add(m)
	}
	return err
}

// Release gives the range of addresses back, unless it is pinned. The Mapping
// must not be used afterwards.
func (m *Mapping) Release() error {
	if m.pinned.Load() {
		return nil
	}
	defer reserved.remove(m)
	if m.empty.Load() {
		entries.part()
	}
	return unix.MunmapPtr(m.addr, m.length)
}
