package manager

import (
	"context"
	"fmt"
	"sync"

	"github.com/pyshm-go/pyshm/format/pickle"
)

// A barrier is threading.Barrier, without an action. A client that goes away while it waits
// breaks it.
type barrier struct {
	parties int64
	timeout any

	mu       sync.Mutex
	round    *round
	isBroken bool
}

// A round is over when all parties have come, or when the barrier breaks.
type round struct {
	waiting  waiters
	count    int64
	isOver   bool
	isBroken bool
}

func newBarrier(parties, action, timeout any) (*barrier, error) {
	n, ok := parties.(int64)
	switch {
	case !ok || n < 1:
		return nil, raise("ValueError", "parties must be an int > 0")
	case action != nil:
		return nil, raise("ValueError", "the action of a barrier cannot run in Go")
	}
	return &barrier{parties: n, timeout: timeout, round: &round{}}, nil
}

var errBroken error = &RemoteError{Class: pickle.Class{Module: "threading", Name: "BrokenBarrierError"}}

func (b *barrier) wait(ctx context.Context, timeout any) (any, error) {
	if timeout == nil {
		timeout = b.timeout
	}
	limited, cancel, err := limit(ctx, true, timeout)
	if err != nil {
		return nil, err
	}
	defer cancel()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.isBroken {
		return nil, errBroken
	}
	r := b.round
	index := r.count
	if r.count++; r.count == b.parties {
		b.end(false)
	}
	for !r.isOver {
		if err := r.waiting.wait(limited, &b.mu); err != nil && !r.isOver {
			b.isBroken = true
			b.end(true)
		}
	}
	if r.isBroken {
		return nil, errBroken
	}
	return index, nil
}

// end ends the round. The caller holds mu.
func (b *barrier) end(isBroken bool) {
	b.round.isOver, b.round.isBroken = true, isBroken
	b.round.waiting.wakeAll()
	b.round = &round{}
}

// breakUp ends the round as broken, and leaves the barrier broken or not.
func (b *barrier) breakUp(isBroken bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.isBroken = isBroken
	b.end(true)
}

func (b *barrier) attribute(name any) (any, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch name {
	case "parties":
		return b.parties, nil
	case "n_waiting":
		return b.round.count, nil
	case "broken":
		return b.isBroken, nil
	}
	return nil, raise("AttributeError", fmt.Sprintf("'Barrier' object has no attribute %s", pickle.Repr(name, maxExcerpt)))
}

var barrierOperations = operations[*barrier]{
	"wait": {params("timeout=None"), func(b *barrier, ctx context.Context, a []any) (any, error) {
		return b.wait(ctx, a[0])
	}},
	"abort": {nil, func(b *barrier, _ context.Context, _ []any) (any, error) {
		b.breakUp(true)
		return nil, nil
	}},
	"reset": {nil, func(b *barrier, _ context.Context, _ []any) (any, error) {
		b.breakUp(false)
		return nil, nil
	}},
	"__getattribute__": {params("name"), func(b *barrier, _ context.Context, a []any) (any, error) {
		return b.attribute(a[0])
	}},
}

func (b *barrier) Methods() []string { return barrierOperations.names() }

func (b *barrier) Call(ctx context.Context, method string, args []any, keywords *pickle.Dict) (any, error) {
	return barrierOperations.dispatch(b, ctx, method, args, keywords)
}
