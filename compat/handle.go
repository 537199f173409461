package compat

import "fmt"

// handle has the fields and methods that [List] and [Block] have in common.
type handle struct {
	peer     *Peer
	variable string
	name     string
}

// Var returns the Python variable that holds the object, for [Peer.Eval],
// [Peer.Exec] and [Request].
func (h *handle) Var() string { return h.variable }

// Name returns the segment's name as Python has it: without a slash, unless the
// peer was given one.
func (h *handle) Name() string { return h.name }

// Bytes returns a copy of the whole segment as Python sees it.
func (h *handle) Bytes() ([]byte, error) { return call[[]byte](h.peer, h.variable, "bytes") }

// Close calls Python's close: the peer can no longer reach the memory.
func (h *handle) Close() error { return run(h.peer, h.variable, "close") }

// Unlink calls Python's unlink: the name is gone, and the memory stays as long as a
// process has it open.
func (h *handle) Unlink() error { return run(h.peer, h.variable, "unlink") }

// bind has Python make an object, and keep it in a new variable.
func (p *Peer) bind(kind, op string, args ...any) (handle, error) {
	variable := fmt.Sprintf("_pyshm_%s%d", kind, p.variables.Add(1))
	name, err := call[string](p, "", op, append([]any{variable}, args...)...)
	return handle{p, variable, name}, err
}

// lookUp returns the object that a variable holds.
func (p *Peer) lookUp(variable string) (handle, error) {
	name, err := call[string](p, variable, "name")
	return handle{p, variable, name}, err
}

// object returns the List or Block with a handle.
func object[T List | Block](h handle, err error) (*T, error) {
	if err != nil {
		return nil, err
	}
	return &T{h}, nil
}

// nameOrNone returns None for the empty name, for which Python chooses a name.
func nameOrNone(name string) any {
	if name == "" {
		return nil
	}
	return name
}
