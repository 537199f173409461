package manager

import (
	"context"
	"math"
	"sync"

	"github.com/pyshm-go/pyshm/format/pickle"
)

// A Lock is an object like Python's threading.Lock: any client and any goroutine may
// release it. If a client goes away while it waits in acquire, it takes nothing. A client
// that has acquired the lock and is killed leaves it acquired.
type Lock struct {
	mu      sync.Mutex
	tokens  int64
	most    int64 // of tokens; 0 for no limit
	waiting waiters
	tooMany error // the exception of a release beyond most
}

// NewLock makes a free lock.
func NewLock() *Lock {
	return &Lock{tokens: 1, most: 1, tooMany: raise("RuntimeError", "release unlocked lock")}
}

// Acquire waits until the lock is free and takes it. A free lock is taken even if ctx is
// done.
func (l *Lock) Acquire(ctx context.Context) error {
	return wrap("acquire", "lock", l.acquire(ctx))
}

// Release gives the lock back. It fails if the lock is free.
func (l *Lock) Release() error { return wrap("release", "lock", l.release(1)) }

func (l *Lock) acquire(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.tokens == 0 {
		if err := l.waiting.wait(ctx, &l.mu); err != nil {
			return err
		}
	}
	l.tokens--
	return nil
}

func (l *Lock) release(n int64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n < 1 {
		return raise("ValueError", "n must be one or more")
	}
	const mostTokens = 1 << 31
	if l.most > 0 && n > l.most-l.tokens || n > mostTokens-l.tokens {
		return l.tooMany
	}
	l.tokens += n
	l.waiting.wake(int(min(n, math.MaxInt32)))
	return nil
}

var lockOperations = operations[*Lock]{
	"acquire": {params("blocking=True timeout=None"), func(l *Lock, ctx context.Context, a []any) (any, error) {
		return acquired(ctx, a, l.acquire, func() { _ = l.release(1) }) // another client may have released it
	}},
	"release": {params("n=1"), func(l *Lock, _ context.Context, a []any) (any, error) {
		n, ok := a[0].(int64)
		if !ok {
			return nil, raise("TypeError", "n is "+pythonType(a[0])+", not int")
		}
		return nil, l.release(n)
	}},
	"locked": {nil, func(l *Lock, _ context.Context, _ []any) (any, error) {
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.tokens == 0, nil
	}},
}

// acquired acquires for a client, which may be gone when the reply is to be delivered. The
// arguments are blocking and timeout.
func acquired(ctx context.Context, a []any, acquire func(context.Context) error, release func()) (any, error) {
	timeout := a[1]
	if timeout == any(int64(-1)) || timeout == any(-1.0) {
		timeout = nil
	}
	if !truth(a[0]) && timeout != nil {
		return nil, raise("ValueError", "can't specify a timeout for a non-blocking call")
	}
	switch err := patiently(ctx, a[0], timeout, errInVain, acquire); err {
	case nil:
		return taken{true, release}, nil
	case errInVain:
		return false, nil
	default:
		return nil, err
	}
}

// Methods returns the names of the methods that clients may call.
func (l *Lock) Methods() []string { return lockOperations.names() }

// Call calls a method for a client.
func (l *Lock) Call(ctx context.Context, method string, args []any, keywords *pickle.Dict) (any, error) {
	return lockOperations.dispatch(l, ctx, method, args, keywords)
}

// newSemaphore makes threading.Semaphore, or BoundedSemaphore.
func newSemaphore(value int64, isBounded bool) (*Lock, error) {
	if value < 0 || value > 1<<30 {
		return nil, raise("ValueError", "semaphore initial value must be >= 0")
	}
	l := &Lock{tokens: value, tooMany: raise("ValueError", "Semaphore released too many times")}
	if isBounded {
		l.most = max(value, 1)
	}
	return l, nil
}
