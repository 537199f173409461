package descriptor

import (
	"context"
	"io/fs"
)

// A Turn is a mutex for the goroutines that read from a stream, or that write to it. A
// context can end the wait for it. Its capacity is 1.
type Turn chan struct{}

// Take takes the turn at once if it can be had, even if ctx is done. The error is
// fs.ErrClosed if closed, which may be nil, is closed first.
func (t Turn) Take(ctx context.Context, closed <-chan struct{}) error {
	if t.TryTake() {
		return nil
	}
	select {
	case t <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-closed:
		return fs.ErrClosed
	}
}

// TryTake takes the turn if it can be had, and reports whether it has.
func (t Turn) TryTake() bool {
	select {
	case t <- struct{}{}:
		return true
	default:
		return false
	}
}

// Release lets the next one have the turn.
func (t Turn) Release() { <-t }
