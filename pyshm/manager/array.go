package manager

import (
	"context"
	"fmt"
	"math/big"

	"github.com/pyshm-go/pyshm/format/pickle"
)

// An array is array.array behind Python's SyncManager.Array: a list of numbers of one
// type, whose length does not change. It is not in shared memory.
type array struct {
	typecode string
	list     *List
}

// intBits has the sizes of array.array's integer types in CPython on 64-bit Unix.
var intBits = map[string]int{"b": 8, "B": 8, "h": 16, "H": 16, "i": 32, "I": 32, "l": 64, "L": 64, "q": 64, "Q": 64}

func newArray(typecode, sequence any) (*array, error) {
	code, ok := typecode.(string)
	if _, isInt := intBits[code]; !ok || !isInt && code != "f" && code != "d" {
		return nil, raise("ValueError", "bad typecode (must be one of b, B, h, H, i, I, l, L, q, Q, f or d)")
	}
	items, err := iterate(sequence)
	if err != nil {
		return nil, err
	}
	a := &array{code, NewList()}
	for _, item := range items {
		v, err := a.item(item)
		if err != nil {
			return nil, err
		}
		a.list.items = append(a.list.items, v)
	}
	return a, nil
}

// item returns the number that an array of this type stores.
func (a *array) item(v any) (any, error) {
	bits, isInt := intBits[a.typecode]
	if !isInt {
		f, ok := asFloat(v)
		switch {
		case !ok:
			return nil, raise("TypeError", "must be real number, not "+pythonType(v))
		case a.typecode == "f":
			return float64(float32(f)), nil
		}
		return f, nil
	}
	r, ok := rational(v)
	if _, isFloat := v.(float64); !ok || isFloat {
		return nil, raise("TypeError", fmt.Sprintf("'%s' object cannot be interpreted as an integer", pythonType(v)))
	}
	low, high := new(big.Int), new(big.Int).Lsh(big.NewInt(1), uint(bits))
	if a.typecode[0] >= 'a' { // signed
		high.Rsh(high, 1)
		low.Neg(high)
	}
	if n := r.Num(); n.Cmp(low) < 0 || n.Cmp(high) >= 0 {
		return nil, raise("OverflowError", fmt.Sprintf("the value does not fit an array of type '%s'", a.typecode))
	}
	if n := r.Num(); !n.IsInt64() {
		return n, nil
	}
	return r.Num().Int64(), nil
}

func (a *array) value() any {
	return &pickle.Object{Class: pickle.Class{Module: "array", Name: "array"}, Args: pickle.Tuple{a.typecode, a.list.Items()}}
}

// String returns the array as Python's repr shows it.
func (a *array) String() string {
	return fmt.Sprintf("array('%s', %s)", a.typecode, a.list)
}

var arrayMethods = []string{"__getitem__", "__len__", "__setitem__"}

func (a *array) Methods() []string { return arrayMethods }

func (a *array) Call(ctx context.Context, method string, args []any, keywords *pickle.Dict) (any, error) {
	switch {
	case method == "__setitem__" && len(args) == 2:
		return nil, a.set(args[0], args[1])
	case method == "__getitem__":
		v, err := a.list.Call(ctx, method, args, keywords)
		if items, ok := v.([]any); ok {
			return (&array{a.typecode, &List{items: items}}).value(), err
		}
		return v, err
	}
	return a.list.Call(ctx, method, args, keywords)
}

// set sets one item, or the items of a slice of the same length.
func (a *array) set(key, v any) error {
	a.list.mu.Lock()
	defer a.list.mu.Unlock()
	s, isSlice, err := a.list.spanOf(key)
	if err != nil {
		return err
	}
	if !isSlice {
		if v, err = a.item(v); err == nil {
			err = a.list.setItem(key, v)
		}
		return err
	}
	made, err := newArray(a.typecode, arrayItems(v))
	if err != nil {
		return err
	}
	if len(made.list.items) != s.n {
		return raise("ValueError", "the length of an array does not change")
	}
	return a.list.setSpan(s, made.list.items)
}

// arrayItems returns the numbers of an array that Python has pickled as array('i', [1]),
// and any other value as it is.
func arrayItems(v any) any {
	if o, ok := v.(*pickle.Object); ok && o.Class.Module == "array" && o.Class.Name == "array" && len(o.Args) == 2 {
		return o.Args[1]
	}
	return v
}
