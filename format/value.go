package format

import (
	"fmt"
	"math"
	"unicode/utf8"
	"unsafe"
)

// Sized is a value for [Encode] with room to grow: a str or bytes item whose
// slot has at least Capacity bytes, so that longer values can be set later.
type Sized struct {
	Value    any
	Capacity int
}

// An item is a value on its way into a slot.
type item struct {
	kind     Kind
	bits     uint64 // the slot's word, unless the kind is text
	text     []byte // the caller's bytes, only ever read
	capacity int    // the Capacity of a Sized
}

func intItem(v int64) item     { return item{kind: Int, bits: uint64(v)} }
func floatItem(v float64) item { return item{kind: Float, bits: math.Float64bits(v)} }
func noneItem() item           { return item{kind: None} }

func boolItem(v bool) item {
	if v {
		return item{kind: Bool, bits: boolTrue}
	}
	return item{kind: Bool}
}

func strItem(v string) item {
	return item{kind: Str, text: unsafe.Slice(unsafe.StringData(v), len(v))}
}

func bytesItem(v []byte) item { return item{kind: Bytes, text: v} }

// itemOf returns v as an item. It does not check text: see checkText.
func itemOf(v any) (item, error) {
	switch v := v.(type) {
	case nil:
		return noneItem(), nil
	case bool:
		return boolItem(v), nil
	case float64:
		return floatItem(v), nil
	case float32:
		return floatItem(float64(v)), nil
	case string:
		return strItem(v), nil
	case []byte:
		return bytesItem(v), nil
	}
	n, isInt, fits := toInt64(v)
	switch {
	case !isInt:
		return item{}, fmt.Errorf("%w %T: a list holds integers, floats, bool, nil, string and []byte", ErrType, v)
	case !fits:
		return item{}, fmt.Errorf("%w: %d exceeds %d", ErrRange, v, int64(math.MaxInt64))
	}
	return intItem(n), nil
}

// toInt64 converts every built-in integer type.
func toInt64(v any) (n int64, isInt, fits bool) {
	var u uint64
	switch v := v.(type) {
	case int:
		return int64(v), true, true
	case int8:
		return int64(v), true, true
	case int16:
		return int64(v), true, true
	case int32:
		return int64(v), true, true
	case int64:
		return v, true, true
	case uint8:
		return int64(v), true, true
	case uint16:
		return int64(v), true, true
	case uint32:
		return int64(v), true, true
	case uint:
		u = uint64(v)
	case uint64:
		u = v
	case uintptr:
		u = uint64(v)
	default:
		return 0, false, false
	}
	return int64(u), true, u <= math.MaxInt64
}

// checkText refuses text that no Python would read back unchanged.
func (it item) checkText() error {
	switch n := len(it.text); {
	case n > MaxText:
		return fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, n, MaxText)
	case n > 0 && it.text[n-1] == 0:
		return fmt.Errorf("%s %w", it.kind, ErrTrailingNUL)
	case it.kind == Str && !utf8.Valid(it.text):
		return ErrUTF8
	}
	return nil
}
