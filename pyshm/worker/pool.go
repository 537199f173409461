package worker

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os/exec"
	"sync"
	"time"

	"github.com/pyshm-go/pyshm/pyshm/connection"
)

// A Pool is a number of Python workers that serve calls, one call at a time each. Its
// methods may be called by several goroutines at once.
type Pool struct {
	options Options
	connect connector
	starter starter
	stats   counters

	ctx    context.Context // ends when no worker shall be started any more
	cancel context.CancelFunc
	slots  sync.WaitGroup

	settling tally // calls that were given up

	closed chan struct{} // closed when Close has done all

	mu      sync.Mutex
	closing bool
	queue   queue
	workers map[*worker]duty
	busy    int           // workers that are taken
	failing map[int]int   // by slot, how many starts in a row have failed
	down    error         // why there is no worker; nil if there may be one soon
	drained chan struct{} // closed when no call is left in a closing pool
}

// Start starts the workers and returns when all of them can serve calls. The function
// command returns the command of a worker. It is called again for each worker, also later,
// when a worker takes the place of another.
//
//	pool, err := worker.Start(ctx, func() *exec.Cmd {
//		return exec.Command("python3", "worker.py")
//	}, worker.Options{})
//
// The worker has pyshm_attach as with [pyshm.WorkerEnv], its standard output and error go
// to the log, and it leads a process group of its own. Start adds a file to ExtraFiles, and
// to the environment its number and PYTHONUNBUFFERED, so that lines are logged at once.
//
// If a worker cannot start, the error is a *[StartError], and nothing is left. If ctx ends
// before all have started, it is the context's error; later ctx has no effect.
//
// Start needs Linux, macOS or FreeBSD. On other systems the error is [errors.ErrUnsupported].
func Start(ctx context.Context, command func() *exec.Cmd, o Options) (*Pool, error) {
	if errSystem != nil {
		return nil, wrap(opStart, "", errSystem)
	}
	if command == nil {
		return nil, wrap(opStart, "", invalid("the function that returns a command is nil"))
	}
	return start(ctx, o, func(_ context.Context, p *Pool, _ int, log *slog.Logger) (*connection.Conn, *process, error) {
		proc, conn, err := startProcess(command(), log, p.starter.run)
		return conn, proc, err
	})
}

const opStart = "start"

// A connector starts or finds one worker. The process is nil if another program has started
// it.
type connector func(ctx context.Context, p *Pool, slot int, log *slog.Logger) (*connection.Conn, *process, error)

// start makes a pool and returns when all its workers are up.
func start(ctx context.Context, o Options, connect connector) (*Pool, error) {
	p, first, err := newPool(o, connect)
	if err != nil {
		return nil, wrap(opStart, "", err)
	}
	for range p.options.Workers {
		select {
		case err = <-first:
		case <-ctx.Done():
			err = ctx.Err()
		}
		if err != nil {
			p.kill()
			<-p.closed
			return nil, startError(err)
		}
	}
	return p, nil
}

// newPool makes a pool and begins to start its workers. The outcomes of their first starts
// go to the channel.
func newPool(o Options, connect connector) (*Pool, <-chan error, error) {
	o, err := o.checked()
	if err != nil {
		return nil, nil, err
	}
	sweep()
	p := &Pool{
		options: o,
		connect: connect,
		starter: newStarter(),
		closed:  make(chan struct{}),
		queue:   queue{limit: o.Queue},
		workers: map[*worker]duty{},
		failing: map[int]int{},
		drained: make(chan struct{}),
	}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	first := make(chan error, o.Workers)
	for slot := range o.Workers {
		p.slots.Go(func() { p.keepUp(slot, first) })
	}
	go func() {
		p.slots.Wait()
		p.settling.Wait()
		p.starter.close()
		close(p.closed)
	}()
	return p, first, nil
}

func startError(err error) error {
	var failed *StartError
	if errors.As(err, &failed) {
		return failed
	}
	return wrap(opStart, "", err)
}

// The pauses between attempts to start a worker grow from firstPause to longestPause.
const (
	firstPause   = 50 * time.Millisecond
	longestPause = 5 * time.Second
)

// hopeless is how many starts in a row have to fail, in each slot, before calls fail too.
const hopeless = 3

// keepUp keeps one worker running until the pool is closed. It sends the outcome of the
// first start.
func (p *Pool) keepUp(slot int, first chan<- error) {
	log := p.options.Logger.With("worker", slot)
	pause := firstPause
	for starts := 0; p.ctx.Err() == nil; starts++ {
		w, err := p.launch(slot, log)
		if err != nil {
			if starts == 0 {
				first <- err
			}
			if p.ctx.Err() != nil {
				return
			}
			log.Error("worker cannot start", "error", err, "again in", pause)
			p.failed(slot, err)
			sleep(p.ctx, pause)
			pause = min(2*pause, longestPause)
			continue
		}
		pause = firstPause
		if starts > 0 {
			p.stats.restarts.Add(1)
		}
		w.log.Info("worker started")
		p.up(slot, w)
		if starts == 0 {
			first <- nil
		}
		select {
		case <-w.gone:
		case <-p.ctx.Done():
			w.leave()
			<-w.gone
		}
		w.wake()
		if p.lost(w) {
			w.close()
		}
	}
}

// launch starts a worker and makes sure that it serves calls.
func (p *Pool) launch(slot int, log *slog.Logger) (*worker, error) {
	conn, proc, err := p.connect(p.ctx, p, slot, log)
	if err != nil {
		return nil, &StartError{Err: err}
	}
	ctx, cancel := context.WithTimeout(p.ctx, p.options.StartTimeout)
	defer cancel()
	w := newWorker(conn, proc, log, p.options.Grace)
	err = w.hello(ctx)
	if err == nil {
		err = w.share(ctx, &p.options)
	}
	if err == nil {
		w.calls = 0
		return w, nil
	}
	if proc != nil && ctx.Err() != nil {
		proc.kill()
	}
	w.conn.Close()
	<-w.gone
	var crash *CrashError
	switch {
	case errors.As(err, &crash):
		err = crash.Err
	case errors.Is(err, context.DeadlineExceeded):
		err = timeoutError(p.options.StartTimeout)
	}
	return nil, &StartError{Pid: w.pid(), Err: err, Output: w.output()}
}

func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// Call calls a function of a worker and returns its result. It waits for a worker, behind
// earlier calls. The function is one that Python has passed to serve; its arguments may be
// of every type that [pickle.Marshal] accepts, and *[NDArray]. The result has a type that
// package format/pickle reads; a numpy array is a *NDArray.
//
// Segments that have a name are passed by reference: of a [pyshm.Array] the function gets a
// numpy array over the same memory, of a [pyshm.SharedMemory] and a [pyshm.ShareableList] what
// attach_block and attach_list of pyshm_attach return. The worker attaches for this call
// alone, which takes longer than for an array of [NewArray].
//
// The error is
//
//   - a *[PythonError] if the function has raised an exception
//   - a *[CrashError] if the worker has ended meanwhile; see [Options.Retry]
//   - a *[StartError] if no worker can start
//   - an *[Error] with the reason [ErrBusy], the context's error, [fs.ErrClosed], or the
//     reason why an argument or the result is refused
//
// If ctx ends while the function runs, Call returns at once. The worker gets
// [Options.Grace] to complete the function. Then it is ended, and another takes its place.
func (p *Pool) Call(ctx context.Context, function string, args ...any) (result any, err error) {
	err = p.do(ctx, opCall, function, func(j *Job) (err error) {
		if result, err = j.Call(ctx, function, args...); err == nil {
			err = wrap(opCall, function, detach(result))
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return result, nil
}

// Do waits for a worker as [Pool.Call] does, and calls f with it: for several calls on one
// worker, and for arrays in its memory, see [NewArray]. When f returns, the job is over: its
// arrays must not be used any more. Do returns what f returns.
//
// With [Options.Retry] or [WithRetry], Do calls f again with another worker if f has
// returned a *[CrashError].
func (p *Pool) Do(ctx context.Context, f func(j *Job) error) error {
	return p.do(ctx, "do", "", f)
}

// free is how often a call is repeated that its worker has not begun.
const free = 100

func (p *Pool) do(ctx context.Context, op, function string, f func(j *Job) error) error {
	retries, unbegun := p.options.retries(ctx), free
	for {
		w, err := p.take(ctx)
		if err != nil {
			return startOr(wrap(op, function, err))
		}
		j := &Job{pool: p, worker: w}
		err = p.run(j, f)
		var crash *CrashError
		switch {
		case !errors.As(err, &crash) || ctx.Err() != nil:
			return err
		case op == opCall && !crash.begun && unbegun > 0:
			unbegun--
		case retries > 0:
			retries--
			p.stats.retries.Add(1)
		default:
			return err
		}
	}
}

// run calls f, and gives the worker back, also if f panics.
func (p *Pool) run(j *Job, f func(*Job) error) error {
	defer j.end()
	return f(j)
}

// startOr returns the StartError in err, if there is one.
func startOr(err error) error {
	var failed *StartError
	if errors.As(err, &failed) {
		return failed
	}
	return err
}

// Close ends the pool. Calls from now on fail with [fs.ErrClosed]. Close waits for the calls
// that have been made, also for those in the queue. If ctx ends before, it kills the workers
// and returns the context's error, and these calls fail. Close returns when all workers have
// ended and nothing is left of the pool. It may be called again.
func (p *Pool) Close(ctx context.Context) error {
	p.mu.Lock()
	p.closing = true
	p.checkDrained()
	p.mu.Unlock()
	var err error
	select {
	case <-p.drained:
		p.cancel()
	case <-ctx.Done():
		err = wrap("close", "", ctx.Err())
		p.kill()
	}
	select {
	case <-p.closed:
	case <-ctx.Done():
		p.kill()
		<-p.closed
	}
	return err
}

// kill ends all workers at once.
func (p *Pool) kill() {
	p.mu.Lock()
	p.closing = true
	for _, w := range p.queue.clear() {
		w <- grant{err: fs.ErrClosed}
	}
	p.checkDrained()
	workers := make([]*worker, 0, len(p.workers))
	for w := range p.workers {
		workers = append(workers, w)
	}
	p.mu.Unlock()
	p.cancel()
	for _, w := range workers {
		if w.proc != nil {
			w.proc.kill()
		}
	}
}
