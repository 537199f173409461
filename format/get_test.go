package format_test

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pyshm-go/pyshm/format"
)

// Every way to read a list returns the values that the list was made of.
func TestRead(t *testing.T) {
	want := everyKind()
	inLayouts(t, func(t *testing.T, layout format.Layout) {
		buf := encode(t, layout, want...)
		l := attach(t, buf)
		if l.Len() != len(want) || l.Layout() != layout {
			t.Fatalf("%d items in layout %v", l.Len(), l.Layout())
		}
		ways := map[string]func() ([]any, error){
			"Values":  l.Values,
			"Decode":  func() ([]any, error) { return format.Decode(buf) },
			"All":     func() ([]any, error) { return collect(l) },
			"Get":     func() ([]any, error) { return eachItem(l, l.Get) },
			"by kind": func() ([]any, error) { return eachItem(l, func(i int) (any, error) { return getByKind(l, i) }) },
		}
		for name, read := range ways {
			got, err := read()
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
		}
	})
}

func collect(l *format.List) ([]any, error) {
	var vs []any
	for v, err := range l.All() {
		if err != nil {
			return vs, err
		}
		vs = append(vs, v)
	}
	return vs, nil
}

func eachItem(l *format.List, get func(i int) (any, error)) ([]any, error) {
	var vs []any
	for i := range l.Len() {
		v, err := get(i)
		if err != nil {
			return vs, err
		}
		vs = append(vs, v)
	}
	return vs, nil
}

// getByKind reads item i with the getter for the kind that its slot has.
func getByKind(l *format.List, i int) (any, error) {
	slot, err := l.Slot(i)
	if err != nil {
		return nil, err
	}
	switch slot.Kind {
	case format.Int:
		return l.Int(i)
	case format.Float:
		return l.Float(i)
	case format.Bool:
		return l.Bool(i)
	case format.Str:
		return l.Str(i)
	case format.Bytes:
		return l.Bytes(i)
	default:
		return nil, nil
	}
}

// A typed getter reads its own kind only: no conversion, as in Go.
func TestGettersRefuseOtherKinds(t *testing.T) {
	l := newList(t, 1, 1.5, true, nil, "a", []byte("a"))
	getters := map[format.Kind]func(i int) error{
		format.Int:   func(i int) error { _, err := l.Int(i); return err },
		format.Float: func(i int) error { _, err := l.Float(i); return err },
		format.Bool:  func(i int) error { _, err := l.Bool(i); return err },
		format.Str:   func(i int) error { _, err := l.Str(i); return err },
		format.Bytes: func(i int) error { _, err := l.Bytes(i); return err },
	}
	kinds := []format.Kind{format.Int, format.Float, format.Bool, format.None, format.Str, format.Bytes}
	for i, is := range kinds {
		for want, get := range getters {
			err := get(i)
			if is == want && err != nil {
				t.Errorf("%v of a %v: %v", want, is, err)
			}
			if is != want && !errors.Is(err, format.ErrKind) {
				t.Errorf("%v of a %v: %v, want ErrKind", want, is, err)
			}
		}
	}
	if _, err := l.AppendStr(nil, 5); !errors.Is(err, format.ErrKind) {
		t.Errorf("AppendStr of a bytes: %v", err)
	}
}

// Every method that takes an index refuses a negative one, which Python counts from
// the end, and one beyond the end.
func TestIndices(t *testing.T) {
	methods := map[string]func(l *format.List, i int) error{
		"Get":       func(l *format.List, i int) error { _, err := l.Get(i); return err },
		"Int":       func(l *format.List, i int) error { _, err := l.Int(i); return err },
		"Float":     func(l *format.List, i int) error { _, err := l.Float(i); return err },
		"Bool":      func(l *format.List, i int) error { _, err := l.Bool(i); return err },
		"Str":       func(l *format.List, i int) error { _, err := l.Str(i); return err },
		"AppendStr": func(l *format.List, i int) error { _, err := l.AppendStr(nil, i); return err },
		"Bytes":     func(l *format.List, i int) error { _, err := l.Bytes(i); return err },
		"RawBytes":  func(l *format.List, i int) error { _, err := l.RawBytes(i); return err },
		"Slot":      func(l *format.List, i int) error { _, err := l.Slot(i); return err },
		"Set":       func(l *format.List, i int) error { return l.Set(i, 1) },
		"SetInt":    func(l *format.List, i int) error { return l.SetInt(i, 1) },
		"SetFloat":  func(l *format.List, i int) error { return l.SetFloat(i, 1) },
		"SetBool":   func(l *format.List, i int) error { return l.SetBool(i, true) },
		"SetStr":    func(l *format.List, i int) error { return l.SetStr(i, "a") },
		"SetBytes":  func(l *format.List, i int) error { return l.SetBytes(i, nil) },
		"SetNone":   func(l *format.List, i int) error { return l.SetNone(i) },
		"AddInt":    func(l *format.List, i int) error { _, err := l.AddInt(i, 1); return err },
		"CAS":       func(l *format.List, i int) error { _, err := l.CompareAndSwapInt(i, 0, 1); return err },
		"CopyInts":  func(l *format.List, i int) error { _, err := l.CopyInts(make([]int64, 1), beyond(l, i)); return err },
		"CopyFloats": func(l *format.List, i int) error {
			_, err := l.CopyFloats(make([]float64, 1), beyond(l, i))
			return err
		},
	}
	inLayouts(t, func(t *testing.T, layout format.Layout) {
		for _, l := range []*format.List{attach(t, encode(t, layout)), attach(t, encode(t, layout, 1, 2, 3))} {
			for _, i := range []int{-1, -l.Len() - 1, l.Len(), l.Len() + 1, math.MaxInt, math.MinInt} {
				for name, method := range methods {
					if err := method(l, i); !errors.Is(err, format.ErrIndex) {
						t.Errorf("%s(%d) of %d items: %v", name, i, l.Len(), err)
					}
				}
			}
		}
	})
}

// beyond returns i, but 1 more where i is the length: CopyInts may begin there.
func beyond(l *format.List, i int) int {
	if i == l.Len() {
		return i + 1
	}
	return i
}

func TestFloatBits(t *testing.T) {
	for _, bits := range []uint64{
		0x7ff8000000000000, 0xfff8000000000000, 0x7ff8000000001234, // quiet NaNs
		0x7ff0000000000001, 0xfff4000000abcdef, // signalling ones
		0x8000000000000000, 1,
	} {
		l := newList(t, math.Float64frombits(bits), 0.0)
		if err := l.SetFloat(1, math.Float64frombits(bits)); err != nil {
			t.Fatal(err)
		}
		for i := range 2 {
			v, err := l.Float(i)
			if err != nil || math.Float64bits(v) != bits {
				t.Errorf("Float: %#x, %v; want %#x", math.Float64bits(v), err, bits)
			}
			boxed, err := l.Get(i)
			if err != nil || math.Float64bits(boxed.(float64)) != bits {
				t.Errorf("Get: %v, %v; want %#x", boxed, err, bits)
			}
		}
	}
}

// Go ignores the same bytes that Python's struct ignores.
func TestReadingRules(t *testing.T) {
	for _, tt := range []struct {
		name   string
		slot   string // 16 bytes
		format string
		code   int8
		want   any
	}{
		{"bool is byte 7", "\x00\x00\x00\x00\x00\x00\x00\x01leftover", "xxxxxxx?", 0, true},
		{"any non-zero byte is True", "\x00\x00\x00\x00\x00\x00\x00\x80leftover", "xxxxxxx?", 0, true},
		{"the other bytes of a bool do not count", "1234567\x00leftover", "xxxxxxx?", 0, false},
		{"the slot of None does not count", "leftoverleftover", "xxxxxx?x", 3, nil},
		{"an int is the first 8 bytes", words(-7) + "leftover", "q", 0, int64(-7)},
		{"a float is the first 8 bytes", words(int64(math.Float64bits(2.5))) + "leftover", "d", 0, 2.5},
		{"NULs at the end go", "ab\x00c\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", "16s", 1, "ab\x00c"},
		{"bytes likewise", "ab\x00c\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", "16s", 2, []byte("ab\x00c")},
		{"a full slot has no NUL", "0123456789abcdef", "16s", 1, "0123456789abcdef"},
		{"nothing but NULs", words(0, 0), "16s", 1, ""},
		{"nothing but NULs", words(0, 0), "16s", 2, []byte{}},
		{"a short format", "0123456789abcdef", "5s", 1, "01234"},
		{"a short format", "01\x00\x00\x0056789abcdef", "5s", 2, []byte("01")},
		{"the shortest format", "0123456789abcdef", "0s", 1, ""},
	} {
		inLayouts(t, func(t *testing.T, layout format.Layout) {
			buf := encode(t, layout, strings.Repeat("x", 15), 99)
			copy(buf[areasOf(buf, layout).data:], tt.slot)
			setHeader(buf, layout, 0, tt.format, tt.code)
			l := attach(t, buf)
			if err := l.Check(); err != nil {
				t.Errorf("%s: %v", tt.name, err)
			}
			for name, get := range map[string]func(int) (any, error){
				"Get":     l.Get,
				"by kind": func(i int) (any, error) { return getByKind(l, i) },
			} {
				got, err := get(0)
				if diff := cmp.Diff(tt.want, got); err != nil || diff != "" {
					t.Errorf("%s: %s: %v (-want +got):\n%s", tt.name, name, err, diff)
				}
			}
			if raw, err := l.RawBytes(0); err != nil || string(raw) != tt.slot {
				t.Errorf("%s: RawBytes = %q, %v", tt.name, raw, err)
			}
			if n, err := l.Count(tt.want); err != nil || n != 1 {
				t.Errorf("%s: Count = %d, %v", tt.name, n, err)
			}
		})
	}
}

// CPython stores cut characters. Reading them is an error in Python and in Go.
func TestReadInvalidUTF8(t *testing.T) {
	buf, err := format.Encode([]any{"€€€", 1}, &format.Options{CPythonSlots: true})
	if err != nil {
		t.Fatal(err)
	}
	l := attach(t, buf)
	dst := []byte("before")
	for name, read := range map[string]func() error{
		"Get":       func() error { _, err := l.Get(0); return err },
		"Str":       func() error { _, err := l.Str(0); return err },
		"AppendStr": func() error { dst, err = l.AppendStr(dst, 0); return err },
		"Values":    func() error { _, err := l.Values(); return err },
		"Decode":    func() error { _, err := format.Decode(buf); return err },
		"Count":     func() error { _, err := l.Count(1); return err },
		"Index":     func() error { _, err := l.Index(1); return err },
	} {
		if err := read(); !errors.Is(err, format.ErrUTF8) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if string(dst) != "before" {
		t.Errorf("AppendStr left %q", dst)
	}
	if err := l.Check(); err != nil {
		t.Errorf("Check reads no values, but: %v", err)
	}
}

// All goes on after an item that cannot be read, and stops when told to.
func TestAll(t *testing.T) {
	buf := encode(t, format.Offsets, 1, 2, 3)
	setHeader(buf, format.Offsets, 1, "z", 0)
	l := attach(t, buf)
	var got []any
	for v, err := range l.All() {
		if err != nil {
			got = append(got, errors.Is(err, format.ErrCorrupt))
			continue
		}
		got = append(got, v)
	}
	if diff := cmp.Diff([]any{int64(1), true, int64(3)}, got); diff != "" {
		t.Error(diff)
	}
	for range l.All() {
		break
	}
}

func TestBytesAreCopies(t *testing.T) {
	buf := encode(t, format.Offsets, []byte("abc"))
	l := attach(t, buf)
	for name, read := range map[string]func() ([]byte, error){
		"Bytes":    func() ([]byte, error) { return l.Bytes(0) },
		"RawBytes": func() ([]byte, error) { return l.RawBytes(0) },
		"Get":      func() ([]byte, error) { v, err := l.Get(0); return v.([]byte), err },
	} {
		b, err := read()
		if err != nil {
			t.Fatal(err)
		}
		b[0] = 'X'
		if v, err := l.Bytes(0); err != nil || string(v) != "abc" {
			t.Fatalf("%s: a change of the result changed the list: %q, %v", name, v, err)
		}
	}
}

func TestAppendStr(t *testing.T) {
	l := newList(t, "héllo", "")
	dst := append(make([]byte, 0, 64), "> "...)
	dst, err := l.AppendStr(dst, 0)
	if err != nil || string(dst) != "> héllo" {
		t.Fatalf("%q, %v", dst, err)
	}
	dst, err = l.AppendStr(dst, 1)
	if err != nil || string(dst) != "> héllo" {
		t.Fatalf("%q, %v", dst, err)
	}
	allocs := testing.AllocsPerRun(100, func() { dst, _ = l.AppendStr(dst[:0], 0) })
	if allocs != 0 {
		t.Errorf("%v allocations although dst has room", allocs)
	}
}

func TestCopy(t *testing.T) {
	l := newList(t, 1, 2, 3, 4.5, 5.5)
	for _, tt := range []struct {
		size, from int
		want       []int64
		err        error
	}{
		{2, 0, []int64{1, 2}, nil},
		{3, 0, []int64{1, 2, 3}, nil},
		{9, 1, []int64{2, 3}, format.ErrKind},
		{0, 3, []int64{}, nil},
		{1, 3, []int64{}, format.ErrKind},
		{4, 5, []int64{}, nil},
		{4, 6, []int64{}, format.ErrIndex},
		{4, -1, []int64{}, format.ErrIndex},
	} {
		dst := make([]int64, tt.size)
		n, err := l.CopyInts(dst, tt.from)
		if diff := cmp.Diff(tt.want, dst[:n]); diff != "" || !errors.Is(err, tt.err) {
			t.Errorf("CopyInts of %d from %d: %v, %v; want %v, %v", tt.size, tt.from, dst[:n], err, tt.want, tt.err)
		}
	}
	floats := make([]float64, 9)
	n, err := l.CopyFloats(floats, 3)
	if diff := cmp.Diff([]float64{4.5, 5.5}, floats[:n]); diff != "" || err != nil {
		t.Errorf("CopyFloats: %v, %v", floats[:n], err)
	}
}
