package format

import (
	"math/bits"

	"github.com/pyshm-go/pyshm/internal/words"
)

// Most lists have long runs of items of one kind. The methods that read many items read
// such a run in three passes: all headers, all values, all headers again. So each item
// gets the two looks that reading describes, and every word is checked as for a single
// item, but a pass does the same for each word. A run in which anything differs is read
// item by item, which also finds the error.

// runLength is how many items are read in this way at a time. Runs begin at its
// multiples, so that eight codes make an aligned word. The words of a run fit the
// processor's first cache.
const runLength = 256

// toRunEnd returns how many items there are from item i to the next run.
func toRunEnd(i int) int { return runLength - i%runLength }

// numbersAt returns the slots of the n items from i on, if at this look all are numbers
// with the format, and their slots are words that follow each other.
func (l *List) numbersAt(i, n int, format uint64) (slots []uint64, ok bool) {
	return l.slotsAt(i, n, format, codeNumber, 1)
}

// slotsAt returns the slots of the n items from i on, if at this look all have the format
// and the code, and their slots, of size words each, follow each other.
func (l *List) slotsAt(i, n int, format uint64, code int8, size int) (slots []uint64, ok bool) {
	if n == 0 || !l.isRun(i, n, format, code) {
		return nil, false
	}
	offsets := l.offsets[i : i+n+1]
	at, step := words.Load64(&offsets[0]), uint64(size*wordSize)
	start := bits.RotateLeft64(at, -3) // as in slot
	if start > uint64(len(l.data)) || uint64(len(l.data))-start < uint64(n*size) {
		return nil, false
	}
	differ := uint64(0)
	for ; len(offsets) > 8; offsets = offsets[8:] {
		o := (*[9]uint64)(offsets)
		differ |= (words.Load64(&o[1]) ^ (at + step)) | (words.Load64(&o[2]) ^ (at + 2*step)) |
			(words.Load64(&o[3]) ^ (at + 3*step)) | (words.Load64(&o[4]) ^ (at + 4*step)) |
			(words.Load64(&o[5]) ^ (at + 5*step)) | (words.Load64(&o[6]) ^ (at + 6*step)) |
			(words.Load64(&o[7]) ^ (at + 7*step)) | (words.Load64(&o[8]) ^ (at + 8*step))
		at += 8 * step
	}
	return l.data[start : start+uint64(n*size)], differ == 0
}

// isRun reports whether the n items from i on all have the format and the code, and
// their codes can be read as words.
func (l *List) isRun(i, n int, format uint64, code int8) bool {
	if (i|n)%wordSize != 0 {
		return false
	}
	formats := l.formats[i : i+n]
	if words.Load64(&formats[0]) != format || words.Load64(&formats[n-1]) != format {
		return false // the usual end of a run
	}
	return allEqual(formats, format) && l.hasCodes(i, n, code)
}

// hasCodes reports whether the n items from i on all have the code.
func (l *List) hasCodes(i, n int, code int8) bool {
	codes := viewWords(l.buf, l.areas.codes+i, n/wordSize)
	return allEqual(codes, uint64(uint8(code))*0x0101010101010101)
}

// allEqual reports whether all words, as many as it may be, have a value.
func allEqual(ws []uint64, value uint64) bool {
	differ := uint64(0)
	for ; len(ws) >= 8; ws = ws[8:] {
		w := (*[8]uint64)(ws)
		// ^ does not bind more tightly than |.
		differ |= (words.Load64(&w[0]) ^ value) | (words.Load64(&w[1]) ^ value) |
			(words.Load64(&w[2]) ^ value) | (words.Load64(&w[3]) ^ value) |
			(words.Load64(&w[4]) ^ value) | (words.Load64(&w[5]) ^ value) |
			(words.Load64(&w[6]) ^ value) | (words.Load64(&w[7]) ^ value)
	}
	for j := range ws {
		differ |= words.Load64(&ws[j]) ^ value
	}
	return differ == 0
}

// numbersFrom returns how many items from item i on are in runs of ints or of floats, at
// this look.
func (l *List) numbersFrom(i int) (n int) {
	for i+n < l.n {
		k := min(toRunEnd(i+n), l.n-i-n) &^ (wordSize - 1)
		if k == 0 {
			break
		}
		format := words.Load64(&l.formats[i+n])
		if _, ok := l.numbersAt(i+n, k, format); !ok || format != formatInt && format != formatFloat {
			break
		}
		n += k
	}
	return n
}

// copyRun copies the numbers from item i on into dst, up to the end of the run, and
// returns how many it copied: 0 if they are not a run of kind k.
func (l *List) copyRun(dst []uint64, i int, k Kind) int {
	n := min(len(dst), toRunEnd(i)) &^ (wordSize - 1)
	format := formatFor(k, wordSize)
	slots, ok := l.numbersAt(i, n, format)
	if !ok {
		return 0
	}
	words.OrderLoads()
	for to := dst; len(slots) >= 8; slots, to = slots[8:], to[8:] {
		s, d := (*[8]uint64)(slots), (*[8]uint64)(to)
		for j := range s {
			d[j] = words.Load64(&s[j])
		}
	}
	words.OrderLoads()
	if !l.isRun(i, n, format, codeNumber) {
		return 0
	}
	return n
}
