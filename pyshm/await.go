package pyshm

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/pyshm-go/pyshm/format"
)

// AttachContext is [Attach] for a segment that may not exist yet: it waits until the
// segment exists and has its size. It tries at least once, and then at intervals from
// 1 ms up to 50 ms until ctx is done. Then the error is ctx.Err() together with the
// last error of Attach.
func AttachContext(ctx context.Context, name string, opts ...AttachOption) (*SharedMemory, error) {
	return await(ctx, func() (*SharedMemory, error) { return Attach(name, opts...) })
}

// await calls attach until it succeeds, fails for another reason than a missing or
// incomplete segment, or ctx is done.
func await[H any](ctx context.Context, attach func() (H, error)) (H, error) {
	const longest = 50 * time.Millisecond
	for pause := time.Millisecond; ; pause = min(2*pause, longest) {
		handle, err := attach()
		if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, format.ErrIncomplete) {
			return handle, err
		}
		select {
		case <-ctx.Done():
			var missing *Error
			if errors.As(err, &missing) {
				missing.Err = fmt.Errorf("%w: %w", ctx.Err(), missing.Err)
			}
			return handle, err
		case <-time.After(pause):
		}
	}
}
