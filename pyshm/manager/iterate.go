package manager

import (
	"context"
	"fmt"
	"sync"
	"unicode/utf8"

	"github.com/pyshm-go/pyshm/format/pickle"
)

// An iterator returns items one after the other, to all clients together. Python's name
// for its proxy is IteratorProxy.
type iterator struct {
	mu    sync.Mutex
	items []any
}

func (i *iterator) next() (any, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if len(i.items) == 0 {
		return nil, ErrStop
	}
	v := i.items[0]
	i.items = i.items[1:]
	return v, nil
}

var iteratorOperations = operations[*iterator]{
	"__next__": {nil, func(i *iterator, _ context.Context, _ []any) (any, error) { return i.next() }},
}

func (i *iterator) Methods() []string { return iteratorOperations.names() }

func (i *iterator) Call(ctx context.Context, method string, args []any, keywords *pickle.Dict) (any, error) {
	return iteratorOperations.dispatch(i, ctx, method, args, keywords)
}

// reversed returns the value of which Python makes an iterator from the end.
func reversed(items []any) any {
	return &pickle.Object{Class: builtin("reversed"), Args: pickle.Tuple{items}}
}

// iterate returns the items that Python's iteration over a value yields.
func iterate(v any) ([]any, error) {
	switch v := v.(type) {
	case []any:
		return v, nil
	case pickle.Tuple:
		return v, nil
	case *pickle.Set, *pickle.FrozenSet:
		return parts(v), nil
	case *pickle.Dict:
		return (&Dict{d: v}).listed(dictKey), nil
	case string:
		items := make([]any, 0, utf8.RuneCountInString(v))
		for _, r := range v {
			items = append(items, string(r))
		}
		return items, nil
	case []byte:
		return ints(v), nil
	case pickle.ByteArray:
		return ints(v), nil
	case *pickle.Object:
		return iterateObject(v)
	}
	return nil, raise("TypeError", fmt.Sprintf("'%s' object is not iterable", pythonType(v)))
}

func ints(b []byte) []any {
	items := make([]any, len(b))
	for i, c := range b {
		items[i] = int64(c)
	}
	return items
}

// iterateObject knows views of dicts and array.array, which Python pickles as calls, and
// range.
func iterateObject(o *pickle.Object) ([]any, error) {
	switch {
	case o.Class == builtin("list") && len(o.Args) == 1:
		return iterate(o.Args[0])
	case o.Class == builtin("range") && len(o.Args) == 3:
		return rangeItems(o.Args)
	case o.Class == arrayReconstructor && len(o.Args) == 4:
		return reconstruct(o.Args)
	case o.Class == arrayClass && len(o.Args) == 2:
		return arrayItems(o.Args)
	case o.Items != nil: // a deque, or a class derived from list
		return o.Items, nil
	}
	return nil, raise("TypeError", fmt.Sprintf("Go cannot iterate over a %s", o.Class))
}

// maxItems is how many items a range or a product may have.
const maxItems = 1 << 24

func rangeItems(args pickle.Tuple) ([]any, error) {
	var n [3]int64
	for i, arg := range args {
		var ok bool
		if n[i], ok = arg.(int64); !ok {
			return nil, raise("TypeError", "a range of ints beyond 64 bits")
		}
	}
	var items []any
	for i := n[0]; n[2] > 0 && i < n[1] || n[2] < 0 && i > n[1]; i += n[2] {
		if len(items) == maxItems {
			return nil, raise("MemoryError", "the range is too long")
		}
		items = append(items, i)
		if next := i + n[2]; (next > i) != (n[2] > 0) {
			break // beyond 64 bits
		}
	}
	return items, nil
}
