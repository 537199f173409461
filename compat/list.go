package compat

import "github.com/pyshm-go/pyshm/format"

// A List is a ShareableList of a peer. Its methods call Python's methods of the same
// names in the peer, and return Python's exceptions as a [*PythonError].
type List struct{ handle }

// CreateList makes a ShareableList. Python chooses a name if name is "".
func (p *Peer) CreateList(name string, values []any) (*List, error) {
	return object[List](p.bind("list", "create_list", nameOrNone(name), values))
}

// AttachList attaches to the ShareableList called name.
func (p *Peer) AttachList(name string) (*List, error) {
	return object[List](p.bind("list", "attach_list", name))
}

// List returns the ShareableList that [Peer.Exec] has assigned to variable.
func (p *Peer) List(variable string) (*List, error) {
	return object[List](p.lookUp(variable))
}

// String returns, for example, List('psm_7843d557').
func (l *List) String() string { return "List(" + format.Repr(l.name) + ")" }

// Get returns list[i]. As in Python, -1 is the last item.
func (l *List) Get(i int) (any, error) { return call[any](l.peer, l.variable, "get", i) }

// Set executes list[i] = v.
func (l *List) Set(i int, v any) error { return run(l.peer, l.variable, "set", i, v) }

// Len returns len(list), which Python reads from the segment each time.
func (l *List) Len() (int, error) { return l.number("len") }

// Index returns list.index(v). If v is missing, the error is Python's ValueError.
func (l *List) Index(v any) (int, error) { return l.number("index", v) }

// Count returns list.count(v).
func (l *List) Count(v any) (int, error) { return l.number("count", v) }

// Repr returns repr(list).
func (l *List) Repr() (string, error) { return call[string](l.peer, l.variable, "repr") }

// Format returns list.format, the formats of all items.
func (l *List) Format() (string, error) { return call[string](l.peer, l.variable, "format") }

// Values returns all items, by iterating over the list.
func (l *List) Values() ([]any, error) { return call[[]any](l.peer, l.variable, "values") }

func (l *List) number(op string, args ...any) (int, error) {
	return number(l.peer, l.variable, op, args...)
}
