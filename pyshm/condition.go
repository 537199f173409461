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
//	sleeping  those who have begun to wait, until a notifier knows better
//	wait      notifications that no waiter has taken yet
//	woken     those who have stopped waiting, until a notifier knows
//
// A waiter enters sleeping, releases the lock, takes a notification from wait
// or gives up, enters woken, and acquires the lock. A notifier, who holds the
// lock, takes out of sleeping those who gave up; moves those whom it notifies
// from sleeping to wait; and waits until as many have entered woken.
//
// A process that dies in between leaves the counts wrong. If it was waiting,
// notifiers wait for it: in Python without an end, here until their context is
// done. Reset is the remedy.
type Condition struct {
	name                        string
	lock, sleeping, woken, wait Semaphore

	closing context.Context         // done when Close begins, because of errClosed; nil in the zero value
	close   context.CancelCauseFunc // closing's
	calls   sync.RWMutex            // held for reading by calls that Close must not tear
}

// ConditionParts are the names of the semaphores of a [Condition]. In JSON they
// are what pyshm_attach.parts returns in Python.
type ConditionParts struct {
	Lock     string `json:"lock"`
	Sleeping string `json:"sleeping"`
	Woken    string `json:"woken"`
	Wait     string `json:"wait"`
}

// conditionParts are those of a condition that Go has made.
func conditionParts(name string) ConditionParts {
	return ConditionParts{name + ".lock", name + ".sleeping", name + ".woken", name + ".wait"}
}

// CreateCondition makes a condition whose lock nobody holds. Its semaphores are
// NAME.lock, NAME.sleeping, NAME.woken and NAME.wait, of which the first
// appears last. NAME may be a pattern, as for [Create], but not empty. [CreateLock]
// says more about names. There is no [Replace]: several names do not pass from one
// condition to another in one step.
//
// A process that dies in the middle of it leaves some of the names, which
// Unlink("sem.NAME.wait") and so on remove.
func CreateCondition(name string, opts ...ModeOption) (*Condition, error) {
	c, err := createComposite[Condition](name, newCreateOptions(opts))
	return c, wrap("create condition", name, err)
}

// AttachCondition attaches to a condition that [CreateCondition] has made.
func AttachCondition(name string) (*Condition, error) {
	c, err := attachComposite[Condition](name)
	return c, wrap("attach condition", name, err)
}

// AttachConditionContext is [AttachCondition] for a condition that may not be there
// yet: it waits until it exists, as [AttachContext] does.
func AttachConditionContext(ctx context.Context, name string) (*Condition, error) {
	return await(ctx, func() (*Condition, error) { return AttachCondition(name) })
}

// AttachConditionParts attaches to a condition by the names of its semaphores,
// which are unrelated in one that Python has made.
func AttachConditionParts(names ConditionParts) (*Condition, error) {
	c := new(Condition)
	c.init(names.Lock)
	err := openMembers(c.members(names))
	return opened(c, wrap("attach condition", names.Lock, err))
}

func (c *Condition) init(name string) {
	c.name = strings.TrimPrefix(name, "/")
	c.closing, c.close = context.WithCancelCause(context.Background())
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

// counters are the semaphores beside the lock.
func (c *Condition) counters() []*Semaphore {
	return []*Semaphore{&c.sleeping, &c.woken, &c.wait}
}

func (c *Condition) semaphores() []*Semaphore { return append(c.counters(), &c.lock) }

// Name returns the name that the condition was created with or attached to by,
// or the name of its lock.
func (c *Condition) Name() string { return c.name }

// String returns, for example, Condition('frames.ready').
func (c *Condition) String() string { return "Condition(" + format.Repr(c.Name()) + ")" }

// Acquire acquires the lock. [Lock.Acquire] says more.
func (c *Condition) Acquire(ctx context.Context) error {
	const op = "acquire"
	if c.isClosed() {
		return c.err(op, errClosed)
	}
	return c.err(op, c.lock.Acquire(ctx))
}

// TryAcquire acquires the lock if nobody holds it, and reports whether it has.
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
	// The lock stays open for a moment when Close has begun. Those who wait
	// have lost it by then, and may not release what is another's.
	if c.isClosed() {
		return c.err(op, errClosed)
	}
	return c.err(op, c.lock.Release())
}

// Locker returns a [sync.Locker] of the lock, which panics where Acquire and
// Release return an error.
func (c *Condition) Locker() sync.Locker { return locker{c} }

func (c *Condition) isClosed() bool { return c.closing == nil || c.closing.Err() != nil }

// call calls f, which Close does not tear, and makes its error that of op.
func (c *Condition) call(op string, ctx context.Context, f func(ctx context.Context) error) error {
	c.calls.RLock()
	defer c.calls.RUnlock()
	if c.isClosed() {
		return c.err(op, errClosed)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(c.closing, func() { cancel(errClosed) })()
	err := f(ctx)
	if errors.Is(err, context.Canceled) && context.Cause(ctx) == errClosed {
		err = errClosed
	}
	return c.err(op, err)
}

// err makes the error of one of the semaphores that of the call op.
func (c *Condition) err(op string, err error) error {
	if err == nil {
		return nil
	}
	var inner *Error
	if errors.As(err, &inner) {
		err = inner.Err
	}
	return wrap(op, c.name, err)
}

// held returns an error if nobody holds the lock.
func (c *Condition) held() error {
	value, err := c.lock.Value()
	if err == nil && value > 0 {
		err = errNotHeld
	}
	return err
}

var errNotHeld error = &reason{"nobody holds the lock", ErrNotAcquired}

// Wait releases the lock, waits for a notification and acquires the lock again.
// The caller has to hold the lock, and to look at what it waits for in a loop:
// another may have been faster.
//
// When ctx is done Wait returns ctx.Err(), but not before it has the lock again,
// however long that takes. The caller holds the lock after every error except
// [fs.ErrClosed] and [ErrFault], which tell nothing of it, and [ErrNotAcquired]:
// nobody held it before.
func (c *Condition) Wait(ctx context.Context) error {
	return c.call("wait", ctx, func(ctx context.Context) error {
		held, err := c.sleep(ctx)
		if held {
			return err
		}
		if lockErr := c.lock.Acquire(c.closing); lockErr != nil {
			return cmp.Or(context.Cause(c.closing), lockErr)
		}
		if c.isClosed() { // a free lock is acquired all the same
			return cmp.Or[error](c.lock.Release(), errClosed)
		}
		return err
	})
}

// sleep releases the lock and waits for a notification, or until ctx is done. It
// reports whether the caller still holds the lock: it has not slept then.
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
// When ctx is done Notify returns ctx.Err(), and the waiters that have not woken
// up by then are as if they had not been notified: their processes have stopped,
// or died. With a context that is done before, no waiter has the time to wake up.
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
	// The count may have become absurd since settle has looked at it.
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
	// Notifications for those who gave up in the meantime.
	_, err = c.wait.takeUpTo(math.MaxUint32)
	return err
}

// awaitWoken waits until n waiters have entered woken, and returns how many have
// not.
func (c *Condition) awaitWoken(ctx context.Context, n uint32) (late uint32, err error) {
	for {
		taken, err := c.woken.takeUpTo(n)
		if n -= taken; n == 0 || err != nil {
			return n, err
		}
		// Acquire looks at ctx only where the count is 0, and another process
		// can keep it from that.
		if err := ctx.Err(); err != nil {
			return n, err
		}
		if err := c.woken.Acquire(ctx); err != nil {
			return n, err
		}
		n--
	}
}

// add adds n to a count. Only a count that cannot be leaves no room for them.
func add(s *Semaphore, n uint32) error {
	err := s.release(n)
	if errors.Is(err, ErrNotAcquired) {
		return errCounts
	}
	return err
}

// settle takes out of the counts what has happened since the last notification:
// those who gave up, and notifications left by a notifier that has died.
func (c *Condition) settle() error {
	for _, s := range c.counters() {
		if n, err := s.Value(); err != nil || n > maxSleepers {
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

// maxSleepers is more than there can be: Linux has no more threads.
const maxSleepers = 1 << 22

var errCounts error = &reason{fmt.Sprintf("its counts exceed %d, the number of threads there can be", maxSleepers), format.ErrCorrupt}

// withdraw makes n who were notified, and did not wake up in time, sleepers
// again. If one of them has taken its notification after all, it will enter
// woken, and thereby leave the sleepers for good. There may be more than n
// notifications to take back: others have given up and left theirs.
func (c *Condition) withdraw(n uint32) error {
	if _, err := c.wait.takeUpTo(math.MaxUint32); err != nil {
		return err
	}
	return add(&c.sleeping, n)
}

// Reset makes a condition as it was in the beginning, with its lock free and
// nobody waiting, after a process has died that held the lock or waited. It
// refuses, with an error that is [fs.ErrInvalid], if the lock is free: if it is
// not a dead process that holds it, acquire it first.
//
// Reset cannot know who lives. Those who wait are not notified any more; all
// other users of the condition should be gone. [Lock.Reset] says more.
func (c *Condition) Reset() error {
	return c.call("reset", context.Background(), func(context.Context) error { return c.reset() })
}

func (c *Condition) reset() error {
	if value, err := c.lock.Value(); err != nil || value > 0 {
		return cmp.Or(err, errNotLocked)
	}
	for _, s := range c.counters() {
		if _, err := s.takeUpTo(math.MaxUint32); err != nil {
			return err
		}
	}
	return c.lock.Reset()
}

// With acquires the lock, calls f, and releases the lock. [Lock.With] says more. f may
// call [Condition.Wait] and the methods that notify.
func (c *Condition) With(ctx context.Context, f func() error) error { return with(ctx, c, f) }

// Current reports whether all of the names still lead to the semaphores of this
// condition. [SharedMemory.Current] says more.
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

// Unlink removes the names of the semaphores, before or after Close: all that it
// can, also where it fails. [SharedMemory.Unlink] says what it refuses.
func (c *Condition) Unlink() error { return each(c.semaphores(), (*Semaphore).Unlink) }

// Close detaches from the condition. Those who wait return [fs.ErrClosed],
// without the lock, as does every method from then on. What has been acquired
// stays acquired. Calling Close again does nothing.
func (c *Condition) Close() error { return c.closeAll(c.semaphores()) }

// closeAll closes the semaphores when the calls that use them have ended.
func (c *Condition) closeAll(semaphores []*Semaphore) error {
	if c.closing == nil {
		return nil
	}
	c.close(errClosed)
	c.calls.Lock()
	defer c.calls.Unlock()
	return each(semaphores, (*Semaphore).Close)
}
