package worker

import (
	"errors"
	"fmt"

	"github.com/pyshm-go/pyshm/format/pickle"
)

// The first item of a frame.
const (
	frameCall   = "call"   // to the worker: id, function, args
	frameReturn = "return" // from the worker: id, value
	frameRaise  = "raise"  // from the worker: id, class, message, args, traceback
	frameIdle   = "idle"   // from the worker: number of requests served
	frameWake   = "wake"   // to the worker
)

// A reply is what a call has led to.
type reply struct {
	id     int64
	value  any
	raised *PythonError
}

// errProtocol is the reason when a worker sends something else than a reply.
var errProtocol = errors.New("the worker does not speak the protocol")

func protocolf(format string, args ...any) error {
	return fmt.Errorf("%w: %s", errProtocol, fmt.Sprintf(format, args...))
}

// items returns the items of a tuple or list.
func items(v any) []any {
	switch v := v.(type) {
	case pickle.Tuple:
		return v
	case []any:
		return v
	}
	return nil
}

// parseFrame reads a frame from a worker. kind is frameReturn, frameRaise or frameIdle; of
// frameIdle, the id of the reply is the number.
func parseFrame(b []byte) (kind string, r reply, err error) {
	v, err := pickle.Unmarshal(b, nil)
	if err != nil {
		return "", reply{}, fmt.Errorf("%w: %w", errProtocol, err)
	}
	frame := items(v)
	if len(frame) < 2 {
		return "", reply{}, protocolf("a frame is %s", pickle.Repr(v, 100))
	}
	kind, _ = frame[0].(string)
	id, ok := frame[1].(int64)
	r.id = id
	switch {
	case !ok:
	case kind == frameIdle && len(frame) == 2:
		return kind, r, nil
	case kind == frameReturn && len(frame) == 3:
		r.value = frame[2]
		return kind, r, nil
	case kind == frameRaise && len(frame) == 6:
		r.raised = parseException(frame[2:])
		return kind, r, nil
	}
	return "", reply{}, protocolf("a frame begins with %s and has %d items", pickle.Repr(frame[0], 100), len(frame))
}

// parseException reads class, message, args and traceback.
func parseException(raised []any) *PythonError {
	e := &PythonError{Class: text(raised[0]), Message: text(raised[1]), Traceback: text(raised[3])}
	e.Args = items(raised[2])
	return e
}

// text returns a str, also one with lone surrogates, or the repr of another value.
func text(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	return pickle.Repr(v, 4096)
}
