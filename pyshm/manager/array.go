package manager

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
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
	return &pickle.Object{Class: arrayClass, Args: pickle.Tuple{a.typecode, a.list.Items()}}
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
	made, err := newArray(a.typecode, v)
	if err != nil {
		return err
	}
	if len(made.list.items) != s.n {
		return raise("ValueError", "the length of an array does not change")
	}
	return a.list.setSpan(s, made.list.items)
}

// An array.array is pickled as array._array_reconstructor(class, typecode, format, bytes).
// Where multiprocessing.managers is imported it is array.array(typecode, bytes), with the
// bytes of the machine, and in protocols 0 to 2 array.array(typecode, list).
var (
	arrayClass         = pickle.Class{Module: "array", Name: "array"}
	arrayReconstructor = pickle.Class{Module: "array", Name: "_array_reconstructor"}
)

// An element is how an array.array stores a number.
type element struct {
	size              int // in bytes
	isSigned, isFloat bool
	order             binary.ByteOrder
}

// arrayElements has the formats of _array_reconstructor, in the order of array's C source:
// each but bytes has a little-endian and a big-endian form. UTF-16 and UTF-32 follow.
var arrayElements = []element{
	{1, false, false, binary.LittleEndian}, {1, true, false, binary.LittleEndian},
	{2, false, false, binary.LittleEndian}, {2, false, false, binary.BigEndian},
	{2, true, false, binary.LittleEndian}, {2, true, false, binary.BigEndian},
	{4, false, false, binary.LittleEndian}, {4, false, false, binary.BigEndian},
	{4, true, false, binary.LittleEndian}, {4, true, false, binary.BigEndian},
	{8, false, false, binary.LittleEndian}, {8, false, false, binary.BigEndian},
	{8, true, false, binary.LittleEndian}, {8, true, false, binary.BigEndian},
	{4, true, true, binary.LittleEndian}, {4, true, true, binary.BigEndian},
	{8, true, true, binary.LittleEndian}, {8, true, true, binary.BigEndian},
}

// reconstruct returns the numbers of _array_reconstructor's arguments.
func reconstruct(args pickle.Tuple) ([]any, error) {
	code, ok := args[2].(int64)
	data, isBytes := args[3].([]byte)
	if !ok || !isBytes || code < 0 || code >= int64(len(arrayElements)) {
		return nil, raise("TypeError", "Go knows no such array.array")
	}
	return arrayElements[code].numbers(data), nil
}

// arrayItems returns the numbers of array.array's arguments.
func arrayItems(args pickle.Tuple) ([]any, error) {
	data, isBytes := args[1].([]byte)
	if !isBytes {
		return iterate(args[1])
	}
	code, _ := args[0].(string)
	e := element{isSigned: true, order: binary.NativeEndian}
	switch bits := intBits[code]; {
	case bits > 0:
		e.size, e.isSigned = bits/8, code[0] >= 'a'
	case code == "f":
		e.size, e.isFloat = 4, true
	case code == "d":
		e.size, e.isFloat = 8, true
	default:
		return nil, raise("TypeError", "Go knows no such array.array")
	}
	return e.numbers(data), nil
}

// numbers returns the numbers that bytes stand for.
func (e element) numbers(data []byte) []any {
	items := make([]any, 0, len(data)/e.size)
	for ; len(data) >= e.size; data = data[e.size:] {
		items = append(items, e.number(data))
	}
	return items
}

func (e element) number(data []byte) any {
	var bits uint64
	switch e.size {
	case 1:
		bits = uint64(data[0])
	case 2:
		bits = uint64(e.order.Uint16(data))
	case 4:
		bits = uint64(e.order.Uint32(data))
	default:
		bits = e.order.Uint64(data)
	}
	unused := 64 - 8*e.size
	switch {
	case e.isFloat && e.size == 4:
		return float64(math.Float32frombits(uint32(bits)))
	case e.isFloat:
		return math.Float64frombits(bits)
	case e.isSigned:
		return int64(bits<<unused) >> unused
	case bits > math.MaxInt64:
		return new(big.Int).SetUint64(bits)
	}
	return int64(bits)
}
