package pyshm

import (
	"context"
	"errors"
	"sync"
)

// A gate ends the calls that wait when Close begins, and has Close wait until all calls
// have ended: calls that hold a lock can still release it. The zero gate is closed.
type gate struct {
	closing context.Context         // done when Close begins, because of errClosed; nil in the zero value
	cancel  context.CancelCauseFunc // closing's
	calls   sync.RWMutex            // held for reading by calls
}

func (g *gate) open() { g.closing, g.cancel = context.WithCancelCause(context.Background()) }

func (g *gate) isClosed() bool { return g.closing == nil || g.closing.Err() != nil }

// run calls f, with a context that is also done when Close begins. run must not be called
// within f.
func (g *gate) run(ctx context.Context, f func(ctx context.Context) error) error {
	if !g.calls.TryRLock() { // only Close locks calls for writing, and may wait long for it
		return errClosed
	}
	defer g.calls.RUnlock()
	if g.isClosed() {
		return errClosed
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(g.closing, func() { cancel(errClosed) })()
	err := f(ctx)
	if errors.Is(err, context.Canceled) && context.Cause(ctx) == errClosed {
		err = errClosed
	}
	return err
}

// close ends the calls, and then calls f.
func (g *gate) close(f func() error) error {
	if g.closing == nil {
		return nil
	}
	g.cancel(errClosed)
	g.calls.Lock()
	defer g.calls.Unlock()
	return f()
}
