package manager

import (
	"context"
	"slices"
	"sync"

	"github.com/pyshm-go/pyshm/format/pickle"
)

// A Queue is an object like Python's queue.Queue. Python's multiprocessing has proxies of
// one as Queue and JoinableQueue. Its methods may be called by several goroutines at once,
// and by clients at the same time.
//
// If a client goes away while it waits in get, it takes no item.
type Queue struct {
	maxsize int

	mu         sync.Mutex
	items      []any
	unfinished int
	getters    waiters
	putters    waiters
	joiners    waiters
}

// NewQueue makes an empty queue for at most maxsize items. If maxsize is not positive,
// there is no limit.
func NewQueue(maxsize int) *Queue { return &Queue{maxsize: maxsize} }

// Put adds an item, a copy of v. [pickle.Marshal] lists the types that v may have. Put waits
// while the queue is full.
func (q *Queue) Put(ctx context.Context, v any) error {
	v, err := copied(v)
	if err == nil {
		err = q.put(ctx, v)
	}
	return wrap("put", "queue", err)
}

// Get takes the oldest item out, and waits for one while the queue is empty. The item is of
// the types that format/pickle reads. If an item is there, Get returns it even if ctx is
// done.
func (q *Queue) Get(ctx context.Context) (any, error) {
	v, err := q.get(ctx)
	return v, wrap("get", "queue", err)
}

// Len returns the number of items.
func (q *Queue) Len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.items)
}

// TaskDone says that the work on an item is done. Join waits for it. It fails if it has
// been called for all items.
func (q *Queue) TaskDone() error { return wrap("task_done", "queue", q.taskDone()) }

// Join waits until TaskDone has been called for each item that was put.
func (q *Queue) Join(ctx context.Context) error { return wrap("join", "queue", q.join(ctx)) }

func (q *Queue) isFull() bool { return q.maxsize > 0 && len(q.items) >= q.maxsize }

func (q *Queue) put(ctx context.Context, v any) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.isFull() {
		if err := q.putters.wait(ctx, &q.mu); err != nil {
			return err
		}
	}
	q.items = append(q.items, v)
	q.unfinished++
	q.getters.wake(1)
	return nil
}

func (q *Queue) get(ctx context.Context) (any, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.items) == 0 {
		if err := q.getters.wait(ctx, &q.mu); err != nil {
			return nil, err
		}
	}
	v := q.items[0]
	q.items[0] = nil
	q.items = q.items[1:]
	q.putters.wake(1)
	return v, nil
}

// putBack makes an item the oldest one again.
func (q *Queue) putBack(v any) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.items = slices.Insert(q.items, 0, v)
	q.getters.wake(1)
}

func (q *Queue) taskDone() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.unfinished == 0 {
		return raise("ValueError", "task_done() called too many times")
	}
	if q.unfinished--; q.unfinished == 0 {
		q.joiners.wakeAll()
	}
	return nil
}

func (q *Queue) join(ctx context.Context) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.unfinished > 0 {
		if err := q.joiners.wait(ctx, &q.mu); err != nil {
			return err
		}
	}
	return nil
}

var queueOperations = operations[*Queue]{
	"put": {params("item block=True timeout=None"), func(q *Queue, ctx context.Context, a []any) (any, error) {
		return nil, patiently(ctx, a[1], a[2], ErrFull, func(ctx context.Context) error { return q.put(ctx, a[0]) })
	}},
	"put_nowait": {params("item"), func(q *Queue, ctx context.Context, a []any) (any, error) {
		return nil, patiently(ctx, false, nil, ErrFull, func(ctx context.Context) error { return q.put(ctx, a[0]) })
	}},
	"get": {params("block=True timeout=None"), func(q *Queue, ctx context.Context, a []any) (any, error) {
		return q.getFor(ctx, a[0], a[1])
	}},
	"get_nowait": {nil, func(q *Queue, ctx context.Context, _ []any) (any, error) { return q.getFor(ctx, false, nil) }},
	"task_done":  {nil, func(q *Queue, _ context.Context, _ []any) (any, error) { return nil, q.taskDone() }},
	"join":       {nil, func(q *Queue, ctx context.Context, _ []any) (any, error) { return nil, q.join(ctx) }},
	"qsize":      {nil, func(q *Queue, _ context.Context, _ []any) (any, error) { return q.Len(), nil }},
	"empty":      {nil, func(q *Queue, _ context.Context, _ []any) (any, error) { return q.Len() == 0, nil }},
	"full": {nil, func(q *Queue, _ context.Context, _ []any) (any, error) {
		q.mu.Lock()
		defer q.mu.Unlock()
		return q.isFull(), nil
	}},
}

// Methods returns the names of the methods that clients may call, as queue.Queue has them.
func (q *Queue) Methods() []string { return queueOperations.names() }

// Call calls a method for a client.
func (q *Queue) Call(ctx context.Context, method string, args []any, keywords *pickle.Dict) (any, error) {
	return queueOperations.dispatch(q, ctx, method, args, keywords)
}

// getFor takes an item for a client, which may be gone when it is to be delivered.
func (q *Queue) getFor(ctx context.Context, block, timeout any) (any, error) {
	var v any
	err := patiently(ctx, block, timeout, ErrEmpty, func(ctx context.Context) (err error) {
		v, err = q.get(ctx)
		return err
	})
	if err != nil {
		return nil, err
	}
	return taken{v, func() { q.putBack(v) }}, nil
}
