package format_test

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/pyshm-go/pyshm/format"
)

// Every reason, once, with the message that a user reads.
func TestErrors(t *testing.T) {
	var (
		values   = []any{1, "text", true}
		corrupt  = encode(t, format.Offsets, values...)
		badCode  = encode(t, format.Offsets, values...)
		badTable = encode(t, format.Offsets, values...)
		badText  = encode(t, format.Offsets, values...)
		busy     = encode(t, format.Offsets, values...)
		moved    = encode(t, format.Offsets, values...)
	)
	setHeader(corrupt, format.Offsets, 1, "zz\xff", 1)
	setHeader(badCode, format.Offsets, 1, "8s", -7)
	putWord(badTable, 16, -8)
	badText[areasOf(badText, format.Offsets).data+8] = 0xff
	setHeader(busy, format.Offsets, 1, " ", 1)
	list := newList(t, values...)
	readOnly, err := format.AttachReadOnly(encode(t, format.Offsets, values...))
	if err != nil {
		t.Fatal(err)
	}
	movedList := attach(t, moved)
	putWord(moved, 0, 2)

	get := func(buf []byte) func() error {
		return func() error { _, err := attach(t, buf).Get(1); return err }
	}
	attachErr := func(buf []byte) func() error {
		return func() error { _, err := format.Attach(buf); return err }
	}
	for _, tt := range []struct {
		call   func() error
		reason error
		text   string
	}{
		{get(corrupt), format.ErrCorrupt, `format: get item 1: not a valid ShareableList: format[1] at offset 72: "zz?"`},
		{get(badCode), format.ErrCorrupt, `format: get item 1: not a valid ShareableList: code[1] at offset 89: -7`},
		{get(badTable), format.ErrCorrupt, `format: get item 1: not a valid ShareableList: table[1] at offset 16: a slot from -8 to 16 in a data area of 24 bytes`},
		{get(badText), format.ErrUTF8, `format: get item 1: str is not valid UTF-8`},
		{get(busy), format.ErrBusy, `format: get item 1: item is being written: format " ", back-transform code 1`},
		{movedList.Check, format.ErrCorrupt, `format: check: not a valid ShareableList: count at offset 0: 2, but it was 3 at attach`},
		{attachErr(align(make([]byte, 5))), format.ErrCorrupt, `format: attach: not a valid ShareableList: size at offset 0: no list has a size of 5 bytes`},
		{attachErr(nil), format.ErrIncomplete, `format: attach: the list is not complete yet: it has no bytes`},
		{attachErr(align(make([]byte, 64))), format.ErrIncomplete, `format: attach: the list is not complete yet: the count is 0 in 64 bytes`},
		{attachErr(corrupt[1:]), format.ErrUnaligned, `format: attach: the buffer is not 8-byte aligned`},
		{func() error { _, err := list.Get(3); return err }, format.ErrIndex, `format: get item 3: index out of range: 3 with length 3`},
		{func() error { return list.Set(-1, 0) }, format.ErrIndex, `format: set: index out of range: -1 with length 3`},
		{func() error { _, err := list.Int(1); return err }, format.ErrKind, `format: get item 1: item is of another kind: str, not int`},
		{func() error { return list.Set(0, complex(1, 2)) }, format.ErrType, `format: set item 0: unsupported type complex128: a list holds integers, floats, bool, nil, string and []byte`},
		{func() error { return list.Set(0, uint64(1<<63)) }, format.ErrRange, `format: set item 0: int out of range: 9223372036854775808 exceeds 9223372036854775807`},
		{func() error { return list.SetStr(1, "123456789") }, format.ErrTooLong, `format: set item 1: value exceeds the slot: 9 bytes, the slot has 8`},
		{func() error { return list.SetStr(1, strings.Repeat("x", format.MaxText+1)) }, format.ErrTooLarge, `format: set item 1: value too large: 9999992 bytes, at most 9999991`},
		{func() error { return list.SetStr(1, "x\x00") }, format.ErrTrailingNUL, `format: set item 1: str value ends in NUL, which Python would strip`},
		{func() error { return list.SetStr(1, "\xff") }, format.ErrUTF8, `format: set item 1: str is not valid UTF-8`},
		{func() error { return readOnly.Set(1, "x") }, format.ErrReadOnly, `format: set item 1: the list is read-only: permission denied`},
		{func() error { _, err := readOnly.AddInt(0, 1); return err }, fs.ErrPermission, `format: add to item 0: the list is read-only: permission denied`},
		{func() error { _, err := list.Index("x"); return err }, format.ErrNotFound, `format: index: 'x': value is not in the list`},
		{func() error { _, err := format.ParseRepr("[1"); return err }, format.ErrSyntax, `format: parse: invalid literal at offset 2: expected ',' or ']', not end`},
	} {
		if err := tt.call(); !errors.Is(err, tt.reason) || err.Error() != tt.text {
			t.Errorf("%v\nwant %s", err, tt.text)
		}
	}
}

// Errors have fields for the facts that a program needs.
func TestErrorFields(t *testing.T) {
	buf := encode(t, format.Offsets, 1, 2)
	setHeader(buf, format.Offsets, 1, "z", 0)
	_, err := attach(t, buf).Int(1)
	var e *format.Error
	if !errors.As(err, &e) || e.Op != "get" || e.Index != 1 {
		t.Errorf("Error: %+v", e)
	}
	var corrupt *format.CorruptError
	if !errors.As(err, &corrupt) || corrupt.Field != "format" || corrupt.Index != 1 || corrupt.Offset != areasOf(buf, format.Offsets).formats+8 {
		t.Errorf("CorruptError: %+v", corrupt)
	}
	if _, err := format.Attach(nil); !errors.As(err, &e) || e.Op != "attach" || e.Index != -1 {
		t.Errorf("Error: %+v", e)
	}
}

// An error message stays readable, however long the value is.
func TestErrorsAreShort(t *testing.T) {
	long := strings.Repeat("9", 100_000)
	_, indexErr := newList(t, 1).Index(long)
	_, wordErr := format.ParseRepr(long + "x")
	_, rangeErr := format.ParseRepr(long)
	for _, err := range []error{indexErr, wordErr, rangeErr} {
		if n := len(fmt.Sprint(err)); n > 300 {
			t.Errorf("a message of %d bytes: %.200s…", n, err)
		}
	}
}
