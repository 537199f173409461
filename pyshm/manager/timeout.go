package manager

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"
)

// patiently calls f with a context that ends as Python's arguments block and timeout say.
// If that ends f, the error is inVain.
func patiently(ctx context.Context, block, timeout any, inVain error, f func(context.Context) error) error {
	limited, cancel, err := limit(ctx, block, timeout)
	if err != nil {
		return err
	}
	defer cancel()
	err = f(limited)
	if err != nil && errors.Is(err, limited.Err()) && (limited == over || context.Cause(limited) == errTimeout) {
		return inVain
	}
	return err
}

var errTimeout = errors.New("the timeout of the client is over")

// errInVain is the error of a call whose timeout is over.
var errInVain = errors.New("the timeout is over")

// limit returns the context of a call with Python's arguments block and timeout.
func limit(ctx context.Context, block, timeout any) (context.Context, context.CancelFunc, error) {
	if !truth(block) {
		return over, func() {}, nil
	}
	d, given, err := timeoutOf(timeout)
	switch {
	case err != nil:
		return nil, nil, err
	case !given:
		return ctx, func() {}, nil
	case d <= 0:
		return over, func() {}, nil
	}
	limited, cancel := context.WithTimeoutCause(ctx, d, errTimeout)
	return limited, cancel, nil
}

// over is a context that has ended.
var over = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()

// timeoutOf returns a Python timeout, and reports whether there is one.
func timeoutOf(v any) (d time.Duration, given bool, err error) {
	var s float64
	switch v := v.(type) {
	case nil:
		return 0, false, nil
	case int64:
		s = float64(v)
	case float64:
		s = v
	case bool:
		s = map[bool]float64{true: 1}[v]
	default:
		return 0, false, raise("TypeError", fmt.Sprintf("the timeout is %s, not a number", pythonType(v)))
	}
	switch {
	case math.IsNaN(s) || s < 0:
		return 0, false, raise("ValueError", "'timeout' must be a non-negative number")
	case s > math.MaxInt64/2e9:
		return 0, false, nil
	}
	return time.Duration(s * float64(time.Second)), true, nil
}

// truth returns what Python's bool does for plain values.
func truth(v any) bool {
	switch v := v.(type) {
	case nil:
		return false
	case bool:
		return v
	case int64:
		return v != 0
	case float64:
		return v != 0
	case string:
		return v != ""
	}
	items, isSequence := sequence(v)
	return !isSequence || len(items) > 0
}
