// Package mapping maps files into memory in a way that survives late users: a
// mapping can be taken away from under them, and its addresses are not used
// for anything else as long as somebody may still hold them.
package mapping

import (
	"sync/atomic"
	"unsafe"
)

// A Mapping is a range of addresses, first backed by a file, after Revoke by
// nothing.
type Mapping struct {
	addr   unsafe.Pointer // page aligned
	size   int            // bytes of the file that are mapped
	length uintptr        // bytes of the range: size in whole pages
	pinned atomic.Bool
	empty  atomic.Bool // Revoke has succeeded
	place  place       // the reservation's
}

// Bytes returns the memory. Its addresses are valid until Release; touching
// them faults after Revoke, or when the file has been cut short.
func (m *Mapping) Bytes() []byte { return unsafe.Slice((*byte)(m.addr), m.size) }

// Len returns the size in bytes.
func (m *Mapping) Len() int { return m.size }

// Contains reports whether a fault at the address was a fault in this mapping.
func (m *Mapping) Contains(addr uintptr) bool {
	return addr-uintptr(m.addr) < m.length
}
