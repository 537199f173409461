package pyshm

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"

	"github.com/pyshm-go/pyshm/format"
)

// A Condition is a handle to a condition variable that several processes share,
// the counterpart of Python's multiprocessing.Condition. It consists of a lock
// and three semaphores that count, by CPython's rules:
//
//	sleeping  waiters that have begun to wait, until a notifier has counted them out
//	wait      notifications that no waiter has taken yet
//	woken     waiters that have stopped waiting, until a notifier has counted them
//
// A waiter enters sleeping, releases the lock, takes a notification from wait
// or gives up, enters woken, and acquires the lock. A notifier, which holds the
// lock, takes the waiters that gave up out of sleeping; moves the waiters that it
// notifies from sleeping to wait; and waits until as many have entered woken.
//
// A process that dies in between leaves the counts wrong. If it was waiting,
// notifiers wait for it: in Python without an end, in Go until their context is
// done. Reset is the remedy.
type Condition struct {
	name                        string
	lock, sleeping, woken, wait Semaphore
	gate                        gate
}

// ConditionParts are the names of the semaphores of a [Condition]. Their JSON is the
// dict that pyshm_attach.parts returns in Python.
type ConditionParts struct {
	Lock     string `json:"lock"`
	Sleeping string `json:"sleeping"`
	Woken    string `json:"woken"`
	Wait     string `json:"wait"`
}

// conditionParts returns the parts of a condition that Go has made.
func conditionParts(name string) ConditionParts {
	return ConditionParts{name + ".lock", name + ".sleeping", name + ".woken", name + ".wait"}
}

// CreateCondition makes a condition whose lock no process holds. Its semaphores are
// NAME.lock, NAME.sleeping, NAME.woken and NAME.wait. NAME.lock appears last. NAME may
// be a pattern, as for [Create], but not empty. [CreateLock] has more about names.
// There is no [Replace]: several names do not pass from one condition to another in one
// step.
//
// A process that dies half-way leaves some of the names, which
// Unlink("sem.NAME.wait") and so on remove.
func CreateCondition(name string, opts ...ModeOption) (*Condition, error) {
	c, err := createComposite[Condition](name, newCreateOptions(opts))
	return c, wrap("create condition", name, err)
}

// AttachCondition attaches to a condition that [CreateCondition] has made. If one of its
// semaphores belongs to another user, the error is [fs.ErrPermission], as for every object
// of several files: in a sticky /dev/shm another user can take a name that is gone.
func AttachCondition(name string) (*Condition, error) {
	c, err := attachComposite[Condition](name)
	return c, wrap("attach condition", name, err)
}

// AttachConditionContext is [AttachCondition] for a condition that may not exist yet: it
// waits until the condition exists, as [AttachContext] does.
func AttachConditionContext(ctx context.Context, name string) (*Condition, error) {
	return await(ctx, func() (*Condition, error) { return AttachCondition(name) })
}

// AttachConditionParts attaches to a condition by the names of its semaphores. In a
// condition that Python has made, these names are unrelated.
func AttachConditionParts(names ConditionParts) (*Condition, error) {
	c := new(Condition)
	c.init(names.Lock)
	err := openMembers(c.members(names))
	return opened(c, wrap("attach condition", names.Lock, err))
}

func (c *Condition) init(name string) {
	c.name = strings.TrimPrefix(name, "/")
	c.gate.open()
}

func (c *Condition) begin(name string) []member {
	c.init(name)
	return c.members(conditionParts(name))
}

func (c *Condition) members(names ConditionParts) []member {
	return []member{
		lockMember(&c.lock, names.Lock),
		counterMember(&c.sleeping, names.Sleeping),
		counterMember(&c.woken, names.Woken),
		counterMember(&c.wait, names.Wait),
	}
}

// counters returns the semaphores other than the lock.
func (c *Condition) counters() []*Semaphore {
	return []*Semaphore{&c.sleeping, &c.woken, &c.wait}
}

func (c *Condition) semaphores() []*Semaphore { return append(c.counters(), &c.lock) }

// Name returns the name by which the condition was created or attached, or the name of
// its lock after [AttachConditionParts].
func (c *Condition) Name() string { return c.name }

// String returns, for example, Condition('frames.ready').
func (c *Condition) String() string { return "Condition(" + format.Repr(c.Name()) + ")" }

// Acquire acquires the lock. [Lock.Acquire] has the details.
func (c *Condition) Acquire(ctx context.Context) error {
	const op = "acquire"
	if c.isClosed() {
		return c.err(op, errClosed)
	}
	return c.err(op, c.lock.Acquire(ctx))
}

// TryAcquire acquires the lock if no process holds it, and reports whether it has
// acquired it.
func (c *Condition) TryAcquire() (bool, error) {
	const op = "acquire"
	if c.isClosed() {
		return false, c.err(op, errClosed)
	}
	taken, err := c.lock.TryAcquire()
	return taken, c.err(op, err)
}

// Release releases the lock.
func (c *Condition) Release() error {
	const op = "release"
	// The lock stays open for a moment when Close has begun. Waiters that Close has
	// ended do not hold it, and must not release what another goroutine holds.
	if c.isClosed() {
		return c.err(op, errClosed)
	}
	return c.err(op, c.lock.Release())
}

// Locker returns a [sync.Locker] of the lock. It panics if Acquire or Release returns
// an error.
func (c *Condition) Locker() sync.Locker { return locker{c} }

func (c *Condition) isClosed() bool { return c.gate.isClosed() }

// call calls f, and Close waits until f has returned. call names op in the error of f.
func (c *Condition) call(op string, ctx context.Context, f func(ctx context.Context) error) error {
	return c.err(op, c.gate.run(ctx, f))
}

// err turns the error of a semaphore into an error of the operation on the condition.
func (c *Condition) err(op string, err error) error { return rewrap(op, c.name, err) }

// held returns an error if no process holds the lock.
func (c *Condition) held() error {
	zero, err := c.lock.isZero()
	if err == nil && !zero {
		err = errNotHeld
	}
	return err
}

var errNotHeld error = &reason{"no process holds the lock", ErrNotAcquired}

// Wait releases the lock, waits for a notification and acquires the lock again.
// The caller has to hold the lock. It has to check in a loop for the state that it
// waits for: another process may have been faster.
//
// When ctx is done Wait returns ctx.Err(), but not before it has the lock again,
// however long that takes. The caller holds the lock after every error, with three
// exceptions. After [fs.ErrClosed] and [ErrFault] it may hold the lock or not. After
// [ErrNotAcquired] it does not: no process held the lock before.
func (c *Condition) Wait(ctx context.Context) error {
	return c.call("wait", ctx, func(ctx context.Context) error {
		held, err := c.sleep(ctx)
		if held {
			return err
		}
		if lockErr := c.lock.Acquire(c.gate.closing); lockErr != nil {
			return cmp.Or(context.Cause(c.gate.closing), lockErr)
		}
		if c.isClosed() { // a free lock is acquired all the same
			return cmp.Or[error](c.lock.Release(), errClosed)
		}
		return err
	})
}

// sleep releases the lock and waits for a notification, or until ctx is done. It
// reports whether the caller still holds the lock, because it has not slept.
func (c *Condition) sleep(ctx context.Context) (held bool, err error) {
	if err := c.held(); err != nil {
		return true, err
	}
	if err := add(&c.sleeping, 1); err != nil {
		return true, err
	}
	if err := c.lock.Release(); err != nil {
		_, undoErr := c.sleeping.TryAcquire()
		return true, cmp.Or(undoErr, err)
	}
	waitErr := c.wait.Acquire(ctx)
	return false, cmp.Or(add(&c.woken, 1), waitErr)
}

// Notify wakes up to n of the waiters, and waits until they have woken up. The
// caller has to hold the lock.
//
// When ctx is done Notify returns ctx.Err(), and takes its notifications back from the
// waiters that have not woken up by then: their processes are stopped or have died. If
// ctx was done before the call, no waiter has the time to wake up.
func (c *Condition) Notify(ctx context.Context, n int) error {
	return c.call("notify", ctx, func(ctx context.Context) error {
		return c.notifyHeld(ctx, n)
	})
}

// NotifyAll is [Condition.Notify] of all waiters.
func (c *Condition) NotifyAll(ctx context.Context) error { return c.Notify(ctx, math.MaxInt) }

func (c *Condition) notifyHeld(ctx context.Context, n int) error {
	if err := c.held(); err != nil {
		return err
	}
	if err := c.settle(); err != nil {
		return err
	}
	// Another process may have made the count absurd since settle checked it.
	sleepers, err := c.sleeping.takeUpTo(uint32(min(max(n, 0), maxSleepers)))
	if err != nil || sleepers == 0 {
		return err
	}
	if err := add(&c.wait, sleepers); err != nil {
		return cmp.Or(c.withdraw(sleepers), err)
	}
	if late, err := c.awaitWoken(ctx, sleepers); err != nil {
		return cmp.Or(c.withdraw(late), err)
	}
	// Take back the notifications of waiters that gave up in the meantime.
	_, err = c.wait.takeUpTo(math.MaxUint32)
	return err
}

// awaitWoken waits until n waiters have entered woken, and returns how many have
// not entered it.
func (c *Condition) awaitWoken(ctx context.Context, n uint32) (late uint32, err error) {
	for {
		taken, err := c.woken.takeUpTo(n)
		if n -= taken; n == 0 || err != nil {
			return n, err
		}
		// Acquire checks ctx only when the count is 0, and another process can keep
		// the count from becoming 0.
		if err := ctx.Err(); err != nil {
			return n, err
		}
		if err := c.woken.Acquire(ctx); err != nil {
			return n, err
		}
		n--
	}
}

// add adds n to a count. Only an impossible count has no room for them.
func add(s *Semaphore, n uint32) error {
	err := s.release(n)
	if errors.Is(err, ErrNotAcquired) {
		return errCounts
	}
	return err
}

// settle brings the counts up to date since the last notification: it removes waiters
// that gave up, and notifications that a dead notifier has left.
func (c *Condition) settle() error {
	for _, s := range c.counters() {
		if absurd, err := s.exceeds(maxSleepers); err != nil || absurd {
			return cmp.Or(err, errCounts)
		}
	}
	if _, err := c.wait.takeUpTo(math.MaxUint32); err != nil {
		return err
	}
	woken, err := c.woken.takeUpTo(math.MaxUint32)
	if err != nil {
		return err
	}
	_, err = c.sleeping.takeUpTo(woken)
	return err
}

// maxSleepers is more than the possible number of sleepers: Linux has no more threads.
const maxSleepers = 1 << 22

var errCounts error = &reason{fmt.Sprintf("its counts exceed %d, the number of threads there can be", maxSleepers), format.ErrCorrupt}

// withdraw turns n waiters that were notified, but did not wake up in time, into
// sleepers again. If one of them has taken its notification after all, it will enter
// woken, and the next notifier takes it out of sleeping. There may be more than n
// notifications to take back, because waiters that gave up have left theirs.
func (c *Condition) withdraw(n uint32) error {
	if _, err := c.wait.takeUpTo(math.MaxUint32); err != nil {
		return err
	}
	return add(&c.sleeping, n)
}

// Reset brings a condition back to its initial state, with the lock free and no
// waiters, after a process has died that held the lock or waited. It fails with
// [fs.ErrInvalid] if the lock is free. So if the dead process did not hold the lock,
// acquire it first.
//
// Reset cannot know which processes live. It leaves processes that still wait without
// a notification, so all other users of the condition should be gone. [Lock.Reset] has
// the details.
func (c *Condition) Reset() error {
	return c.call("reset", context.Background(), func(context.Context) error { return c.reset() })
}

func (c *Condition) reset() error {
	if zero, err := c.lock.isZero(); err != nil || !zero {
		return cmp.Or(err, errNotLocked)
	}
	for _, s := range c.counters() {
		if _, err := s.takeUpTo(math.MaxUint32); err != nil {
			return err
		}
	}
	return c.lock.Reset()
}

// With acquires the lock, calls f, and releases the lock. [Lock.With] has the details.
// f may call [Condition.Wait] and the methods that notify.
func (c *Condition) With(ctx context.Context, f func() error) error { return with(ctx, c, f) }

// Current reports whether all of the names still lead to the semaphores of this
// condition. [SharedMemory.Current] has the details.
func (c *Condition) Current() (bool, error) { return c.current(c.semaphores()) }

func (c *Condition) current(semaphores []*Semaphore) (bool, error) {
	const op = "current"
	if c.isClosed() {
		return false, c.err(op, errClosed)
	}
	for _, s := range semaphores {
		if current, err := s.Current(); !current || err != nil {
			return false, c.err(op, err)
		}
	}
	return true, nil
}

// Unlink removes the names of the semaphores, before or after Close. If it cannot
// remove one of them, it removes the others and returns the error of
// [SharedMemory.Unlink].
func (c *Condition) Unlink() error { return each(c.semaphores(), (*Semaphore).Unlink) }

// Close detaches from the condition. Goroutines that wait get [fs.ErrClosed], without
// the lock, as does every later call. A lock stays held if it was. Calling Close again
// does nothing.
func (c *Condition) Close() error { return c.closeAll(c.semaphores()) }

// closeAll closes the semaphores when the calls that use them have ended.
func (c *Condition) closeAll(semaphores []*Semaphore) error {
	return c.gate.close(func() error { return each(semaphores, (*Semaphore).Close) })
}
