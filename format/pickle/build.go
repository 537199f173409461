package pickle

import (
	"math/big"
	"slices"
)

// A builder makes the values of nodes, and measures the cost of a walk through them. It
// refuses a value that contains itself: few programs expect one, and package fmt ends
// the process when it prints one.
type builder struct{ limits Limits }

type buildState uint8

const (
	unbuilt buildState = iota
	building
	built
)

// valueSize is the size of one value in Limits.Total.
const valueSize = 16

// build returns the result of Unmarshal.
func (b *builder) build(top any) (any, error) {
	root := node{}
	return b.value(top, &root, 0)
}

// value returns the value of an item of parent, which lies at the given depth.
func (b *builder) value(v any, parent *node, depth int) (any, error) {
	n, ok := v.(*node)
	if !ok {
		parent.size += valueSize + weight(v)
		return v, b.check(parent, depth)
	}
	switch n.state {
	case building:
		return nil, n.error(ErrRecursive)
	case unbuilt:
		n.state = building
		n.size = valueSize
		if err := b.check(n, depth); err != nil {
			return nil, err
		}
		var err error
		if n.final, err = b.node(n, depth+1); err != nil {
			return nil, err
		}
		n.state = built
	}
	parent.size += n.size
	parent.height = max(parent.height, n.height+1)
	return n.final, b.check(parent, depth+n.height)
}

func (b *builder) check(n *node, depth int) error {
	switch {
	case depth > b.limits.Depth:
		return n.error(limitf("more than %d values in one another", b.limits.Depth))
	case n.size > int64(b.limits.Total):
		return n.error(limitf("the value is larger than %d when all its references are followed", b.limits.Total))
	}
	return nil
}

func (n *node) error(err error) error {
	return &Error{Op: "unmarshal", Offset: n.at, Opcode: "", Err: err}
}

// weight returns the bytes of a text or a large integer.
func weight(v any) int64 {
	switch v := v.(type) {
	case string:
		return int64(len(v))
	case Surrogates:
		return int64(len(v))
	case []byte:
		return int64(len(v))
	case ByteArray:
		return int64(len(v))
	case Decimal:
		return int64(len(v))
	case *big.Int:
		return int64(v.BitLen() / 8)
	}
	return 0
}

// node returns the value of a node.
func (b *builder) node(n *node, depth int) (any, error) {
	for i, item := range n.items {
		var err error
		if n.items[i], err = b.value(item, n, depth); err != nil {
			return nil, err
		}
	}
	switch n.kind {
	case listNode:
		if len(n.items) == 0 {
			return make([]any, 0, 1), nil // with memory of its own: see identity
		}
		return slices.Clip(n.items), nil
	case tupleNode:
		return Tuple(n.items), nil
	case dictNode:
		return dictOf(n, n.items)
	case setNode:
		s, err := NewSet(n.items...)
		return s, n.keyError(err)
	case frozenSetNode:
		s, err := NewFrozenSet(n.items...)
		return s, n.keyError(err)
	case zonedNode:
		return n.zoned(), nil
	}
	return b.object(n, depth)
}

func (n *node) keyError(err error) error {
	if err == nil {
		return nil
	}
	return n.error(err)
}

// dictOf makes a dict of items, which are keys and values in turn.
func dictOf(n *node, items []any) (*Dict, error) {
	d := &Dict{}
	if len(items) > 0 {
		d.t.entries = make([]entry, 0, len(items)/2)
	}
	for i := 0; i < len(items); i += 2 {
		if err := d.Set(items[i], items[i+1]); err != nil {
			return nil, n.error(err)
		}
	}
	return d, nil
}

func (n *node) zoned() any {
	zone, _ := n.items[0].(*Object)
	switch t := n.moment.(type) {
	case TimeOfDay:
		t.Zone = zone
		return t
	case DateTime:
		t.Zone = zone
		return t
	}
	return nil
}

// object returns the object of a node, whose items are built already.
func (b *builder) object(n *node, depth int) (any, error) {
	o := &Object{Form: n.draft.form, Items: n.items}
	fields := []*any{&n.draft.callee, &n.draft.args, &n.draft.keywords, &n.draft.state, &n.draft.setter}
	for i := range n.draft.pairs {
		fields = append(fields, &n.draft.pairs[i])
	}
	for _, field := range fields {
		if *field == nil {
			continue
		}
		var err error
		if *field, err = b.value(*field, n, depth); err != nil {
			return nil, err
		}
	}
	o.Class, _ = n.draft.callee.(Class)
	o.Callee, _ = n.draft.callee.(*Object)
	o.Args, _ = n.draft.args.(Tuple)
	o.Keywords, _ = n.draft.keywords.(*Dict)
	o.State, o.Setter = n.draft.state, n.draft.setter
	if len(n.draft.pairs) > 0 {
		var err error
		if o.Pairs, err = dictOf(n, n.draft.pairs); err != nil {
			return nil, err
		}
	}
	return o, nil
}
