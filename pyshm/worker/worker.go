package worker

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
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
	posts   posts
	gone    chan struct{} // closed when the worker has ended: no reply will come
	reason  error         // how it ended; valid when gone is closed

	taken bool // a job has the worker; the pool's mutex guards it

	// These belong to the goroutine that has the worker.
	id       atomic.Int64 // of the last call; receive reads it, too
	calls    int
	module   string // of Python's helper; "" if the worker is a loop without it
	lane     *lane  // nil if all goes by the connection
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
			if !w.posts.idle(r.id) {
				continue
			}
			if err := w.conn.SendBytes(context.Background(), wakeFrame); err != nil {
				return err
			}
			continue
		}
		if r.id != w.id.Load() {
			return protocolf("reply %d is not to call %d", r.id, w.id.Load())
		}
		select {
		case w.replies <- r:
		default:
			return protocolf("there are two replies to call %d", r.id)
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

// share makes the lane to the worker, if both can.
func (w *worker) share(ctx context.Context, o *Options) error {
	if w.module == "" || o.Arena <= 0 || !hasLanes {
		return nil
	}
	l, err := openLane(ctx, w, o)
	var crash *CrashError
	switch {
	case err == nil:
		w.lane = l
	case errors.As(err, &crash) || ctx.Err() != nil:
		return err
	default:
		w.log.Warn("worker shares no memory: all goes by the connection", "error", err)
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
		return nil, &CrashError{Function: function, Pid: w.pid(), Err: w.reason, Output: w.output()}
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

// send sends a call: by the lane, or as a frame if there is no lane or the call is too large.
func (w *worker) send(ctx context.Context, function string, args []any) error {
	var kept []byte
	if w.lane != nil {
		kept = w.lane.kept.find(function, args, &w.lane.arena)
	}
	if kept != nil {
		if fits, err := w.sendByLane(function, kept, nil); fits || err != nil {
			return err
		}
	}
	given := args
	args, err := w.sendable(given)
	if err != nil {
		return wrap(opCall, function, err)
	}
	switch {
	case w.lane == nil:
		w.id.Add(1)
	case kept == nil:
		rest, attached := w.lane.attach(args)
		request, err := w.marshal(function, pickle.Tuple(rest))
		if err != nil {
			return wrap(opCall, function, err)
		}
		w.lane.kept.keep(function, given, &w.lane.arena, request)
		if fits, err := w.sendByLane(function, request, attached); fits || err != nil {
			return err
		}
	}
	frame, err := w.marshal(frameCall, w.id.Load(), function, pickle.Tuple(args))
	if err != nil {
		w.id.Add(-1)
		return wrap(opCall, function, err)
	}
	w.calls++
	err = w.conn.SendBytes(ctx, frame)
	switch {
	case err == nil:
		w.awaiting = true
		return nil
	case ctx.Err() != nil && errors.Is(err, ctx.Err()):
		return wrap(opCall, function, err) // if a part was sent, the connection is closed
	}
	return w.broken(function, err)
}

// sendByLane puts a call where the worker finds it, and hands it over. If it does not fit
// there, the worker waits for it at the connection.
func (w *worker) sendByLane(function string, request []byte, attached [][]byte) (fits bool, err error) {
	fits, err = w.lane.write(request, attached)
	if err == nil {
		err = w.post()
	}
	w.calls++
	if err != nil {
		return false, w.broken(function, err)
	}
	return fits, nil
}

// post hands over the call in the lane.
func (w *worker) post() error {
	w.awaiting = true
	rests := w.posts.add()
	if err := w.lane.request.Release(); err != nil {
		return err
	}
	if rests {
		return w.conn.SendBytes(context.Background(), wakeFrame)
	}
	return nil
}

// broken ends a worker that cannot be reached, and returns the error of the call.
func (w *worker) broken(function string, err error) error {
	if !isDone(w.gone) {
		w.log.Error("worker cannot be reached", "error", err)
		w.end()
	}
	return w.crash(function)
}

// await waits for the reply to the last call.
func (w *worker) await(ctx context.Context, function string) (reply, error) {
	if w.lane != nil {
		r, here, err := w.lane.read(ctx)
		switch {
		case err == nil && here:
			return w.accept(r, function)
		case err == nil:
		case ctx.Err() != nil && errors.Is(err, ctx.Err()):
			return reply{}, wrap(opCall, function, ctx.Err())
		case errors.Is(err, errProtocol):
			return reply{}, w.refuse(function, err)
		default:
			return reply{}, w.broken(function, err)
		}
	}
	select {
	case r := <-w.replies:
		return w.acceptFrame(r, function)
	case <-ctx.Done():
		return reply{}, wrap(opCall, function, ctx.Err())
	case <-w.gone:
	}
	select {
	case r := <-w.replies: // its last words
		return w.acceptFrame(r, function)
	default:
		return reply{}, w.crash(function)
	}
}

// acceptFrame accepts a reply that came by the connection.
func (w *worker) acceptFrame(r reply, function string) (reply, error) {
	if w.lane != nil {
		w.lane.needs(r.size)
	}
	var err error
	if r.value, err = w.received(r.value); err != nil {
		return reply{}, w.refuse(function, err)
	}
	return w.accept(r, function)
}

// accept checks that a reply is to the last call.
func (w *worker) accept(r reply, function string) (reply, error) {
	if r.id == w.id.Load() {
		w.awaiting = false
		return r, nil
	}
	return reply{}, w.refuse(function, protocolf("reply %d is not to call %d", r.id, w.id.Load()))
}

// refuse ends a worker that has sent something else than a reply.
func (w *worker) refuse(function string, err error) error {
	w.log.Error("worker sent something else than a reply", "error", err)
	w.end()
	return &CrashError{Function: function, Pid: w.pid(), Err: err, Output: w.output(), begun: true}
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
	w.end()
}

// leave has the worker end by itself.
func (w *worker) leave() {
	w.conn.Close()
	if w.lane != nil {
		_ = w.lane.request.Release() // without a new call; or it would notice some time later
	}
}

// wake ends the wait for a reply of a worker that has ended.
func (w *worker) wake() {
	if w.lane != nil {
		w.lane.wake()
	}
}

// close gives back the memory that was shared with a worker that has ended.
func (w *worker) close() {
	if w.lane != nil {
		w.lane.close()
	}
}

// end ends the worker by a SIGTERM, and returns when it has ended.
func (w *worker) end() {
	if w.proc != nil {
		w.proc.terminate()
	}
	w.conn.Close()
	<-w.gone
}

// exhausted returns why another worker should take this one's place, or "".
func (w *worker) exhausted(o *Options) string {
	if o.MaxCalls > 0 && w.calls >= o.MaxCalls {
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
func (w *worker) crash(function string) error {
	<-w.gone
	begun := w.lane == nil || w.lane.hasBegun()
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
