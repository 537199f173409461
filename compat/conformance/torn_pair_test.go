package conformance

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/pyshm-go/pyshm/format"
)

// A pair is an item, which is set to a and b in turn. A reader without a lock can find in
// between the format of one with the data of the other, and data partly of both.
//
// A number covers the first 8 bytes of its slot, and is written as one word, except by
// PyPy. Text covers the whole slot, and is written byte by byte.
type pair struct {
	a, b   any
	slots  [2][]byte // the bytes of the slot with a and with b, as far as they cover it
	byByte bool      // numbers, too, are written byte by byte
}

// pairSlot is the size of most slots. Longer ones take longer to write.
const pairSlot, longSlot = 24, 4096

func newPair(a, b any, size int) pair {
	p := pair{a: a, b: b}
	for i, v := range []any{a, b} {
		p.slots[i] = make([]byte, size)
		if text, ok := textOf(v); ok {
			copy(p.slots[i], text)
		} else {
			copy(p.slots[i], wordOf(v))
		}
	}
	return p
}

// pairs has two values of each kind, and each kind after each other kind.
func pairs() (all []pair) {
	values := [][2]any{
		{int64(0x1111_1111_1111_1111), int64(-0x2222_2222_2222_2222)},
		{-1.7e308, 2.3e-308},
		{true, false},
		{nil, nil},
		{"twenty-four characters !", "five€"},
		{[]byte("\xfe\xfd\xfc\xfb\xfa\xf9\xf8\xf7\xf6"), []byte("ABCDEFGHIJKLMNOPQRSTUVWX")},
	}
	for i := range values {
		for j := range i + 1 {
			all = append(all, newPair(values[i][0], values[j][1], pairSlot))
		}
	}
	return append(all,
		newPair(times(longSlot, "a"), times(longSlot/2, "é"), longSlot),
		newPair([]byte(times(longSlot-7, "b")), times(100, "c"), longSlot),
		newPair(times(longSlot, "d"), int64(0x3333_3333_3333_3333), longSlot))
}

// listOf returns a list of the pairs' first values, in slots with room for both.
func listOf(pairs []pair) (values []any) {
	for _, p := range pairs {
		// A slot keeps its size, so a number has to come later.
		values = append(values, format.Sized{Value: "", Capacity: len(p.slots[0])})
	}
	return values
}

// python spells the pairs as Python does.
func python(pairs []pair) string {
	var text []byte
	for _, p := range pairs {
		text = fmt.Appendf(text, "(%s, %s), ", format.Repr(p.a), format.Repr(p.b))
	}
	return "[" + string(text) + "]"
}

func (p pair) String() string {
	return fmt.Sprintf("%.30s / %.30s", format.Repr(p.a), format.Repr(p.b))
}

// either reports whether v is one of the pair, which are the written values.
func (p pair) either(v any) bool { return identical(v, p.a) || identical(v, p.b) }

// plain reports whether a and b are of one kind and written as one word. Go writes
// such a value in a single store.
func (p pair) plain() bool {
	kind, code := kindOf(p.a)
	other, _ := kindOf(p.b)
	return kind == other && code != 1 && code != 2
}

// goAllows reports whether Go may read v while Python sets the item. Python fills the
// bytes with zeros before it writes them.
func (p pair) goAllows(v any) bool {
	kind, _ := kindOf(v)
	a, _ := kindOf(p.a)
	b, _ := kindOf(p.b)
	return (kind == a || kind == b) && p.holds(v, true)
}

// pythonAllows reports whether Python may read v, or raise it, while Go sets the item.
// Python reads format, data and code one after the other. Each of them may be a's or b's.
func (p pair) pythonAllows(v any) bool {
	if p.plain() {
		return p.either(v)
	}
	if v == raised("ValueError") { // Go has blanked the format
		return true
	}
	for _, f := range []any{p.a, p.b} {
		for _, c := range []any{p.a, p.b} {
			if p.transforms(f, c, v) {
				return true
			}
		}
	}
	return false
}

// transforms reports whether Python can make v of the format of f and the code of c.
func (p pair) transforms(f, c, v any) bool {
	formatKind, formatCode := kindOf(f)
	_, code := kindOf(c)
	isText := formatCode == 1 || formatCode == 2
	kind, _ := kindOf(v)
	switch {
	case code == 3:
		return v == nil
	case code == 0 && isText: // all of the slot
		slot, ok := v.([]byte)
		return ok && len(slot) == len(p.slots[0]) && p.holds(slot, false)
	case code == 0 && formatKind == format.None: // struct unpacks byte 6 as a bool
		return v == true && (p.slots[0][6] != 0 || p.slots[1][6] != 0) || v == false
	case code == 0:
		return kind == formatKind && p.holds(v, false)
	case !isText:
		return v == raised("AttributeError")
	case code == 1:
		return v == raised("UnicodeDecodeError") || kind == format.Str && p.holds(v, false)
	default:
		return kind == format.Bytes && p.holds(v, false)
	}
}

// holds reports whether the slot can hold v in between: text from both, a number from one
// unless there is text. With zeros, there may be zeros anywhere, too.
func (p pair) holds(v any, zeros bool) bool {
	if text, ok := textOf(v); ok {
		return len(text) <= len(p.slots[0]) && p.mixes(append(text, make([]byte, len(p.slots[0])-len(text))...), zeros)
	}
	_, aIsText := textOf(p.a)
	_, bIsText := textOf(p.b)
	switch v := v.(type) {
	case nil:
		return true
	case bool: // any byte 7 but 0 is as good as 1
		for _, slot := range p.slots {
			if (slot[7] != 0) == v {
				return true
			}
		}
		return zeros && !v
	}
	word := []byte(wordOf(v))
	if aIsText || bIsText || p.byByte {
		return p.mixes(word, zeros)
	}
	return bytes.Equal(word, p.slots[0][:8]) || bytes.Equal(word, p.slots[1][:8]) ||
		zeros && bytes.Equal(word, make([]byte, 8))
}

// mixes reports whether each byte is from a or b, or zero.
func (p pair) mixes(content []byte, zeros bool) bool {
	for i, c := range content {
		if c != p.slots[0][i] && c != p.slots[1][i] && (c != 0 || !zeros) {
			return false
		}
	}
	return true
}

// This test judges the judge, by values that certainly occur and values that must not.
func TestPair(t *testing.T) {
	const a, b = int64(0x1111_1111_1111_1111), int64(0x2222_2222_2222_2222)
	mixed := int64(0x1111_1111_2222_2222)
	for _, tt := range []struct {
		a, b, read     any
		inGo, inPython bool
	}{
		{a, b, b, true, true},
		{a, b, int64(0), true, false},
		{a, b, mixed, false, false},
		{a, b, true, false, false},
		{a, b, raised("ValueError"), false, false},
		{a, 1.5, floatOf(uint64(a)), true, true},
		{a, 1.5, intIn(wordOf(1.5)), true, true},
		{a, 1.5, floatOf(uint64(mixed)), false, false},
		{a, 1.5, raised("ValueError"), false, true},
		{a, 1.5, raised("AttributeError"), false, false},
		{a, true, intIn(wordOf(true)), true, true},
		{a, nil, false, false, true},
		{a, nil, true, false, true},
		{true, nil, nil, true, true},
		{a, "ab", "ab", true, true},
		{a, "ab", "ab" + native(uint64(a))[2:], true, true},
		{a, "ab", native(uint64(a)) + "x", false, false},
		{a, "ab", []byte(native(uint64(a)) + times(16, "\x00")), false, true},
		{a, "ab", []byte(native(uint64(a))), false, false},
		{a, "ab", raised("AttributeError"), false, true},
		{a, "ab", mixed, false, false},
		{"abc", "de", "dbc", true, true},
		{"abc", "de", "\x00bc", true, false},
		{"abc", "de", "abcd", false, false},
		{"abc", "de", []byte("abc"), false, false},
		{"abc", []byte("de"), []byte("aec"), true, true},
		{"abc", []byte("\xff"), raised("UnicodeDecodeError"), false, true},
	} {
		p := newPair(tt.a, tt.b, pairSlot)
		if _, isRaised := tt.read.(raised); !isRaised && p.goAllows(tt.read) != tt.inGo {
			t.Errorf("%v: Go may read %#v: %v, want %v", p, tt.read, !tt.inGo, tt.inGo)
		}
		if p.pythonAllows(tt.read) != tt.inPython {
			t.Errorf("%v: Python may read %#v: %v, want %v", p, tt.read, !tt.inPython, tt.inPython)
		}
	}
}
