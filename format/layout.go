package format

import "strconv"

// A Layout is one of the two byte layouts that CPython has used. They share no
// magic number. The word at offset 8 distinguishes them.
type Layout uint8

const (
	Offsets Layout = iota // CPython 3.9 and later, PyPy
	Sizes                 // CPython 3.8
)

// String returns "offsets" or "sizes".
func (l Layout) String() string {
	switch l {
	case Offsets:
		return "offsets"
	case Sizes:
		return "sizes"
	default:
		return "Layout(" + strconv.Itoa(int(l)) + ")"
	}
}

// MaxText is the size in bytes of the longest str or bytes item. CPython keeps
// the slot's size in 7 digits of the 8-byte format word.
const MaxText = maxSlot - 1

const (
	wordSize = 8
	maxSlot  = 9_999_992 // the greatest multiple of 8 with 7 digits

	// minItem is the smallest size of an item in bytes: a word in the table, a
	// slot, a format word and a code.
	minItem = 3*wordSize + 1
)

// areas holds where the parts of a list of n items begin, in bytes from the
// start of the buffer. S is the size of a slot, D the sum of all S.
//
//	Offsets (CPython 3.9+)                  Sizes (CPython 3.8)
//	0          n                            0         n
//	8          0, S0, S0+S1, … D (n+1)      8         S0, S1, … (n)
//	16+8n      data slots                   8+8n      data slots
//	16+8n+D    format words (n)             8+8n+D    format words (n)
//	16+16n+D   codes, 1 byte each (n)       8+16n+D   codes, 1 byte each (n)
//	16+17n+D   end                          8+17n+D   end
//
// Every number is an 8-byte word in native byte order. S is a multiple of 8
// and at least 8, so everything but the codes is 8-byte aligned.
type areas struct {
	data, formats, codes, end int
}

const tableStart = wordSize

func (l Layout) dataStart(n int) int {
	if l == Sizes {
		return tableStart + n*wordSize
	}
	return tableStart + (n+1)*wordSize
}

func (l Layout) areas(n, dataSize int) areas {
	data := l.dataStart(n)
	formats := data + dataSize
	codes := formats + n*wordSize
	return areas{data: data, formats: formats, codes: codes, end: codes + n}
}
