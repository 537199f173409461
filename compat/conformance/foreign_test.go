package conformance

import (
	"bytes"
	"strconv"
	"testing"

	"github.com/pyshm-go/pyshm/compat"
	"github.com/pyshm-go/pyshm/format"
)

// A foreignRow is an item as no Python writes it, in a slot of 16 bytes. Python passes
// any format to struct. Go takes only the formats that Python writes, and only with a
// code that belongs to the format.
type foreignRow struct {
	format string
	code   int8
	slot   string
	python any // the value that Python reads
	ours   any // the value that Go reads
}

var foreignRows = []foreignRow{
	// Bytes that do not count.
	{"xxxxxxx?", 0, "\x00\x00\x00\x00\x00\x00\x00\x02", true, true},
	{"xxxxxxx?", 0, "\x00\x00\x00\x00\x00\x00\x00\xff", true, true},
	{"xxxxxxx?", 0, "\xff\xff\xff\xff\xff\xff\xff\x00", false, false},
	{"xxxxxx?x", 3, "\xff\xff\xff\xff\xff\xff\xff\xff", nil, nil},

	// A shorter format than the slot has been proposed for CPython: it is text.
	{"5s", 1, "abcdefgh", "abcde", "abcde"},
	{"5s", 2, "ab\x00\x00\x00fgh", []byte("ab"), []byte("ab")},
	{"0s", 1, "abc", "", ""},

	// A longer format reaches into the next item.
	{"24s", 1, "abcdefghijklmno", "abcdefghijklmno\x00z", format.ErrCorrupt},
	{"24s", 2, "abc", []byte("abc\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00z"), format.ErrCorrupt},
	{"9999999s", 1, "abc", raised("struct.error"), format.ErrCorrupt},

	// Other spellings, other types, other counts.
	{"1q", 0, native(65), int64(65), format.ErrCorrupt},
	{"01q", 0, native(65), int64(65), format.ErrCorrupt},
	{"@q", 0, native(65), int64(65), format.ErrCorrupt},
	{">q", 0, "\x00\x00\x00\x00\x00\x00\x00A", int64(65), format.ErrCorrupt},
	{"<q", 0, "A", int64(65), format.ErrCorrupt},
	{"i", 0, "AAAA", int64(0x41414141), format.ErrCorrupt},
	{"B", 0, "A", int64(65), format.ErrCorrupt},
	{"?", 0, "\x01", true, format.ErrCorrupt},
	{"s", 1, "abc", "a", format.ErrCorrupt},
	{"08s", 1, "abc", "abc", format.ErrCorrupt},
	{" 16s", 1, "abc", "abc", format.ErrCorrupt},
	{"16s ", 1, "abc", "abc", format.ErrCorrupt},
	{"p", 1, "abc", "", format.ErrCorrupt},
	{"c", 2, "abc", []byte("a"), format.ErrCorrupt},
	{"8q", 0, "", raised("struct.error"), format.ErrCorrupt},
	{"q\x00q", 0, "", raised("struct.error"), format.ErrCorrupt},
	{"+16s", 1, "", raised("struct.error"), format.ErrCorrupt},
	{"99999999", 0, "", raised("struct.error"), format.ErrCorrupt},
	{"2s2s", 1, "abcd", raised("ValueError"), format.ErrCorrupt},
	{"x", 0, "", raised("ValueError"), format.ErrCorrupt},

	// Codes that do not exist, and codes of another format. A reader meets the latter
	// when another process has changed the format and not yet the code, or the reverse.
	{"q", 4, native(65), raised("KeyError"), format.ErrCorrupt},
	{"q", -1, native(65), raised("KeyError"), format.ErrCorrupt},
	{"q", 1, native(65), raised("AttributeError"), format.ErrBusy},
	{"q", 2, native(65), raised("AttributeError"), format.ErrBusy},
	{"d", 1, native(65), raised("AttributeError"), format.ErrBusy},
	{"xxxxxxx?", 1, native(65), raised("AttributeError"), format.ErrBusy},
	{"q", 3, native(65), nil, format.ErrBusy},
	{"16s", 3, "abc", nil, format.ErrBusy},
	{"16s", 0, "abc", []byte("abc" + times(13, "\x00")), format.ErrBusy},
	{"xxxxxx?x", 0, "\x00\x00\x00\x00\x00\x00\x01\x00", true, format.ErrBusy},
}

func testForeign(t *testing.T, p *compat.Peer) {
	l := pythonTriple(t, p, times(15, "o"))
	for _, row := range foreignRows {
		t.Run(strconv.Quote(row.format)+" "+strconv.Itoa(int(row.code)), func(t *testing.T) {
			content := tripleOf(t, p, times(15, "\x00")).setHeader(row.format, row.code)
			copy(content.slot(), row.slot)
			l.become(t, content)
			if got := l.pythonReads(t); !identical(got, row.python) {
				t.Errorf("Python reads %#v, want %#v", got, row.python)
			}
			if got := l.goReads(); !identical(got, row.ours) {
				t.Errorf("Go reads %#v, want %#v", got, row.ours)
			}
		})
	}
}

// testForeignSet sets an item whose format has another length than its slot.
// Python keeps such a format: it cuts the value, or overwrites the next item.
// Go always writes the format for the whole slot, and stays within it.
func testForeignSet(t *testing.T, p *compat.Peer) {
	l := pythonTriple(t, p, times(15, "o"))
	for _, row := range []struct {
		format string
		value  string
		python []any // the list, after Python has set the item
	}{
		{"5s", "abcdefgh", []any{int64(1), "abcde", "z"}},
		{"24s", "abcdefgh", []any{int64(1), "abcdefgh", ""}},
		{"s", "abcdefgh", []any{int64(1), "a", "z"}},
	} {
		before := tripleOf(t, p, times(15, "o")).setHeader(row.format, 1)
		l.become(t, before)
		check(t, l.python.Set(1, row.value))
		if got := pythonItems(t, p, l.python); !identical(got, row.python) {
			t.Errorf("%s: Python has set it to %q and reads %v, want %v", row.format, row.value, got, row.python)
		}
		l.become(t, before)
		check(t, l.ours.Set(1, row.value))
		if want := before.set(row.value); !bytes.Equal(l.content(t), want) {
			t.Errorf("%s: Go has set it to %q\n%s", row.format, row.value, hexDiff(l.content(t), want))
		}
	}
}
