package pyshm

import (
	"cmp"
	"context"
	"math"
	"time"

	"github.com/pyshm-go/pyshm/format"
)

// An Event is a handle to an event that several processes share, the
// counterpart of Python's multiprocessing.Event: a flag that can be set,
// cleared and waited for. It consists of a [Condition] and a semaphore, the
// flag, which is 1 when the event is set.
//
// Every method acquires the condition's lock, which other processes hold for moments
// only. A process killed in such a moment, or while it waits for the event, blocks the
// others: in Python without an end, in Go until their context is done. Reset is the
// remedy. A method whose context is done tries once.
type Event struct {
	cond Condition
	flag Semaphore
}

// EventParts are the names of the semaphores of an [Event]. Their JSON is the dict that
// pyshm_attach.parts returns in Python.
type EventParts struct {
	ConditionParts
	Flag string `json:"flag"`
}

func eventParts(name string) EventParts {
	return EventParts{conditionParts(name), name + ".flag"}
}

// CreateEvent makes an event, which is not set at first. It has the semaphores that
// [CreateCondition] describes, and NAME.flag.
func CreateEvent(name string, opts ...ModeOption) (*Event, error) {
	e, err := createComposite[Event](name, newCreateOptions(opts))
	return e, wrap("create event", name, err)
}

// AttachEvent attaches to an event that [CreateEvent] has made.
func AttachEvent(name string) (*Event, error) {
	e, err := attachComposite[Event](name)
	return e, wrap("attach event", name, err)
}

// AttachEventContext is [AttachEvent] for an event that may not exist yet: it waits
// until the event exists, as [AttachContext] does.
func AttachEventContext(ctx context.Context, name string) (*Event, error) {
	return await(ctx, func() (*Event, error) { return AttachEvent(name) })
}

// AttachEventParts attaches to an event by the names of its semaphores. In an event
// that Python has made, these names are unrelated.
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

// Name returns the name by which the event was created or attached, or the name of its
// lock after [AttachEventParts].
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
// ctx is done while Set waits for the lock, Set returns ctx.Err() and has not set the
// event. If ctx is done while Set waits for the waiters, it returns ctx.Err() too, but
// the event is set and stays so. The waiters that have not woken up by then sleep on
// until the event is set again. Their processes have died or are stopped. To wake a
// stopped one, call Set when it has been continued.
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

// Clear clears the event: it is not set afterwards.
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

// look reports whether the flag is 1. Python, and Set, take the flag for a moment while
// they hold the lock: without the lock, look can miss that the event is set.
func (e *Event) look() (set bool, err error) {
	zero, err := e.flag.isZero()
	if zero || err != nil {
		return false, err
	}
	e.flag.acquired()
	return true, nil
}

// Wait waits until the event is set. When ctx is done, Wait looks once more, and
// returns ctx.Err() if the event is not set. It also returns nil if the event was set
// and has been cleared since. Python's wait returns False then.
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
// set all the same. It does not acquire the lock, which another process may hold for
// longer than the caller has time.
func (e *Event) unlessSet(err error) error {
	if !looksWithoutLock {
		return e.unlessSetLocked(err)
	}
	set, lookErr := e.look()
	if set {
		return nil
	}
	return cmp.Or(lookErr, err)
}

// lockPatience is how long a Wait that ends waits for the lock where it cannot look without.
const lockPatience = 20 * time.Millisecond

// unlessSetLocked is unlessSet where a look takes the flag for a moment: without the lock,
// Python would find the event cleared in this moment, or raise the flag to 2.
func (e *Event) unlessSetLocked(err error) error {
	ctx, cancel := context.WithTimeout(context.Background(), lockPatience)
	defer cancel()
	if e.cond.lock.Acquire(ctx) != nil {
		return err
	}
	set, lookErr := e.look()
	lookErr = cmp.Or(lookErr, e.cond.lock.Release())
	if set && lookErr == nil {
		return nil
	}
	return cmp.Or(lookErr, err)
}

// Reset makes an event usable again after a process has died that held its lock
// or waited for it. It does not change whether the event is set.
//
// Reset cannot know which processes live: it leaves processes that wait for the event
// without a wake, and disturbs a process in the middle of a method. Only call it when
// all other users of the event are known to be gone.
func (e *Event) Reset() error {
	return e.cond.call("reset", context.Background(), func(context.Context) error {
		if _, err := e.cond.lock.TryAcquire(); err != nil {
			return err
		}
		return e.cond.reset()
	})
}

// Current reports whether all of the names still lead to the semaphores of this
// event. [SharedMemory.Current] has the details.
func (e *Event) Current() (bool, error) { return e.cond.current(e.semaphores()) }

// Unlink removes the names of the semaphores, before or after Close. It fails as
// [SharedMemory.Unlink] does.
func (e *Event) Unlink() error { return each(e.semaphores(), (*Semaphore).Unlink) }

// Close detaches from the event. Goroutines that wait get [fs.ErrClosed], as does every
// later call. Calling Close again does nothing.
func (e *Event) Close() error { return e.cond.closeAll(e.semaphores()) }
