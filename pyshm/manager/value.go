package manager

import (
	"context"
	"fmt"
	"sync"

	"github.com/pyshm-go/pyshm/format/pickle"
)

// A Value is an object like the one behind Python's SyncManager.Value: it holds one value,
// of any type, as Python's does. It lives in this process: it is not in shared memory. Its
// methods may be called by several goroutines at once, and by clients at the same time.
type Value struct {
	typecode any

	mu sync.Mutex
	v  any
}

// NewValue makes a value. The type code, "i" for example, is for Python's eyes only.
func NewValue(typecode string, v any) (*Value, error) {
	value := &Value{typecode: typecode}
	if err := value.Set(v); err != nil {
		return nil, err
	}
	return value, nil
}

// Get returns the value, which must not be changed.
func (v *Value) Get() any {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.v
}

// Set stores a copy of a value. [pickle.Marshal] lists the types that it may have.
func (v *Value) Set(value any) error {
	value, err := copied(value)
	if err == nil {
		v.set(value)
	}
	return wrap("set", "value", err)
}

func (v *Value) set(value any) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.v = value
}

func (v *Value) value() any {
	state := &pickle.Dict{}
	_, _ = state.Set("_typecode", v.typecode), state.Set("_value", v.Get()) // strs are keys
	return instanceOf("Value", state)
}

// String returns the value as Python's repr shows it.
func (v *Value) String() string {
	return fmt.Sprintf("Value(%s, %s)", pickle.Repr(v.typecode, maxExcerpt), pickle.Repr(v.Get(), maxRepr))
}

var valueOperations = operations[*Value]{
	"get": {nil, func(v *Value, _ context.Context, _ []any) (any, error) { return v.Get(), nil }},
	"set": {params("value"), func(v *Value, _ context.Context, a []any) (any, error) {
		v.set(a[0])
		return nil, nil
	}},
}

// Methods returns the names of the methods that clients may call.
func (v *Value) Methods() []string { return valueOperations.names() }

// Call calls a method for a client.
func (v *Value) Call(ctx context.Context, method string, args []any, keywords *pickle.Dict) (any, error) {
	return valueOperations.dispatch(v, ctx, method, args, keywords)
}
