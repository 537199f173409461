package manager

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/pyshm-go/pyshm/format/pickle"
)

// A Namespace is an object like Python's managers.Namespace: clients set and read its
// attributes. Its methods may be called by several goroutines at once, and by clients at
// the same time. Values are as in a [Dict].
type Namespace struct{ attributes *Dict }

// NewNamespace makes a namespace without attributes.
func NewNamespace() *Namespace { return &Namespace{NewDict()} }

// Get returns the value of an attribute, and reports whether there is one.
func (n *Namespace) Get(name string) (value any, ok bool) { return n.attributes.Get(name) }

// Set gives an attribute a copy of a value.
func (n *Namespace) Set(name string, value any) error { return n.attributes.Set(name, value) }

// Delete removes an attribute and reports whether it was there.
func (n *Namespace) Delete(name string) bool { return n.attributes.Delete(name) }

func (n *Namespace) value() any {
	return instanceOf("Namespace", n.attributes.Items())
}

// instanceOf returns an instance of a class of multiprocessing.managers.
func instanceOf(class string, state *pickle.Dict) any {
	o := &pickle.Object{Class: managersClass(class), Form: pickle.New}
	if state.Len() > 0 {
		o.State = state
	}
	return o
}

// String returns the namespace as Python's repr shows it.
func (n *Namespace) String() string {
	var all []string
	for name, value := range n.attributes.Items().All() {
		if name, ok := name.(string); ok && !strings.HasPrefix(name, "_") {
			all = append(all, name+"="+pickle.Repr(value, maxRepr))
		}
	}
	slices.Sort(all)
	return "Namespace(" + strings.Join(all, ", ") + ")"
}

var namespaceOperations = operations[*Namespace]{
	"__getattribute__": {params("name"), func(n *Namespace, _ context.Context, a []any) (any, error) {
		return n.attribute(n.attributes.Get(a[0]))(a[0])
	}},
	"__setattr__": {params("name value"), func(n *Namespace, _ context.Context, a []any) (any, error) {
		if _, ok := a[0].(string); !ok {
			return nil, raise("TypeError", "attribute name must be string, not '"+pythonType(a[0])+"'")
		}
		n.attributes.mu.Lock()
		defer n.attributes.mu.Unlock()
		return nil, n.attributes.set(a[0], a[1])
	}},
	"__delattr__": {params("name"), func(n *Namespace, _ context.Context, a []any) (any, error) {
		_, err := n.attribute(nil, n.attributes.Delete(a[0]))(a[0])
		return nil, err
	}},
}

// attribute makes an AttributeError for a missing attribute.
func (n *Namespace) attribute(v any, ok bool) func(name any) (any, error) {
	return func(name any) (any, error) {
		if !ok {
			return nil, raise("AttributeError", fmt.Sprintf("'Namespace' object has no attribute %s", pickle.Repr(name, maxExcerpt)))
		}
		return v, nil
	}
}

// Methods returns the names of the methods that clients may call.
func (n *Namespace) Methods() []string { return namespaceOperations.names() }

// Call calls a method for a client.
func (n *Namespace) Call(ctx context.Context, method string, args []any, keywords *pickle.Dict) (any, error) {
	return namespaceOperations.dispatch(n, ctx, method, args, keywords)
}
