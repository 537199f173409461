package format

import (
	"errors"
	"math"
	"testing"
	"unsafe"
)

func TestNames(t *testing.T) {
	for got, want := range map[string]string{
		Offsets.String(): "offsets", Sizes.String(): "sizes", Layout(9).String(): "Layout(9)",
		Int.String(): "int", Float.String(): "float", Bool.String(): "bool", None.String(): "NoneType",
		Str.String(): "str", Bytes.String(): "bytes", Kind(0).String(): "invalid", Kind(9).String(): "Kind(9)",
	} {
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// The sizes in CPython's documentation of the layouts: 8 bytes or 16, then 17 bytes an
// item besides the data.
func TestAreas(t *testing.T) {
	for _, n := range []int{0, 1, 2, 1000} {
		for _, dataSize := range []int{0, 8, 80} {
			if got, want := Offsets.areas(n, dataSize), (areas{16 + 8*n, 16 + 8*n + dataSize, 16 + 16*n + dataSize, 16 + 17*n + dataSize}); got != want {
				t.Errorf("offsets: %+v, want %+v", got, want)
			}
			if got, want := Sizes.areas(n, dataSize), (areas{8 + 8*n, 8 + 8*n + dataSize, 8 + 16*n + dataSize, 8 + 17*n + dataSize}); got != want {
				t.Errorf("sizes: %+v, want %+v", got, want)
			}
		}
	}
}

// A buffer of the greatest length of an int, and a data area that fills it: the sum of
// the areas must not wrap around. No byte of the buffer is touched.
func TestPlaceDoesNotOverflow(t *testing.T) {
	var word uint64
	for _, dataSize := range []uint64{math.MaxInt &^ 7, math.MaxInt&^7 - 800, math.MaxInt&^7 - 16} {
		for _, layout := range []Layout{Offsets, Sizes} {
			l := &List{layout: layout, n: 100}
			l.buf = *(*[]byte)(unsafe.Pointer(&struct {
				p        *uint64
				len, cap int
			}{&word, math.MaxInt, math.MaxInt}))
			var corrupt *CorruptError
			if err := l.place(dataSize); !errors.As(err, &corrupt) || corrupt.Field != "size" {
				t.Errorf("%v, %d bytes of data: %v", layout, dataSize, err)
			}
		}
	}
}

// Every size that CPython writes, and texts that are not a size.
func TestTextFormat(t *testing.T) {
	for size := 8; size <= maxSlot; size += 8 * (1 + size/1000) {
		if n, ok := textFormat(formatFor(Str, size)); !ok || n != size {
			t.Errorf("%q: %d, %v; want %d", formatText(formatFor(Str, size)), n, ok, size)
		}
	}
	for _, s := range []string{"", "s", "00s", "08s", "8", "8s ", " 8s", "8\x00s", "8s\x00s", "-8s", "12345678", "1234567x"} {
		if n, ok := textFormat(formatWord(s)); ok {
			t.Errorf("%q: %d", s, n)
		}
	}
}
