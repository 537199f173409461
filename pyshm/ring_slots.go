package pyshm

import (
	"fmt"
	"math"
	"unsafe"

	"github.com/pyshm-go/pyshm/internal/words"
)

// A ringSlots is the memory of a ring, as bytes. Its methods may fault.
//
//	begin | end | frame | padding     slot 0
//	begin | end | frame | padding     slot 1, step bytes further on
//	...
//
// A writer overwrites the slot of frame n-count with frame n:
//
//	begin = n     a reader that is copying the slot notices
//	barrier       no store to the frame comes before the store to begin
//	the frame
//	barrier       all stores to the frame come before the store to end
//	end = n       a reader may copy the slot
//
// A reader chooses the slot with the largest end:
//
//	n = end
//	begin == n?   if not, the writer has come round
//	barrier       no load of the frame comes before the load of begin
//	copy
//	barrier       all loads of the frame come before the second load of begin
//	begin == n?   if not, the copy may be of two frames
//
// A writer that dies or gives up between the barriers leaves begin and end different, in
// a slot that does not have the newest frame. The next writer uses the slot again.
type ringSlots struct {
	memory []byte // all of the segment
	first  int    // offset of slot 0
	step   int    // bytes from one slot to the next
	count  int
	begin  int // offsets in a slot
	end    int
	frame  int
	size   int // bytes of a frame
}

// wordSize is the size of begin and end, and their alignment.
const wordSize = 8

// word returns begin or end of a slot.
func (s *ringSlots) word(slot, field int) *uint64 { return s.wordAt(s.at(slot, field)) }

func (s *ringSlots) wordAt(at int) *uint64 {
	return (*uint64)(unsafe.Pointer(unsafe.SliceData(s.memory[at : at+wordSize])))
}

// at returns where a field of a slot begins.
func (s *ringSlots) at(slot, field int) int { return s.first + slot*s.step + field }

// frameAt returns where the frame of a slot begins.
func (s *ringSlots) frameAt(slot int) int { return s.at(slot, s.frame) }

// newest returns the number of the newest frame, 0 if there is none, and its slot.
func (s *ringSlots) newest() (n uint64, slot int, err error) {
	return s.newestOf(func(at int) (uint64, error) { return words.Load64(s.wordAt(at)), nil })
}

// newestOf is newest with a function that loads the word at an offset of the segment.
func (s *ringSlots) newestOf(load func(at int) (uint64, error)) (n uint64, slot int, err error) {
	for i := range s.count {
		end, err := load(s.at(i, s.end))
		if err != nil {
			return 0, 0, err
		}
		if end > n {
			n, slot = end, i
		}
	}
	if n > 0 && (n >= math.MaxInt64 || s.slotOf(n) != slot) {
		return 0, 0, &reason{fmt.Sprintf("not a ring: frame %d of %d slots is in slot %d", n, s.count, slot), ErrNotRing}
	}
	return n, slot, nil
}

func (s *ringSlots) slotOf(n uint64) int { return int(n % uint64(s.count)) }

// A ringMark is a slot that a writer has begun to overwrite.
type ringMark struct {
	n    uint64
	slot int
	old  uint64 // the number of the frame that was there
}

// mark begins the next frame.
func (s *ringSlots) mark() (ringMark, error) {
	n, _, err := s.newest()
	if err != nil {
		return ringMark{}, err
	}
	m := ringMark{n: n + 1, slot: s.slotOf(n + 1)}
	m.old = words.Load64(s.word(m.slot, s.end))
	words.Store64(s.word(m.slot, s.begin), m.n)
	words.OrderStores()
	return m, nil
}

// publish ends the frame that m has begun.
func (s *ringSlots) publish(m ringMark) error {
	words.OrderStores()
	begin, end := s.word(m.slot, s.begin), s.word(m.slot, s.end)
	if words.Load64(begin) != m.n || words.Load64(end) != m.old {
		return ErrSecondWriter
	}
	words.Store64(end, m.n)
	return nil
}

// readAttempts is how often copyNewer tries. A writer that never pauses spoils about
// every other copy from a ring of two slots, and far fewer with more slots.
const readAttempts = 64

// copyNewer copies the newest frame to dst, if its number is above after, and returns the
// number, or 0 if there is no such frame. dst has the size of a frame.
func (s *ringSlots) copyNewer(dst []byte, after uint64) (uint64, error) {
	var first, last uint64
	for range readAttempts {
		n, slot, err := s.newest()
		if err != nil || n <= after {
			return 0, err
		}
		if s.copyFrame(dst, n, slot) {
			return n, nil
		}
		if first == 0 {
			first = n
		}
		last = n
	}
	if first == last {
		return 0, &reason{fmt.Sprintf("not a ring: frame %d is the newest, and being overwritten", last), ErrNotRing}
	}
	return 0, ErrOutrun
}

// copyFrame copies frame n, and reports whether the copy is whole.
func (s *ringSlots) copyFrame(dst []byte, n uint64, slot int) bool {
	begin := s.word(slot, s.begin)
	if words.Load64(begin) != n {
		return false
	}
	words.OrderLoads()
	words.CopyTorn(dst, s.memory[s.frameAt(slot):])
	words.OrderLoads()
	return words.Load64(begin) == n
}
