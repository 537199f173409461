package worker

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/pyshm-go/pyshm/format/pickle"
	"github.com/pyshm-go/pyshm/pyshm/connection"
	"github.com/pyshm-go/pyshm/pyshm/internal/child"
)

// A worker is a Python that serves calls, from its start to its end. One goroutine at a
// time calls it: the one that has taken it from the pool.
type worker struct {
	conn  *connection.Conn
	proc  *process // nil if another program started it
	log   *slog.Logger
	grace time.Duration

	replies chan reply
	gone    chan struct{} // closed when the worker has ended: no reply will come
	reason  error         // how it ended; valid when gone is closed

	// These belong to the goroutine that has the worker.
	id       int64 // of the last call
	calls    int
	module   string // of Python's helper; "" if the worker is a loop without it
	awaiting bool   // the last call has no reply yet
	weighed  time.Time
}

// newWorker makes a worker of a connection and begins to receive.
func newWorker(conn *connection.Conn, proc *process, log *slog.Logger, grace time.Duration) *worker {
	w := &worker{
		conn:    conn,
		proc:    proc,
		log:     log,
		grace:   grace,
		replies: make(chan reply, 1),
		gone:    make(chan struct{}),
	}
	if proc != nil {
		w.log = proc.log
	}
	go w.watch()
	return w
}

// watch receives until the worker ends, and sees to it that it does.
func (w *worker) watch() {
	received := make(chan error, 1)
	go func() { received <- w.receive() }()
	var err error
	if w.proc == nil {
		err = <-received
		w.conn.Close()
		w.reason = describeEnd(nil, err)
	} else {
		select {
		case err = <-received:
			w.conn.Close()
			w.proc.stop(w.grace)
		case <-w.proc.ended:
			// Its last reply may still be on its way. Then comes the end of the connection,
			// unless a child of the worker has kept it open.
			select {
			case err = <-received:
				w.conn.Close()
			case <-time.After(lastReply):
				w.conn.Close()
				err = <-received
			}
		}
		w.reason = describeEnd(w.proc.state, err)
	}
	close(w.gone)
}

// lastReply is how long replies are received after the end of the process.
const lastReply = 50 * time.Millisecond

// receive receives frames until the connection ends.
func (w *worker) receive() error {
	for {
		b, err := w.conn.RecvBytes(context.Background())
		if err != nil {
			return err
		}
		kind, r, err := parseFrame(b)
		if err != nil {
			return err
		}
		if kind == frameIdle {
			return protocolf("the frame %q was not asked for", kind)
		}
		select {
		case w.replies <- r:
		default:
			return protocolf("reply %d was not asked for", r.id)
		}
	}
}

// hello makes sure that the worker serves calls, and finds out whether it has the helper.
func (w *worker) hello(ctx context.Context) error {
	v, err := w.call(ctx, helloFunction, []any{protocolVersion})
	var raised *PythonError
	if errors.As(err, &raised) {
		return nil // a loop without the helper has no such function
	}
	if err != nil {
		return err
	}
	if offer, ok := v.(*pickle.Dict); ok {
		module, _ := offer.Get("module")
		w.module, _ = module.(string)
	}
	return nil
}

const (
	helloFunction   = "pyshm.hello"
	protocolVersion = 1
)

// call calls a function and waits for its result. If ctx ends before, the worker may only
// be given back after settle.
func (w *worker) call(ctx context.Context, function string, args []any) (any, error) {
	if isDone(w.gone) {
		return nil, w.crash(function, false)
	}
	if err := ctx.Err(); err != nil {
		return nil, wrap(opCall, function, err)
	}
	if err := w.send(ctx, function, args); err != nil {
		return nil, err
	}
	r, err := w.await(ctx, function)
	switch {
	case err != nil:
		return nil, err
	case r.raised != nil:
		r.raised.Function = function
		return nil, r.raised
	}
	return r.value, nil
}

const opCall = "call"

// send sends a call.
func (w *worker) send(ctx context.Context, function string, args []any) error {
	frame, err := pickle.Marshal(pickle.Tuple{frameCall, w.id + 1, function, pickle.Tuple(args)})
	if err != nil {
		return wrap(opCall, function, err)
	}
	w.id++
	w.calls++
	err = w.conn.SendBytes(ctx, frame)
	switch {
	case err == nil:
		w.awaiting = true
		return nil
	case ctx.Err() != nil && errors.Is(err, ctx.Err()):
		return wrap(opCall, function, err) // if a part was sent, the connection is closed
	}
	w.conn.Close() // watch sees the end
	<-w.gone
	return w.crash(function, true)
}

// await waits for the reply to the last call.
func (w *worker) await(ctx context.Context, function string) (reply, error) {
	select {
	case r := <-w.replies:
		return w.accept(r, function)
	case <-ctx.Done():
		return reply{}, wrap(opCall, function, ctx.Err())
	case <-w.gone:
	}
	select {
	case r := <-w.replies: // its last words
		return w.accept(r, function)
	default:
		return reply{}, w.crash(function, true)
	}
}

// accept checks that a reply is to the last call.
func (w *worker) accept(r reply, function string) (reply, error) {
	if r.id == w.id {
		w.awaiting = false
		return r, nil
	}
	w.log.Error("worker sent a wrong reply", "id", r.id, "want", w.id)
	w.conn.Close()
	<-w.gone
	return reply{}, &CrashError{
		Function: function, Pid: w.pid(), begun: true,
		Err: protocolf("reply %d is not to call %d", r.id, w.id),
	}
}

// settle waits for the reply to a call that was given up, or ends the worker.
func (w *worker) settle() {
	if !w.awaiting {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), w.grace)
	defer cancel()
	if _, err := w.await(ctx, ""); err == nil {
		return
	}
	w.end(0)
}

// end ends the worker, and returns when it has ended.
func (w *worker) end(grace time.Duration) {
	if w.proc != nil && grace == 0 {
		w.proc.terminate()
	}
	w.conn.Close()
	<-w.gone
}

// exhausted returns why another worker should take this one's place, or "".
func (w *worker) exhausted(o *Options) string {
	if o.MaxCalls > 0 && w.calls > o.MaxCalls { // one was hello
		return "MaxCalls"
	}
	if o.MaxMemory <= 0 || w.proc == nil || time.Since(w.weighed) < weighInterval {
		return ""
	}
	w.weighed = time.Now()
	if bytes, err := child.Memory(w.proc.pid()); err == nil && bytes > o.MaxMemory {
		return "MaxMemory"
	}
	return ""
}

// weighInterval is how often the memory of a worker is looked at.
const weighInterval = 50 * time.Millisecond

// crash returns the error of a call to a worker that has ended.
func (w *worker) crash(function string, begun bool) error {
	return &CrashError{Function: function, Pid: w.pid(), Err: w.reason, Output: w.output(), begun: begun}
}

func (w *worker) pid() int {
	if w.proc == nil {
		return 0
	}
	return w.proc.pid()
}

func (w *worker) output() []string {
	if w.proc == nil {
		return nil
	}
	return w.proc.tail.last()
}

func isDone(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
