package pyshm

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/pyshm-go/pyshm/format/pickle"
	"github.com/pyshm-go/pyshm/pyshm/internal/descriptor"
	"github.com/pyshm-go/pyshm/pyshm/internal/wire"
)

// Put puts a value into the queue: Python's get returns it. [pickle.Marshal] lists the
// types that it may have. Everything else is as with [Queue.PutPickle].
func (q *Queue) Put(ctx context.Context, v any) error {
	const op = "put"
	b, err := pickle.Marshal(v)
	if err != nil {
		return q.err(op, err)
	}
	return q.call(op, ctx, func(ctx context.Context) error { return q.put(ctx, b) })
}

// PutPickle puts a pickle into the queue, as it is. It waits while the queue has maxsize
// items, while another process writes, and while the pipe is full. If it fails, the queue
// is as before.
//
// If ctx ends, or Close is called, when a part of the pickle is already written, PutPickle
// returns nil: the item is put, and a goroutine writes the rest as other processes make
// room. If this process ends before that, the queue is damaged as by a killed writer.
func (q *Queue) PutPickle(ctx context.Context, b []byte) error {
	return q.call("put", ctx, func(ctx context.Context) error {
		if len(b) == 0 {
			return invalid("no bytes are no pickle")
		}
		return q.put(ctx, b)
	})
}

func (q *Queue) put(ctx context.Context, b []byte) error {
	if q.parts == simpleQueue {
		return q.write(ctx, b)
	}
	if err := q.sem.Acquire(ctx); err != nil {
		return err
	}
	err := q.write(ctx, b)
	if err != nil {
		_ = q.sem.Release() // fails only if another process has released too often
	}
	return err
}

// write writes an item, or nothing and returns an error.
//
// Python counts the item as unfinished before it takes wlock. Here that comes last before
// the write, which then begins at once, so that nothing has to be taken back when ctx
// ends. No process waits for wlock while it holds the condition.
func (q *Queue) write(ctx context.Context, b []byte) error {
	if err := q.lockWriting(ctx); err != nil {
		return err
	}
	err := q.awaitRoom(ctx)
	if err == nil && q.parts == joinableQueue {
		err = q.countUnfinished(ctx)
	}
	if err != nil {
		q.endWrite()
		return err
	}
	return q.writeOut(ctx, wire.Frame(b), q.endWrite)
}

// writeOut writes an item, and then calls end. If ctx ends, a goroutine does the rest.
func (q *Queue) writeOut(ctx context.Context, item pieces, end func()) error {
	err := item.writeTo(descriptor.TryWriter{Pipe: q.pipe})
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = descriptor.Interruptibly(ctx, q.pipe.W.SetWriteDeadline, func() error { return item.writeTo(q.pipe.W) })
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		for i := range item {
			item[i] = bytes.Clone(item[i]) // the caller may change them from now on
		}
		go func() {
			_ = item.writeTo(q.pipe.W) // fails only if the process that reads is gone
			end()
		}()
		return nil
	}
	end()
	return err
}

// lockWriting takes what a goroutine needs to write.
func (q *Queue) lockWriting(ctx context.Context) error {
	if err := q.writing.Take(ctx, nil); err != nil {
		return err
	}
	err := q.wlock.Acquire(ctx)
	if err != nil {
		q.writing.Release()
	}
	return err
}

// endWrite lets others write. If the release fails, another process has released wlock
// already: the item is written all the same.
func (q *Queue) endWrite() {
	_ = q.wlock.Release()
	q.writing.Release()
}

// awaitRoom waits until a write would begin at once.
func (q *Queue) awaitRoom(ctx context.Context) error {
	for {
		ready, err := q.pipe.HasRoom()
		if ready || err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		err = descriptor.Interruptibly(ctx, q.pipe.W.SetWriteDeadline, q.pipe.AwaitRoom)
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
	}
}

// pieces are what is left to be written of an item.
type pieces [][]byte

func (p *pieces) writeTo(w io.Writer) error {
	for len(*p) > 0 {
		n, err := w.Write((*p)[0])
		(*p)[0] = (*p)[0][n:]
		if err != nil {
			return err
		}
		*p = (*p)[1:]
	}
	return nil
}

// ErrTooLong is the reason when an item of a queue is longer than [Queue.Limit] allows.
var ErrTooLong = wire.ErrTooLong

// ErrProtocol is the reason when a queue's pipe has bytes that Python's multiprocessing
// would never write.
var ErrProtocol = wire.ErrProtocol

// ErrNotPipe is the reason when the descriptors of [QueueParts] are not the ends of one pipe.
var ErrNotPipe = descriptor.ErrNotPipe

// ErrStuck is the reason when a queue does not go on, because a process that reads or
// writes has died or is stopped. [Queue.Reset] is the remedy.
var ErrStuck = errors.New("a process that reads or writes has died or is stopped")

// Get waits for an item and takes it out of the queue. The package documentation of
// format/pickle lists the types of its result. Nothing is imported or called, whatever
// another process has put. An item that is no pickle is a *pickle.Error, and is taken out
// as well, as in Python. Everything else is as with [Queue.GetPickle].
func (q *Queue) Get(ctx context.Context) (v any, err error) {
	err = q.call("get", ctx, func(ctx context.Context) error {
		b, limits, err := q.get(ctx)
		if err != nil {
			return err
		}
		v, err = pickle.Unmarshal(b, limits)
		return err
	})
	return v, err
}

// GetPickle waits for an item and takes its pickle out of the queue. The pickle may be
// empty, if another process has put that. If ctx ends, the error is its error, and no item
// is lost: once a part of an item has come, Get finishes it, because its writer goes on.
//
// If no more of it comes for two seconds after ctx has ended, its writer has died or is
// stopped. Then, or if not all of it has come ten seconds after ctx has ended, the error is
// [ErrStuck] as well. This handle keeps the part, and goes on
// with it at the next Get. Until then it keeps other processes from reading, since what
// follows is not the beginning of an item. After [ErrTooLong] and [ErrProtocol] the same
// holds: they come again, unless [Queue.Limit] allows more.
//
// Other processes may break the rules, too. If one puts without taking a place, Python's
// get fails and loses the item. Get returns it.
func (q *Queue) GetPickle(ctx context.Context) (b []byte, err error) {
	err = q.call("get", ctx, func(ctx context.Context) error {
		b, _, err = q.get(ctx)
		return err
	})
	return b, err
}

// get makes way for a Reset of this handle, and goes on after it.
func (q *Queue) get(ctx context.Context) ([]byte, *pickle.Limits, error) {
	for {
		reading, cancel := context.WithCancelCause(ctx)
		b, limits, err := q.getUntil(reading, cancel)
		makesWay := err != nil && context.Cause(reading) == errReset
		cancel(nil)
		if !makesWay {
			return b, limits, err
		}
		if err := q.resetting.Take(ctx, nil); err != nil {
			return nil, nil, err
		}
		q.resetting.Release()
	}
}

// errReset is why a Get makes way.
var errReset = errors.New("the queue is reset")

func (q *Queue) getUntil(ctx context.Context, cancel context.CancelCauseFunc) ([]byte, *pickle.Limits, error) {
	if err := q.reading.Take(ctx, nil); err != nil {
		return nil, nil, err
	}
	defer q.reading.Release()
	q.interrupt.Store(&cancel)
	defer q.interrupt.Store(nil)
	if !q.begun {
		if err := q.rlock.Acquire(ctx); err != nil {
			return nil, nil, err
		}
	}
	limits := q.limits.Load()
	q.frames.SetLimit(limits.size)
	b, err := q.read(ctx)
	if q.begun = q.frames.Begun(); q.begun {
		return nil, nil, err
	}
	// If a release fails, another process has released already, or the file is cut
	// short. The item is not lost for that.
	_ = q.rlock.Release()
	if err != nil {
		return nil, nil, err
	}
	if q.parts != simpleQueue {
		_ = q.sem.Release()
	}
	return b, limits.values, nil
}

// read reads an item. If frames has begun one afterwards, read has failed, and the part
// is kept.
func (q *Queue) read(ctx context.Context) (b []byte, err error) {
	next := func() error {
		b, err = q.frames.Next()
		return err
	}
	if ctx.Err() == nil {
		err := descriptor.Interruptibly(ctx, q.pipe.R.SetReadDeadline, next)
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return b, err
		}
	}
	if ready, err := descriptor.IsReady(q.pipe.R); !ready && !q.frames.Begun() {
		return nil, cmp.Or(err, ctx.Err())
	}
	q.source.end = time.Now().Add(longestPatience)
	defer func() {
		q.source.end = time.Time{}
		_ = q.pipe.R.SetReadDeadline(time.Time{})
	}()
	if err := next(); !errors.Is(err, os.ErrDeadlineExceeded) {
		return b, err
	}
	if !q.frames.Begun() { // a process that reads without rlock was faster
		return nil, ctx.Err()
	}
	if time.Now().After(q.source.end) {
		return nil, fmt.Errorf("%w: %w: a part of an item has come, and in %v not all of it", ctx.Err(), ErrStuck, longestPatience)
	}
	return nil, fmt.Errorf("%w: %w: a part of an item has come, and no more for %v", ctx.Err(), ErrStuck, patience)
}

// patience is how long a Get whose context has ended waits for more of an item, and
// longestPatience how long it waits for all of it. Tests shorten them.
var (
	patience        = 2 * time.Second
	longestPatience = 10 * time.Second
)

// A patientReader reads from a pipe. If it has an end, reads take no longer than until
// then, and each no longer than patience.
type patientReader struct {
	f   *os.File
	end time.Time
}

func (r *patientReader) Read(p []byte) (int, error) {
	if !r.end.IsZero() {
		end := time.Now().Add(patience)
		if r.end.Before(end) {
			end = r.end
		}
		if err := r.f.SetReadDeadline(end); err != nil {
			return 0, err
		}
	}
	return r.f.Read(p)
}

// countUnfinished counts an item that is about to be put.
func (q *Queue) countUnfinished(ctx context.Context) error {
	return q.cond.With(ctx, func() error { return add(&q.unfinished, 1) })
}

// TaskDone says that an item that was gotten is done: each item needs one call. It is for
// a JoinableQueue of Python and for queues made with [Joinable]; for other queues the error
// is [errors.ErrUnsupported]. More calls than items are [ErrNotAcquired].
//
// When ctx is done while TaskDone waits for the condition, it returns ctx.Err() and has
// done nothing. The last call of all wakes the goroutines and processes that wait in Join.
// When ctx is done while they wake up, TaskDone returns ctx.Err(), and the item is done all
// the same.
func (q *Queue) TaskDone(ctx context.Context) error {
	return q.joinable("task done", ctx, q.done)
}

// done takes an item from those that are unfinished.
func (q *Queue) done(ctx context.Context) error {
	return q.cond.With(ctx, func() error {
		taken, err := q.unfinished.TryAcquire()
		if err != nil {
			return err
		}
		if !taken {
			return errAllDone
		}
		if left, err := q.unfinished.Value(); left > 0 || err != nil {
			return err
		}
		return q.cond.NotifyAll(ctx)
	})
}

var errAllDone = &reason{"all items are done: task done was said more often than items were put", ErrNotAcquired}

// Join waits until all items are done: until TaskDone has been called for every item that
// was put. It is for the same queues.
func (q *Queue) Join(ctx context.Context) error {
	return q.joinable("join", ctx, func(ctx context.Context) error {
		if err := q.cond.lock.Acquire(ctx); err != nil {
			return err
		}
		left, err := q.unfinished.Value()
		held := true
		if err == nil && left > 0 {
			held, err = q.cond.sleep(ctx)
		}
		if !held { // nothing is left to do that needs the lock, which a dead process may hold
			return err
		}
		return cmp.Or(err, q.cond.lock.Release())
	})
}

func (q *Queue) joinable(op string, ctx context.Context, f func(ctx context.Context) error) error {
	return q.call(op, ctx, func(ctx context.Context) error {
		if q.parts != joinableQueue {
			return &reason{"the queue is not joinable: it does not count unfinished items", errors.ErrUnsupported}
		}
		return f(ctx)
	})
}
