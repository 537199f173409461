package worker

import (
	"context"
	"errors"
	"time"
)

// A Job is the use of one worker for some calls, see [Pool.Do]. Its methods are for one
// goroutine at a time.
type Job struct {
	pool    *Pool
	worker  *worker
	over    bool
	broken  error         // why no more calls are possible
	settled chan struct{} // closed when the call that was given up has ended, if there is one
}

// errOver is the reason when a Job is used after its function has returned.
var errOver = errors.New("the job is over")

// Call calls a function of the job's worker, as [Pool.Call] does. It never repeats the
// call. After a *[CrashError], and after the end of its context, all further calls of the
// job fail with the same error.
func (j *Job) Call(ctx context.Context, function string, args ...any) (any, error) {
	switch {
	case j.over:
		return nil, wrap(opCall, function, errOver)
	case j.broken != nil:
		return nil, j.broken
	}
	if d := j.pool.options.Deadline; d > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, d)
		defer cancel()
	}
	calling.Add(1)
	began := time.Now()
	v, err := j.worker.call(ctx, function, args)
	calling.Add(-1)
	j.pool.stats.count(time.Since(began), err)
	var crash *CrashError
	if errors.As(err, &crash) {
		j.broken = err
	}
	if j.worker.awaiting {
		j.broken = err
		j.giveUp()
	}
	return v, err
}

// giveUp has the worker complete its call, or end, while the caller goes on.
func (j *Job) giveUp() {
	j.settled = make(chan struct{})
	j.pool.settling.Go(func() {
		defer close(j.settled)
		j.worker.settle()
	})
}

// end gives the worker back, when it has completed its call.
func (j *Job) end() {
	j.over = true
	if j.settled == nil {
		j.finish()
		return
	}
	j.pool.settling.Go(func() {
		<-j.settled
		j.finish()
	})
}

// finish gives the worker back or, if it has served enough, has another take its place.
func (j *Job) finish() {
	w := j.worker
	reason := w.exhausted(&j.pool.options)
	if w.lane != nil && reason == "" {
		reason = w.lane.arena.reset()
	}
	if reason != "" && !isDone(w.gone) {
		w.log.Info("worker restarts", "reason", reason, "calls", w.calls)
		j.pool.retire(w)
		w.leave()
	}
	j.pool.give(w)
}
