package pickle

import (
	"cmp"
	"iter"
	"reflect"
	"slices"
	"strings"
)

// batch is the number of items that Python's pickler adds to a list, dict or set at a
// time.
const batch = 1000

// first returns the place of a value that is about to be written for the first time, or
// nil if the value has no identity. A value that was written before is done: first
// writes a reference to it. A value that is still open contains itself, and first fails.
func (e *encoder) first(id identity) (p *place, done bool, err error) {
	if id.pointer == nil {
		return nil, false, nil
	}
	if p, ok := e.seen[id]; ok {
		if p.open {
			return nil, true, ErrRecursive
		}
		e.again(p)
		return nil, true, nil
	}
	if e.seen == nil {
		e.seen = map[identity]*place{}
	}
	p = &place{number: -1}
	e.seen[id] = p
	return p, false, nil
}

// container writes a value with items. It calls write if the value occurs for the first
// time.
func (e *encoder) container(id identity, write func(p *place) error) error {
	p, done, err := e.first(id)
	switch {
	case done:
		return err
	case e.depth == 0:
		return limitf("the value is nested too deeply")
	case p == nil:
		p = &place{number: -1}
	}
	p.open = true
	e.depth--
	err = write(p)
	e.depth++
	p.open = false
	return err
}

func (e *encoder) items(v any, p *place) error {
	switch v := v.(type) {
	case []any:
		e.put(opEmptyList)
		e.written(p)
		return e.list(v)
	case Tuple:
		return e.tuple(v, p)
	case *Dict:
		if v == nil {
			return wrapf(ErrType, "a nil *Dict")
		}
		return e.dict(v, p)
	case *Set:
		if v == nil {
			return wrapf(ErrType, "a nil *Set")
		}
		return e.set(v, p)
	case *FrozenSet:
		if v == nil {
			return wrapf(ErrType, "a nil *FrozenSet")
		}
		return e.frozenSet(v, p)
	case *Object:
		if v == nil {
			return wrapf(ErrType, "a nil *Object")
		}
		return e.object(v, p)
	}
	return nil
}

// list appends items to the list or object on top of the stack.
func (e *encoder) list(items []any) error {
	return e.inBatches(len(items), opAppend, opAppends, func(yield func(error) bool) {
		for i, item := range items {
			if !yield(inside(e.value(item), "[%d]", i)) {
				return
			}
		}
	})
}

// inBatches writes n items, and after each batch the opcode that adds the batch to the
// value below it: single if the batch has one item, several otherwise. An item may be a
// pair.
func (e *encoder) inBatches(n int, single, several byte, items iter.Seq[error]) error {
	if n == 0 {
		return nil
	}
	left := n
	begin := func() int {
		size := min(left, batch)
		left -= size
		if size > 1 || single == several {
			e.put(opMark)
		}
		return size
	}
	size := begin()
	written := 0
	for err := range items {
		if err != nil {
			return err
		}
		if written++; written < size {
			continue
		}
		if size > 1 {
			e.put(several)
		} else {
			e.put(single)
		}
		if left > 0 {
			size, written = begin(), 0
		}
	}
	return nil
}

func (e *encoder) tuple(t Tuple, p *place) error {
	if len(t) > 3 {
		e.put(opMark)
	}
	for i, item := range t {
		if err := e.value(item); err != nil {
			return inside(err, "[%d]", i)
		}
	}
	e.put([]byte{opEmptyTuple, opTuple1, opTuple2, opTuple3, opTuple}[min(len(t), 4)])
	e.written(p)
	return nil
}

func (e *encoder) dict(d *Dict, p *place) error {
	e.put(opEmptyDict)
	e.written(p)
	return e.pairs(d)
}

// pairs sets keys of the dict or object on top of the stack.
func (e *encoder) pairs(d *Dict) error {
	return e.inBatches(d.Len(), opSetItem, opSetItems, func(yield func(error) bool) {
		for key, value := range d.All() {
			if !yield(e.pair(key, value)) {
				return
			}
		}
	})
}

func (e *encoder) pair(key, value any) error {
	if err := e.value(key); err != nil {
		return inside(err, ".key(%s)", excerpt(key))
	}
	if err := e.value(value); err != nil {
		return inside(err, "[%s]", excerpt(key))
	}
	return nil
}

// each writes the items of a set.
func (e *encoder) each(items iter.Seq[any]) iter.Seq[error] {
	return func(yield func(error) bool) {
		for item := range items {
			if !yield(inside(e.value(item), ".item(%s)", excerpt(item))) {
				return
			}
		}
	}
}

func (e *encoder) set(s *Set, p *place) error {
	if e.protocol < 4 {
		return e.oldSet(classSet, s.Len(), s.All(), p)
	}
	e.put(opEmptySet)
	e.written(p)
	return e.inBatches(s.Len(), opAddItems, opAddItems, e.each(s.All()))
}

func (e *encoder) frozenSet(s *FrozenSet, p *place) error {
	if e.protocol < 4 {
		return e.oldSet(classFrozenSet, s.Len(), s.All(), p)
	}
	e.put(opMark)
	for err := range e.each(s.All()) {
		if err != nil {
			return err
		}
	}
	e.put(opFrozenSet)
	e.written(p)
	return nil
}

// oldSet writes a set for protocol 2, as a call with a list.
func (e *encoder) oldSet(class Class, n int, items iter.Seq[any], p *place) error {
	return e.reduce(p, class, func() error {
		e.put(opEmptyList)
		err := e.inBatches(n, opAppend, opAppends, e.each(items))
		e.put(opTuple1)
		return err
	})
}

// reflected writes Go's own slices and maps. A slice becomes a list. A map with strings
// or integers as keys becomes a dict, in the order of its keys. Elements must be of the
// types that value accepts.
func (e *encoder) reflected(v any) error {
	r := reflect.ValueOf(v)
	if r.Type().Name() == "" {
		switch {
		case r.Kind() == reflect.Slice && r.Type().Elem().Kind() != reflect.Uint8:
			id := identity{r.UnsafePointer(), r.Len(), ofSliceType}
			if r.Cap() == 0 {
				id = identity{}
			}
			return e.container(id, func(p *place) error { return e.slice(r, p) })
		case r.Kind() == reflect.Map && sortable(r.Type().Key()):
			return e.container(identity{r.UnsafePointer(), r.Len(), ofMapType}, func(p *place) error { return e.sortedMap(r, p) })
		}
	}
	return wrapf(ErrType, "%T", v)
}

func (e *encoder) slice(s reflect.Value, p *place) error {
	e.put(opEmptyList)
	e.written(p)
	return e.inBatches(s.Len(), opAppend, opAppends, func(yield func(error) bool) {
		for i := range s.Len() {
			if !yield(inside(e.value(s.Index(i).Interface()), "[%d]", i)) {
				return
			}
		}
	})
}

// sortable reports whether keys of the type have an order, and a single type in Python.
func sortable(key reflect.Type) bool {
	return key.Name() == key.Kind().String() && (key.Kind() == reflect.String || key.ConvertibleTo(reflect.TypeFor[float64]()) && key.Kind() < reflect.Float32)
}

func (e *encoder) sortedMap(m reflect.Value, p *place) error {
	e.put(opEmptyDict)
	e.written(p)
	keys := m.MapKeys()
	slices.SortFunc(keys, func(a, b reflect.Value) int {
		switch {
		case a.Kind() == reflect.String:
			return strings.Compare(a.String(), b.String())
		case a.CanInt():
			return cmp.Compare(a.Int(), b.Int())
		}
		return cmp.Compare(a.Uint(), b.Uint())
	})
	return e.inBatches(len(keys), opSetItem, opSetItems, func(yield func(error) bool) {
		for _, key := range keys {
			if !yield(e.pair(key.Interface(), m.MapIndex(key).Interface())) {
				return
			}
		}
	})
}
