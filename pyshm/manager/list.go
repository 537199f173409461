package manager

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/pyshm-go/pyshm/format/pickle"
)

// A List is an object like Python's list. Its methods may be called by several goroutines
// at once, and by clients at the same time; each is one step. Items are of the types that
// format/pickle reads, and must not be changed: as with Python's proxies, a change of an
// item is to set it again.
type List struct {
	mu    sync.Mutex
	items []any
}

// NewList makes an empty list.
func NewList() *List { return &List{} }

// Append adds copies of values at the end. [pickle.Marshal] lists the types that they may
// have.
func (l *List) Append(values ...any) error {
	items, err := copied(values)
	if err == nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.items = append(l.items, items.([]any)...)
	}
	return wrap("append", "list", err)
}

// Set replaces an item by a copy of v. The index must be in the list.
func (l *List) Set(index int, v any) error {
	v, err := copied(v)
	if err == nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		err = l.setItem(int64(index), v)
	}
	return wrap("set", "list", err)
}

// Items returns a copy of the list.
func (l *List) Items() []any {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]any{}, l.items...)
}

// Len returns the number of items.
func (l *List) Len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.items)
}

func (l *List) value() any { return l.Items() }

// String returns the list as Python's repr shows it.
func (l *List) String() string { return pickle.Repr(l.Items(), maxRepr) }

// index returns the place of an index, which may count from the end.
func (l *List) index(v any, what string) (int, error) {
	if b, ok := v.(bool); ok {
		v = map[bool]int64{true: 1}[b]
	}
	n, ok := v.(int64)
	if !ok {
		return 0, raise("TypeError", "list indices must be integers or slices, not "+pythonType(v))
	}
	if n < 0 {
		n += int64(len(l.items))
	}
	if n < 0 || n >= int64(len(l.items)) {
		return 0, raise("IndexError", what+" index out of range")
	}
	return int(n), nil
}

// A span is a Python slice, applied to a list: n places from start on.
type span struct{ start, step, n int }

// spanOf returns the places of a slice, and reports whether v is one.
func (l *List) spanOf(v any) (s span, isSlice bool, err error) {
	o, ok := v.(*pickle.Object)
	if !ok || o.Class != builtin("slice") || len(o.Args) != 3 {
		return s, false, nil
	}
	step, length := int64(1), int64(len(l.items))
	if o.Args[2] != nil {
		if step, ok = o.Args[2].(int64); !ok {
			return s, true, raise("TypeError", "slice indices must be integers or None")
		}
	}
	if step == 0 {
		return s, true, raise("ValueError", "slice step cannot be zero")
	}
	step = max(min(step, length+1), -length-1)
	low, high := int64(0), length // the bounds of indices
	if step < 0 {
		low, high = -1, length-1
	}
	ends := [2]int64{low, high}
	if step < 0 {
		ends = [2]int64{high, low}
	}
	for i, arg := range o.Args[:2] {
		if arg == nil {
			continue
		}
		n, ok := arg.(int64)
		if !ok {
			return s, true, raise("TypeError", "slice indices must be integers or None")
		}
		if n < 0 {
			n = max(n+length, low)
		}
		ends[i] = min(n, high)
	}
	count := int64(0)
	if step > 0 && ends[0] < ends[1] {
		count = (ends[1]-ends[0]-1)/step + 1
	} else if step < 0 && ends[0] > ends[1] {
		count = (ends[0]-ends[1]-1)/-step + 1
	}
	return span{int(ends[0]), int(step), int(count)}, true, nil
}

func (l *List) getItem(key any) (any, error) {
	if s, ok, err := l.spanOf(key); ok {
		picked := make([]any, 0, s.n)
		for i := range s.n {
			picked = append(picked, l.items[s.start+i*s.step])
		}
		return picked, err
	}
	i, err := l.index(key, "list")
	if err != nil {
		return nil, err
	}
	return l.items[i], nil
}

func (l *List) setItem(key, v any) error {
	s, ok, err := l.spanOf(key)
	switch {
	case err != nil:
		return err
	case ok:
		return l.setSpan(s, v)
	}
	i, err := l.index(key, "list assignment")
	if err == nil {
		l.items[i] = v
	}
	return err
}

func (l *List) setSpan(s span, v any) error {
	items, err := iterate(v)
	switch {
	case err != nil:
		return err
	case s.step == 1:
		l.items = slices.Replace(l.items, s.start, s.start+s.n, slices.Clone(items)...)
		return nil
	case len(items) != s.n:
		return raise("ValueError", fmt.Sprintf("attempt to assign sequence of size %d to extended slice of size %d", len(items), s.n))
	}
	for i, item := range items {
		l.items[s.start+i*s.step] = item
	}
	return nil
}

func (l *List) deleteItem(key any) error {
	s, ok, err := l.spanOf(key)
	if !ok {
		s.step, s.n = 1, 1
		s.start, err = l.index(key, "list assignment")
	}
	if err != nil {
		return err
	}
	gone := map[int]bool{}
	for i := range s.n {
		gone[s.start+i*s.step] = true
	}
	place := -1
	l.items = slices.DeleteFunc(l.items, func(any) bool {
		place++
		return gone[place]
	})
	return nil
}

// find returns the place of the first item equal to v, between two indices.
func (l *List) find(v, start, stop any) (int, error) {
	bounds, _, err := l.spanOf(&pickle.Object{Class: builtin("slice"), Args: pickle.Tuple{start, stop, nil}})
	if err != nil {
		return 0, err
	}
	for i := bounds.start; i < bounds.start+bounds.n; i++ {
		if pickle.Equal(l.items[i], v) {
			return i, nil
		}
	}
	return 0, raise("ValueError", pickle.Repr(v, maxExcerpt)+" is not in list")
}

// repeated returns the items n times.
func (l *List) repeated(n any) ([]any, error) {
	count, ok := n.(int64)
	switch {
	case !ok:
		return nil, raise("TypeError", "can't multiply sequence by non-int of type '"+pythonType(n)+"'")
	case count <= 0 || len(l.items) == 0:
		return []any{}, nil
	case count > maxItems/int64(len(l.items)):
		return nil, raise("MemoryError", "the list would be too long")
	}
	return slices.Repeat(l.items, int(count)), nil
}

func (l *List) sort(key, reverse any) error {
	if key != nil {
		return raise("TypeError", "the key of a sort cannot run in Go")
	}
	sorted := slices.Clone(l.items)
	var failed error
	slices.SortStableFunc(sorted, func(a, b any) int {
		if failed != nil {
			return 0
		}
		if truth(reverse) {
			a, b = b, a
		}
		order, err := compare(a, b)
		if err != nil {
			failed = err
		}
		return order
	})
	if failed == nil {
		l.items = sorted
	}
	return failed
}

var listOperations = operations[*List]{
	"__getitem__": {params("key"), func(l *List, _ context.Context, a []any) (any, error) { return l.getItem(a[0]) }},
	"__setitem__": {params("key value"), func(l *List, _ context.Context, a []any) (any, error) {
		return nil, l.setItem(a[0], a[1])
	}},
	"__delitem__": {params("key"), func(l *List, _ context.Context, a []any) (any, error) { return nil, l.deleteItem(a[0]) }},
	"__len__":     {nil, func(l *List, _ context.Context, _ []any) (any, error) { return len(l.items), nil }},
	"__contains__": {params("value"), func(l *List, _ context.Context, a []any) (any, error) {
		_, err := l.find(a[0], nil, nil)
		return err == nil, nil
	}},
	"__reversed__": {nil, func(l *List, _ context.Context, _ []any) (any, error) { return reversed(slices.Clone(l.items)), nil }},
	"__add__": {params("other"), func(l *List, _ context.Context, a []any) (any, error) {
		other, ok := a[0].([]any)
		if !ok {
			return nil, raise("TypeError", "can only concatenate list (not \""+pythonType(a[0])+"\") to list")
		}
		return slices.Concat(l.items, other), nil
	}},
	"__mul__":  {params("n"), func(l *List, _ context.Context, a []any) (any, error) { return l.repeated(a[0]) }},
	"__rmul__": {params("n"), func(l *List, _ context.Context, a []any) (any, error) { return l.repeated(a[0]) }},
	"__imul__": {params("n"), func(l *List, _ context.Context, a []any) (any, error) {
		items, err := l.repeated(a[0])
		if err == nil {
			l.items = items
		}
		return slices.Clone(items), err
	}},
	"append": {params("item"), func(l *List, _ context.Context, a []any) (any, error) {
		l.items = append(l.items, a[0])
		return nil, nil
	}},
	"extend": {params("items"), func(l *List, _ context.Context, a []any) (any, error) {
		items, err := iterate(a[0])
		l.items = append(l.items, items...)
		return nil, err
	}},
	"insert": {params("index item"), func(l *List, _ context.Context, a []any) (any, error) {
		at, _, err := l.spanOf(&pickle.Object{Class: builtin("slice"), Args: pickle.Tuple{a[0], nil, nil}})
		if err == nil {
			l.items = slices.Insert(l.items, at.start, a[1])
		}
		return nil, err
	}},
	"pop": {params("index=-1"), func(l *List, _ context.Context, a []any) (any, error) {
		if len(l.items) == 0 {
			return nil, raise("IndexError", "pop from empty list")
		}
		i, err := l.index(a[0], "pop")
		if err != nil {
			return nil, err
		}
		v := l.items[i]
		l.items = slices.Delete(l.items, i, i+1)
		return v, nil
	}},
	"remove": {params("value"), func(l *List, _ context.Context, a []any) (any, error) {
		i, err := l.find(a[0], nil, nil)
		if err != nil {
			return nil, raise("ValueError", "list.remove(x): x not in list")
		}
		l.items = slices.Delete(l.items, i, i+1)
		return nil, nil
	}},
	"index": {params("value start=None stop=None"), func(l *List, _ context.Context, a []any) (any, error) {
		return l.find(a[0], a[1], a[2])
	}},
	"count": {params("value"), func(l *List, _ context.Context, a []any) (any, error) {
		n := 0
		for _, item := range l.items {
			if pickle.Equal(item, a[0]) {
				n++
			}
		}
		return n, nil
	}},
	"reverse": {nil, func(l *List, _ context.Context, _ []any) (any, error) {
		slices.Reverse(l.items)
		return nil, nil
	}},
	"sort": {params("key=None reverse=False"), func(l *List, _ context.Context, a []any) (any, error) {
		return nil, l.sort(a[0], a[1])
	}},
	"clear": {nil, func(l *List, _ context.Context, _ []any) (any, error) {
		l.items = nil
		return nil, nil
	}},
	"copy": {nil, func(l *List, _ context.Context, _ []any) (any, error) { return append([]any{}, l.items...), nil }},
}

// Methods returns the names of the methods that clients may call, as Python's ListProxy
// of any version has them.
func (l *List) Methods() []string { return listOperations.names() }

// Call calls a method for a client.
func (l *List) Call(ctx context.Context, method string, args []any, keywords *pickle.Dict) (any, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return listOperations.dispatch(l, ctx, method, args, keywords)
}
