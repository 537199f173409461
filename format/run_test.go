package format_test

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/pyshm-go/pyshm/format"
)

// The methods that read many items at a time return what reading them one by one
// returns, wherever in a run an item differs, and however.
func TestRuns(t *testing.T) {
	const length = 267 // runs of both lengths, and a rest
	for kind, at := range map[string]func(i int) any{
		"int":   func(i int) any { return int64(i % 7) },
		"float": func(i int) any { return float64(i%7) / 2 },
		"str":   func(i int) any { return strings.Repeat("s", i%7*5) },
		"bytes": func(i int) any { return []byte(strings.Repeat("b", i%7*5)) },
		"same":  func(int) any { return "the same" },
	} {
		t.Run(kind, func(t *testing.T) {
			values := make([]any, length)
			for i := range values {
				values[i] = at(i)
			}
			inLayouts(t, func(t *testing.T, layout format.Layout) {
				buf := encode(t, layout, values...)
				for _, i := range []int{0, 7, 8, 60, 63, 64, 130, 255, 256, 263, 264, length - 1} {
					for _, disturb := range disturbances {
						damaged := slices.Clone(buf) // of so many bytes, it is aligned
						disturb.do(t, damaged, layout, i)
						compareRuns(t, fmt.Sprintf("%s at %d", disturb.name, i), damaged)
					}
				}
			})
		})
	}
}

var disturbances = []struct {
	name string
	do   func(t *testing.T, buf []byte, layout format.Layout, i int)
}{
	{"nothing", func(*testing.T, []byte, format.Layout, int) {}},
	{"int", func(t *testing.T, buf []byte, _ format.Layout, i int) { set(t, buf, i, 3) }},
	{"float", func(t *testing.T, buf []byte, _ format.Layout, i int) { set(t, buf, i, 3.0) }},
	{"negative zero", func(t *testing.T, buf []byte, _ format.Layout, i int) { set(t, buf, i, math.Copysign(0, -1)) }},
	{"NaN", func(t *testing.T, buf []byte, _ format.Layout, i int) { set(t, buf, i, math.NaN()) }},
	{"bool", func(t *testing.T, buf []byte, _ format.Layout, i int) { set(t, buf, i, true) }},
	{"None", func(t *testing.T, buf []byte, _ format.Layout, i int) { set(t, buf, i, nil) }},
	{"str", func(t *testing.T, buf []byte, _ format.Layout, i int) { set(t, buf, i, "é") }},
	{"a full slot", func(t *testing.T, buf []byte, _ format.Layout, i int) { set(t, buf, i, "12345678") }},
	{"bytes", func(t *testing.T, buf []byte, _ format.Layout, i int) { set(t, buf, i, []byte("\xff")) }},
	{"not UTF-8", func(t *testing.T, buf []byte, layout format.Layout, i int) {
		set(t, buf, i, []byte("\xff"))
		setHeader(buf, layout, i, "8s", 1)
	}},
	{"a short format", func(t *testing.T, buf []byte, layout format.Layout, i int) {
		set(t, buf, i, []byte("abc"))
		setHeader(buf, layout, i, "2s", 1)
	}},
	{"a bad format", func(t *testing.T, buf []byte, layout format.Layout, i int) { setHeader(buf, layout, i, "z", 0) }},
	{"a format with a bit less", func(_ *testing.T, buf []byte, layout format.Layout, i int) {
		clearLowestBit(buf, areasOf(buf, layout).formats+8*i)
	}},
	{"a bad code", func(t *testing.T, buf []byte, layout format.Layout, i int) { setHeader(buf, layout, i, "q", 9) }},
	{"another code", func(t *testing.T, buf []byte, layout format.Layout, i int) { setHeader(buf, layout, i, "8s", 2) }},
	{"a high offset", func(t *testing.T, buf []byte, layout format.Layout, i int) {
		if layout == format.Offsets && i > 0 {
			putWord(buf, 8+8*i, -8)
		}
	}},
	{"an odd offset", func(t *testing.T, buf []byte, layout format.Layout, i int) {
		if layout == format.Offsets && i > 0 {
			putWord(buf, 8+8*i, getWord(buf, 8+8*i)+1)
		}
	}},
	{"an offset with a bit less", func(_ *testing.T, buf []byte, layout format.Layout, i int) {
		if layout == format.Offsets && i > 0 {
			clearLowestBit(buf, 8+8*i)
		}
	}},
	{"a slot before the last", func(t *testing.T, buf []byte, layout format.Layout, i int) {
		if layout == format.Offsets && i > 0 {
			putWord(buf, 8+8*i, 0)
		}
	}},
}

func clearLowestBit(buf []byte, off int) {
	word := getWord(buf, off)
	putWord(buf, off, word&(word-1))
}

func set(t *testing.T, buf []byte, i int, v any) {
	t.Helper()
	if err := attach(t, buf).Set(i, v); err != nil && !errors.Is(err, format.ErrTooLong) {
		t.Fatal(err)
	}
}

// compareRuns compares the methods that read many items with Get.
func compareRuns(t *testing.T, what string, buf []byte) {
	t.Helper()
	l, err := format.AttachPatiently(buf, 0)
	if err != nil {
		t.Fatal(err)
	}
	items, errs := make([]any, l.Len()), make([]error, l.Len())
	for i := range items {
		items[i], errs[i] = l.Get(i)
	}
	for _, want := range []any{3, 3.0, 0, true, nil, "", "s", "the same", "sssss", []byte("bbbbb"), []byte{}, "ab", "é", "12345678", "123456789", math.NaN(), uint64(1 << 63), 0.5} {
		wantIndex, wantCount, wantErr := -1, 0, error(nil)
		for i, v := range items {
			if wantErr = errs[i]; wantErr != nil {
				break
			}
			if format.Equal(v, want) {
				if wantCount++; wantIndex < 0 {
					wantIndex = i
				}
			}
		}
		n, err := l.Count(want)
		if reason(err) != reason(wantErr) || err == nil && n != wantCount {
			t.Errorf("%s: Count(%#v) = %d, %v; want %d, %v", what, want, n, err, wantCount, wantErr)
		}
		i, err := l.Index(want)
		switch {
		case wantIndex >= 0 && (i != wantIndex || err != nil),
			wantIndex < 0 && wantErr == nil && !errors.Is(err, format.ErrNotFound),
			wantIndex < 0 && wantErr != nil && reason(err) != reason(wantErr):
			t.Errorf("%s: Index(%#v) = %d, %v; want %d, %v", what, want, i, err, wantIndex, wantErr)
		}
	}
	for _, from := range []int{0, 1, 8, 200, l.Len()} {
		compareCopies(t, what, l, from, l.CopyInts, l.Int)
		compareCopies(t, what, l, from, l.CopyFloats, l.Float)
	}
	values, err := l.Values()
	if i := slices.IndexFunc(errs, func(err error) bool { return err != nil }); i >= 0 {
		if reason(err) != reason(errs[i]) {
			t.Errorf("%s: Values: %v, want %v", what, err, errs[i])
		}
	} else if format.Repr(values) != format.Repr(items) && !errors.Is(err, format.ErrCorrupt) { // slots overlap
		t.Errorf("%s: Values returns %s, %v", what, format.Repr(values), err)
	}
}

func compareCopies[T int64 | float64](t *testing.T, what string, l *format.List, from int, copyTo func([]T, int) (int, error), get func(int) (T, error)) {
	t.Helper()
	const end = 42 // stays behind the copies
	got := slices.Repeat([]T{end}, l.Len()+1)
	n, err := copyTo(got[:l.Len()], from)
	for i := range n {
		if want, err := get(from + i); got[i] != want && want == want || err != nil {
			t.Errorf("%s: item %d copied from %d on is %v, want %v, %v", what, from+i, from, got[i], want, err)
		}
	}
	if from+n < l.Len() {
		if _, want := get(from + n); reason(err) != reason(want) || want == nil {
			t.Errorf("%s: the copy from %d on ends after %d: %v, want %v", what, from, n, err, want)
		}
	} else if err != nil {
		t.Errorf("%s: %v", what, err)
	}
}

// reason returns the text of an error without its operation.
func reason(err error) string {
	var e *format.Error
	if errors.As(err, &e) {
		return fmt.Sprint(e.Index, " ", e.Err)
	}
	return fmt.Sprint(err)
}
