package pyshm

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/pyshm-go/pyshm/format"
	"github.com/pyshm-go/pyshm/format/pickle"
	"github.com/pyshm-go/pyshm/pyshm/internal/descriptor"
	"github.com/pyshm-go/pyshm/pyshm/internal/sem"
	"github.com/pyshm-go/pyshm/pyshm/internal/shmfile"
	"github.com/pyshm-go/pyshm/pyshm/internal/wire"
)

// A Queue is a handle to a queue that several processes share, the counterpart of
// Python's multiprocessing.Queue, JoinableQueue and SimpleQueue. It consists of a pipe and
// semaphores, by CPython's rules:
//
//	pipe        the items, one after the other: a length and a pickle each
//	rlock       a lock: the process that reads from the pipe holds it, also while it waits
//	wlock       a lock: the process that writes to the pipe holds it
//	sem         how many more items there may be; a SimpleQueue has none
//	unfinished  items put and not yet done, and cond, a condition: of a JoinableQueue only
//
// The items are in the order in which they were written. Those of one process are in the
// order in which it put them, if one goroutine puts at a time.
//
// A process that is killed while it holds a lock keeps it: see [Queue.Reset]. A Python
// process that waits in get holds rlock, so other processes that get with a deadline may
// find nothing although items come. The items are gone when the last process has detached.
//
// The methods may be called by several goroutines at once, Close included. As with a
// [Semaphore], a method whose context is done tries once.
type Queue struct {
	name    string
	file    string     // of the FIFO; "" if Python has made the queue
	id      shmfile.ID // of the FIFO
	maxsize int        // of a queue with sem
	parts   queueKind

	rlock, wlock, sem, unfinished Semaphore
	cond                          Condition

	pipe *descriptor.Pipe

	limits atomic.Pointer[itemLimits]

	reading descriptor.Turn // guards the next three
	source  patientReader
	frames  *wire.Reader
	begun   bool // this handle holds rlock, because it has read a part of an item

	interrupt atomic.Pointer[context.CancelCauseFunc] // of the Get that has the turn to read

	writing   descriptor.Turn
	resetting descriptor.Turn

	gate gate      // for the calls
	once sync.Once // for Close
}

// A queueKind is which of the semaphores a queue has.
type queueKind int

const (
	simpleQueue   queueKind = iota // neither sem nor unfinished
	boundedQueue                   // sem
	joinableQueue                  // sem, unfinished and cond
)

// defaultMaxItem is the length of the longest pickle that Get accepts, in bytes.
const defaultMaxItem = 1 << 30

// CreateQueue makes a queue for at most maxsize items, or for any number if maxsize is 0.
// Its files in /dev/shm are the FIFO NAME.pipe, which appears last, and the semaphores
// sem.NAME.rlock, sem.NAME.wlock and sem.NAME.sem. NAME may be a pattern, as for [Create],
// but not empty. The options are [Mode] and [Joinable].
//
// Python attaches with pyshm_attach.attach_queue(NAME, maxsize). The bound is in no
// memory: all processes have to give the same maxsize. [Queue.Unlink] removes the names.
func CreateQueue(name string, maxsize int, opts ...QueueOption) (*Queue, error) {
	o := queueOptions{createOptions: newCreateOptions[ListOption](nil)}
	for _, opt := range opts {
		opt.applyToQueue(&o)
	}
	q, err := createQueue(name, maxsize, o)
	return opened(q, wrap("create queue", name, err))
}

func createQueue(pattern string, maxsize int, o queueOptions) (*Queue, error) {
	bound, err := slots(maxsize)
	if err != nil {
		return nil, err
	}
	n, err := parsePattern(memberNames, pattern)
	if err != nil {
		return nil, err
	}
	q := &Queue{parts: boundedQueue, maxsize: bound}
	if o.joinable {
		q.parts = joinableQueue
	}
	_, err = n.give(func(name string) error { return q.create(name, o.createOptions) })
	return q, err
}

// create makes a queue with this name.
func (q *Queue) create(name string, o createOptions) error {
	*q = Queue{parts: q.parts, maxsize: q.maxsize}
	members := q.members(queueParts(name, q.parts, q.maxsize))
	if err := createMembers(members, o); err != nil {
		return err
	}
	file := name + queueSuffix
	err := shmfile.NewFIFO(file, o.mode)
	if err == nil {
		if _, err = q.openFIFO(file); err != nil {
			shmfile.Unlink(file)
		}
	}
	if err != nil {
		unmake(members)
		return &memberError{file, err}
	}
	q.open(name)
	return nil
}

// AttachQueue attaches to a queue that [CreateQueue] has made with the same maxsize.
// Another maxsize is [fs.ErrInvalid] where the number of free places reveals it.
func AttachQueue(name string, maxsize int) (*Queue, error) {
	q := new(Queue)
	err := q.attach(name, maxsize)
	return opened(q, wrap("attach queue", name, err))
}

// AttachQueueContext is [AttachQueue] for a queue that may not exist yet: it waits until
// the queue exists, as [AttachContext] does.
func AttachQueueContext(ctx context.Context, name string, maxsize int) (*Queue, error) {
	return await(ctx, func() (*Queue, error) { return AttachQueue(name, maxsize) })
}

func (q *Queue) attach(name string, maxsize int) (err error) {
	if q.maxsize, err = slots(maxsize); err != nil {
		return err
	}
	if name, err = shmfile.FileName(name); err != nil {
		return err
	}
	owner, err := q.openFIFO(name + queueSuffix)
	if err != nil {
		return err
	}
	q.parts = boundedQueue
	// Another user can add the names that make a queue joinable.
	if info, err := shmfile.Lookup(semaphorePrefix + queueParts(name, joinableQueue, 0).Unfinished); err == nil && info.UID == owner {
		q.parts = joinableQueue
	}
	members := q.members(queueParts(name, q.parts, q.maxsize))
	return q.attachMembers(name, func() error { return openMembersOf(owner, members) })
}

// attachMembers opens the semaphores of a queue whose pipe is open, or closes the pipe.
func (q *Queue) attachMembers(name string, open func() error) error {
	err := open()
	if err == nil && q.parts != simpleQueue {
		if err = q.checkBound(); err != nil {
			_ = each(q.semaphores(), (*Semaphore).Close)
		}
	}
	if err != nil {
		q.closePipe()
		return err
	}
	q.open(name)
	return nil
}

// checkBound returns an error if a queue with this maxsize cannot have as many free places
// as there are.
func (q *Queue) checkBound() error {
	free, err := q.sem.Value()
	// An unbounded queue never has so many items that half of its places are taken.
	bounded, unbounded := q.maxsize != sem.MaxValue, free > sem.MaxValue/2
	switch {
	case err != nil:
		return err
	case free > q.maxsize || bounded && unbounded:
		return invalid("the queue has another maxsize: %d places are free", free)
	case !bounded && !unbounded:
		return invalid("the queue has a maxsize: %d places are free", free)
	}
	return nil
}

// slots returns the initial value of sem for a maxsize.
func slots(maxsize int) (int, error) {
	switch {
	case maxsize < 0 || maxsize > sem.MaxValue/2:
		return 0, invalid("maxsize %d is not between 0 and %d", maxsize, sem.MaxValue/2)
	case maxsize == 0:
		return sem.MaxValue, nil
	}
	return maxsize, nil
}

// openFIFO opens the pipe of a queue with a name, and returns its owner.
func (q *Queue) openFIFO(file string) (owner uint32, err error) {
	f, info, err := shmfile.LocateFIFO(file)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	if q.pipe, _, err = descriptor.OpenPipe(f, f); err != nil {
		return 0, err
	}
	q.file, q.id = file, info.ID
	return info.UID, nil
}

// open makes q usable, once its pipe and its semaphores are open.
func (q *Queue) open(name string) {
	q.name = strings.TrimPrefix(name, "/")
	q.reading, q.writing, q.resetting = make(descriptor.Turn, 1), make(descriptor.Turn, 1), make(descriptor.Turn, 1)
	q.source.f = q.pipe.R
	q.frames = wire.NewReader(&q.source, 0) // each Get sets the limit
	q.Limit(defaultMaxItem, nil)
	q.gate.open()
}

// Limit bounds the items that later calls of Get and GetPickle accept. An item whose
// pickle has more than size bytes is [ErrTooLong]. The limits in values bound the value
// that Get makes of a pickle; nil stands for the defaults. Without a call of Limit, a
// pickle may have 1 GiB. Memory is allocated as the bytes come, whatever length another
// process announces.
func (q *Queue) Limit(size int, values *pickle.Limits) { q.limits.Store(&itemLimits{size, values}) }

type itemLimits struct {
	size   int
	values *pickle.Limits
}

// Name returns the name by which the queue was created or attached, or the name of its
// rlock after [AttachQueueParts].
func (q *Queue) Name() string { return q.name }

// String returns, for example, Queue('jobs').
func (q *Queue) String() string { return "Queue(" + format.Repr(q.Name()) + ")" }

// Len returns how many items there are, as Python's qsize does: items that were put and not
// yet gotten. Python counts items that its feeder thread has still to write. The number may
// be out of date when Len returns. A SimpleQueue does not count: the error is
// [errors.ErrUnsupported].
func (q *Queue) Len() (n int, err error) {
	err = q.call("len", context.Background(), func(context.Context) error {
		if q.parts == simpleQueue {
			return &reason{"a SimpleQueue does not count its items", errors.ErrUnsupported}
		}
		free, err := q.sem.Value()
		n = max(0, q.maxsize-free)
		return err
	})
	return n, err
}

// Current reports whether the names still lead to the parts of this queue.
// [SharedMemory.Current] has the details. A queue that Python has made has no name for its
// pipe, so only the names of its semaphores are compared.
func (q *Queue) Current() (current bool, err error) {
	err = q.call("current", context.Background(), func(context.Context) error {
		if q.file != "" {
			if err := checkName(q.file, q.id); err != nil {
				return ignoreMissing(err)
			}
		}
		for _, s := range q.semaphores() {
			if ok, err := s.Current(); !ok || err != nil {
				return err
			}
		}
		current = true
		return nil
	})
	return current, err
}

// Unlink removes the names of the queue, before or after Close. If it cannot remove one of
// them, it removes the others and returns the error of [SharedMemory.Unlink]. A queue that
// Python has made is for Python to unlink: Unlink fails with [fs.ErrInvalid].
func (q *Queue) Unlink() error {
	const op = "unlink"
	switch {
	case q.pipe == nil:
		return q.err(op, errClosed)
	case q.file == "":
		return q.err(op, invalid("Python has made the queue, and removes the names of its semaphores"))
	}
	err := checkName(q.file, q.id)
	if err == nil {
		err = shmfile.Unlink(q.file)
	}
	return q.err(op, cmp.Or(err, each(q.semaphores(), (*Semaphore).Unlink)))
}

// UnlinkQueue removes the names of a queue, no matter which queue has them, and also if only
// some of them are left. The error is [fs.ErrNotExist] if there is none of them.
func UnlinkQueue(name string) error {
	file, err := shmfile.FileName(name)
	if err != nil {
		return wrap("unlink queue", name, err)
	}
	parts := queueParts(file, joinableQueue, 0)
	err = shmfile.Unlink(file + queueSuffix)
	found := err == nil
	for _, m := range new(Queue).membersOf(parts, joinableQueue) {
		errMember := shmfile.Unlink(semaphorePrefix + m.name)
		found = found || errMember == nil
		if ignoreMissing(err) == nil && ignoreMissing(errMember) != nil {
			err = errMember
		}
	}
	if found {
		err = ignoreMissing(err)
	}
	return wrap("unlink queue", name, err)
}

// Close detaches from the queue. Goroutines that wait get [fs.ErrClosed], as does every
// later call. An item that a Get or Put has begun is transferred first: Close waits for a
// Get, up to two seconds after its writer has stopped and ten in all, and not for a Put,
// whose item is written in the background. Calling Close again does nothing.
func (q *Queue) Close() error {
	var err error
	q.once.Do(func() { err = q.gate.close(q.closeParts) })
	return q.err("close", err)
}

// closeParts closes what the queue consists of, when no call uses it any more.
func (q *Queue) closeParts() error {
	err := cmp.Or(each(q.readerSemaphores(), (*Semaphore).Close), q.cond.Close(), q.pipe.R.Close())
	if q.writing.TryTake() {
		return cmp.Or(err, q.closeWriter())
	}
	go func() {
		q.writing <- struct{}{}
		_ = q.closeWriter()
	}()
	return err
}

// closeWriter closes what a Put in the background still needs.
func (q *Queue) closeWriter() error { return cmp.Or(q.wlock.Close(), q.pipe.W.Close()) }

func (q *Queue) closePipe() {
	q.pipe.R.Close()
	q.pipe.W.Close()
}

// call calls f with a context that also ends when Close begins. Close waits until f has
// returned. call names op in the error of f.
func (q *Queue) call(op string, ctx context.Context, f func(ctx context.Context) error) error {
	return q.err(op, q.gate.run(ctx, f))
}

// err turns an error, perhaps of a semaphore, into an error of the operation on the queue.
func (q *Queue) err(op string, err error) error { return rewrap(op, q.name, err) }
