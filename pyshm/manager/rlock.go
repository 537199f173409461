package manager

import (
	"context"
	"sync"

	"github.com/pyshm-go/pyshm/format/pickle"
)

// An rlock is threading.RLock. It belongs to the session that has acquired it, as in
// CPython to the server's thread. If the session ends it is released: no other client
// could do that any more.
type rlock struct {
	mu      sync.Mutex
	owner   *session // meaningful if depth is not 0
	depth   int64
	waiting waiters
}

// sessionOf returns the session whose call a context belongs to, nil in this process.
func sessionOf(ctx context.Context) *session {
	s, _ := ctx.Value(sessionKey{}).(*session)
	return s
}

// lockFor takes the lock for a session, depth times. The caller holds mu.
func (l *rlock) lockFor(ctx context.Context, s *session, depth int64) error {
	for l.depth > 0 && l.owner != s {
		if err := l.waiting.wait(ctx, &l.mu); err != nil {
			return err
		}
	}
	l.owner = s
	l.depth += depth
	if s != nil {
		s.locks[l] = struct{}{}
	}
	return nil
}

// unlock gives the lock up. The caller holds mu.
func (l *rlock) unlock() {
	if l.owner != nil {
		delete(l.owner.locks, l)
	}
	l.owner, l.depth = nil, 0
	l.waiting.wake(1)
}

func (l *rlock) isOwner(s *session) bool { return l.depth > 0 && l.owner == s }

// abandonLocks releases what belongs to a session that has ended.
func (s *session) abandonLocks() {
	for l := range s.locks {
		l.mu.Lock()
		l.unlock()
		l.mu.Unlock()
	}
}

func (l *rlock) acquire(ctx context.Context, a []any) (any, error) {
	v, err := acquired(ctx, a, func(limited context.Context) error {
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.lockFor(limited, sessionOf(ctx), 1)
	}, nil)
	if t, ok := v.(taken); ok { // if the client is gone its session ends
		return t.value, err
	}
	return v, err
}

func (l *rlock) release(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.isOwner(sessionOf(ctx)) {
		return raise("RuntimeError", "cannot release un-acquired lock")
	}
	if l.depth > 1 {
		l.depth--
	} else {
		l.unlock()
	}
	return nil
}

var rlockOperations = operations[*rlock]{
	"acquire": {params("blocking=True timeout=None"), (*rlock).acquire},
	"release": {nil, func(l *rlock, ctx context.Context, _ []any) (any, error) { return nil, l.release(ctx) }},
	"locked": {nil, func(l *rlock, _ context.Context, _ []any) (any, error) {
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.depth > 0, nil
	}},
}

func (l *rlock) Methods() []string { return rlockOperations.names() }

func (l *rlock) Call(ctx context.Context, method string, args []any, keywords *pickle.Dict) (any, error) {
	return rlockOperations.dispatch(l, ctx, method, args, keywords)
}

// A condition is threading.Condition with an RLock of its own.
type condition struct {
	lock     rlock
	notified waiters // guarded by lock.mu
}

func (c *condition) wait(ctx context.Context, timeout any) (any, error) {
	limited, cancel, err := limit(ctx, true, timeout)
	if err != nil {
		return nil, err
	}
	defer cancel()
	c.lock.mu.Lock()
	defer c.lock.mu.Unlock()
	s, depth := c.lock.owner, c.lock.depth
	if !c.lock.isOwner(sessionOf(ctx)) {
		return nil, raise("RuntimeError", "cannot wait on un-acquired lock")
	}
	c.lock.unlock()
	waitErr := c.notified.wait(limited, &c.lock.mu)
	// Whatever has ended the wait, a client that is still there has the lock again.
	if err := c.lock.lockFor(ctx, s, depth); err != nil {
		return nil, err
	}
	return waitErr == nil, nil
}

func (c *condition) notify(ctx context.Context, n int64) error {
	c.lock.mu.Lock()
	defer c.lock.mu.Unlock()
	if !c.lock.isOwner(sessionOf(ctx)) {
		return raise("RuntimeError", "cannot notify on un-acquired lock")
	}
	c.notified.wake(int(max(min(n, 1<<30), 0)))
	return nil
}

var conditionOperations = operations[*condition]{
	"acquire": {params("blocking=True timeout=None"), func(c *condition, ctx context.Context, a []any) (any, error) {
		return c.lock.acquire(ctx, a)
	}},
	"release": {nil, func(c *condition, ctx context.Context, _ []any) (any, error) { return nil, c.lock.release(ctx) }},
	"locked": {nil, func(c *condition, ctx context.Context, _ []any) (any, error) {
		return c.lock.Call(ctx, "locked", nil, nil)
	}},
	"wait": {params("timeout=None"), func(c *condition, ctx context.Context, a []any) (any, error) {
		return c.wait(ctx, a[0])
	}},
	"notify": {params("n=1"), func(c *condition, ctx context.Context, a []any) (any, error) {
		n, ok := a[0].(int64)
		if !ok {
			return nil, raise("TypeError", "n is "+pythonType(a[0])+", not int")
		}
		return nil, c.notify(ctx, n)
	}},
	"notify_all": {nil, func(c *condition, ctx context.Context, _ []any) (any, error) {
		return nil, c.notify(ctx, 1<<30)
	}},
}

func (c *condition) Methods() []string { return conditionOperations.names() }

func (c *condition) Call(ctx context.Context, method string, args []any, keywords *pickle.Dict) (any, error) {
	return conditionOperations.dispatch(c, ctx, method, args, keywords)
}
