package manager

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/pyshm-go/pyshm/format/pickle"
)

// slice is how long a call waits in the server at a time. Python's server cannot be told
// to stop waiting: a get whose client has gone takes the next item, which is then lost, and
// an acquire takes the lock for good.
const slice = 200 * time.Millisecond

// A wait is a method that waits in the server, and that can be called again when it has
// waited in vain.
type wait struct {
	method string
	also   []string // other methods of the object, by which its type is known
	params []string // before the timeout; the last one but for item says whether to wait
	inVain func(v any, err error) bool
	single bool // called once, for a slice at most
}

var waits = []wait{
	{"get", []string{"put", "get_nowait"}, []string{"block"}, isError(ErrEmpty), false},
	{"put", []string{"get", "put_nowait"}, []string{"item", "block"}, isError(ErrFull), false},
	{"acquire", []string{"release"}, []string{"blocking"}, isFalse, false},
	{"wait", []string{"set", "is_set"}, nil, isFalse, false},
	// A condition's wait must not be repeated here. A notify that comes when the time is
	// just over is used up, but wait returns False all the same.
	{"wait", []string{"notify", "acquire"}, nil, isFalse, true},
}

func isError(target error) func(any, error) bool {
	return func(_ any, err error) bool { return errors.Is(err, target) }
}

func isFalse(v any, err error) bool { return err == nil && v == any(false) }

// waitOf returns the wait that a method is, or nil.
func (p *Proxy) waitOf(method string) *wait {
	for i := range waits {
		if w := &waits[i]; w.method == method && p.has(w.also...) {
			return w
		}
	}
	return nil
}

// call makes a call in slices, until it has not waited in vain, or its own timeout is
// over, or ctx is done.
func (w *wait) call(ctx context.Context, p *Proxy, args []any, keywords *pickle.Dict) (any, error) {
	given, ok := w.bind(args, keywords)
	if !ok || !given.waits {
		return p.once(ctx, w.method, args, keywords) // whether or not the server likes the arguments
	}
	for first := true; ; first = false {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		timeout, last := given.next(ctx)
		v, err := p.slice(ctx, w.method, append(slices.Clone(given.args), timeout.Seconds()))
		switch {
		case first && w.isRefused(err):
			return p.once(ctx, w.method, args, keywords) // another method of this name
		case !w.inVain(v, err) || last || w.single:
			return v, err
		}
	}
}

// slice makes a call whose reply must not be lost if ctx ends.
func (p *Proxy) slice(ctx context.Context, method string, args []any) (any, error) {
	longer, cancel := outliving(ctx, slice+replyPatience)
	defer cancel()
	v, err := p.once(longer, method, args, &pickle.Dict{})
	if longer.Err() != nil && errors.Is(err, longer.Err()) {
		err = fmt.Errorf("%w: the server did not reply in time and may have executed the call", ctx.Err())
	}
	return v, err
}

// A bound wait has the arguments of a call, in order.
type boundWait struct {
	args     []any // before the timeout
	waits    bool
	deadline time.Time // zero without a timeout
}

// bind reads the arguments of a call. It reports false if they are not the method's.
func (w *wait) bind(args []any, keywords *pickle.Dict) (bound boundWait, ok bool) {
	names := append(slices.Clone(w.params), "timeout")
	if len(args) > len(names) {
		return bound, false
	}
	all := slices.Clone(args)
	used := 0
	for _, name := range names[len(args):] {
		v, given := keywords.Get(name)
		switch {
		case given:
			used++
		case name == "item":
			return bound, false
		case name != "timeout":
			v = true
		}
		all = append(all, v)
	}
	if used != keywords.Len() {
		return bound, false
	}
	last := len(names) - 1
	bound.args = all[:last]
	bound.waits = last == 0 || !isFalsy(all[last-1])
	timeout, given, ok := seconds(all[last])
	if given {
		bound.deadline = time.Now().Add(timeout)
	}
	return bound, ok
}

// isFalsy reports whether v is a value that says not to wait.
func isFalsy(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case bool:
		return !v
	case int:
		return v == 0
	case int64:
		return v == 0
	}
	return false
}

// next returns how long the next slice may last, and reports whether it is the last one.
func (b *boundWait) next(ctx context.Context) (timeout time.Duration, last bool) {
	timeout = slice
	if end, ok := ctx.Deadline(); ok {
		timeout = min(timeout, time.Until(end))
	}
	if !b.deadline.IsZero() {
		if left := time.Until(b.deadline); left <= timeout {
			timeout, last = left, true
		}
	}
	return max(timeout, 0), last
}

// seconds returns a Python timeout. None, and -1 for a lock, stand for none.
func seconds(v any) (d time.Duration, given, ok bool) {
	var s float64
	switch v := v.(type) {
	case nil:
		return 0, false, true
	case int:
		s = float64(v)
	case int64:
		s = float64(v)
	case float64:
		s = v
	case time.Duration:
		s = v.Seconds()
	default:
		return 0, false, false
	}
	switch {
	case s == -1:
		return 0, false, true
	case !(s >= 0): // an exception in Python
		return 0, false, false
	case s > math.MaxInt64/2e9:
		return 0, false, true
	}
	return time.Duration(s * float64(time.Second)), true, true
}

// isRefused reports whether the server has not called the method, because it takes no such
// arguments. Another TypeError may come from a call that has changed something, as put of a
// queue in the order of its items does.
func (w *wait) isRefused(err error) bool {
	var raised *RemoteError
	if !errors.As(err, &raised) || raised.Class != (pickle.Class{Module: "builtins", Name: "TypeError"}) || len(raised.Args) != 1 {
		return false
	}
	text, _ := raised.Args[0].(string)
	name, count, found := strings.Cut(text, "() takes ") // of a function of Python, and of most others
	if !found {
		name, count, found = strings.Cut(text, " expected ") // of some functions in C
	}
	return found && name[strings.LastIndex(name, ".")+1:] == w.method && strings.Contains(count, "argument")
}

// waitAtBarrier calls wait of a barrier. The server's thread stays a party of the barrier
// whatever becomes of the client, so the end of ctx breaks the barrier.
func (p *Proxy) waitAtBarrier(ctx context.Context, args []any, keywords *pickle.Dict) (any, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	longer, cancel := outliving(ctx, replyPatience)
	defer cancel()
	aborted := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(aborted)
		_, _ = p.once(longer, "abort", nil, &pickle.Dict{}) // the caller learns of ctx
	})
	v, err := p.once(longer, "wait", args, keywords)
	if stop() || err == nil {
		return v, err
	}
	<-aborted
	return nil, ctx.Err()
}
