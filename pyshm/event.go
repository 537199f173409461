package pyshm

import (
	"cmp"
	"context"
	"math"

	"github.com/pyshm-go/pyshm/format"
)

// An Event is a handle to an event that several processes share, the
// counterpart of Python's multiprocessing.Event: a flag that can be set,
// cleared and waited for. It consists of a [Condition] and a semaphore, the
// flag, which is 1 when the event is set.
//
// Every method acquires the condition's lock, which others hold for moments
// only. A process that is killed in such a moment, or while it waits for the
// event, blocks the others: in Python without an end, here until their context
// is done. Reset is the remedy. With a context that is done, a method tries once.
type Event struct {
	cond Condition
	flag Semaphore
}

// EventParts are the names of the semaphores of an [Event]. In JSON they are
// what pyshm_attach.parts returns in Python.
type EventParts struct {
	ConditionParts
	Flag string `json:"flag"`
}

func eventParts(name string) EventParts {
	return EventParts{conditionParts(name), name + ".flag"}
}

// CreateEvent makes an event that is not set. Its semaphores are those of
// [CreateCondition], which says more about them, and NAME.flag.
func CreateEvent(name string, opts ...ModeOption) (*Event, error) {
	e, err := createComposite[Event](name, newCreateOptions(opts))
	return e, wrap("create event", name, err)
}

// AttachEvent attaches to an event that [CreateEvent] has made.
func AttachEvent(name string) (*Event, error) {
	e, err := attachComposite[Event](name)
	return e, wrap("attach event", name, err)
}

// AttachEventContext is [AttachEvent] for an event that may not be there yet: it waits
// until it exists, as [AttachContext] does.
func AttachEventContext(ctx context.Context, name string) (*Event, error) {
	return await(ctx, func() (*Event, error) { return AttachEvent(name) })
}

// AttachEventParts attaches to an event by the names of its semaphores, which
// are unrelated in one that Python has made.
func AttachEventParts(names EventParts) (*Event, error) {
	e := new(Event)
	e.cond.init(names.Lock)
	err := openMembers(e.members(names))
	return opened(e, wrap("attach event", names.Lock, err))
}

func (e *Event) begin(name string) []member {
	e.cond.init(name)
	return e.members(eventParts(name))
}

func (e *Event) members(names EventParts) []member {
	return append(e.cond.members(names.ConditionParts), counterMember(&e.flag, names.Flag))
}

func (e *Event) semaphores() []*Semaphore { return append(e.cond.semaphores(), &e.flag) }

// Name returns the name that the event was created with or attached to by, or
// the name of its lock.
func (e *Event) Name() string { return e.cond.Name() }

// String returns, for example, Event('frames.done').
func (e *Event) String() string { return "Event(" + format.Repr(e.Name()) + ")" }

// call calls f with the lock held.
func (e *Event) call(op string, ctx context.Context, f func(ctx context.Context) error) error {
	return e.cond.call(op, ctx, func(ctx context.Context) error {
		if err := e.cond.lock.Acquire(ctx); err != nil {
			return err
		}
		err := f(ctx)
		return cmp.Or(err, e.cond.lock.Release())
	})
}

// Set sets the event, wakes all waiters, and waits until they have woken up. If
// ctx is done while it waits for the lock, it has not set the event. If ctx is
// done while it waits for the waiters, it returns ctx.Err() as well, but the event
// is set and stays so: the waiters that have not woken up by then sleep on until
// it is set again. Their processes have died, or have stopped: to wake these,
// call Set when they have been continued.
func (e *Event) Set(ctx context.Context) error {
	return e.call("set", ctx, func(ctx context.Context) error {
		if _, err := e.flag.TryAcquire(); err != nil {
			return err
		}
		if err := add(&e.flag, 1); err != nil {
			return err
		}
		return e.cond.notifyHeld(ctx, math.MaxInt)
	})
}

// Clear makes the event one that is not set.
func (e *Event) Clear(ctx context.Context) error {
	return e.call("clear", ctx, func(context.Context) error {
		_, err := e.flag.TryAcquire()
		return err
	})
}

// IsSet reports whether the event is set.
func (e *Event) IsSet(ctx context.Context) (set bool, err error) {
	err = e.call("is set", ctx, func(context.Context) error {
		set, err = e.look()
		return err
	})
	return set, err
}

// look looks at the flag. Python, and Set, take it for a moment while they hold
// the lock: without the lock, look can miss that the event is set.
func (e *Event) look() (set bool, err error) {
	value, err := e.flag.Value()
	if value == 0 {
		return false, err
	}
	e.flag.wait.Acquired()
	return true, nil
}

// Wait waits until the event is set, or until ctx is done: then it looks once
// more, and returns ctx.Err() if the event is not set. It returns nil also if the
// event was set and has been cleared since, where Python's wait returns False.
func (e *Event) Wait(ctx context.Context) error {
	return e.cond.call("wait", ctx, func(ctx context.Context) error {
		if err := e.cond.lock.Acquire(ctx); err != nil {
			return e.unlessSet(err)
		}
		if set, err := e.look(); set || err != nil {
			return cmp.Or(err, e.cond.lock.Release())
		}
		held, err := e.cond.sleep(ctx)
		switch {
		case held:
			return cmp.Or(err, e.cond.lock.Release())
		case err == nil:
			return nil
		}
		return e.unlessSet(err)
	})
}

// unlessSet returns the error with which Wait ends, or nil if the event has been
// set all the same. It looks without the lock, which may be taken for longer than
// the caller has time.
func (e *Event) unlessSet(err error) error {
	set, lookErr := e.look()
	if set {
		return nil
	}
	return cmp.Or(lookErr, err)
}

// Reset makes an event usable again after a process has died that held its lock
// or waited for it. Whether the event is set stays as it is.
//
// Reset cannot know who lives: processes that wait for the event at this time
// are not woken any more, and one that is in a method of its own is disturbed.
// Call it only when all other users of the event are known to be gone.
func (e *Event) Reset() error {
	return e.cond.call("reset", context.Background(), func(context.Context) error {
		if _, err := e.cond.lock.TryAcquire(); err != nil {
			return err
		}
		return e.cond.reset()
	})
}

// Current reports whether all of the names still lead to the semaphores of this
// event. [SharedMemory.Current] says more.
func (e *Event) Current() (bool, error) { return e.cond.current(e.semaphores()) }

// Unlink removes the names of the semaphores, before or after Close.
// [SharedMemory.Unlink] says what it refuses.
func (e *Event) Unlink() error { return each(e.semaphores(), (*Semaphore).Unlink) }

// Close detaches from the event. Those who wait return [fs.ErrClosed], as does
// every method from then on. Calling Close again does nothing.
func (e *Event) Close() error { return e.cond.closeAll(e.semaphores()) }
