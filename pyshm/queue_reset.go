package pyshm

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/pyshm-go/pyshm/pyshm/internal/descriptor"
	"github.com/pyshm-go/pyshm/pyshm/internal/wire"
)

// Check reports whether the queue goes on. It returns [ErrStuck], with the reason, if
//
//   - a process holds rlock and reads nothing, although there are bytes in the pipe
//   - a process holds wlock and writes nothing, although the pipe has room
//
// for a second. Then that process has been killed, or is stopped, as by SIGSTOP or a
// debugger. A killed process that held rlock while it waited for items shows only when an
// item comes. Check takes a second if the queue is stuck, and usually less than a
// millisecond if not. It changes nothing.
func (q *Queue) Check(ctx context.Context) error {
	return q.call("check", ctx, func(ctx context.Context) error {
		found, err := q.diagnose(ctx)
		if err == nil && found.isStuck() {
			err = found
		}
		return err
	})
}

// Reset makes a queue go on after a process has been killed that held rlock or wlock, as
// [Queue.Check] finds. It fails with [fs.ErrInvalid] if Check finds nothing.
//
// Items that are whole in the pipe stay. If the process was killed in the middle of an
// item, the rest of that item is dropped, and the item counts as gotten and done. The place
// of an item is lost if its process was killed between reading it and giving the place
// back; so are items that a killed Python had not written yet, and their places.
//
// A stopped process must not be continued after Reset. Other processes that use the queue
// may go on, except that a reader which waits for the rest of a torn item has to be ended
// first. If a writer is in the middle of an item, Reset takes what is in the pipe into its
// memory, has the writer write the rest of its item, and then puts the items back. A
// goroutine writes that for which there is no room yet. If this process is killed meanwhile,
// these items are lost. If several processes call Reset, one mends the queue, and the others wait until it
// has, and then find nothing.
func (q *Queue) Reset(ctx context.Context) error {
	return q.alone("reset", ctx, func(ctx context.Context) error {
		found, err := q.diagnose(ctx)
		if err != nil {
			return err
		}
		if !found.isStuck() {
			return errNotStuck
		}
		return q.mend(ctx, found)
	})
}

// alone calls f while no other goroutine or process is in alone.
func (q *Queue) alone(op string, ctx context.Context, f func(ctx context.Context) error) error {
	return q.call(op, ctx, func(ctx context.Context) error {
		if err := q.resetting.Take(ctx, nil); err != nil {
			return err
		}
		defer q.resetting.Release()
		for {
			locked, err := q.pipe.TryLock()
			if err != nil {
				return err
			}
			if locked {
				defer q.pipe.Unlock()
				return f(ctx)
			}
			select {
			case <-time.After(look):
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	})
}

var errNotStuck = invalid("the queue is not stuck: there is nothing to reset")

// A stuckQueue is what Check has found, and an error that wraps ErrStuck if isStuck.
type stuckQueue struct {
	reader, writer bool // holds its lock and does nothing
	pending        int  // bytes in the pipe
}

func (s stuckQueue) isStuck() bool { return s.reader || s.writer }

func (s stuckQueue) Error() string {
	var found []string
	if s.reader {
		found = append(found, "rlock is held, and no process reads")
	}
	if s.writer {
		found = append(found, "wlock is held, and no process writes")
	}
	return fmt.Sprintf("%v: %s; the pipe has %d bytes", ErrStuck, strings.Join(found, ", "), s.pending)
}

func (s stuckQueue) Unwrap() error { return ErrStuck }

// observation is how long a process that holds a lock must do nothing. Tests shorten it.
var observation = time.Second

// look is how long one look at a lock takes.
const look = 20 * time.Millisecond

// diagnose finds processes that hold a lock without doing what they hold it for.
func (q *Queue) diagnose(ctx context.Context) (stuckQueue, error) {
	found, err := q.suspect()
	for end := time.Now().Add(observation); err == nil && found.isStuck() && time.Now().Before(end); {
		if err := ctx.Err(); err != nil {
			return found, err
		}
		// A process that lives releases the lock sooner or later, if only to take it
		// again. This process then gets it.
		for lock, held := range map[*Semaphore]*bool{&q.rlock: &found.reader, &q.wlock: &found.writer} {
			if *held {
				if *held = !q.take(ctx, lock); !*held {
					release(lock)
				}
			}
		}
		var next stuckQueue
		next, err = q.suspect()
		same := next.pending == found.pending
		found.reader = found.reader && same && next.reader
		found.writer = found.writer && same && next.writer
	}
	return found, err
}

// suspect returns which processes could be stuck by what one look shows.
func (q *Queue) suspect() (s stuckQueue, err error) {
	readers, err := q.rlock.Value()
	if err != nil {
		return s, err
	}
	writers, err := q.wlock.Value()
	if err != nil {
		return s, err
	}
	if s.pending, err = q.pipe.Pending(); err != nil {
		return s, err
	}
	room, err := q.pipe.HasRoom()
	s.reader = readers == 0 && s.pending > 0
	s.writer = writers == 0 && room
	return s, err
}

// take takes a lock if it can be had within one look.
func (q *Queue) take(ctx context.Context, lock *Semaphore) bool {
	ctx, cancel := context.WithTimeout(ctx, look)
	defer cancel()
	return lock.Acquire(ctx) == nil
}

// release releases a lock that this process has taken. It fails only if another process has
// released the lock meanwhile.
func release(lock *Semaphore) { _ = lock.Release() }

// mend takes over the locks that are held in vain, removes what is torn from the pipe, and
// releases the locks.
func (q *Queue) mend(ctx context.Context, found stuckQueue) error {
	if err := q.interruptGet(ctx); err != nil {
		return err
	}
	defer q.reading.Release()
	begun := q.begun // then this handle holds rlock, and has the first part of a torn item
	own := !found.reader && !begun && found.pending > 0
	if own { // no live reader waits for the rest of an item, or there would be no bytes
		if err := q.rlock.Acquire(ctx); err != nil {
			return err
		}
	}
	lost, whole, endWrite, err := q.removeTorn(ctx, found.writer, begun)
	if err != nil {
		if own {
			release(&q.rlock)
		}
		return err
	}
	q.begun, q.frames = false, wire.NewReader(&q.source, 0)
	if own || begun || found.reader {
		err = q.rlock.Release()
	}
	ended, cancel := context.WithCancel(ctx)
	cancel() // a goroutine writes that for which readers have to make room
	err = cmp.Or(err, q.writeOut(ended, whole, endWrite))
	for range lost {
		err = cmp.Or(err, q.forget(ctx))
	}
	return err
}

// interruptGet takes the turn to read. Every Get of this handle that has it makes way.
func (q *Queue) interruptGet(ctx context.Context) error {
	for !q.reading.TryTake() {
		if cancel := q.interrupt.Load(); cancel != nil {
			(*cancel)(errReset)
		}
		select {
		case <-time.After(time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// removeTorn removes parts of items from the pipe: one at the beginning, which a killed
// reader has begun, and one at the end if a writer has died. It returns how many items these
// were, and whole items that it took out of the pipe as well. The caller writes these and
// calls endWrite. If an item is begun, its first part is in this handle.
func (q *Queue) removeTorn(ctx context.Context, writerDied, begun bool) (lost int, whole pieces, endWrite func(), err error) {
	p, err := q.silence(ctx, writerDied)
	if err != nil {
		return 0, nil, nil, err
	}
	first, last := wholeItems(p.content, !p.cut)
	if first > 0 || begun {
		lost++
	}
	drop := first
	if last < len(p.content) {
		lost++
		drop = len(p.content)
	}
	if drop == len(p.content) || p.takenOut {
		whole = pieces{p.content[first:last]}
	}
	if !p.takenOut {
		err = q.discard(ctx, drop)
	}
	if err != nil && !p.cut {
		p.endWrite()
	}
	return lost, whole, p.endWrite, err
}

// A silentPipe is a pipe to which no other process writes.
type silentPipe struct {
	content  []byte
	takenOut bool   // the content is no longer in the pipe
	cut      bool   // a writer has died: its last item may be incomplete, and it holds wlock
	endWrite func() // lets others write
}

// silence has this process alone write to the pipe, whose reader it is.
//
// A live writer may hold wlock, and wait for room in the middle of an item. Then all of the
// content may be a piece of one item, and the content does not show where an item begins.
// So silence takes the content out, until the writer has written the rest of its item.
func (q *Queue) silence(ctx context.Context, writerDied bool) (p silentPipe, err error) {
	p = silentPipe{cut: writerDied, endWrite: q.endWrite}
	if writerDied {
		p.endWrite = q.endKilledWrite()
	} else {
		wait, cancel := context.WithTimeout(ctx, look)
		defer cancel()
		switch err := q.lockWriting(wait); {
		case err == nil:
		case ctx.Err() != nil:
			return p, ctx.Err()
		case errors.Is(err, context.DeadlineExceeded):
			return q.takeOut()
		default:
			return p, err
		}
	}
	p.content, err = q.pipe.Peek()
	if err != nil && !p.cut {
		p.endWrite()
	}
	return p, err
}

// takeOut takes the content out of the pipe until it has wlock. If nothing comes for as long
// as Check observes a writer, the writer has died. No context ends takeOut: the content
// would be lost.
func (q *Queue) takeOut() (p silentPipe, err error) {
	p = silentPipe{takenOut: true, endWrite: q.endWrite}
	waiting, cancel := context.WithCancel(context.Background())
	defer cancel()
	locked := make(chan error, 1)
	go func() { locked <- q.lockWriting(waiting) }()
	for came := time.Now(); ; time.Sleep(min(time.Since(came), time.Millisecond)) {
		isLast := len(locked) > 0
		before := len(p.content)
		if p.content, err = q.appendPending(p.content); len(p.content) > before {
			came = time.Now()
		}
		if err == nil && !isLast && time.Since(came) < observation && len(p.content) <= defaultMaxItem {
			continue
		}
		cancel()
		if <-locked != nil {
			p.cut, p.endWrite = true, q.endKilledWrite()
		} else if err != nil {
			q.endWrite()
		}
		return p, err
	}
}

// appendPending reads what the pipe holds. A process that reads without rlock may be faster.
func (q *Queue) appendPending(content []byte) ([]byte, error) {
	n, err := q.pipe.Pending()
	if n == 0 || err != nil {
		return content, err
	}
	content = slices.Grow(content, n)
	_ = q.pipe.R.SetReadDeadline(time.Now().Add(look))
	n, err = q.pipe.R.Read(content[len(content) : len(content)+n])
	_ = q.pipe.R.SetReadDeadline(time.Time{})
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = nil
	}
	return content[:len(content)+n], err
}

// endKilledWrite returns a function that releases wlock in place of a killed writer.
func (q *Queue) endKilledWrite() func() {
	own := q.writing.TryTake() // or else a goroutine has it that waits for wlock
	return func() {
		release(&q.wlock)
		if own {
			q.writing.Release()
		}
	}
}

// discard reads n bytes. A process that reads without rlock may have taken them.
func (q *Queue) discard(ctx context.Context, n int) error {
	err := descriptor.Interruptibly(ctx, q.pipe.R.SetReadDeadline, func() error {
		_, err := io.ReadFull(q.pipe.R, make([]byte, n))
		return err
	})
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = ctx.Err()
	}
	return err
}

// forget counts an item that is gone as gotten and done.
func (q *Queue) forget(ctx context.Context) error {
	if q.parts == simpleQueue {
		return nil
	}
	err := q.sem.Release()
	if q.parts == joinableQueue {
		err = cmp.Or(err, q.done(ctx))
	}
	if errors.Is(err, ErrNotAcquired) {
		return nil // it was not counted
	}
	return err
}

// wholeItems returns where the first item in the content of a pipe begins, and where the
// last whole one ends. Bytes before the first are the rest of an item that a killed reader
// has begun. Unless the content isWhole, a writer may have written a part of the last item.
//
// Items have no mark. But a pickle of protocol 2 and later begins with 0x80 and its
// protocol and ends with a dot, and its length leads to the next item, up to the end. The
// longest chain of such items counts. A part of an item alone proves nothing: any bytes can
// look like one.
func wholeItems(content []byte, isWhole bool) (first, end int) {
	if isChain(content) {
		return 0, len(content) // of any protocol
	}
	type chain struct{ items, end int }
	n := len(content)
	chains := map[int]chain{n: {0, n}} // by where they begin
	first = n
	for at := n - 1; at >= 0; at-- {
		header, length := itemHeader(content[at:])
		payload := content[min(at+header, n):]
		switch {
		case length < 0 || len(payload) > 0 && payload[0] != 0x80 || len(payload) > 1 && payload[1] > 5:
		case length > len(payload):
			if !isWhole {
				chains[at] = chain{0, at}
			}
		case payload[length-1] == '.':
			next, ok := chains[at+header+length]
			if !ok {
				continue
			}
			chains[at] = chain{next.items + 1, next.end}
			if chains[at].items > chains[first].items {
				first = at
			}
		}
	}
	return first, chains[first].end
}

// isChain reports whether the content is items, one after the other, to its end.
func isChain(content []byte) bool {
	for len(content) > 0 {
		header, length := itemHeader(content)
		if length < 0 || length > len(content)-header || content[header+length-1] != '.' {
			return false
		}
		content = content[header+length:]
	}
	return true
}

// itemHeader returns the number of bytes in front of a pickle, and the length of the pickle,
// or -1 if no item begins so. An incomplete header stands for a pickle that is not there.
func itemHeader(b []byte) (header, length int) {
	const short, long = 4, 12
	if len(b) < short {
		return short, defaultMaxItem
	}
	n := uint64(binary.BigEndian.Uint32(b))
	header = short
	if n == 0xffffffff {
		if len(b) < long {
			return long, defaultMaxItem
		}
		header, n = long, binary.BigEndian.Uint64(b[short:])
	}
	if n == 0 || n > defaultMaxItem {
		return header, -1
	}
	return header, int(n)
}
