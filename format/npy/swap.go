package npy

import (
	"encoding/binary"
	"math/bits"
	"slices"
)

// Native returns d with all numbers in this machine's byte order: the dtype of elements
// that [Dtype.Swap] has turned.
func (d Dtype) Native() Dtype {
	if !d.swapped {
		return d
	}
	d.swapped = false
	if d.parts != nil {
		own := *d.parts
		own.elem = own.elem.Native()
		own.fields = slices.Clone(own.fields)
		for i, f := range own.fields {
			own.fields[i].Dtype = f.Dtype.Native()
		}
		d.parts = &own
	}
	return d
}

// Swap turns, in place, the bytes of each number in b whose byte order is not this
// machine's. Numbers in this machine's order stay as they are. A second Swap turns the
// others back. b holds elements of d, one after the other, at any alignment. If the last
// element is not whole, Swap fails with [ErrShape] and changes nothing.
//
// b should be a copy: processes that read shared memory during Swap see some numbers in
// one order and some in the other.
func (d Dtype) Swap(b []byte) error {
	if d.kind == 0 {
		return failf("swap", "", ErrDtype, "a dtype is missing")
	}
	if len(b)%d.size != 0 {
		return failf("swap", "", ErrShape, "%d bytes are not whole elements of %d", len(b), d.size)
	}
	if d.swapped {
		d.swap(b)
	}
	return nil
}

// swap turns the numbers of whole elements. d, or a field of it, is swapped.
func (d Dtype) swap(b []byte) {
	switch d.kind {
	case KindSubarray:
		d.parts.elem.swap(b)
	case KindRecord:
		for _, f := range d.parts.fields {
			if !f.Dtype.swapped {
				continue
			}
			for at := f.Offset; at < len(b); at += d.size {
				f.Dtype.swap(b[at : at+f.Dtype.size])
			}
		}
	default:
		swapWords(b, d.word())
	}
}

// word returns the size of the part that has a byte order: a half of a complex number, a
// character, a number.
func (d Dtype) word() int {
	switch d.kind {
	case KindComplex:
		return d.size / 2
	case KindText:
		return 4
	}
	return d.size
}

func swapWords(b []byte, size int) {
	switch size {
	case 2:
		for ; len(b) >= 2; b = b[2:] {
			b[0], b[1] = b[1], b[0]
		}
	case 4:
		for ; len(b) >= 4; b = b[4:] {
			binary.NativeEndian.PutUint32(b, bits.ReverseBytes32(binary.NativeEndian.Uint32(b)))
		}
	case 8:
		for ; len(b) >= 8; b = b[8:] {
			binary.NativeEndian.PutUint64(b, bits.ReverseBytes64(binary.NativeEndian.Uint64(b)))
		}
	default:
		for ; len(b) >= size; b = b[size:] {
			slices.Reverse(b[:size])
		}
	}
}
