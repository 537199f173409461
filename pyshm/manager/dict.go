package manager

import (
	"context"
	"fmt"
	"sync"

	"github.com/pyshm-go/pyshm/format/pickle"
)

// A Dict is an object like Python's dict. Its methods may be called by several goroutines
// at once, and by clients at the same time; each is one step. Values are of the types that
// format/pickle reads, and must not be changed: as with Python's proxies, a change of a
// value of the dict is to set it again.
type Dict struct {
	mu sync.Mutex
	d  *pickle.Dict
	// instances has the keys that are Python's instances, or have them inside, by their
	// pickles: a pickle.Dict compares instances by their addresses.
	instances map[string]any
}

// NewDict makes an empty dict.
func NewDict() *Dict { return &Dict{d: &pickle.Dict{}, instances: map[string]any{}} }

// Get returns the value of a key, and reports whether the key is there.
func (d *Dict) Get(key any) (value any, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.get(key)
}

// Set stores copies of the key and the value. [pickle.Marshal] lists the types that they
// may have.
func (d *Dict) Set(key, value any) error {
	pair, err := copied(pickle.Tuple{key, value})
	if err == nil {
		d.mu.Lock()
		defer d.mu.Unlock()
		err = d.set(pair.(pickle.Tuple)[0], pair.(pickle.Tuple)[1])
	}
	return wrap("set", "dict", err)
}

// Delete removes a key and reports whether it was there.
func (d *Dict) Delete(key any) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	_, ok := d.pop(key)
	return ok
}

// Len returns the number of keys.
func (d *Dict) Len() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.d.Len()
}

// Items returns a copy of the dict.
func (d *Dict) Items() *pickle.Dict {
	d.mu.Lock()
	defer d.mu.Unlock()
	return cloneDict(d.d)
}

func cloneDict(d *pickle.Dict) *pickle.Dict {
	c := &pickle.Dict{}
	for key, value := range d.All() {
		_ = c.Set(key, value) // it is a key already
	}
	return c
}

// own returns the dict's own key for a key with instances, and any other key itself.
func (d *Dict) own(key any) (own any, text string, ok bool) {
	if !hasInstance(key) {
		return key, "", true
	}
	b, err := pickle.Marshal(key)
	if err != nil {
		return key, "", true
	}
	own, ok = d.instances[string(b)]
	return own, string(b), ok
}

// hasInstance reports whether a key is an instance, or a tuple or frozenset with one.
func hasInstance(key any) bool {
	switch key := key.(type) {
	case *pickle.Object:
		return true
	case pickle.Tuple, *pickle.FrozenSet:
		for _, part := range parts(key) {
			if hasInstance(part) {
				return true
			}
		}
	}
	return false
}

func (d *Dict) get(key any) (any, bool) {
	own, _, ok := d.own(key)
	if !ok {
		return nil, false
	}
	return d.d.Get(own)
}

func (d *Dict) set(key, value any) error {
	own, text, ok := d.own(key)
	if !ok {
		own = key
	}
	err := d.d.Set(own, value)
	if err == nil && !ok {
		d.instances[text] = key
	}
	return err
}

func (d *Dict) pop(key any) (any, bool) {
	own, text, ok := d.own(key)
	if !ok {
		return nil, false
	}
	v, ok := d.d.Get(own)
	if ok {
		d.d.Delete(own)
		delete(d.instances, text)
	}
	return v, ok
}

// update sets the pairs of a dict, or of a list of pairs, and of keywords.
func (d *Dict) update(pairs any, keywords *pickle.Dict) error {
	from := []*pickle.Dict{keywords}
	switch v := pairs.(type) {
	case absent:
	case *pickle.Dict:
		from = []*pickle.Dict{v, keywords}
	case *pickle.Object:
		if v.Pairs == nil {
			return d.updateEach(pairs, keywords)
		}
		from = []*pickle.Dict{v.Pairs, keywords} // an OrderedDict or a defaultdict, for example
	default:
		return d.updateEach(pairs, keywords)
	}
	for _, each := range from {
		for key, value := range each.All() {
			if err := d.set(key, value); err != nil {
				return err
			}
		}
	}
	return nil
}

func (d *Dict) updateEach(pairs any, keywords *pickle.Dict) error {
	items, err := iterate(pairs)
	if err != nil {
		return err
	}
	for i, item := range items {
		pair, err := iterate(item)
		if err != nil || len(pair) != 2 {
			return raise("ValueError", fmt.Sprintf("dictionary update sequence element #%d is not a pair", i))
		}
		if err := d.set(pair[0], pair[1]); err != nil {
			return err
		}
	}
	return d.update(absent{}, keywords)
}

// value returns a copy, for #GETVALUE.
func (d *Dict) value() any { return d.Items() }

// listed returns keys, values or pairs.
func (d *Dict) listed(pick func(key, value any) any) []any {
	all := make([]any, 0, d.d.Len())
	for key, value := range d.d.All() {
		all = append(all, pick(key, value))
	}
	return all
}

func dictKey(key, _ any) any     { return key }
func dictValue(_, value any) any { return value }
func dictItem(key, value any) any {
	return pickle.Tuple{key, value}
}

var dictOperations = operations[*Dict]{
	"__getitem__": {params("key"), func(d *Dict, _ context.Context, a []any) (any, error) {
		return required(d.get(a[0]))(a[0])
	}},
	"__setitem__": {params("key value"), func(d *Dict, _ context.Context, a []any) (any, error) {
		return nil, d.set(a[0], a[1])
	}},
	"__delitem__": {params("key"), func(d *Dict, _ context.Context, a []any) (any, error) {
		_, err := required(d.pop(a[0]))(a[0])
		return nil, err
	}},
	"__contains__": {params("key"), func(d *Dict, _ context.Context, a []any) (any, error) {
		_, ok := d.get(a[0])
		return ok, nil
	}},
	"__len__": {nil, func(d *Dict, _ context.Context, _ []any) (any, error) { return d.d.Len(), nil }},
	"__iter__": {nil, func(d *Dict, _ context.Context, _ []any) (any, error) {
		return WithType("Iterator", &iterator{items: d.listed(dictKey)}), nil
	}},
	"__reversed__": {nil, func(d *Dict, _ context.Context, _ []any) (any, error) { return reversed(d.listed(dictKey)), nil }},
	"keys":         {nil, func(d *Dict, _ context.Context, _ []any) (any, error) { return d.listed(dictKey), nil }},
	"values":       {nil, func(d *Dict, _ context.Context, _ []any) (any, error) { return d.listed(dictValue), nil }},
	"items":        {nil, func(d *Dict, _ context.Context, _ []any) (any, error) { return d.listed(dictItem), nil }},
	"copy":         {nil, func(d *Dict, _ context.Context, _ []any) (any, error) { return cloneDict(d.d), nil }},
	"clear": {nil, func(d *Dict, _ context.Context, _ []any) (any, error) {
		d.d, d.instances = &pickle.Dict{}, map[string]any{}
		return nil, nil
	}},
	"get": {params("key default=None"), func(d *Dict, _ context.Context, a []any) (any, error) {
		if v, ok := d.get(a[0]); ok {
			return v, nil
		}
		return a[1], nil
	}},
	"pop": {params("key default="), func(d *Dict, _ context.Context, a []any) (any, error) {
		v, ok := d.pop(a[0])
		if !ok && a[1] != any(absent{}) {
			return a[1], nil
		}
		return required(v, ok)(a[0])
	}},
	"popitem": {nil, func(d *Dict, _ context.Context, _ []any) (any, error) {
		items := d.listed(dictItem)
		if len(items) == 0 {
			return nil, raise("KeyError", "popitem(): dictionary is empty")
		}
		last := items[len(items)-1].(pickle.Tuple)
		d.pop(last[0])
		return last, nil
	}},
	"setdefault": {params("key default=None"), func(d *Dict, _ context.Context, a []any) (any, error) {
		if v, ok := d.get(a[0]); ok {
			return v, nil
		}
		return a[1], d.set(a[0], a[1])
	}},
	"__or__": {params("other"), func(d *Dict, _ context.Context, a []any) (any, error) {
		return merged(d.d, a[0])
	}},
	"__ror__": {params("other"), func(d *Dict, _ context.Context, a []any) (any, error) {
		return merged(a[0], d.d)
	}},
	"__ior__": {params("other"), func(d *Dict, _ context.Context, a []any) (any, error) {
		return nil, d.update(a[0], nil)
	}},
	"fromkeys": {params("keys value=None"), func(_ *Dict, _ context.Context, a []any) (any, error) {
		keys, err := iterate(a[0])
		made := NewDict()
		for _, key := range keys {
			if err == nil {
				err = made.set(key, a[1])
			}
		}
		return made.d, err
	}},
}

// merged returns a new dict of two mappings.
func merged(first, second any) (any, error) {
	sum := NewDict()
	err := sum.update(first, nil)
	if err == nil {
		err = sum.update(second, nil)
	}
	return sum.d, err
}

// required makes a KeyError for a missing key.
func required(v any, ok bool) func(key any) (any, error) {
	return func(key any) (any, error) {
		if !ok {
			return nil, raise("KeyError", key)
		}
		return v, nil
	}
}

// Methods returns the names of the methods that clients may call, as Python's DictProxy
// of any version has them.
func (d *Dict) Methods() []string { return append(dictOperations.names(), "update") }

// Call calls a method for a client.
func (d *Dict) Call(ctx context.Context, method string, args []any, keywords *pickle.Dict) (any, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if method != "update" {
		return dictOperations.dispatch(d, ctx, method, args, keywords)
	}
	bound, err := bind(method, params("pairs="), args, &pickle.Dict{})
	if err != nil {
		return nil, err
	}
	return nil, d.update(bound[0], keywords)
}

// String returns the dict as Python's repr shows it.
func (d *Dict) String() string { return pickle.Repr(d.Items(), maxRepr) }
