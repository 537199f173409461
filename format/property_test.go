package format_test

import (
	"math/big"
	"testing"

	"pgregory.net/rapid"

	"github.com/pyshm-go/pyshm/format"
)

// anyValue draws an item that a list can hold.
func anyValue() *rapid.Generator[any] {
	text := rapid.StringN(0, 40, -1).Filter(func(s string) bool { return s == "" || s[len(s)-1] != 0 })
	raw := rapid.SliceOfN(rapid.Byte(), 0, 40).Filter(func(b []byte) bool { return len(b) == 0 || b[len(b)-1] != 0 })
	return rapid.OneOf(
		rapid.Int64().AsAny(), rapid.Float64().AsAny(), rapid.Bool().AsAny(), rapid.Just[any](nil),
		text.AsAny(), raw.AsAny(),
	)
}

func anyLayout() *rapid.Generator[format.Layout] {
	return rapid.SampledFrom([]format.Layout{format.Offsets, format.Sizes})
}

// Decode returns the values that were encoded, Size returns the size of the list, and
// the oracle agrees.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(anyValue(), 0, 20).Draw(t, "values")
		opts := &format.Options{Layout: anyLayout().Draw(t, "layout")}
		buf, err := format.Encode(values, opts)
		if err != nil {
			t.Fatal(err)
		}
		if size, err := format.Size(values, opts); err != nil || size != len(buf) {
			t.Errorf("Size = %d, %v; Encode made %d bytes", size, err, len(buf))
		}
		got, err := format.Decode(buf)
		if err != nil || !same(got, values) {
			t.Errorf("Decode = %s, %v", format.Repr(got), err)
		}
		if got, ok := oracle(buf); !ok || !same(got, values) {
			t.Errorf("the oracle reads %s, %v", format.Repr(got), ok)
		}
	})
}

// A list behaves as a slice that refuses values that do not fit. After any sets in any
// order, every item reads as the value that was set last, and no set has changed another
// item.
func TestSetRandomly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		model := rapid.SliceOfN(anyValue(), 1, 8).Draw(t, "values")
		buf, err := format.Encode(model, &format.Options{Layout: anyLayout().Draw(t, "layout")})
		if err != nil {
			t.Fatal(err)
		}
		l, err := format.Attach(buf)
		if err != nil {
			t.Fatal(err)
		}
		for range rapid.IntRange(1, 20).Draw(t, "sets") {
			i := rapid.IntRange(0, len(model)-1).Draw(t, "index")
			v := anyValue().Draw(t, "value")
			slot, err := l.Slot(i)
			if err != nil {
				t.Fatal(err)
			}
			fits := true
			switch v := v.(type) {
			case string:
				fits = len(v) <= slot.Capacity
			case []byte:
				fits = len(v) <= slot.Capacity
			}
			if err := l.Set(i, v); (err == nil) != fits {
				t.Fatalf("Set(%d, %s) in %d bytes: %v", i, format.Repr(v), slot.Capacity, err)
			}
			if fits {
				model[i] = v
			}
			if got, err := l.Values(); err != nil || !same(got, model) {
				t.Fatalf("%s, %v; want %s", format.Repr(got), err, format.Repr(model))
			}
		}
		if err := l.Check(); err != nil {
			t.Error(err)
		}
	})
}

// Equal compares numbers as exact rationals.
func TestEqualIsExact(t *testing.T) {
	number := rapid.OneOf(
		rapid.Int64().AsAny(), rapid.Uint64().AsAny(), rapid.Float64().AsAny(), rapid.Bool().AsAny(),
		rapid.Map(rapid.Int64(), func(n int64) float64 { return float64(n) }).AsAny(),
		rapid.Map(rapid.Float64Range(-0x1p64, 0x1p64), func(f float64) int64 { return int64(f) }).AsAny(),
	)
	rapid.Check(t, func(t *rapid.T) {
		a := number.Draw(t, "a")
		b := number.Draw(t, "b")
		if f, ok := b.(float64); ok && rapid.Bool().Draw(t, "near") {
			a = int64(f) // often equal, often off by a little
		}
		want := false
		if x, y := rational(a), rational(b); x != nil && y != nil {
			want = x.Cmp(y) == 0
		} else if x == nil && y == nil {
			want = a == b // the infinities
		}
		if got := format.Equal(a, b); got != want || format.Equal(b, a) != want {
			t.Errorf("Equal(%T(%[1]v), %T(%[2]v)) = %v", a, b, got)
		}
	})
}

// rational returns the exact value of a number, or nil for NaN and infinities.
func rational(v any) *big.Rat {
	switch v := v.(type) {
	case int64:
		return new(big.Rat).SetInt64(v)
	case uint64:
		return new(big.Rat).SetUint64(v)
	case float64:
		return new(big.Rat).SetFloat64(v)
	default:
		if v == true {
			return big.NewRat(1, 1)
		}
		return new(big.Rat)
	}
}

// ParseRepr undoes Repr, for single values and for lists.
func TestReprRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(anyValue(), 0, 10).Draw(t, "values")
		for i, v := range values {
			if f, ok := v.(float64); ok && f != f {
				values[i] = 0.0 // the repr of a NaN has no payload
			}
		}
		got, err := format.ParseRepr(format.Repr(values))
		if list, ok := got.([]any); err != nil || !ok || !same(list, values) {
			t.Errorf("%s: %s, %v", format.Repr(values), format.Repr(got), err)
		}
		for _, v := range values {
			if got, err := format.ParseRepr(format.Repr(v)); err != nil || !same([]any{got}, []any{v}) {
				t.Errorf("%s: %s, %v", format.Repr(v), format.Repr(got), err)
			}
		}
	})
}
