package format

import (
	"math"

	"github.com/pyshm-go/pyshm/internal/words"
)

// searchRun is how many items fit a word, with a bit for each.
const searchRun = 64

// equalItems has a bit for each item of a run: bit j%64 of word j/64 for the item j.
type equalItems [runLength / searchRun]uint64

func (e *equalItems) add(j int) { e[j/searchRun%len(e)] |= 1 << (j % searchRun) }

// each calls found for the words with a bit, of a run from item i on, until found returns
// false.
func (e *equalItems) each(i int, found func(i int, equal uint64) bool) (more bool) {
	for k, some := range e {
		if some != 0 && !found(i+k*searchRun, some) {
			return false
		}
	}
	return true
}

// run finds the items that are equal among the n items from i on, if they are all ints,
// all floats, or all text in small slots. Items that are not ok have to be compared one
// by one.
func (s *search) run(i, n int) (equal equalItems, ok bool) {
	if n%wordSize != 0 {
		return equal, false
	}
	switch format := words.Load64(&s.list.formats[i]); format {
	case formatInt, formatFloat:
		return s.numberRun(i, n, format)
	default:
		return s.textRun(i, n)
	}
}

// wantedNumbers is an operand as the word that an equal int or float has. A float has
// two words for 0, so floats are compared as floats.
type wantedNumbers struct {
	int            int64
	float          float64
	isInt, isFloat bool // such an item can be equal
}

func (x operand) asNumbers() (w wantedNumbers) {
	switch x.kind {
	case Float:
		f := math.Float64frombits(x.bits)
		w.float, w.isFloat = f, true
		if f == math.Trunc(f) && -1<<63 <= f && f < 1<<63 {
			w.int, w.isInt = int64(f), true
		}
	case Int:
		w.int, w.isInt = int64(x.bits), !x.huge
		w.float = float64(w.int)
		if x.huge {
			w.float = float64(x.bits)
		}
		w.isFloat = x.equalFloat(w.float)
	}
	return w
}

func (s *search) numberRun(i, n int, format uint64) (equal equalItems, ok bool) {
	slots, ok := s.list.numbersAt(i, n, format)
	if !ok {
		return equal, false
	}
	words.OrderLoads()
	switch {
	case format == formatInt && s.numbers.isInt:
		equal.addWords(slots, uint64(s.numbers.int))
	case format == formatFloat && s.numbers.isFloat:
		want := s.numbers.float
		for j := range slots {
			if math.Float64frombits(words.Load64(&slots[j])) == want {
				equal.add(j)
			}
		}
	}
	words.OrderLoads()
	return equal, s.list.isRun(i, n, format, codeNumber)
}

// addWords adds the items whose slot, one of as many words as a multiple of 8, has the
// word.
func (e *equalItems) addWords(slots []uint64, word uint64) {
	for j := 0; j+8 <= len(slots); j += 8 {
		s := (*[8]uint64)(slots[j:])
		if words.Load64(&s[0]) == word {
			e.add(j)
		}
		if words.Load64(&s[1]) == word {
			e.add(j + 1)
		}
		if words.Load64(&s[2]) == word {
			e.add(j + 2)
		}
		if words.Load64(&s[3]) == word {
			e.add(j + 3)
		}
		if words.Load64(&s[4]) == word {
			e.add(j + 4)
		}
		if words.Load64(&s[5]) == word {
			e.add(j + 5)
		}
		if words.Load64(&s[6]) == word {
			e.add(j + 6)
		}
		if words.Load64(&s[7]) == word {
			e.add(j + 7)
		}
	}
}

// wantedText is a str or bytes as it lies in a small slot, with NULs behind it.
type wantedText struct {
	words [smallSlot]uint64
	last  int  // the word in which the text ends
	code  int8 // of an equal item, or -1 if no text in a small slot can be equal
}

func (x operand) padded() (w wantedText) {
	w.code = -1
	if x.kind.isText() && len(x.text) <= smallSlot*wordSize && (len(x.text) == 0 || x.text[len(x.text)-1] != 0) {
		w.code = x.kind.code()
		w.last = max(len(x.text)-1, 0) / wordSize
		copyToWords(w.words[:], x.text)
	}
	return w
}

// isIn reports whether a slot has the text.
func (w *wantedText) isIn(slot []uint64) bool {
	if w.last >= len(slot) {
		return false
	}
	differ := uint64(0)
	for k := range slot {
		differ |= words.Load64(&slot[k]) ^ w.words[k%smallSlot]
	}
	return differ == 0
}

// textRun compares text in small slots that are used to the full. A str that is not
// ASCII has to be checked item by item.
func (s *search) textRun(i, n int) (equal equalItems, ok bool) {
	l := s.list
	code := l.codes[i]
	start, end, ok := l.slot(i)
	size := int(end - start)
	if !ok || code != codeStr && code != codeBytes || size > smallSlot {
		return equal, false
	}
	slots, ok := l.slotsAt(i, n, smallFormats[size], code, size)
	if !ok {
		return s.unevenTextRun(i, n, code)
	}
	words.OrderLoads()
	if code == s.padded.code && s.padded.last < size {
		word := s.padded.words[s.padded.last] // texts that are alike often differ at the end
		for j, k := 0, s.padded.last; k < len(slots); j, k = j+1, k+size {
			if words.Load64(&slots[k]) == word && s.padded.isIn(slots[j*size:(j+1)*size]) {
				equal.add(j)
			}
		}
	}
	ok = code == codeBytes || !anyNonASCII(slots)
	words.OrderLoads()
	return equal, ok && l.isRun(i, n, smallFormats[size], code)
}

// anyNonASCII reports whether any byte of the words is not ASCII.
func anyNonASCII(ws []uint64) bool {
	seen := uint64(0)
	for ; len(ws) >= 8; ws = ws[8:] {
		w := (*[8]uint64)(ws)
		seen |= words.Load64(&w[0]) | words.Load64(&w[1]) | words.Load64(&w[2]) | words.Load64(&w[3]) |
			words.Load64(&w[4]) | words.Load64(&w[5]) | words.Load64(&w[6]) | words.Load64(&w[7])
	}
	for j := range ws {
		seen |= words.Load64(&ws[j])
	}
	return seen&nonASCII != 0
}

// unevenTextRun is textRun for slots of several sizes.
func (s *search) unevenTextRun(i, n int, code int8) (equal equalItems, ok bool) {
	l := s.list
	var starts [runLength + 1]uint64 // in words, read once: another process may change them
	formats := l.formats[i : i+n]
	for j := range formats {
		start, end, ok := l.slot(i + j)
		if !ok || j > 0 && start != starts[j] || end-start > smallSlot || words.Load64(&formats[j]) != smallFormats[end-start] {
			return equal, false
		}
		starts[j], starts[j+1] = start, end
	}
	if !l.hasCodes(i, n, code) {
		return equal, false
	}
	words.OrderLoads()
	if code == s.padded.code {
		for j := range formats {
			if s.padded.isIn(l.data[starts[j]:starts[j+1]]) {
				equal.add(j)
			}
		}
	}
	ok = code == codeBytes || !anyNonASCII(l.data[starts[0]:starts[n]])
	words.OrderLoads()
	for j := range formats {
		ok = ok && words.Load64(&formats[j]) == smallFormats[(starts[j+1]-starts[j])%(smallSlot+1)]
	}
	return equal, ok && l.hasCodes(i, n, code)
}
