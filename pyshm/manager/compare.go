package manager

import (
	"bytes"
	"cmp"
	"fmt"
	"math/big"
	"strings"

	"github.com/pyshm-go/pyshm/format/pickle"
)

// compare orders values as Python's < does: numbers, texts of one kind, and lists and
// tuples of these. The error is a TypeError.
func compare(a, b any) (int, error) {
	if x, y, ok := sequences(a, b); ok {
		_, order, err := (&ordering{}).compareItems(x, y)
		return order, err
	}
	return comparePlain(a, b)
}

// sequences returns the items of two lists or two tuples.
func sequences(a, b any) (x, y []any, ok bool) {
	switch a := a.(type) {
	case []any:
		y, ok = b.([]any)
		return a, y, ok
	case pickle.Tuple:
		y, ok := b.(pickle.Tuple)
		return a, y, ok
	}
	return nil, nil, false
}

// An ordering compares two values in one pass: first whether their items are equal and then
// the items that are not, as Python does, would at each depth visit everything below it.
type ordering struct {
	// seen holds pairs that are equal, or being compared. So values that occur many times
	// are compared once.
	seen map[[2]place]bool
}

// A place is where the items of a list or tuple are in memory.
type place struct {
	first *any
	n     int
}

func (o *ordering) compareItems(a, b []any) (equal bool, order int, err error) {
	if len(a) > 0 && len(b) > 0 {
		pair := [2]place{{&a[0], len(a)}, {&b[0], len(b)}}
		if o.seen[pair] {
			return true, 0, nil
		}
		if o.seen == nil {
			o.seen = map[[2]place]bool{}
		}
		o.seen[pair] = true // an unequal pair ends the comparison
	}
	for i := range min(len(a), len(b)) {
		if x, y, ok := sequences(a[i], b[i]); ok {
			if equal, order, err := o.compareItems(x, y); !equal {
				return false, order, err
			}
		} else if !pickle.Equal(a[i], b[i]) {
			order, err := comparePlain(a[i], b[i])
			return false, order, err
		}
	}
	order = cmp.Compare(len(a), len(b))
	return order == 0, order, nil
}

// comparePlain compares values other than two lists or two tuples.
func comparePlain(a, b any) (int, error) {
	if x, ok := rational(a); ok {
		if y, ok := rational(b); ok {
			return x.Cmp(y), nil
		}
	}
	switch x := a.(type) {
	case string:
		if y, ok := b.(string); ok {
			return strings.Compare(x, y), nil
		}
	case []byte:
		if y, ok := b.([]byte); ok {
			return bytes.Compare(x, y), nil
		}
	case float64: // infinite, or not a number
		if y, ok := asFloat(b); ok {
			return cmp.Compare(x, y), nil
		}
	}
	if y, ok := b.(float64); ok {
		if x, ok := asFloat(a); ok {
			return cmp.Compare(x, y), nil
		}
	}
	return 0, raise("TypeError", fmt.Sprintf("'<' not supported between instances of '%s' and '%s'", pythonType(a), pythonType(b)))
}

// rational returns a finite number exactly.
func rational(v any) (*big.Rat, bool) {
	switch v := v.(type) {
	case bool:
		return rational(map[bool]int64{true: 1}[v])
	case int64:
		return new(big.Rat).SetInt64(v), true
	case *big.Int:
		return new(big.Rat).SetInt(v), true
	case float64:
		r := new(big.Rat).SetFloat64(v)
		return r, r != nil
	}
	return nil, false
}

func asFloat(v any) (float64, bool) {
	if f, ok := v.(float64); ok {
		return f, true
	}
	r, ok := rational(v)
	if !ok {
		return 0, false
	}
	f, _ := r.Float64()
	return f, true
}
