package format

import (
	"math"

	"github.com/pyshm-go/pyshm/internal/words"
)

// searchRun is how many items a search compares at a time: the bits of a word.
const searchRun = 64

// run compares the n items from i on, if they are all ints, all floats, or all text in
// small slots. Bit j of equal stands for item i+j. Items that are not ok have to be
// compared one by one.
func (s *search) run(i, n int) (equal uint64, ok bool) {
	if n%wordSize != 0 {
		return 0, false
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

func (s *search) numberRun(i, n int, format uint64) (equal uint64, ok bool) {
	slots, ok := s.list.numbersAt(i, n, format)
	if !ok {
		return 0, false
	}
	words.OrderLoads()
	switch {
	case format == formatInt && s.numbers.isInt:
		want := uint64(s.numbers.int)
		for j := range slots {
			if words.Load64(&slots[j]) == want {
				equal |= 1 << (j % searchRun)
			}
		}
	case format == formatFloat && s.numbers.isFloat:
		want := s.numbers.float
		for j := range slots {
			if math.Float64frombits(words.Load64(&slots[j])) == want {
				equal |= 1 << (j % searchRun)
			}
		}
	}
	words.OrderLoads()
	return equal, s.list.isRun(i, n, format, codeNumber)
}

// wantedText is a str or bytes as it lies in a small slot, with NULs behind it.
type wantedText struct {
	words [smallSlot]uint64
	code  int8 // of an equal item, or -1 if no text in a small slot can be equal
}

func (x operand) padded() (w wantedText) {
	w.code = -1
	if x.kind.isText() && len(x.text) <= smallSlot*wordSize && (len(x.text) == 0 || x.text[len(x.text)-1] != 0) {
		w.code = x.kind.code()
		copyToWords(w.words[:], x.text)
	}
	return w
}

// textRun compares text in small slots that are used to the full. A str that is not
// ASCII has to be checked item by item.
func (s *search) textRun(i, n int) (equal uint64, ok bool) {
	l := s.list
	code := l.codes[i]
	if code != codeStr && code != codeBytes {
		return 0, false
	}
	var starts [searchRun + 1]uint64 // read once: another process may change them
	formats, offsets := l.formats[i:i+n], l.offsets[i:i+n+1]
	starts[0] = words.Load64(&offsets[0])
	for j := range formats {
		start, end := starts[j], words.Load64(&offsets[j+1])
		starts[j+1] = end
		size := (end - start) / wordSize
		if !l.isSlot(start, end) || size > smallSlot || words.Load64(&formats[j]) != smallFormats[size] {
			return 0, false
		}
	}
	if !l.hasCodes(i, n, code) {
		return 0, false
	}
	words.OrderLoads()
	seen := uint64(0)
	for j := range formats {
		slot := l.data[starts[j]/wordSize : starts[j+1]/wordSize]
		differ := uint64(0)
		for k := range slot {
			word := words.Load64(&slot[k])
			seen |= word
			differ |= word ^ s.padded.words[k%smallSlot]
		}
		for k := len(slot); differ == 0 && k < smallSlot; k++ {
			differ = s.padded.words[k]
		}
		if differ == 0 {
			equal |= 1 << j
		}
	}
	words.OrderLoads()
	if code == codeStr && seen&nonASCII != 0 || !l.hasCodes(i, n, code) {
		return 0, false
	}
	for j := range formats {
		if words.Load64(&formats[j]) != smallFormats[(starts[j+1]-starts[j])/wordSize%(smallSlot+1)] {
			return 0, false
		}
	}
	if code != s.padded.code {
		equal = 0
	}
	return equal, true
}
