package manager

import (
	"context"
	"sync"

	"github.com/pyshm-go/pyshm/format/pickle"
)

// An Event is an object like Python's threading.Event. Its methods may be called by
// several goroutines at once, and by clients at the same time.
type Event struct {
	mu      sync.Mutex
	isSet   bool
	waiting waiters
}

// NewEvent makes an event, not set yet.
func NewEvent() *Event { return &Event{} }

// Set sets the event, and wakes all that wait for it.
func (e *Event) Set() { e.set(true) }

// Clear resets the event.
func (e *Event) Clear() { e.set(false) }

// IsSet reports whether the event is set.
func (e *Event) IsSet() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.isSet
}

// Wait waits until the event is set. If it is set Wait returns nil even if ctx is done.
func (e *Event) Wait(ctx context.Context) error { return wrap("wait", "event", e.wait(ctx)) }

func (e *Event) set(isSet bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.isSet = isSet
	if isSet {
		e.waiting.wakeAll()
	}
}

func (e *Event) wait(ctx context.Context) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.isSet {
		return nil
	}
	return e.waiting.wait(ctx, &e.mu)
}

var eventOperations = operations[*Event]{
	"is_set": {nil, func(e *Event, _ context.Context, _ []any) (any, error) { return e.IsSet(), nil }},
	"set": {nil, func(e *Event, _ context.Context, _ []any) (any, error) {
		e.Set()
		return nil, nil
	}},
	"clear": {nil, func(e *Event, _ context.Context, _ []any) (any, error) {
		e.Clear()
		return nil, nil
	}},
	"wait": {params("timeout=None"), func(e *Event, ctx context.Context, a []any) (any, error) {
		switch err := patiently(ctx, true, a[0], errInVain, e.wait); err {
		case nil:
			return true, nil
		case errInVain:
			return false, nil
		default:
			return nil, err
		}
	}},
}

// Methods returns the names of the methods that clients may call.
func (e *Event) Methods() []string { return eventOperations.names() }

// Call calls a method for a client.
func (e *Event) Call(ctx context.Context, method string, args []any, keywords *pickle.Dict) (any, error) {
	return eventOperations.dispatch(e, ctx, method, args, keywords)
}
