package descriptor

import (
	"context"
	"os"
	"time"
)

// longAgo is a deadline that ends every wait.
var longAgo = time.Unix(0, 1)

// Interruptibly calls f, which reads or writes a stream. When ctx ends, a deadline in the
// past makes f fail with os.ErrDeadlineExceeded; there is no deadline afterwards. If ctx
// has ended before the call, Interruptibly returns that error without calling f.
func Interruptibly(ctx context.Context, setDeadline func(time.Time) error, f func() error) error {
	if ctx.Err() != nil {
		return os.ErrDeadlineExceeded
	}
	interrupted := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(interrupted)
		_ = setDeadline(longAgo) // fails only if the stream is closed
	})
	err := f()
	if !stop() {
		<-interrupted
		_ = setDeadline(time.Time{})
	}
	return err
}
