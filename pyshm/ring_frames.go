package pyshm

import (
	"context"
	"errors"
	"time"
	"unsafe"

	"github.com/pyshm-go/pyshm/pyshm/internal/sem"
)

// Publish writes the next frame and returns its number. The number is one more than the
// largest number in the ring, also if another writer was killed before. Publish calls f
// with the memory of the frame, in C order, which still holds an old frame. f must not keep
// the slice, nor call Publish.
//
// Readers see the whole frame when f has returned. If f returns an error or panics, readers
// never see the frame, and the next frame gets its number. Publish returns an error of f as
// it is.
//
// A ring has one writer at a time. The goroutines that share a handle take turns. Nothing
// keeps other handles and other processes out: if two writers write at the same time,
// readers may get frames that both have written to. The writer that finishes last gets
// [ErrSecondWriter], unless it is a Python. Several writers need a common lock.
//
// On a [ReadOnly] ring Publish fails with [fs.ErrPermission]. If Publish returns a number
// and an error, the frame is published, but a semaphore of [Ring.SignalTo] could not be
// released.
func (r *Ring[T]) Publish(f func(frame []T) error) (n uint64, err error) {
	const op = "publish"
	switch {
	case r.m.isClosed():
		return 0, r.m.errClosed(op)
	case r.m.readOnly:
		return 0, wrap(op, r.m.name, errReadOnly)
	}
	r.writing.Lock()
	defer r.writing.Unlock()
	err = r.m.guard(op, func() error {
		mark, err := r.slots.mark()
		if err != nil {
			return wrap(op, r.m.name, err)
		}
		if err := f(elements[T](r.slots.memory, r.slots.frameAt(mark.slot), r.n)); err != nil {
			return err
		}
		if err := r.slots.publish(mark); err != nil {
			return wrap(op, r.m.name, err)
		}
		n = mark.n
		return nil
	})
	if err != nil {
		return 0, err
	}
	if err := r.signal(); err != nil {
		return n, &Error{Op: op, Name: r.m.name, Err: err}
	}
	return n, nil
}

// SignalTo makes Publish release the semaphores after each frame. Publish leaves out a
// semaphore that has a token already, so that a semaphore wakes its reader once, however
// many frames there are. The semaphores replace the semaphores of an earlier call. A reader
// waits for its semaphore with [Ring.WaitOn]. Each reader that waits needs a semaphore of
// its own.
//
// Nothing changes for readers without a semaphore. The writer need not know them.
func (r *Ring[T]) SignalTo(s ...*Semaphore) { r.signals.Store(&s) }

// signal releases the semaphores of SignalTo.
func (r *Ring[T]) signal() error {
	all := r.signals.Load()
	if all == nil {
		return nil
	}
	var failed []error
	for _, s := range *all {
		// A reader that takes the token after this look finds the frame, because the
		// look comes after the store that has published it.
		zero, err := s.isZero()
		if err == nil && zero {
			err = s.Release()
		}
		if err != nil && !errors.Is(err, ErrNotAcquired) {
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}

// Newest copies the newest frame to dst, in C order, and returns its number. dst must have
// room for a frame: [Ring.Len] elements. Further elements of dst stay as they were.
//
// Newest fails with [ErrNoFrame] if the ring has no frame yet, and with [ErrOutrun] if the
// writer outruns it many times in a row. After an error the content of dst is undefined.
func (r *Ring[T]) Newest(dst []T) (n uint64, err error) {
	const op = "newest"
	n, err = r.copyNewer(op, 0, dst)
	if n == 0 && err == nil {
		err = wrap(op, r.m.name, ErrNoFrame)
	}
	return n, err
}

// copyNewer copies the newest frame, if its number is above after. Otherwise it returns 0.
func (r *Ring[T]) copyNewer(op string, after uint64, dst []T) (n uint64, err error) {
	if r.m.isClosed() {
		return 0, r.m.errClosed(op)
	}
	if len(dst) < r.n {
		return 0, wrap(op, r.m.name, invalid("a frame has %d elements, and there is room for %d", r.n, len(dst)))
	}
	defer r.m.leave(op, r.m.enter(), &err)
	return r.slots.copyNewer(unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(dst))), r.slots.size), after)
}

// Next waits until there is a frame with a number above n, copies the newest one to dst as
// [Ring.Newest] does, and returns its number. Frames that came and went in the meantime
// are left out. Next(ctx, 0, dst) waits for the first frame of an empty ring.
//
// With a semaphore of [Ring.WaitOn], which the writer releases, Next sleeps until a frame
// comes, and wakes within some 100 µs. Without a semaphore, Next looks again and again:
// after 50 µs at first, and then at intervals up to 1 ms. This takes a hundredth of a
// processor, and Next returns a frame up to a millisecond late. A program that has a
// processor to spare and cannot wait calls Newest in a loop.
//
// When ctx is done Next looks once more, and then returns ctx.Err().
func (r *Ring[T]) Next(ctx context.Context, n uint64, dst []T) (uint64, error) {
	const op = "next"
	for pause := shortestPause; ; pause = min(2*pause, longestPause) {
		newer, err := r.copyNewer(op, n, dst)
		if newer != 0 || err != nil {
			return newer, err
		}
		if waited := r.wait(ctx, pause); waited != nil {
			newer, err := r.copyNewer(op, n, dst)
			if newer == 0 && err == nil {
				err = wrap(op, r.m.name, waited)
			}
			return newer, err
		}
	}
}

const (
	shortestPause = 50 * time.Microsecond
	longestPause  = time.Millisecond
	// longestSleep is how long Next sleeps on a semaphore without a look at the ring. No
	// token comes if a writer dies between a frame and its signal, or if another reader
	// takes the token.
	longestSleep = 50 * time.Millisecond
)

// WaitOn makes Next sleep on the semaphore instead of looking at intervals. If s is nil,
// Next looks at intervals again. The writer releases the semaphore after each frame: a
// writer in Go with [Ring.SignalTo], a writer in Python with the method release of the
// semaphore that attach_semaphore returns. Next takes all tokens at once.
//
// [CreateBoundedSemaphore] with a value of 1 makes a semaphore that does not count up
// while no reader waits: a Python writer then ignores the ValueError of release. The
// semaphore has a token at first, which makes Next look once more.
func (r *Ring[T]) WaitOn(s *Semaphore) { r.waitOn.Store(s) }

// wait waits until there may be a new frame. It returns an error if waiting is over.
func (r *Ring[T]) wait(ctx context.Context, pause time.Duration) error {
	s := r.waitOn.Load()
	if s == nil {
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
		return ctx.Err()
	}
	short, cancel := context.WithTimeout(ctx, longestSleep)
	defer cancel()
	err := s.Acquire(short)
	if err == nil {
		_, err = s.takeUpTo(sem.MaxValue)
	}
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, context.DeadlineExceeded):
		return nil
	}
	return err
}
