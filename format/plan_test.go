package format_test

import (
	"io"
	"strings"
	"testing"

	"github.com/pyshm-go/pyshm/format"
	"github.com/pyshm-go/pyshm/internal/alloctest"
)

// Slots of every size, in any order, are read back as the values that they were made of.
func TestPlannedSizes(t *testing.T) {
	var values []any
	for n := range 300 {
		values = append(values, strings.Repeat("x", n), int64(n), []byte(strings.Repeat("y", 300-n)), nil, n%2 == 0)
	}
	inLayouts(t, func(t *testing.T, layout format.Layout) {
		got, err := format.Decode(encode(t, layout, values...))
		if err != nil || len(got) != len(values) {
			t.Fatalf("%d of %d values, %v", len(got), len(values), err)
		}
		for i, v := range values {
			if !format.Equal(got[i], v) {
				t.Errorf("%d: %v instead of %v", i, got[i], v)
			}
		}
	})
}

// An Encoder takes little more memory than a byte for each value.
func TestPlanIsSmall(t *testing.T) {
	values := make([]any, 200_000)
	for i := range values {
		values[i] = []any{1, 2.5, "item number", nil}[i%4]
	}
	limit := uint64(len(values) + 200<<10)
	allocated := alloctest.Least(limit, func() {
		e, err := format.NewEncoder(values, nil)
		if err == nil {
			_, err = e.WriteTo(io.Discard)
		}
		if err != nil {
			t.Fatal(err)
		}
	})
	if allocated > limit {
		t.Errorf("%d bytes for %d values", allocated, len(values))
	}
}
