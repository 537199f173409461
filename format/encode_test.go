package format_test

import (
	"bytes"
	"errors"
	"io"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pyshm-go/pyshm/format"
)

func TestEncodeBytes(t *testing.T) {
	values := []any{-2, 1.5, true, nil, "hé", []byte("\x00ab"), "abcdefgh", ""}
	data := words(-2, int64(math.Float64bits(1.5))) +
		"\x00\x00\x00\x00\x00\x00\x00\x01" + // a bool is byte 7
		words(0) + padded("hé") + padded("\x00ab") + "abcdefgh" + words(0) + words(0)
	tail := padded("q") + padded("d") + "xxxxxxx?" + "xxxxxx?x" +
		padded("8s") + padded("8s") + padded("16s") + padded("8s") +
		"\x00\x00\x00\x03\x01\x02\x01\x01"

	for _, tt := range []struct {
		name   string
		layout format.Layout
		values []any
		want   string
	}{
		{"all kinds", format.Offsets, values, words(8, 0, 8, 16, 24, 32, 40, 48, 64, 72) + data + tail},
		{"all kinds", format.Sizes, values, words(8, 8, 8, 8, 8, 8, 8, 16, 8) + data + tail},
		{"one", format.Offsets, []any{1}, words(1, 0, 8, 1) + padded("q") + "\x00"},
		{"one", format.Sizes, []any{1}, words(1, 8, 1) + padded("q") + "\x00"},
		{"empty", format.Offsets, nil, words(0, 0)},
		{"empty", format.Sizes, []any{}, words(0)},
	} {
		t.Run(tt.name+" "+tt.layout.String(), func(t *testing.T) {
			opts := &format.Options{Layout: tt.layout}
			got, err := format.Encode(tt.values, opts)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, string(got)); diff != "" {
				t.Errorf("bytes (-want +got):\n%s", diff)
			}
			if size, err := format.Size(tt.values, opts); err != nil || size != len(got) {
				t.Errorf("Size = %d, %v, but Encode returned %d bytes", size, err, len(got))
			}
		})
	}
}

func TestEncodeNilOptions(t *testing.T) {
	got, err := format.Encode(everyKind(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(encode(t, format.Offsets, everyKind()...), got); diff != "" {
		t.Error(diff)
	}
}

// The size of a slot is the next multiple of 8 above the length, in code points as
// CPython counts a str. Text with more bytes gets a larger slot.
func TestEncodeSlots(t *testing.T) {
	for _, tt := range []struct {
		value any
		want  string // the format, which holds the slot's size
	}{
		{"", "8s"},
		{[]byte{}, "8s"},
		{strings.Repeat("a", 7), "8s"},
		{strings.Repeat("a", 8), "16s"},
		{strings.Repeat("a", 15), "16s"},
		{strings.Repeat("a", 16), "24s"},
		{bytes.Repeat([]byte{0xff}, 7), "8s"},
		{bytes.Repeat([]byte{0xff}, 8), "16s"},
		{strings.Repeat("é", 4), "8s"}, // 8 bytes fill the slot
		{strings.Repeat("é", 5), "16s"},
		{strings.Repeat("é", 7), "16s"},
		{strings.Repeat("é", 8), "16s"},
		{strings.Repeat("é", 9), "24s"},
		{strings.Repeat("€", 2), "8s"},
		{strings.Repeat("€", 3), "16s"},
		{"aaaaa€", "8s"},
		{"aaaaaa€", "16s"},
		{strings.Repeat("😀", 2), "8s"},
		{strings.Repeat("😀", 3), "16s"},
		{strings.Repeat("a", format.MaxText), "9999992s"},
		{format.Sized{Value: "a", Capacity: 0}, "8s"},
		{format.Sized{Value: "a", Capacity: 8}, "8s"},
		{format.Sized{Value: "a", Capacity: 9}, "16s"},
		{format.Sized{Value: "12345678", Capacity: 8}, "16s"}, // never below CPython's
		{format.Sized{Value: []byte("a"), Capacity: 100}, "104s"},
		{format.Sized{Value: "", Capacity: format.MaxText + 1}, "9999992s"},
	} {
		l := newList(t, tt.value)
		if got := l.Format(); got != tt.want {
			t.Errorf("%.20q: format %s, want %s", tt.value, got, tt.want)
		}
		want := tt.value
		if sized, ok := want.(format.Sized); ok {
			want = sized.Value
		}
		if got, err := l.Get(0); err != nil || !cmp.Equal(want, got) {
			t.Errorf("%.20q: read %.20q, %v", tt.value, got, err)
		}
	}
}

// Which bytes CPython 3.8 to 3.15 store for n equal characters: see LAYOUT.md.
func TestCPythonSlots(t *testing.T) {
	for _, tt := range []struct {
		char    string
		n, slot int
	}{
		{"é", 4, 8}, {"é", 5, 8}, {"é", 7, 8}, {"é", 8, 16}, {"é", 15, 16}, {"é", 16, 24}, {"é", 17, 24},
		{"€", 2, 8}, {"€", 3, 8}, {"€", 7, 8}, {"€", 8, 16}, {"€", 16, 24},
		{"😀", 2, 8}, {"😀", 3, 8}, {"😀", 15, 16}, {"😀", 17, 24},
		{"a\x00", 4, 16}, {"\x00", 1, 8}, {"\x00", 8, 16},
	} {
		text := strings.Repeat(tt.char, tt.n)
		buf, err := format.Encode([]any{text}, &format.Options{CPythonSlots: true})
		if err != nil {
			t.Fatalf("%d × %q: %v", tt.n, tt.char, err)
		}
		raw, err := attach(t, buf).RawBytes(0)
		if err != nil {
			t.Fatal(err)
		}
		want := (text + strings.Repeat("\x00", tt.slot))[:tt.slot]
		if diff := cmp.Diff(want, string(raw)); diff != "" {
			t.Errorf("%d × %q (-want +got):\n%s", tt.n, tt.char, diff)
		}
	}

	cpython := &format.Options{CPythonSlots: true}
	if _, err := format.Size([]any{strings.Repeat("é", format.MaxText)}, cpython); err != nil {
		t.Errorf("CPython counts code points: %v", err)
	}
	for _, value := range []any{"ab\x00", []byte("ab\x00")} {
		if _, err := format.Encode([]any{value}, cpython); err != nil {
			t.Errorf("%q: %v", value, err)
		}
	}
}

func TestEncodeRefuses(t *testing.T) {
	type named int
	long := strings.Repeat("a", format.MaxText+1)
	for _, tt := range []struct {
		value any
		opts  *format.Options
		want  error
	}{
		{uint64(1 << 63), nil, format.ErrRange},
		{uint(math.MaxUint), nil, rangeIf64(format.ErrRange)},
		{long, nil, format.ErrTooLarge},
		{[]byte(long), nil, format.ErrTooLarge},
		{strings.Repeat("é", format.MaxText/2+1), nil, format.ErrTooLarge},
		{long, &format.Options{CPythonSlots: true}, format.ErrTooLarge},
		{"ab\x00", nil, format.ErrTrailingNUL},
		{"\x00", nil, format.ErrTrailingNUL},
		{[]byte{0}, nil, format.ErrTrailingNUL},
		{"a\xff", nil, format.ErrUTF8},
		{"\xed\xa0\x80", nil, format.ErrUTF8}, // a surrogate
		{"a\xff", &format.Options{CPythonSlots: true}, format.ErrUTF8},
		{complex(1, 0), nil, format.ErrType},
		{[]any{1}, nil, format.ErrType},
		{named(1), nil, format.ErrType},
		{new(int), nil, format.ErrType},
		{format.Sized{Value: 1, Capacity: 8}, nil, format.ErrType},
		{format.Sized{Value: format.Sized{Value: "a"}}, nil, format.ErrType},
		{format.Sized{Value: "a", Capacity: -1}, nil, format.ErrRange},
		{format.Sized{Value: "a", Capacity: format.MaxText + 2}, nil, format.ErrTooLarge},
		{format.Sized{Value: "a\x00", Capacity: 8}, nil, format.ErrTrailingNUL},
	} {
		values := []any{1, tt.value}
		buf, err := format.Encode(values, tt.opts)
		if !errors.Is(err, tt.want) || tt.want != nil && buf != nil {
			t.Errorf("Encode(%.20q) = %d bytes, %v; want %v", tt.value, len(buf), err, tt.want)
		}
		if _, err := format.Size(values, tt.opts); !errors.Is(err, tt.want) {
			t.Errorf("Size(%.20q): %v; want %v", tt.value, err, tt.want)
		}
		var item *format.Error
		if tt.want != nil && (!errors.As(err, &item) || item.Index != 1) {
			t.Errorf("Encode(%.20q): %v does not name item 1", tt.value, err)
		}
	}
}

// rangeIf64 is err where a uint can exceed an int64.
func rangeIf64(err error) error {
	if math.MaxUint>>63 == 0 {
		return nil
	}
	return err
}

// On a 32-bit machine three hundred slots of nearly 10 MB are too many.
func TestEncodeBeyondInt(t *testing.T) {
	values := make([]any, 300)
	for i := range values {
		values[i] = format.Sized{Value: "", Capacity: format.MaxText}
	}
	const want = uint64(16 + 300*(17+9_999_992))
	size, err := format.Size(values, nil)
	if want > math.MaxInt {
		if !errors.Is(err, format.ErrTooLarge) {
			t.Errorf("Size = %d, %v", size, err)
		}
	} else if uint64(size) != want || err != nil {
		t.Errorf("Size = %d, %v, want %d", size, err, want)
	}
}

func TestEncodeUnknownLayout(t *testing.T) {
	if _, err := format.Encode(nil, &format.Options{Layout: 2}); err == nil || err.Error() != "format: encode: unsupported type: Layout(2)" {
		t.Error(err)
	}
}

// Pieces end where the buffer is full. So two cases matter: text longer than the
// buffer, and text across its end.
func TestEncoderWriteTo(t *testing.T) {
	inLayouts(t, func(t *testing.T, layout format.Layout) {
		values := []any{strings.Repeat("x", 64<<10-20), 1, strings.Repeat("y", 200_000), nil, format.Sized{Value: "z", Capacity: 300_000}}
		want := encode(t, layout, values...)
		e, err := format.NewEncoder(values, &format.Options{Layout: layout})
		if err != nil {
			t.Fatal(err)
		}
		var got bytes.Buffer
		n, err := e.WriteTo(&got)
		if err != nil || n != int64(len(want)) || e.Size() != len(want) {
			t.Errorf("WriteTo = %d, %v; Size = %d; want %d bytes", n, err, e.Size(), len(want))
		}
		if !bytes.Equal(want, got.Bytes()) {
			t.Error("WriteTo wrote other bytes than Encode")
		}
	})
}

func TestEncoderWriteToFails(t *testing.T) {
	e, err := format.NewEncoder([]any{strings.Repeat("x", 200_000)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	w := &limitedWriter{left: 100_000}
	if n, err := e.WriteTo(w); n != 100_000 || !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("WriteTo = %d, %v", n, err)
	}
	if w.calls != 2 {
		t.Errorf("%d calls of Write: it went on after the error", w.calls)
	}
}

// limitedWriter takes that many bytes and no more.
type limitedWriter struct{ left, calls int }

func (w *limitedWriter) Write(b []byte) (int, error) {
	w.calls++
	if len(b) > w.left {
		return w.left, io.ErrShortWrite
	}
	w.left -= len(b)
	return len(b), nil
}

func TestNewEncoderOf(t *testing.T) {
	encoderBytes(t, []int64{1, -2, math.MinInt64}, int64(1), int64(-2), int64(math.MinInt64))
	encoderBytes(t, []float64{1, math.NaN()}, 1.0, math.NaN())
	encoderBytes(t, []bool{true, false}, true, false)
	encoderBytes(t, []string{"a", "", "ééééé"}, "a", "", "ééééé")
	encoderBytes(t, [][]byte{{1}, nil}, []byte{1}, []byte{})

	const many = 20_000 // in several pieces
	ints, bools, boxedInts, boxedBools := make([]int64, many), make([]bool, many), make([]any, many), make([]any, many)
	for i := range ints {
		ints[i], bools[i] = int64(i)*math.MaxInt32, i%3 == 0
		boxedInts[i], boxedBools[i] = ints[i], bools[i]
	}
	encoderBytes(t, ints, boxedInts...)
	encoderBytes(t, bools, boxedBools...)

	_, err := format.NewEncoderOf([]string{"ok", "bad\x00"}, nil)
	if !errors.Is(err, format.ErrTrailingNUL) {
		t.Error(err)
	}
}

// encoderBytes checks that typed values are written as the boxed ones are.
func encoderBytes[T int64 | float64 | bool | string | []byte](t *testing.T, typed []T, boxed ...any) {
	t.Helper()
	for _, layout := range []format.Layout{format.Offsets, format.Sizes} {
		e, err := format.NewEncoderOf(typed, &format.Options{Layout: layout})
		if err != nil {
			t.Fatal(err)
		}
		var got bytes.Buffer
		if _, err := e.WriteTo(&got); err != nil {
			t.Fatal(err)
		}
		if want := encode(t, layout, boxed...); !bytes.Equal(want, got.Bytes()) {
			t.Errorf("%T (-want +got):\n%s", typed, cmp.Diff(want, got.Bytes()))
		}
	}
}
