package pickle

// A node is a value with items, while the machine executes the pickle.
type node struct {
	kind   nodeKind
	state  buildState
	stored bool   // in the memo
	at     int    // where in the pickle it begins
	height int    // the depth of items in items, once built
	size   int64  // as for Limits.Total, once built
	items  []any  // for a dict, keys and values in turn
	draft  *draft // of an object
	moment any    // the TimeOfDay or DateTime of a zoned; the zone is its only item
	final  any    // the finished value
}

type nodeKind uint8

const (
	listNode nodeKind = iota
	tupleNode
	dictNode
	setNode
	frozenSetNode
	objectNode
	zonedNode
)

// A draft becomes an Object. The items of the object are in the node.
type draft struct {
	form     Form
	callee   any   // a Class or a *node
	args     any   // a tuple
	keywords any   // a dict, if there is one
	pairs    []any // keys and values in turn
	state    any
	setter   any // a Class or a *node
}

func (m *machine) pushNode(kind nodeKind, items []any) error {
	return m.push(&node{kind: kind, at: m.at, items: items})
}

// kindOf returns v as a node of the given kind, or nil if v is another value.
func kindOf(v any, kind nodeKind) *node {
	if n, ok := v.(*node); ok && n.kind == kind {
		return n
	}
	return nil
}

// tupleItems returns the items of a tuple. The empty tuple is not a node.
func tupleItems(v any) (items []any, ok bool) {
	if n := kindOf(v, tupleNode); n != nil {
		return n.items, true
	}
	t, ok := v.(Tuple)
	return t, ok
}
