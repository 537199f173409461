package format_test

import (
	"encoding/binary"
	"math"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/pyshm-go/pyshm/format"
)

// oracle reads a list by the rules of LAYOUT.md, in the plainest way and without any
// code of the package, so that tests can compare the package with it. It refuses a
// list if any item has to be refused.
func oracle(buf []byte) (values []any, ok bool) {
	word := func(off int) int64 { return int64(binary.NativeEndian.Uint64(buf[off:])) }
	switch {
	case len(buf) == 8 && word(0) == 0:
		return []any{}, true
	case len(buf) == 16 && word(0) == 0:
		return []any{}, word(8) == 0
	case len(buf) < 33 || word(0) <= 0 || word(0) > int64(len(buf)/25):
		return nil, false
	}

	n := int(word(0))
	data := 8 + 8*n
	ends := []int64{0}
	if word(8) == 0 {
		data += 8
		for i := 1; i <= n; i++ {
			if 8+8*i+8 > len(buf) {
				return nil, false
			}
			ends = append(ends, word(8+8*i))
		}
	} else {
		for i := range n {
			size := word(8 + 8*i)
			if size < 0 || size > int64(len(buf)) {
				return nil, false
			}
			ends = append(ends, ends[i]+size)
		}
	}
	for i := range n {
		size := ends[i+1] - ends[i]
		if size <= 0 || size%8 != 0 || size > 9_999_992 || ends[i+1] > int64(len(buf)) {
			return nil, false
		}
	}
	formats := data + int(ends[n])
	codes := formats + 8*n
	if codes+n > len(buf) {
		return nil, false
	}
	for i := range n {
		v, ok := oracleItem(buf[data+int(ends[i]):data+int(ends[i+1])], string(buf[formats+8*i:formats+8*i+8]), buf[codes+i])
		if !ok {
			return nil, false
		}
		values = append(values, v)
	}
	return values, true
}

var textFormat = regexp.MustCompile(`^(0|[1-9][0-9]*)s$`)

func oracleItem(slot []byte, word string, code byte) (v any, ok bool) {
	first := binary.NativeEndian.Uint64(slot)
	switch word = strings.TrimRight(word, "\x00"); word {
	case "q":
		return int64(first), code == 0
	case "d":
		return math.Float64frombits(first), code == 0
	case "xxxxxxx?":
		return slot[7] != 0, code == 0
	case "xxxxxx?x":
		return nil, code == 3
	}
	if !textFormat.MatchString(word) {
		return nil, false
	}
	n, _ := strconv.Atoi(strings.TrimSuffix(word, "s"))
	if n > len(slot) {
		return nil, false
	}
	text := strings.TrimRight(string(slot[:n]), "\x00")
	switch code {
	case 1:
		return text, utf8.ValidString(text)
	case 2:
		return []byte(text), true
	}
	return nil, false
}

// same compares the values that two readers made of the same bytes, floats by their
// bits.
func same(a, b []any) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		x, xFloat := a[i].(float64)
		y, yFloat := b[i].(float64)
		switch {
		case xFloat && yFloat:
			if math.Float64bits(x) != math.Float64bits(y) {
				return false
			}
		case format.Repr(a[i]) != format.Repr(b[i]):
			return false
		}
	}
	return true
}
