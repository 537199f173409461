package format_test

import (
	"bytes"
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/pyshm-go/pyshm/format"
)

// Every method refuses an item whose offsets cannot belong to a slot, and changes
// nothing.
func TestOffsetsOfNoSlot(t *testing.T) {
	buf := encode(t, format.Offsets, everyKind()...)
	l := attach(t, buf)
	size := getWord(buf, 8*(l.Len()+1))
	offsets := []int64{
		-1, -7, -8, -9, -16, math.MinInt64, math.MinInt64 + 8, math.MaxInt64, math.MaxInt64 - 7,
		1, 7, 1 << 60, 1 << 61, 1<<61 - 8, 1 << 62, 8, 0, size - 1, size, size + 1, size + 8, 2 * size,
	}
	isSlot := func(start, end int64) bool {
		return 0 <= start && start < end && end <= size && start%8 == 0 && end%8 == 0
	}
	methods := map[string]func(i int) error{
		"Get":               func(i int) error { _, err := l.Get(i); return err },
		"Int":               func(i int) error { _, err := l.Int(i); return err },
		"Float":             func(i int) error { _, err := l.Float(i); return err },
		"Bool":              func(i int) error { _, err := l.Bool(i); return err },
		"Str":               func(i int) error { _, err := l.Str(i); return err },
		"AppendStr":         func(i int) error { _, err := l.AppendStr(nil, i); return err },
		"Bytes":             func(i int) error { _, err := l.Bytes(i); return err },
		"RawBytes":          func(i int) error { _, err := l.RawBytes(i); return err },
		"Slot":              func(i int) error { _, err := l.Slot(i); return err },
		"SetInt":            func(i int) error { return l.SetInt(i, 1) },
		"SetFloat":          func(i int) error { return l.SetFloat(i, 1) },
		"SetBool":           func(i int) error { return l.SetBool(i, true) },
		"SetStr":            func(i int) error { return l.SetStr(i, "") },
		"SetBytes":          func(i int) error { return l.SetBytes(i, nil) },
		"SetNone":           func(i int) error { return l.SetNone(i) },
		"AddInt":            func(i int) error { _, err := l.AddInt(i, 1); return err },
		"CompareAndSwapInt": func(i int) error { _, err := l.CompareAndSwapInt(i, 1, 2); return err },
		"All": func(i int) error {
			var errs []error
			for _, err := range l.All() {
				errs = append(errs, err)
			}
			return errs[i]
		},
		"Values": func(int) error { _, err := l.Values(); return err },
		"Count":  func(int) error { _, err := l.Count("no item"); return err },
	}
	good := slices.Clone(buf)
	for i := range l.Len() {
		for _, start := range offsets {
			for _, end := range offsets {
				if isSlot(start, end) {
					continue
				}
				copy(buf, good)
				putWord(buf, 8+8*i, start)
				putWord(buf, 16+8*i, end)
				bad := slices.Clone(buf)
				for name, method := range methods {
					if err := method(i); !errors.Is(err, format.ErrCorrupt) {
						t.Errorf("%s of item %d from %d to %d: %v", name, i, start, end, err)
					}
				}
				if !bytes.Equal(buf, bad) {
					t.Fatalf("item %d from %d to %d: memory has changed", i, start, end)
				}
			}
		}
	}
}
