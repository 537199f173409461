package worker

import (
	"errors"
	"fmt"
	"sync"

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
	size   int // of the frame, in bytes
}

// errProtocol is the reason when a worker sends something else than a reply.
var errProtocol = errors.New("the worker does not speak the protocol")

func protocolf(format string, args ...any) error {
	return fmt.Errorf("%w: %s", errProtocol, fmt.Sprintf(format, args...))
}

// wakeFrame tells a worker that rests to look at its semaphore.
var wakeFrame = mustMarshal(pickle.Tuple{frameWake})

func mustMarshal(v any) []byte {
	b, err := pickle.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

// posts counts the calls that were handed over by semaphore. A worker that has had nothing
// to do for a moment sends ("idle", n) after n calls, and waits for a frame ("wake",). So an
// idle worker sleeps without an end, and notices when the connection ends.
type posts struct {
	mu    sync.Mutex
	n     int64
	rests bool // the worker waits for a frame
}

// add counts a call just before it is handed over, and reports whether the worker has to
// be woken for it.
func (p *posts) add() (rests bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.n++
	rests, p.rests = p.rests, false
	return rests
}

// idle notes that the worker has nothing to do after n calls, and reports whether there is
// another one by now, so that it has to be woken at once.
func (p *posts) idle(n int64) (wake bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rests = n == p.n
	return !p.rests
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
	r.id, r.size = id, len(b)
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
