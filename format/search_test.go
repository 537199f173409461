package format_test

import (
	"errors"
	"math"
	"testing"

	"github.com/pyshm-go/pyshm/format"
)

// equalClasses holds values: in Python, values of one row are equal, and values of
// different rows are not. NaN is equal to nothing and is missing here.
var equalClasses = [][]any{
	{0, int8(0), uint64(0), 0.0, math.Copysign(0, -1), false, float32(0)},
	{1, uint8(1), 1.0, true},
	{-1, -1.0},
	{2, 2.0},
	{1.5, float32(1.5)},
	{int64(1 << 53), float64(1 << 53)},
	{int64(1<<53 + 1)},
	{int64(math.MaxInt64)},
	{int64(math.MinInt64), -0x1p63},
	{uint64(1 << 63), 0x1p63},
	{uint64(math.MaxUint64)},
	{0x1p64},
	{math.Inf(1)},
	{math.Inf(-1)},
	{nil},
	{""},
	{[]byte{}, []byte(nil)},
	{"a"},
	{[]byte("a")},
	{"1"},
	{[]byte{1}},
	{"é"},
	{[]byte("é")},
}

func TestEqual(t *testing.T) {
	for i, class := range equalClasses {
		for j, other := range equalClasses {
			for _, a := range class {
				for _, b := range other {
					if got := format.Equal(a, b); got != (i == j) {
						t.Errorf("Equal(%T(%[1]v), %T(%[2]v)) = %v", a, b, got)
					}
				}
			}
		}
	}
	for _, v := range []any{math.NaN(), 0, nil, "nan"} {
		if format.Equal(math.NaN(), v) || format.Equal(v, math.NaN()) {
			t.Errorf("NaN equals %v", v)
		}
	}
	for _, v := range []any{complex(1, 0), []any{1}, format.Sized{Value: "a"}, struct{}{}} {
		if format.Equal(v, v) {
			t.Errorf("Equal(%v, %[1]v), which no list holds", v)
		}
	}
}

// Index and Count agree with Equal, whatever the kinds.
func TestSearch(t *testing.T) {
	var items []any
	for _, class := range equalClasses {
		for _, v := range class {
			if !format.Equal(v, uint64(1<<63)) && !format.Equal(v, uint64(math.MaxUint64)) || format.Equal(v, 0x1p63) && v != uint64(1<<63) {
				items = append(items, v)
			}
		}
	}
	items = append(items, math.NaN())
	inLayouts(t, func(t *testing.T, layout format.Layout) {
		l := attach(t, encode(t, layout, items...))
		for _, class := range append(equalClasses, []any{math.NaN()}, []any{"missing"}) {
			for _, v := range class {
				wantIndex, wantCount := -1, 0
				for i, item := range items {
					if format.Equal(item, v) {
						if wantCount++; wantIndex < 0 {
							wantIndex = i
						}
					}
				}
				count, err := l.Count(v)
				if err != nil || count != wantCount {
					t.Errorf("Count(%T(%[1]v)) = %d, %v; want %d", v, count, err, wantCount)
				}
				index, err := l.Index(v)
				if wantIndex < 0 {
					if !errors.Is(err, format.ErrNotFound) {
						t.Errorf("Index(%T(%[1]v)) = %d, %v; want ErrNotFound", v, index, err)
					}
				} else if err != nil || index != wantIndex {
					t.Errorf("Index(%T(%[1]v)) = %d, %v; want %d", v, index, err, wantIndex)
				}
			}
		}
	})
}

// As in Python, an item that cannot be read ends the search, unless the search
// has ended before.
func TestSearchMeetsError(t *testing.T) {
	buf := encode(t, format.Offsets, "found", "broken", "behind")
	setHeader(buf, format.Offsets, 1, "z", 1)
	l := attach(t, buf)
	if i, err := l.Index("found"); err != nil || i != 0 {
		t.Errorf("Index = %d, %v", i, err)
	}
	if _, err := l.Index("behind"); !errors.Is(err, format.ErrCorrupt) {
		t.Errorf("Index: %v", err)
	}
	if _, err := l.Count("found"); !errors.Is(err, format.ErrCorrupt) {
		t.Errorf("Count: %v", err)
	}
}

func TestSearchRefuses(t *testing.T) {
	l := newList(t, 1)
	if _, err := l.Index(complex(1, 0)); !errors.Is(err, format.ErrType) {
		t.Errorf("Index: %v", err)
	}
	if _, err := l.Count([]any{1}); !errors.Is(err, format.ErrType) {
		t.Errorf("Count: %v", err)
	}
}

// Comparing needs no copy of the items.
func TestSearchAllocations(t *testing.T) {
	values := make([]any, 1000)
	for i := range values {
		values[i] = "item"
	}
	l := newList(t, values...)
	allocs := testing.AllocsPerRun(10, func() {
		if n, err := l.Count("item"); err != nil || n != len(values) {
			t.Error(n, err)
		}
	})
	if allocs > 8 {
		t.Errorf("Count makes %v allocations for %d items", allocs, len(values))
	}
}
