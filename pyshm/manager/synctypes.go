package manager

import (
	"context"

	"github.com/pyshm-go/pyshm/format/pickle"
)

// RegisterSyncTypes registers the types of Python's SyncManager under their names: dict,
// list, Queue, JoinableQueue, Lock, RLock, Semaphore, BoundedSemaphore, Condition, Event,
// Barrier, Namespace, Value and Array. A Python client is then
//
//	manager = SyncManager(address, authkey)
//	manager.connect()
//	counts = manager.dict(a=1)
//
// The action of a Barrier, the key of a list's sort and the lock of a Condition are
// refused: they are Python code, or another object. Pool is not there, since it has
// functions to run.
func (m *Manager) RegisterSyncTypes() {
	for typeid, f := range syncTypes {
		m.objects.register(typeid, f)
	}
}

var syncTypes = map[string]factory{
	"dict": func(_ context.Context, args []any, keywords *pickle.Dict) (any, error) {
		bound, err := bind("dict", params("pairs="), args, nil)
		if err != nil {
			return nil, err
		}
		d := NewDict()
		return d, d.update(bound[0], keywords)
	},
	"list": of("list", "items=", func(a []any) (any, error) {
		if a[0] == any(absent{}) {
			return NewList(), nil
		}
		items, err := iterate(a[0])
		return &List{items: append([]any{}, items...)}, err
	}),
	"Queue":         of("Queue", "maxsize=0", newQueueOf),
	"JoinableQueue": of("JoinableQueue", "maxsize=0", newQueueOf),
	"Lock":          of("Lock", "", func([]any) (any, error) { return NewLock(), nil }),
	"RLock":         of("RLock", "", func([]any) (any, error) { return &rlock{}, nil }),
	"Condition":     of("Condition", "", func([]any) (any, error) { return &condition{}, nil }),
	"Event":         of("Event", "", func([]any) (any, error) { return NewEvent(), nil }),
	"Semaphore":     of("Semaphore", "value=1", func(a []any) (any, error) { return semaphoreOf(a[0], false) }),
	"BoundedSemaphore": of("BoundedSemaphore", "value=1", func(a []any) (any, error) {
		return semaphoreOf(a[0], true)
	}),
	"Barrier": of("Barrier", "parties action=None timeout=None", func(a []any) (any, error) {
		return newBarrier(a[0], a[1], a[2])
	}),
	"Namespace": func(_ context.Context, args []any, keywords *pickle.Dict) (any, error) {
		if len(args) > 0 {
			return nil, raise("TypeError", "Namespace() takes keyword arguments only")
		}
		n := NewNamespace()
		return n, n.attributes.update(absent{}, keywords)
	},
	"Value": of("Value", "typecode value lock=True", func(a []any) (any, error) {
		return &Value{typecode: a[0], v: a[1]}, nil
	}),
	"Array": of("Array", "typecode sequence lock=True", func(a []any) (any, error) { return newArray(a[0], a[1]) }),
}

// of makes the factory of a type from its parameters and its constructor.
func of(name, parameters string, construct func(args []any) (any, error)) factory {
	all := params(parameters)
	return func(_ context.Context, args []any, keywords *pickle.Dict) (any, error) {
		bound, err := bind(name, all, args, keywords)
		if err != nil {
			return nil, err
		}
		return construct(bound)
	}
}

func newQueueOf(a []any) (any, error) {
	n, ok := a[0].(int64)
	if !ok {
		return nil, raise("TypeError", "maxsize is "+pythonType(a[0])+", not int")
	}
	return NewQueue(int(max(min(n, 1<<30), 0))), nil
}

func semaphoreOf(value any, isBounded bool) (any, error) {
	n, ok := value.(int64)
	if !ok {
		return nil, raise("TypeError", "value is "+pythonType(value)+", not int")
	}
	return newSemaphore(n, isBounded)
}
