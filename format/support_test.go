package format_test

import (
	"encoding/binary"
	"math"
	"strings"
	"testing"

	"github.com/pyshm-go/pyshm/format"
)

// everyKind has an item of every kind, and texts around the lengths at which slots
// grow.
func everyKind() []any {
	return []any{
		int64(0), int64(-2), int64(math.MaxInt64), int64(math.MinInt64),
		1.5, math.Copysign(0, -1), math.Inf(1), 5e-324,
		true, false, nil,
		"", "a", "1234567", "12345678", "123456789", "héllo", "ééééé", "€€€", "a\x00b", "\x00a", "😀",
		[]byte{}, []byte("\x00ab"), []byte("12345678"), []byte{0xff, 0xfe},
	}
}

// inLayouts runs a test once for each byte layout.
func inLayouts(t *testing.T, test func(t *testing.T, layout format.Layout)) {
	for _, layout := range []format.Layout{format.Offsets, format.Sizes} {
		t.Run(layout.String(), func(t *testing.T) { test(t, layout) })
	}
}

func encode(t testing.TB, layout format.Layout, values ...any) []byte {
	t.Helper()
	buf, err := format.Encode(values, &format.Options{Layout: layout})
	if err != nil {
		t.Fatal(err)
	}
	return buf
}

func attach(t testing.TB, buf []byte) *format.List {
	t.Helper()
	l, err := format.Attach(buf)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// newList returns a list of the values in the layout of CPython 3.9 and later.
func newList(t testing.TB, values ...any) *format.List {
	t.Helper()
	return attach(t, encode(t, format.Offsets, values...))
}

// words returns 64-bit words as bytes in the machine's byte order.
func words(vs ...int64) string {
	var b []byte
	for _, v := range vs {
		b = binary.NativeEndian.AppendUint64(b, uint64(v))
	}
	return string(b)
}

// padded returns s with NULs up to the next multiple of 8.
func padded(s string) string {
	return s + strings.Repeat("\x00", (8-len(s)%8)%8)
}

func putWord(buf []byte, off int, v int64) {
	binary.NativeEndian.PutUint64(buf[off:], uint64(v))
}

func getWord(buf []byte, off int) int64 {
	return int64(binary.NativeEndian.Uint64(buf[off:]))
}

// areas holds where the areas of a list begin.
type areas struct{ table, data, formats, codes, end int }

// areasOf computes the areas from the layout's definition: the last offset, or the
// sum of the sizes, is the size of the data area.
func areasOf(buf []byte, layout format.Layout) areas {
	n := int(getWord(buf, 0))
	p := areas{table: 8, data: 8 + 8*n}
	size := 0
	if layout == format.Offsets {
		p.data += 8
		size = int(getWord(buf, 8+8*n))
	} else {
		for i := range n {
			size += int(getWord(buf, 8+8*i))
		}
	}
	p.formats = p.data + size
	p.codes = p.formats + 8*n
	p.end = p.codes + n
	return p
}

// setHeader overwrites the format word and the code of item i.
func setHeader(buf []byte, layout format.Layout, i int, word string, code int8) {
	p := areasOf(buf, layout)
	copy(buf[p.formats+8*i:p.formats+8*i+8], padded(word + "\x00")[:8])
	buf[p.codes+i] = byte(code)
}
