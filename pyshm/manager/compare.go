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
	case []any:
		if y, ok := b.([]any); ok {
			return compareItems(x, y)
		}
	case pickle.Tuple:
		if y, ok := b.(pickle.Tuple); ok {
			return compareItems(x, y)
		}
	}
	if y, ok := b.(float64); ok {
		if x, ok := asFloat(a); ok {
			return cmp.Compare(x, y), nil
		}
	}
	return 0, raise("TypeError", fmt.Sprintf("'<' not supported between instances of '%s' and '%s'", pythonType(a), pythonType(b)))
}

func compareItems(a, b []any) (int, error) {
	for i := range min(len(a), len(b)) {
		if !pickle.Equal(a[i], b[i]) {
			return compare(a[i], b[i])
		}
	}
	return cmp.Compare(len(a), len(b)), nil
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
