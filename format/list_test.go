package format_test

import (
	"errors"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pyshm-go/pyshm/format"
)

// Bytes that a creator leaves when it stops half-way, and bytes that cannot be a list.
func TestAttachRefuses(t *testing.T) {
	type bytesOf func(t *testing.T) []byte
	zeros := func(n int) bytesOf { return func(*testing.T) []byte { return make([]byte, n) } }
	// list is [1, "text", None] in the layout, changed by change.
	list := func(layout format.Layout, change func(buf []byte, p areas)) bytesOf {
		return func(t *testing.T) []byte {
			buf := encode(t, layout, 1, "text", nil)
			change(buf, areasOf(buf, layout))
			return buf
		}
	}
	word := func(off int, v int64) func([]byte, areas) {
		return func(buf []byte, _ areas) { putWord(buf, off, v) }
	}
	const offsets, sizes = format.Offsets, format.Sizes

	for _, tt := range []struct {
		name  string
		bytes bytesOf
		want  error
	}{
		{"no bytes", zeros(0), format.ErrIncomplete},
		{"1 byte", zeros(1), format.ErrCorrupt},
		{"7 bytes", zeros(7), format.ErrCorrupt},
		{"9 bytes", zeros(9), format.ErrCorrupt},
		{"between an empty list and the shortest", zeros(24), format.ErrCorrupt},
		{"one less than the shortest list", zeros(32), format.ErrCorrupt},
		{"the shortest list, not begun", zeros(33), format.ErrIncomplete},
		{"a page, not begun", zeros(4096), format.ErrIncomplete},

		{"count -1", list(offsets, word(0, -1)), format.ErrCorrupt},
		{"count -2**63", list(offsets, word(0, math.MinInt64)), format.ErrCorrupt},
		{"count 2**62", list(offsets, word(0, 1<<62)), format.ErrCorrupt},
		{"count 2**32", list(offsets, word(0, 1<<32)), format.ErrCorrupt},
		{"count beyond the buffer", list(offsets, word(0, 5)), format.ErrCorrupt},
		{"count too small for the table", list(offsets, word(0, 4)), format.ErrCorrupt},

		{"offsets, only the count written", list(offsets, func(buf []byte, _ areas) { clear(buf[8:]) }), format.ErrIncomplete},
		{"offsets, table not complete", list(offsets, func(buf []byte, p areas) { clear(buf[24:]) }), format.ErrIncomplete},
		{"offsets, data not written", list(offsets, func(buf []byte, p areas) { clear(buf[p.data:]) }), format.ErrIncomplete},
		{"offsets, formats not written", list(offsets, func(buf []byte, p areas) { clear(buf[p.formats:]) }), format.ErrIncomplete},
		{"offsets, last offset odd", list(offsets, word(32, 25)), format.ErrCorrupt},
		{"offsets, last offset odd and small", list(offsets, word(32, 17)), format.ErrCorrupt},
		{"offsets, last offset 0, all else written", list(offsets, word(32, 0)), format.ErrIncomplete},
		{"offsets, last offset negative", list(offsets, word(32, -8)), format.ErrCorrupt},
		{"offsets, last offset beyond the buffer", list(offsets, word(32, 1<<40)), format.ErrCorrupt},
		{"offsets, last offset greatest", list(offsets, word(32, math.MaxInt64-7)), format.ErrCorrupt},
		{"offsets, no room for the codes", list(offsets, word(32, 32)), format.ErrCorrupt},
		{"offsets, cut by one byte", func(t *testing.T) []byte { b := encode(t, offsets, 1, 2); return b[:len(b)-1] }, format.ErrCorrupt},

		{"sizes, only the count written", list(sizes, func(buf []byte, _ areas) { clear(buf[8:]) }), format.ErrIncomplete},
		{"sizes, table not complete", list(sizes, func(buf []byte, _ areas) { clear(buf[24:]) }), format.ErrIncomplete},
		{"sizes, data not written", list(sizes, func(buf []byte, p areas) { clear(buf[p.data:]) }), format.ErrIncomplete},
		{"sizes, formats not written", list(sizes, func(buf []byte, p areas) { clear(buf[p.formats:]) }), format.ErrIncomplete},
		{"sizes, odd size", list(sizes, word(16, 9)), format.ErrCorrupt},
		{"sizes, negative size", list(sizes, word(16, -8)), format.ErrCorrupt},
		{"sizes, size beyond the buffer", list(sizes, word(16, 1<<40)), format.ErrCorrupt},
		{"sizes, sum overflows", list(sizes, word(16, math.MaxInt64-7)), format.ErrCorrupt},
		{"sizes, no room for the codes", list(sizes, word(16, 16)), format.ErrCorrupt},
		{"sizes, cut by one byte", func(t *testing.T) []byte { b := encode(t, sizes, 1, 2); return b[:len(b)-1] }, format.ErrCorrupt},

		{"16 bytes, count 0, then no 0", func(*testing.T) []byte { b := make([]byte, 16); b[8] = 8; return b }, format.ErrCorrupt},
		{"text", func(*testing.T) []byte { return []byte("this is not a list at all, but it is long enough") }, format.ErrCorrupt},
	} {
		buf := append([]byte(nil), tt.bytes(t)...)
		if l, err := format.Attach(align(buf)); !errors.Is(err, tt.want) || l != nil {
			t.Errorf("%s: Attach: %v, want %v", tt.name, err, tt.want)
		}
		if vs, err := format.Decode(buf); !errors.Is(err, tt.want) || vs != nil {
			t.Errorf("%s: Decode: %v, %v, want %v", tt.name, vs, err, tt.want)
		}
	}
}

// align returns a copy of b at a multiple of 8.
func align(b []byte) []byte {
	words := make([]byte, len(b)+8)
	for shift := range 8 {
		if _, err := format.Attach(words[shift:]); !errors.Is(err, format.ErrUnaligned) {
			words = words[shift : shift+len(b) : shift+len(b)]
			break
		}
	}
	copy(words, b)
	return words
}

// Where a system rounds sizes up to pages, zeros follow the list.
func TestAttachPadded(t *testing.T) {
	inLayouts(t, func(t *testing.T, layout format.Layout) {
		want := everyKind()
		buf := append(encode(t, layout, want...), make([]byte, 4096)...)
		l := attach(t, align(buf))
		got, err := l.Values()
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Error(err, diff)
		}
		if err := l.Check(); err != nil {
			t.Error(err)
		}
		if l.Layout() != layout {
			t.Error(l.Layout())
		}
	})
}

func TestEmptyList(t *testing.T) {
	inLayouts(t, func(t *testing.T, layout format.Layout) {
		l := attach(t, encode(t, layout))
		if l.Len() != 0 || l.Layout() != layout || l.Format() != "" {
			t.Errorf("%d items, layout %v, format %q", l.Len(), l.Layout(), l.Format())
		}
		if vs, err := l.Values(); err != nil || len(vs) != 0 {
			t.Error(vs, err)
		}
		if err := l.Check(); err != nil {
			t.Error(err)
		}
	})
}

func TestAlignment(t *testing.T) {
	inLayouts(t, func(t *testing.T, layout format.Layout) {
		want := everyKind()
		b := encode(t, layout, want...)
		aligned := align(make([]byte, len(b)+8))
		for shift := range 8 {
			buf := aligned[shift : shift+len(b)]
			copy(buf, b)
			got, err := format.Decode(buf)
			if diff := cmp.Diff(want, got); err != nil || diff != "" {
				t.Errorf("Decode at %d: %v\n%s", shift, err, diff)
			}
			if _, err := format.Attach(buf); shift == 0 && err != nil || shift != 0 && !errors.Is(err, format.ErrUnaligned) {
				t.Errorf("Attach at %d: %v", shift, err)
			}
		}
	})
}

func TestSlot(t *testing.T) {
	inLayouts(t, func(t *testing.T, layout format.Layout) {
		buf := encode(t, layout, 1, 1.5, true, nil, "123456789", []byte("a"))
		data := areasOf(buf, layout).data
		want := []format.Slot{
			{Kind: format.Int, Format: "q", Code: 0, Offset: data, Capacity: 8},
			{Kind: format.Float, Format: "d", Code: 0, Offset: data + 8, Capacity: 8},
			{Kind: format.Bool, Format: "xxxxxxx?", Code: 0, Offset: data + 16, Capacity: 8},
			{Kind: format.None, Format: "xxxxxx?x", Code: 3, Offset: data + 24, Capacity: 8},
			{Kind: format.Str, Format: "16s", Code: 1, Offset: data + 32, Capacity: 16},
			{Kind: format.Bytes, Format: "8s", Code: 2, Offset: data + 48, Capacity: 8},
		}
		l := attach(t, buf)
		var got []format.Slot
		for i := range l.Len() {
			slot, err := l.Slot(i)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, slot)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		if got, want := l.Format(), "qdxxxxxxx?xxxxxx?x16s8s"; got != want {
			t.Errorf("Format = %s, want %s", got, want)
		}
	})
}

// Every word of the header, made wrong after Attach: Check finds it.
func TestCheck(t *testing.T) {
	inLayouts(t, func(t *testing.T, layout format.Layout) {
		clean := encode(t, layout, 1, "text", nil)
		p := areasOf(clean, layout)
		broken := map[int][]int64{}
		for off := 0; off < p.data; off += 8 {
			broken[off] = []int64{-1, 0, 1, 8, 16, 1 << 40, math.MaxInt64, math.MinInt64}
		}
		for off := p.formats; off < p.codes; off += 8 {
			broken[off] = []int64{-1, 0, 'z'}
		}
		for off, values := range broken {
			for _, v := range values {
				buf := align(clean)
				l := attach(t, buf).WithPatience(0)
				if getWord(buf, off) == v {
					continue
				}
				putWord(buf, off, v)
				err := l.Check()
				if !errors.Is(err, format.ErrCorrupt) && !errors.Is(err, format.ErrBusy) {
					t.Errorf("word at %d = %d: Check: %v", off, v, err)
				}
			}
		}
		for i := range 3 {
			for _, code := range []byte{4, 0xff, 0x80, 0x7f} {
				buf := align(clean)
				l := attach(t, buf).WithPatience(0)
				buf[p.codes+i] = code
				if err := l.Check(); !errors.Is(err, format.ErrCorrupt) {
					t.Errorf("code %d of item %d: %v", int8(code), i, err)
				}
			}
		}
		if err := attach(t, align(clean)).Check(); err != nil {
			t.Error(err)
		}
	})
}

// Table entries that cannot be a slot, in the middle of a list. The neighbours of the
// slot share one of the entries, and report it too.
func TestSlotBounds(t *testing.T) {
	for _, tt := range []struct{ start, end int64 }{
		{16, 16}, {24, 16}, {9, 24}, {16, 23}, {-8, 24}, {16, -8}, {16, 48}, {0, 1 << 40},
		{math.MaxInt64 - 7, math.MinInt64}, {math.MinInt64, math.MinInt64 + 8}, {math.MinInt64, 24},
	} {
		buf := encode(t, format.Offsets, "in 16 bytes", 1, "in 16 bytes")
		putWord(buf, 16, tt.start)
		putWord(buf, 24, tt.end)
		l := attach(t, buf).WithPatience(0)
		for name, err := range map[string]error{
			"Get":      second(l.Get(1)),
			"Int":      second(l.Int(1)),
			"RawBytes": second(l.RawBytes(1)),
			"Slot":     second(l.Slot(1)),
			"AddInt":   second(l.AddInt(1, 1)),
			"Set":      l.Set(1, 5),
			"Check":    l.Check(),
		} {
			if !errors.Is(err, format.ErrCorrupt) {
				t.Errorf("slot from %d to %d: %s: %v", tt.start, tt.end, name, err)
			}
		}
	}
}

// A slot too large for any format.
func TestSlotTooLarge(t *testing.T) {
	half := format.Sized{Value: "", Capacity: format.MaxText}
	buf := encode(t, format.Offsets, half, half)
	putWord(buf, 16, getWord(buf, 24))
	l := attach(t, buf).WithPatience(0)
	if raw, err := l.RawBytes(0); !errors.Is(err, format.ErrCorrupt) {
		t.Errorf("%d bytes, %v", len(raw), err)
	}
}

// The first offset is 0. Check reports another one even where the first slot would be
// valid.
func TestCheckFirstOffset(t *testing.T) {
	buf := encode(t, format.Offsets, "in 16 bytes", 1)
	l := attach(t, buf)
	putWord(buf, 8, 8)
	setHeader(buf, format.Offsets, 0, "8s", 1)
	if err := l.Check(); !errors.Is(err, format.ErrCorrupt) {
		t.Error(err)
	}
}

// CPython zeroes a format before it changes it. For a list whose only item is in that
// state, the code shows that the list is not an unfinished one, unless the code is 0.
func TestAttachDuringPythonsWrite(t *testing.T) {
	for code, want := range map[int8]error{0: format.ErrIncomplete, 1: nil, 2: nil, 3: nil} {
		buf := encode(t, format.Offsets, "a")
		setHeader(buf, format.Offsets, 0, "", code)
		l, err := format.AttachPatiently(buf, 0)
		if !errors.Is(err, want) {
			t.Errorf("code %d: %v, want %v", code, err, want)
		}
		if err == nil {
			if _, err := l.Get(0); !errors.Is(err, format.ErrBusy) {
				t.Errorf("code %d: %v", code, err)
			}
		}
	}
}

// Formats that Python's struct knows but no ShareableList has, and codes that
// do not fit the format.
func TestHeaderRefuses(t *testing.T) {
	for _, tt := range []struct {
		format string
		code   int8
		want   error
	}{
		{"1q", 0, format.ErrCorrupt}, {"q ", 0, format.ErrCorrupt}, {">q", 0, format.ErrCorrupt},
		{"i", 0, format.ErrCorrupt}, {"s", 1, format.ErrCorrupt}, {"08s", 1, format.ErrCorrupt},
		{"00s", 1, format.ErrCorrupt}, {"-1s", 1, format.ErrCorrupt}, {"+8s", 1, format.ErrCorrupt},
		{"8s8s", 1, format.ErrCorrupt}, {"8s\x008s", 1, format.ErrCorrupt}, {"8S", 1, format.ErrCorrupt},
		{"9s", 1, format.ErrCorrupt}, {"16s", 1, format.ErrCorrupt}, {"9999999s", 1, format.ErrCorrupt},
		{"99999999", 1, format.ErrCorrupt}, {"\x008s", 1, format.ErrCorrupt}, {"xxxxxxxx", 0, format.ErrCorrupt},
		{"q", 4, format.ErrCorrupt}, {"q", -1, format.ErrCorrupt}, {"8s", 127, format.ErrCorrupt}, {"d", -128, format.ErrCorrupt},
		{"q", 1, format.ErrBusy}, {"q", 2, format.ErrBusy}, {"q", 3, format.ErrBusy},
		{"d", 1, format.ErrBusy}, {"xxxxxxx?", 3, format.ErrBusy}, {"xxxxxx?x", 0, format.ErrBusy},
		{"8s", 0, format.ErrBusy}, {"8s", 3, format.ErrBusy},
		{"", 0, format.ErrBusy}, {"", 1, format.ErrBusy}, {" ", 0, format.ErrBusy}, {" ", 2, format.ErrBusy},
	} {
		buf := encode(t, format.Offsets, "text", 1)
		setHeader(buf, format.Offsets, 0, tt.format, tt.code)
		l := attach(t, buf).WithPatience(0)
		for name, err := range map[string]error{
			"Get":    second(l.Get(0)),
			"Int":    second(l.Int(0)),
			"Bool":   second(l.Bool(0)),
			"Str":    second(l.Str(0)),
			"Bytes":  second(l.Bytes(0)),
			"Slot":   second(l.Slot(0)),
			"Count":  second(l.Count(1)),
			"AddInt": second(l.AddInt(0, 1)),
			"Values": second(l.Values()),
			"Check":  l.Check(),
		} {
			if !errors.Is(err, tt.want) {
				t.Errorf("format %q, code %d: %s: %v, want %v", tt.format, tt.code, name, err, tt.want)
			}
		}
		if raw, err := l.RawBytes(0); err != nil || string(raw) != padded("text") {
			t.Errorf("format %q, code %d: RawBytes = %q, %v", tt.format, tt.code, raw, err)
		}
		for _, v := range []any{"new", 5, nil} {
			if err := l.Set(0, v); err != nil {
				t.Errorf("format %q, code %d: Set does not mend it: %v", tt.format, tt.code, err)
			}
			if got, err := l.Get(0); err != nil || !format.Equal(got, v) {
				t.Errorf("format %q, code %d: after Set it reads %v, %v", tt.format, tt.code, got, err)
			}
			setHeader(buf, format.Offsets, 0, tt.format, tt.code)
		}
	}
}

func second[T any](_ T, err error) error { return err }

// Offsets that let slots share bytes do not multiply the text that is read: all text
// that All yields is together at most as long as the data area.
func TestOverlappingSlots(t *testing.T) {
	const n = 50
	values := make([]any, n)
	for i := range values {
		values[i] = "x"
	}
	values = append(values, format.Sized{Value: "", Capacity: 8000})
	buf := encode(t, format.Offsets, values...)
	size := getWord(buf, 8+8*(n+1))
	for i := 0; i < n; i += 2 { // slots of the whole data area, and between them slots that end before they start
		putWord(buf, 8+8*i, 0)
		putWord(buf, 8+8*(i+1), size)
		setHeader(buf, format.Offsets, i, "8400s", 2)
	}
	l := attach(t, buf).WithPatience(0)
	read := 0
	for v, err := range l.All() {
		if b, ok := v.([]byte); err == nil && ok {
			read += len(b)
		}
	}
	if read > int(size) {
		t.Errorf("%d bytes read from a data area of %d", read, size)
	}
}

// A list of many broken items takes no more patience than one broken item.
func TestPatience(t *testing.T) {
	const n = 20_000
	values := make([]any, n)
	for i := range values {
		values[i] = 1
	}
	for name, broken := range map[string]string{"busy": " ", "corrupt": "z"} {
		buf := encode(t, format.Offsets, values...)
		for i := range n {
			setHeader(buf, format.Offsets, i, broken, 0)
		}
		l := attach(t, buf)
		start := time.Now()
		failed := 0
		for _, err := range l.All() {
			if err != nil {
				failed++
			}
		}
		if took := time.Since(start); failed != n || took < 4*time.Millisecond || took > 2*time.Second {
			t.Errorf("%s: %d of %d items failed in %v", name, failed, n, took)
		}
	}
}

// Attach waits for the formats of a list as long as a read waits for a single item.
func TestAttachPatience(t *testing.T) {
	buf := encode(t, format.Offsets, make([]any, 100_000)...)
	p := areasOf(buf, format.Offsets)
	clear(buf[p.formats:])
	start := time.Now()
	_, err := format.Attach(buf)
	if took := time.Since(start); !errors.Is(err, format.ErrIncomplete) || took > time.Second {
		t.Errorf("%v after %v", err, took)
	}
	go func() {
		time.Sleep(time.Millisecond)
		copy(buf[p.formats:], "xxxxxx?x")
	}()
	if _, err := format.AttachPatiently(buf, time.Minute); err != nil {
		t.Errorf("a format appeared within the patience, but: %v", err)
	}
}

func TestReadOnly(t *testing.T) {
	buf := encode(t, format.Offsets, 1, 1.5, true, nil, "a", []byte("a"))
	before := string(buf)
	l, err := format.AttachReadOnly(buf)
	if err != nil {
		t.Fatal(err)
	}
	for i := range l.Len() {
		for name, err := range map[string]error{
			"Set":          l.Set(i, 1),
			"SetInt":       l.SetInt(i, 1),
			"SetFloat":     l.SetFloat(i, 1),
			"SetBool":      l.SetBool(i, true),
			"SetStr":       l.SetStr(i, "b"),
			"SetBytes":     l.SetBytes(i, nil),
			"SetNone":      l.SetNone(i),
			"AddInt":       second(l.AddInt(i, 1)),
			"CAS":          second(l.CompareAndSwapInt(i, 1, 2)),
			"WithPatience": l.WithPatience(0).SetInt(i, 1),
		} {
			if !errors.Is(err, format.ErrReadOnly) {
				t.Errorf("%s(%d): %v", name, i, err)
			}
		}
	}
	if before != string(buf) {
		t.Error("the bytes have changed")
	}
	if _, err := format.AttachReadOnly(nil); !errors.Is(err, format.ErrIncomplete) {
		t.Error(err)
	}
}
