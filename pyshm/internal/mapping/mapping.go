// Package mapping maps files into memory. A mapping can be taken away while goroutines
// still use it: its addresses are not used for anything else as long as a goroutine may
// hold them.
package mapping

import (
	"sync/atomic"
	"unsafe"
)

// A Mapping is a range of addresses. A file is behind it at first, and nothing after
// Revoke.
type Mapping struct {
	addr   unsafe.Pointer // page aligned
	size   int            // bytes of the file that are mapped
	length uintptr        // bytes of the range: size rounded up to whole pages
	pinned atomic.Bool
	empty  atomic.Bool // Revoke has succeeded
	place  place       // what the system and the reservation note
}

// Bytes returns the memory. Its addresses are valid until Release. Touching
// them faults after Revoke, or when the file has been cut short.
func (m *Mapping) Bytes() []byte { return unsafe.Slice((*byte)(m.addr), m.size) }

// Len returns the size in bytes.
func (m *Mapping) Len() int { return m.size }

// Contains reports whether a fault at the address was a fault in this mapping.
func (m *Mapping) Contains(addr uintptr) bool {
	return addr-uintptr(m.addr) < m.length
}
