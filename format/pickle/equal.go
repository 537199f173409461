package pickle

import (
	"bytes"
	"math"
	"math/big"
	"slices"
	"time"
)

// Equal reports whether two values are equal by Python's ==. 1, 1.0, True, 1+0j and
// Decimal("1") are equal, a list and a tuple never. Sets and dicts are equal in any
// order of their items, and aware datetimes if they are the same instant. NaN is not
// equal to itself. Objects are equal if all their fields are equal. An Object that is a
// key, or inside of a key, is found only at the same place of the other dict or set.
// Both values are of the types that [Unmarshal] returns, or of Go's other integers and
// floats. A value of another type is equal to nothing.
func Equal(a, b any) bool {
	return (&comparison{}).equal(a, b)
}

// equalKeys is Equal for hashable values, where an object is equal only to itself.
func equalKeys(a, b any) bool {
	return (&comparison{keys: true}).equal(a, b)
}

type comparison struct {
	keys bool // objects are equal only to themselves

	// seen holds pairs that are equal, or being compared. So values that occur many
	// times are compared once, and comparing values that contain themselves ends.
	seen map[[2]identity]bool
}

func (c *comparison) equal(a, b any) bool {
	switch a := a.(type) {
	case nil:
		return b == nil
	case string:
		return equalText(a, b)
	case Surrogates:
		return equalText(string(a), b)
	case []byte:
		return equalBytes(a, b)
	case ByteArray:
		return equalBytes(a, b)
	case []any, Tuple, *Dict, *Set, *FrozenSet, *Object:
		return c.once(a, b)
	case DateTime, time.Time:
		return c.equalDateTimes(a, b)
	case TimeOfDay:
		b, ok := b.(TimeOfDay)
		return ok && c.equalTimes(a, b)
	case Class, Date, time.Duration, TimeDelta:
		return a == b
	}
	x, ok := numberOf(a)
	y, also := numberOf(b)
	return ok && also && equalNumbers(x, y)
}

func equalText(a string, b any) bool {
	switch b := b.(type) {
	case string:
		return a == b
	case Surrogates:
		return a == string(b)
	}
	return false
}

func equalBytes(a []byte, b any) bool {
	switch b := b.(type) {
	case []byte:
		return bytes.Equal(a, b)
	case ByteArray:
		return bytes.Equal(a, b)
	}
	return false
}

// equalDateTimes compares a DateTime or time.Time with any value.
func (c *comparison) equalDateTimes(a, b any) bool {
	x, ok := instant(a)
	y, also := instant(b)
	if ok && also {
		return x.Equal(y)
	}
	t, ok := a.(DateTime)
	u, also := b.(DateTime)
	return ok && also && t.Date == u.Date && c.equalTimes(t.TimeOfDay, u.TimeOfDay)
}

// equalTimes ignores fold, as Python does.
func (c *comparison) equalTimes(a, b TimeOfDay) bool {
	x, ok := a.inUTC()
	y, also := b.inUTC()
	if ok && also {
		return x == y
	}
	zone, other := a.Zone, b.Zone
	a.Fold, a.Zone, b.Fold, b.Zone = 0, nil, 0, nil
	if a != b || (zone == nil) != (other == nil) {
		return false
	}
	return zone == nil || c.once(zone, other)
}

// once compares two values that have items, unless it has done so before.
func (c *comparison) once(a, b any) bool {
	x, y := identify(a), identify(b)
	pair := [2]identity{x, y}
	if c.seen[pair] {
		return true
	}
	if x.pointer == nil || y.pointer == nil {
		return c.equalItems(a, b) // a or b is empty
	}
	if c.seen == nil {
		c.seen = map[[2]identity]bool{}
	}
	c.seen[pair] = true
	if c.equalItems(a, b) {
		return true
	}
	delete(c.seen, pair)
	return false
}

func (c *comparison) equalItems(a, b any) bool {
	switch a := a.(type) {
	case []any:
		b, ok := b.([]any)
		return ok && slices.EqualFunc(a, b, c.equal)
	case Tuple:
		b, ok := b.(Tuple)
		return ok && slices.EqualFunc(a, b, c.equal)
	case *Dict:
		b, ok := b.(*Dict)
		return ok && c.equalTables(a.read(), b.read())
	case *Set:
		return c.equalSets(a.read(), b)
	case *FrozenSet:
		return c.equalSets(a.read(), b)
	case *Object:
		b, ok := b.(*Object)
		return ok && (a == b || !c.keys && a != nil && b != nil && c.equalObjects(a, b))
	}
	return false
}

func (c *comparison) equalSets(a *table, b any) bool {
	switch b := b.(type) {
	case *Set:
		return c.equalTables(a, b.read())
	case *FrozenSet:
		return c.equalTables(a, b.read())
	}
	return false
}

// equalTables compares keys at the same place first: most tables have the same
// order, and objects are found only at the same place.
func (c *comparison) equalTables(a, b *table) bool {
	if a.len() != b.len() {
		return false
	}
	j := 0
	for _, e := range a.entries {
		if e.deleted {
			continue
		}
		for b.entries[j].deleted {
			j++
		}
		other := &b.entries[j]
		j++
		if !c.equal(e.key, other.key) {
			i := b.find(e.hash, e.key)
			if i < 0 {
				return false
			}
			other = &b.entries[i]
		}
		if !c.equal(e.value, other.value) {
			return false
		}
	}
	return true
}

func (c *comparison) equalObjects(a, b *Object) bool {
	return a.Class == b.Class && a.Form == b.Form &&
		(a.Callee == nil) == (b.Callee == nil) && (a.Callee == nil || c.once(a.Callee, b.Callee)) &&
		slices.EqualFunc(a.Args, b.Args, c.equal) &&
		c.equalTables(a.Keywords.read(), b.Keywords.read()) &&
		slices.EqualFunc(a.Items, b.Items, c.equal) &&
		c.equalTables(a.Pairs.read(), b.Pairs.read()) &&
		c.equal(a.State, b.State) &&
		c.equal(a.Setter, b.Setter)
}

// numberOf returns a number as an int64, a *big.Int beyond int64, a float64, a
// complex128 with an imaginary part, or a Decimal.
func numberOf(v any) (number any, ok bool) {
	switch v := v.(type) {
	case bool:
		if v {
			return int64(1), true
		}
		return int64(0), true
	case *big.Int:
		if v == nil {
			return nil, false
		}
		if v.IsInt64() {
			return v.Int64(), true
		}
		return v, true
	case float64:
		return v, true
	case float32:
		return float64(v), true
	case complex64:
		return numberOf(complex128(v))
	case complex128:
		if imag(v) == 0 {
			return real(v), true
		}
		return v, true
	case Decimal:
		return v, true
	}
	return integerOf(v)
}

// integerOf returns an integer of any built-in type as an int64 or *big.Int.
func integerOf(v any) (integer any, ok bool) {
	var u uint64
	switch v := v.(type) {
	case int64:
		return v, true
	case int:
		return int64(v), true
	case int32:
		return int64(v), true
	case int16:
		return int64(v), true
	case int8:
		return int64(v), true
	case uint64:
		u = v
	case uint:
		u = uint64(v)
	case uintptr:
		u = uint64(v)
	case uint32:
		u = uint64(v)
	case uint16:
		u = uint64(v)
	case uint8:
		u = uint64(v)
	default:
		return nil, false
	}
	if u <= math.MaxInt64 {
		return int64(u), true
	}
	return new(big.Int).SetUint64(u), true
}

// equalNumbers compares two results of numberOf exactly.
func equalNumbers(a, b any) bool {
	if d, ok := b.(Decimal); ok {
		return equalDecimal(d, a)
	}
	switch a := a.(type) {
	case Decimal:
		return equalDecimal(a, b)
	case float64:
		return equalFloat(a, b)
	case complex128:
		return a == b
	case *big.Int:
		if f, ok := b.(float64); ok {
			return equalFloat(f, a)
		}
		b, ok := b.(*big.Int)
		return ok && a.Cmp(b) == 0
	}
	if f, ok := b.(float64); ok {
		return equalFloat(f, a)
	}
	return a == b
}

func equalFloat(f float64, n any) bool {
	switch n := n.(type) {
	case float64:
		return f == n
	case int64: // without the bounds, 1<<63 would convert to an int64 that it does not equal
		return f == math.Trunc(f) && f >= -1<<63 && f < 1<<63 && int64(f) == n
	case *big.Int:
		if f != math.Trunc(f) || math.IsInf(f, 0) {
			return false
		}
		exact, _ := big.NewFloat(f).Int(nil)
		return exact.Cmp(n) == 0
	}
	return false
}
