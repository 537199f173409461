package conformance

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io/fs"
	"math"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/pyshm-go/pyshm/compat"
	"github.com/pyshm-go/pyshm/format"
	"github.com/pyshm-go/pyshm/pyshm"
)

// A valueRow is a value as the only item of a list, with the bytes and the value read.
type valueRow struct {
	value any
	slot  int // the size of the slot that CPython makes for it

	word  string // the bytes in the slot of a number, bool or None
	reads any    // the value read of CPython's slot, if it differs

	// Go's result where CPython loses something.
	goSlot  int
	refused error
}

// Numbers, bool and None take one word.
var numberRows = []valueRow{
	{value: int64(0), slot: 8, word: native(0)},
	{value: int64(1), slot: 8, word: native(1)},
	{value: int64(-1), slot: 8, word: "\xff\xff\xff\xff\xff\xff\xff\xff"},
	{value: int64(math.MaxInt64), slot: 8, word: native(0x7fff_ffff_ffff_ffff)},
	{value: int64(math.MinInt64), slot: 8, word: native(0x8000_0000_0000_0000)},
	{value: true, slot: 8, word: "\x00\x00\x00\x00\x00\x00\x00\x01"}, // in the last byte, whatever the byte order
	{value: false, slot: 8, word: native(0)},
	{value: nil, slot: 8, word: native(0)},
	{value: 0.0, slot: 8, word: native(0)},
	{value: math.Copysign(0, -1), slot: 8, word: native(0x8000_0000_0000_0000)},
	{value: 1.5, slot: 8, word: native(0x3ff8_0000_0000_0000)},
	{value: math.Inf(1), slot: 8, word: native(0x7ff0_0000_0000_0000)},
	{value: math.Inf(-1), slot: 8, word: native(0xfff0_0000_0000_0000)},
	{value: 5e-324, slot: 8, word: native(1)},
	{value: floatOf(0x7ff8_0000_0000_0000), slot: 8, word: native(0x7ff8_0000_0000_0000)},
	{value: floatOf(0xfff8_0000_0000_0000), slot: 8, word: native(0xfff8_0000_0000_0000)},
	{value: floatOf(0x7ff8_0000_0000_1234), slot: 8, word: native(0x7ff8_0000_0000_1234)},                     // a payload
	{value: floatOf(inPython(0x7ff0_0000_0000_0001)), slot: 8, word: native(inPython(0x7ff0_0000_0000_0001))}, // signalling
	{value: floatOf(inPython(0xfff4_0000_00ab_cdef)), slot: 8, word: native(inPython(0xfff4_0000_00ab_cdef))},
}

// inPython returns the bits of a float in the Python for this processor. On 386 they go
// through a register of the x87, which makes a signalling NaN a quiet one.
func inPython(bits uint64) uint64 {
	if f := math.Float64frombits(bits); f != f && runtime.GOARCH == "386" {
		bits |= 1 << 51
	}
	return bits
}

// CPython sizes the slot of a str by code points, then silently cuts its UTF-8 to that
// size. Readers get a shorter str, or an error if the cut goes through a character. Go
// sizes by bytes where the bytes are more.
var strRows = []valueRow{
	{value: "", slot: 8},
	{value: "a", slot: 8},
	{value: times(7, "a"), slot: 8},
	{value: times(8, "a"), slot: 16}, // CPython always leaves a byte to spare
	{value: times(9, "a"), slot: 16},
	{value: times(15, "a"), slot: 16},
	{value: times(16, "a"), slot: 24},
	{value: times(17, "a"), slot: 24},
	{value: times(23, "a"), slot: 24},
	{value: times(24, "a"), slot: 32},

	{value: times(1, "é"), slot: 8},
	{value: times(2, "é"), slot: 8},
	{value: times(3, "é"), slot: 8},
	{value: times(4, "é"), slot: 8}, // 8 bytes: the slot is full
	{value: times(5, "é"), slot: 8, reads: times(4, "é"), goSlot: 16},
	{value: times(6, "é"), slot: 8, reads: times(4, "é"), goSlot: 16},
	{value: times(7, "é"), slot: 8, reads: times(4, "é"), goSlot: 16},
	{value: times(8, "é"), slot: 16},
	{value: times(9, "é"), slot: 16, reads: times(8, "é"), goSlot: 24},
	{value: times(15, "é"), slot: 16, reads: times(8, "é"), goSlot: 32},
	{value: times(16, "é"), slot: 24, reads: times(12, "é"), goSlot: 40},
	{value: times(17, "é"), slot: 24, reads: times(12, "é"), goSlot: 40},

	{value: times(1, "€"), slot: 8},
	{value: times(2, "€"), slot: 8},
	{value: times(3, "€"), slot: 8, reads: raised("UnicodeDecodeError"), goSlot: 16}, // 2⅔ characters
	{value: times(7, "€"), slot: 8, reads: raised("UnicodeDecodeError"), goSlot: 24},
	{value: times(8, "€"), slot: 16, reads: raised("UnicodeDecodeError"), goSlot: 32}, // 5⅓
	{value: times(15, "€"), slot: 16, reads: raised("UnicodeDecodeError"), goSlot: 48},
	{value: times(16, "€"), slot: 24, reads: times(8, "€"), goSlot: 56},
	{value: times(17, "€"), slot: 24, reads: times(8, "€"), goSlot: 56},

	{value: times(1, "😀"), slot: 8},
	{value: times(2, "😀"), slot: 8},
	{value: times(3, "😀"), slot: 8, reads: times(2, "😀"), goSlot: 16},
	{value: times(7, "😀"), slot: 8, reads: times(2, "😀"), goSlot: 32},
	{value: times(8, "😀"), slot: 16, reads: times(4, "😀"), goSlot: 40},
	{value: times(15, "😀"), slot: 16, reads: times(4, "😀"), goSlot: 64},
	{value: times(16, "😀"), slot: 24, reads: times(6, "😀"), goSlot: 72},
	{value: times(17, "😀"), slot: 24, reads: times(6, "😀"), goSlot: 72},

	{value: times(6, "a") + "é", slot: 8},   // 7 code points, 8 bytes
	{value: times(5, "a") + "€", slot: 8},   // 6 code points, 8 bytes
	{value: times(14, "a") + "é", slot: 16}, // 15 code points, 16 bytes
	{value: times(6, "a") + "€", slot: 8, reads: raised("UnicodeDecodeError"), goSlot: 16},
}

// Readers strip the NULs at the end of a slot: they cannot know whether the NULs were the
// value's. Go refuses to lose them.
var nulRows = []valueRow{
	{value: "a\x00b", slot: 8},
	{value: "\x00a", slot: 8},
	{value: "ab\x00", slot: 8, reads: "ab", refused: format.ErrTrailingNUL},
	{value: "\x00", slot: 8, reads: "", refused: format.ErrTrailingNUL},
	{value: "\x00\x00\x00", slot: 8, reads: "", refused: format.ErrTrailingNUL},
	{value: "a\x00\x00b\x00\x00", slot: 8, reads: "a\x00\x00b", refused: format.ErrTrailingNUL},
	{value: "abcdefg\x00", slot: 16, reads: "abcdefg", refused: format.ErrTrailingNUL},
	{value: times(7, "a") + times(9, "\x00"), slot: 24, reads: times(7, "a"), refused: format.ErrTrailingNUL},
	{value: []byte("\x00ab"), slot: 8},
	{value: []byte("ab\x00"), slot: 8, reads: []byte("ab"), refused: format.ErrTrailingNUL},
	{value: []byte("\x00"), slot: 8, reads: []byte{}, refused: format.ErrTrailingNUL},
	{value: []byte(times(8, "\x00")), slot: 16, reads: []byte{}, refused: format.ErrTrailingNUL},
	{value: []byte("abcdefgh\x00"), slot: 16, reads: []byte("abcdefgh"), refused: format.ErrTrailingNUL},
}

// bytes are sized by bytes, and never cut.
var bytesRows = []valueRow{
	{value: []byte{}, slot: 8},
	{value: []byte("a"), slot: 8},
	{value: []byte(times(7, "a")), slot: 8},
	{value: []byte(times(8, "a")), slot: 16},
	{value: []byte(times(15, "a")), slot: 16},
	{value: []byte(times(16, "a")), slot: 24},
	{value: []byte("\xff\xfe"), slot: 8},
}

func testValues(t *testing.T, p *compat.Peer) {
	for _, table := range [][]valueRow{numberRows, strRows, nulRows, bytesRows} {
		for _, row := range table {
			t.Run(format.Repr(row.value), func(t *testing.T) {
				row.testPythonToGo(t, p)
				row.testGoToPython(t, p)
			})
		}
	}
}

// testPythonToGo lets Python make the list.
func (row valueRow) testPythonToGo(t *testing.T, p *compat.Peer) {
	theirs := must(p.CreateList(newName(t), []any{row.value}))(t)
	defer theirs.Unlink()
	want := row.value
	if row.reads != nil {
		want = row.reads
	}
	ours := attachList(t, theirs.Name())
	if got := goItems(ours)[0]; !identical(got, inGo(want)) {
		t.Errorf("Python made it, Go reads %#v, want %#v", got, inGo(want))
	}
	if got := pythonItems(t, p, theirs)[0]; !identical(got, want) {
		t.Errorf("Python made it and reads %#v, want %#v", got, want)
	}

	content := fileBytes(t, theirs.Name())
	if want := cpythonBytes(t, p, row.value); !sameContent(content, want) {
		t.Errorf("Python wrote other bytes than Go with CPythonSlots\n%s", hexDiff(content, want))
	}
	kind, code := kindOf(row.value)
	slot := must(ours.Slot(0))(t)
	if got, want := slot, (format.Slot{Kind: kind, Format: structFormat(kind, row.slot), Code: code, Offset: slot.Offset, Capacity: row.slot}); got != want {
		t.Errorf("Slot = %+v, want %+v", got, want)
	}
	if raw := content[slot.Offset:][:row.slot]; row.word != "" && string(raw) != row.word {
		t.Errorf("the slot holds %x, want %x", raw, row.word)
	}
}

// testGoToPython lets Go make the list.
func (row valueRow) testGoToPython(t *testing.T, p *compat.Peer) {
	name, layout := newName(t), p.Interpreter().Layout()
	ours, err := pyshm.CreateList(name, []any{row.value}, pyshm.Layout(layout))
	if row.refused != nil {
		if !errors.Is(err, row.refused) {
			t.Errorf("CreateList: %v, want %v", err, row.refused)
		}
		if _, err := os.Stat(fileOf(name)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the refused list: %v", err)
		}
		return
	}
	check(t, err)
	defer ours.Close()
	theirs := must(p.AttachList(name))(t)
	defer theirs.Unlink()
	if got := pythonItems(t, p, theirs)[0]; !identical(got, row.value) {
		t.Errorf("Go made it, Python reads %#v", got)
	}
	if row.goSlot != 0 {
		if slot := must(ours.Slot(0))(t); slot.Capacity != row.goSlot {
			t.Errorf("Go's slot has %d bytes, want %d", slot.Capacity, row.goSlot)
		}
		return
	}
	if got, want := fileBytes(t, name), cpythonBytes(t, p, row.value); !sameContent(got, want) {
		t.Errorf("Go wrote other bytes than CPython\n%s", hexDiff(got, want))
	}
}

// times is Python's n * s.
func times(n int, s string) string { return strings.Repeat(s, n) }

func floatOf(bits uint64) float64 { return math.Float64frombits(bits) }

// native returns a word as memory holds it.
func native(word uint64) string {
	return string(binary.NativeEndian.AppendUint64(nil, word))
}

// kindOf returns how CPython stores a value.
func kindOf(v any) (kind format.Kind, code int8) {
	switch v.(type) {
	case int64:
		return format.Int, 0
	case float64:
		return format.Float, 0
	case bool:
		return format.Bool, 0
	case string:
		return format.Str, 1
	case []byte:
		return format.Bytes, 2
	default:
		return format.None, 3
	}
}

// structFormat returns the struct format that CPython writes for a slot.
func structFormat(kind format.Kind, slot int) string {
	switch kind {
	case format.Int:
		return "q"
	case format.Float:
		return "d"
	case format.Bool:
		return "xxxxxxx?"
	case format.None:
		return "xxxxxx?x"
	default:
		return strconv.Itoa(slot) + "s"
	}
}

// wordOf returns the word that CPython puts into the slot of a number, bool or None.
func wordOf(v any) string {
	switch v := v.(type) {
	case int64:
		return native(uint64(v))
	case float64:
		return native(math.Float64bits(v))
	case bool:
		if v {
			return "\x00\x00\x00\x00\x00\x00\x00\x01"
		}
	}
	return native(0)
}

// textOf returns the bytes of a str or bytes.
func textOf(v any) (text []byte, ok bool) {
	switch v := v.(type) {
	case string:
		return []byte(v), true
	case []byte:
		return v, true
	}
	return nil, false
}

// stripped returns a stored value as it is read: without the NULs at the end.
func stripped(v any) any {
	switch v := v.(type) {
	case string:
		return strings.TrimRight(v, "\x00")
	case []byte:
		return bytes.TrimRight(v, "\x00")
	}
	return v
}
