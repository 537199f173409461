package manager

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/pyshm-go/pyshm/format/pickle"
)

// Register makes a function available to clients under a name, as Python's
// BaseManager.register does in its server. A client in Python registers the name, too,
// without a callable:
//
//	class QueueManager(BaseManager): pass
//	QueueManager.register("get_queue")
//	manager = QueueManager(address, authkey)
//	manager.connect()
//	queue = manager.get_queue()
//
// For each manager.get_queue() the Manager calls f with the arguments. If f returns an
// [Object] the client gets a proxy of it; an Object that f returns again is the same
// object to clients. Any other value becomes an object without methods, of which
// proxy._getvalue() returns a copy. The Manager forgets an object when all its proxies are
// gone.
//
// The context of f ends when the client goes away, and when f returns. An error becomes an
// exception in the client: a [RemoteError] the exception that it describes, [ErrEmpty],
// [ErrFull] and [ErrStop] Python's classes, an errno the OSError, a context's error
// TimeoutError, and any other a RuntimeError with its text. From f itself, and not from a
// method, Python's clients get it as the text of a multiprocessing.managers.RemoteError.
//
// Shutdown waits until f and the methods have returned, which is soon if they look at their
// contexts.
//
// Register may be called while the manager serves. If a name is registered again, it
// stands for the new function.
func (m *Manager) Register(typeid string, f Function) {
	m.objects.register(typeid, func(ctx context.Context, args []any, keywords *pickle.Dict) (any, error) {
		if keywords.Len() > 0 {
			return nil, raise("TypeError", typeid+"() takes no keyword arguments")
		}
		return f(ctx, args)
	})
}

// A factory makes an object for a client.
type factory func(ctx context.Context, args []any, keywords *pickle.Dict) (any, error)

// objects has the objects of which clients have proxies, by their ids.
type objects struct {
	most int

	mu        sync.Mutex
	factories map[string]factory
	byID      map[string]*held
	ids       map[Object]string // of the objects that can be a key
}

// A held object has references, which the proxies of clients hold.
type held struct {
	object     Object
	methods    []string
	references int
	isNested   bool // a managed object has, or had, a proxy of it: it stays for good, as in CPython
}

func newObjects(most int) *objects {
	return &objects{most: most, factories: map[string]factory{}, byID: map[string]*held{}, ids: map[Object]string{}}
}

func (t *objects) register(typeid string, f factory) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.factories[typeid] = f
}

// isEmpty reports whether nothing is registered.
func (t *objects) isEmpty() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.factories) == 0
}

// create makes an object for a client, which then has a reference.
func (t *objects) create(ctx context.Context, typeid string, args []any, keywords *pickle.Dict) (id string, methods []string, err error) {
	t.mu.Lock()
	f, ok := t.factories[typeid]
	t.mu.Unlock()
	if !ok {
		return "", nil, raise("KeyError", typeid)
	}
	v, err := f(ctx, args, keywords)
	if err != nil {
		return "", nil, err
	}
	o, ok := v.(Object)
	if !ok {
		if v, err = copied(v); err != nil {
			return "", nil, err
		}
		o = &constant{v}
	}
	return t.add(o)
}

// add gives a client a reference to an object.
func (t *objects) add(o Object) (id string, methods []string, err error) {
	methods = o.Methods()
	t.mu.Lock()
	defer t.mu.Unlock()
	isKey := reflect.ValueOf(o).Comparable()
	if isKey {
		if id, ok := t.ids[o]; ok {
			h := t.byID[id]
			h.references++
			return id, h.methods, nil
		}
	}
	if len(t.byID) >= t.most {
		return "", nil, raise("RuntimeError", fmt.Sprintf("the manager has %d objects, as many as MaxObjects allows", t.most))
	}
	id = newID()
	t.byID[id] = &held{object: o, methods: methods, references: 1}
	if isKey {
		t.ids[o] = id
	}
	return id, methods, nil
}

// newID returns a name that no object of this or an earlier server has.
func newID() string {
	var b [8]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

func (t *objects) find(id any) (*held, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s, ok := id.(string)
	h := t.byID[s]
	return h, ok && h != nil
}

func (t *objects) incref(id string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	h := t.byID[id]
	if h == nil {
		return raise("KeyError", id)
	}
	h.references++
	return nil
}

// decref gives up a reference, and forgets the object with the last one.
func (t *objects) decref(id string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	h := t.byID[id]
	switch {
	case h == nil:
		return raise("KeyError", id)
	case h.references > 0:
		h.references--
	}
	if h.references == 0 && !h.isNested {
		delete(t.byID, id)
		if reflect.ValueOf(h.object).Comparable() {
			delete(t.ids, h.object)
		}
	}
	return nil
}

// keepNested keeps the objects whose proxies are in a value for good. A proxy that lies in
// a managed list has no reference of its own.
func (t *objects) keepNested(v any) {
	if id, ok := nestedID(v); ok {
		t.mu.Lock()
		defer t.mu.Unlock()
		if h := t.byID[id]; h != nil {
			h.isNested = true
		}
		return
	}
	for _, part := range parts(v) {
		t.keepNested(part)
	}
}

func nestedID(v any) (id string, ok bool) {
	o, isObject := v.(*pickle.Object)
	if !isObject || o.Class != rebuildProxy || len(o.Args) < 2 {
		return "", false
	}
	_, _, id, ok = parseToken(o.Args[1])
	return id, ok
}

// parts returns the values that lie in a value.
func parts(v any) []any {
	switch v := v.(type) {
	case []any:
		return v
	case pickle.Tuple:
		return v
	case *pickle.Set:
		return slices.Collect(v.All())
	case *pickle.FrozenSet:
		return slices.Collect(v.All())
	case *pickle.Dict:
		var all []any
		for key, value := range v.All() {
			all = append(all, key, value)
		}
		return all
	case *pickle.Object:
		all := []any{v.Args, v.Items, v.State}
		if v.Callee != nil {
			all = append(all, v.Callee)
		}
		return append(append(all, parts(v.Keywords)...), parts(v.Pairs)...)
	}
	return nil
}

// count returns the number of objects of which clients have references.
func (t *objects) count() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := 0
	for _, h := range t.byID {
		if h.references > 0 {
			n++
		}
	}
	return n
}

// describe returns a line for each object, as CPython's server does.
func (t *objects) describe() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var lines []string
	for id, h := range t.byID {
		lines = append(lines, fmt.Sprintf("  %s:       refcount=%d\n    %.75s", id, h.references, fmt.Sprintf("%T", h.object)))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}
