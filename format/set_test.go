package format_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pyshm-go/pyshm/format"
)

// The format, code and slot that CPython 3.8 to 3.15 leave after sl[0] = new, for every
// kind of old item in a slot of 8 bytes and of 24.
func TestSet(t *testing.T) {
	old := map[string]any{
		"int": int64(0x4141414141414141), "float": 1.5, "bool": true, "None": nil,
		"str": "1234567", "bytes": []byte("1234567"),
	}
	wide := map[string]any{
		"str24": strings.Repeat("x", 23), "bytes24": []byte(strings.Repeat("x", 23)),
	}
	const leftover = "xxxxxxxxxxxxxxx\x00" // the part of the old text that stays

	for _, tt := range []struct {
		new      any
		format   string
		code     int8
		slot8    string // "" where the value does not fit
		slot24   string
		format24 string
	}{
		{5, "q", 0, words(5), words(5) + leftover, "q"},
		{2.5, "d", 0, words(int64(math.Float64bits(2.5))), words(int64(math.Float64bits(2.5))) + leftover, "d"},
		{true, "xxxxxxx?", 0, "\x00\x00\x00\x00\x00\x00\x00\x01", "\x00\x00\x00\x00\x00\x00\x00\x01" + leftover, "xxxxxxx?"},
		{false, "xxxxxxx?", 0, words(0), words(0) + leftover, "xxxxxxx?"},
		{nil, "xxxxxx?x", 3, words(0), words(0) + leftover, "xxxxxx?x"},
		{"ab", "8s", 1, padded("ab"), padded("ab") + words(0, 0), "24s"},
		{"", "8s", 1, words(0), words(0, 0, 0), "24s"},
		{[]byte("ab"), "8s", 2, padded("ab"), padded("ab") + words(0, 0), "24s"},
		{[]byte{}, "8s", 2, words(0), words(0, 0, 0), "24s"},
		{"ABCDEFGH", "8s", 1, "ABCDEFGH", "ABCDEFGH" + words(0, 0), "24s"},
		{"€€aa", "8s", 1, "€€aa", "€€aa" + words(0, 0), "24s"},
		{"€€€", "8s", 1, "", padded("€€€") + words(0), "24s"},
		{strings.Repeat("y", 24), "", 1, "", strings.Repeat("y", 24), "24s"},
		{[]byte(strings.Repeat("y", 24)), "", 2, "", strings.Repeat("y", 24), "24s"},
	} {
		inLayouts(t, func(t *testing.T, layout format.Layout) {
			for name, value := range old {
				name := fmt.Sprintf("%s = %v", name, tt.new)
				if tt.slot8 == "" {
					refuseSet(t, name, layout, value, tt.new, format.ErrTooLong)
				} else {
					checkSet(t, name, layout, value, tt.new, tt.format, tt.code, tt.slot8)
				}
			}
			for name, value := range wide {
				name := fmt.Sprintf("%s = %v", name, tt.new)
				checkSet(t, name, layout, value, tt.new, tt.format24, tt.code, tt.slot24)
			}
		})
	}
}

// checkSet sets the middle one of three items, and checks its bytes and that
// no other byte has changed.
func checkSet(t *testing.T, name string, layout format.Layout, old, v any, wantFormat string, wantCode int8, wantSlot string) {
	t.Helper()
	buf := encode(t, layout, "before", old, "after")
	l := attach(t, buf)
	slot, err := l.Slot(1)
	if err != nil {
		t.Fatal(err)
	}
	want := []byte(string(buf))
	copy(want[slot.Offset:], wantSlot)
	setHeader(want, layout, 1, wantFormat, wantCode)

	if err := l.Set(1, v); err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	if diff := cmp.Diff(want, buf); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
	if got, err := l.Get(1); err != nil || !format.Equal(got, v) {
		t.Errorf("%s: reads %v, %v", name, got, err)
	}
	if err := l.Check(); err != nil {
		t.Errorf("%s: %v", name, err)
	}
}

// refuseSet checks that Set returns the error and changes nothing.
func refuseSet(t *testing.T, name string, layout format.Layout, old, v any, want error) {
	t.Helper()
	buf := encode(t, layout, "before", old, "after")
	before := string(buf)
	if err := attach(t, buf).Set(1, v); !errors.Is(err, want) {
		t.Errorf("%s: %v, want %v", name, err, want)
	}
	if diff := cmp.Diff(before, string(buf)); diff != "" {
		t.Errorf("%s: a refused Set changed (-before +after):\n%s", name, diff)
	}
}

func TestSetRefuses(t *testing.T) {
	type named string
	for _, tt := range []struct {
		value any
		want  error
	}{
		{uint64(1 << 63), format.ErrRange},
		{"a\xff", format.ErrUTF8},
		{"ab\x00", format.ErrTrailingNUL},
		{[]byte("ab\x00"), format.ErrTrailingNUL},
		{"123456789", format.ErrTooLong},
		{strings.Repeat("x", format.MaxText+1), format.ErrTooLarge},
		{complex(1, 1), format.ErrType},
		{[]any{}, format.ErrType},
		{named("a"), format.ErrType},
		{format.Sized{Value: "a"}, format.ErrType},
	} {
		for _, old := range []any{1, 1.5, true, nil, "a", []byte("a")} {
			inLayouts(t, func(t *testing.T, layout format.Layout) {
				refuseSet(t, fmt.Sprintf("%v = %.20q", old, tt.value), layout, old, tt.value, tt.want)
			})
		}
	}
}

func TestTypedSetters(t *testing.T) {
	for _, tt := range []struct {
		set  func(l *format.List) error
		want any
	}{
		{func(l *format.List) error { return l.SetInt(0, -5) }, int64(-5)},
		{func(l *format.List) error { return l.SetFloat(0, -2.5) }, -2.5},
		{func(l *format.List) error { return l.SetBool(0, true) }, true},
		{func(l *format.List) error { return l.SetNone(0) }, nil},
		{func(l *format.List) error { return l.SetStr(0, "é") }, "é"},
		{func(l *format.List) error { return l.SetBytes(0, []byte{1, 2}) }, []byte{1, 2}},
		{func(l *format.List) error { return l.SetBytes(0, nil) }, []byte{}},
	} {
		for _, old := range []any{1, 1.5, false, nil, "a", []byte("a")} {
			l := newList(t, old, 1)
			if err := tt.set(l); err != nil {
				t.Fatal(err)
			}
			got, err := l.Get(0)
			if diff := cmp.Diff(tt.want, got); err != nil || diff != "" {
				t.Errorf("over %v: %v (-want +got):\n%s", old, err, diff)
			}
		}
	}
}

// Every built-in integer type is an int, float32 a float.
func TestSetGoTypes(t *testing.T) {
	l := newList(t, 0, "")
	for _, tt := range []struct{ v, want any }{
		{int(-1), int64(-1)}, {int8(-8), int64(-8)}, {int16(-16), int64(-16)}, {int32(-32), int64(-32)},
		{int64(math.MinInt64), int64(math.MinInt64)},
		{uint(1), int64(1)}, {uint8(255), int64(255)}, {uint16(65535), int64(65535)},
		{uint32(math.MaxUint32), int64(math.MaxUint32)}, {uint64(math.MaxInt64), int64(math.MaxInt64)},
		{uintptr(7), int64(7)}, {float32(0.1), float64(float32(0.1))},
	} {
		if err := l.Set(0, tt.v); err != nil {
			t.Errorf("%T: %v", tt.v, err)
		}
		if got, err := l.Get(0); err != nil || got != tt.want {
			t.Errorf("%T: %v, %v; want %v", tt.v, got, err, tt.want)
		}
	}
}

func TestAddInt(t *testing.T) {
	for _, tt := range []struct {
		old, delta int64
		want       any // the sum, or the error
	}{
		{1, 2, int64(3)},
		{1, -2, int64(-1)},
		{5, 0, int64(5)},
		{math.MaxInt64 - 1, 1, int64(math.MaxInt64)},
		{math.MaxInt64, 1, format.ErrRange},
		{math.MaxInt64, math.MaxInt64, format.ErrRange},
		{math.MinInt64 + 1, -1, int64(math.MinInt64)},
		{math.MinInt64, -1, format.ErrRange},
		{math.MinInt64, math.MinInt64, format.ErrRange},
		{math.MinInt64, math.MaxInt64, int64(-1)},
		{0, math.MinInt64, int64(math.MinInt64)},
		{-1, math.MinInt64, format.ErrRange},
	} {
		l := newList(t, tt.old)
		sum, err := l.AddInt(0, tt.delta)
		now, _ := l.Int(0)
		if want, ok := tt.want.(error); ok {
			if !errors.Is(err, want) || now != tt.old {
				t.Errorf("%d + %d = %d, %v, and the item is %d; want %v", tt.old, tt.delta, sum, err, now, want)
			}
		} else if err != nil || sum != tt.want || now != sum {
			t.Errorf("%d + %d = %d, %v, and the item is %d; want %v", tt.old, tt.delta, sum, err, now, tt.want)
		}
	}
}

func TestCompareAndSwapInt(t *testing.T) {
	l := newList(t, 5)
	for _, tt := range []struct {
		old, new int64
		swapped  bool
		now      int64
	}{
		{4, 6, false, 5},
		{5, 6, true, 6},
		{5, 7, false, 6},
		{6, -1, true, -1},
	} {
		swapped, err := l.CompareAndSwapInt(0, tt.old, tt.new)
		now, _ := l.Int(0)
		if err != nil || swapped != tt.swapped || now != tt.now {
			t.Errorf("CompareAndSwapInt(%d, %d) = %v, %v; now %d", tt.old, tt.new, swapped, err, now)
		}
	}
}

func TestAtomicsNeedAnInt(t *testing.T) {
	l := newList(t, 1.5, true, nil, "a", []byte("a"))
	for i := range l.Len() {
		if _, err := l.AddInt(i, 1); !errors.Is(err, format.ErrKind) {
			t.Errorf("AddInt(%d): %v", i, err)
		}
		if _, err := l.CompareAndSwapInt(i, 0, 1); !errors.Is(err, format.ErrKind) {
			t.Errorf("CompareAndSwapInt(%d): %v", i, err)
		}
	}
}

// No increment is lost between goroutines, in either of the two atomic ways.
func TestAtomicsCount(t *testing.T) {
	const goroutines, each = 8, 5000
	l := newList(t, 0, 0)
	var wg sync.WaitGroup
	for range goroutines {
		wg.Go(func() {
			for range each {
				if _, err := l.AddInt(0, 1); err != nil {
					t.Error(err)
					return
				}
				for swapped := false; !swapped; {
					old, err := l.Int(1)
					if err != nil {
						t.Error(err)
						return
					}
					if swapped, err = l.CompareAndSwapInt(1, old, old+1); err != nil {
						t.Error(err)
						return
					}
				}
			}
		})
	}
	wg.Wait()
	values, err := l.Values()
	if diff := cmp.Diff([]any{int64(goroutines * each), int64(goroutines * each)}, values); err != nil || diff != "" {
		t.Error(err, diff)
	}
}
