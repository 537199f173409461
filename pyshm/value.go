package pyshm

import (
	"context"
	"fmt"

	"github.com/pyshm-go/pyshm/format"
	"github.com/pyshm-go/pyshm/format/npy"
	"github.com/pyshm-go/pyshm/pyshm/internal/sem"
	"github.com/pyshm-go/pyshm/pyshm/internal/shmfile"
)

// A Value is a handle to a single value that several processes share, with a lock: the
// counterpart of Python's multiprocessing.Value. T is a number of fixed size, an array of
// such numbers, or a struct. [npy.DtypeOf] lists the types and the tags.
//
// A value that Go makes is a .npy file without axes in a segment, NAME, and the lock
// NAME.lock. In Python
//
//	counter = attach_value("counter")      # of pyshm_attach.py
//	with counter.get_lock():
//	    counter.value += 1
//
// is the object that multiprocessing.Value returns, and programs without pyshm_attach have
// numpy.load("/dev/shm/counter", mmap_mode="r+"). For structs, attach_value needs the type
// as a ctypes.Structure.
//
// A value that Python makes has no name. The function parts of pyshm_attach.py returns
// where it is, and [AttachValueParts] attaches to it.
//
// Load, Store and Update hold the lock for moments, as Python does when a program reads
// or sets the attribute value. In Python the lock is recursive; here it is not: a function
// that holds [Value.Lock] or runs in Update uses [Value.Array] for the memory. A process
// that dies while it holds the lock does not release it: [Lock.Reset] is the remedy.
//
// The methods may be called by several goroutines at once, Close included.
type Value[T any] struct {
	array Array[T]
	lock  Lock
	gate  gate
}

// lockOf returns the name of the lock of a value that Go has made.
func lockOf(name string) string { return name + ".lock" }

// CreateValue makes a value, at first zero, and its lock, which no process holds. NAME
// appears after NAME.lock. NAME may be a pattern, as for [Create], but not empty. The
// error is [npy.ErrDtype] for a T that cannot be shared. There is no [Replace]: two names
// do not pass from one value to another in one step.
//
// A process that dies half-way leaves NAME.lock, which Unlink("sem.NAME.lock") removes.
func CreateValue[T any](name string, opts ...ModeOption) (*Value[T], error) {
	v, err := createValue[T](name, newCreateOptions(opts))
	return v, wrap("create value", name, err)
}

func createValue[T any](pattern string, o createOptions) (v *Value[T], err error) {
	n, err := parsePattern(memberNames, pattern)
	if err != nil {
		return nil, err
	}
	_, err = n.give(func(name string) error {
		v, err = newValue[T](name, o)
		return err
	})
	return opened(v, err)
}

// newValue is createValue for a name in which a star is an ordinary character.
func newValue[T any](name string, o createOptions) (*Value[T], error) {
	v := new(Value[T])
	v.gate.open()
	err := makeWithMemory(v.members(lockOf(name)), o, func() error {
		a, err := createArray[T](nil, func(c content) (*SharedMemory, error) { return createNamed(name, c, o) })
		if err == nil {
			v.array = *a
		}
		return err
	})
	return opened(v, err)
}

// AttachValue attaches to a value that [CreateValue] has made. The error is
// [npy.ErrMismatch] if it is not of type T, or if it is an array of several T, and
// [npy.ErrHeader] if the segment holds something else. If only NAME.lock is missing, the
// error names it: [AttachArray] attaches to memory without a lock.
func AttachValue[T any](name string) (*Value[T], error) {
	v, err := attachValue[T](name)
	return v, wrap("attach value", name, err)
}

func attachValue[T any](name string) (*Value[T], error) {
	if err := sem.Supported(); err != nil {
		return nil, err
	}
	v := new(Value[T])
	_, err := attachTo(segmentNames, name, attachOptions{}, func(m *SharedMemory, f *shmfile.File) error {
		if err := v.array.open(m, f); err != nil {
			return err
		}
		return v.complete(func() error { return openMembersOf(m.owner, v.members(lockOf(m.name))) })
	})
	return opened(v, err)
}

// AttachValueContext is [AttachValue] for a value that may not exist yet: it waits until
// the value exists, as [AttachContext] does.
func AttachValueContext[T any](ctx context.Context, name string) (*Value[T], error) {
	return await(ctx, func() (*Value[T], error) { return AttachValue[T](name) })
}

// OpenValue attaches to the value that has the name, or creates it as [CreateValue] does
// if there is none. [OpenCondition] has the details.
func OpenValue[T any](name string, opts ...ModeOption) (*Value[T], error) {
	var v *Value[T]
	err := openOrCreate(func() (err error) {
		v, err = attachValue[T](name)
		return err
	}, func() error {
		n, err := checkNewName(memberNames, name)
		if err == nil {
			v, err = newValue[T](n.name, newCreateOptions(opts))
		}
		return err
	})
	return opened(v, wrap("open value", name, err))
}

// AttachValueParts attaches to a Value of Python's multiprocessing, and to its lock. An
// Array is a value if T is a Go array of the same length. It fails as [AttachArrayParts]
// and [AttachLock] do. Without a lock the error is [fs.ErrInvalid]: AttachArrayParts is
// for these.
//
// In Python the lock has a name if the value was made in the context spawn or forkserver,
// or with lock=multiprocessing.get_context("spawn").RLock().
func AttachValueParts[T any](parts ValueParts) (*Value[T], error) {
	const op = "attach value"
	if parts.Lock == "" {
		return nil, wrap(op, "", invalid("the value has no lock with a name: AttachArrayParts attaches without one"))
	}
	v := new(Value[T])
	err := v.array.openParts(parts, attachOptions{})
	if err == nil {
		if err = v.complete(func() error { return openMembers(v.members(parts.Lock)) }); err != nil {
			v.array.m.discard()
		}
	}
	return opened(v, wrap(op, parts.Lock, err))
}

func (v *Value[T]) members(lock string) []member { return []member{lockMember(&v.lock.s, lock)} }

// complete checks that the array is a single value, and opens the lock.
func (v *Value[T]) complete(openLock func() error) error {
	if n := len(v.array.shape); n > 0 {
		return &reason{fmt.Sprintf("it is an array of shape %s, not a single value", tuple(v.array.shape)), npy.ErrMismatch}
	}
	v.gate.open()
	return openLock()
}

// Load returns the value, which it copies while it holds the lock. When ctx is done
// before it has the lock, it returns ctx.Err(), as [Lock.Acquire] does.
func (v *Value[T]) Load(ctx context.Context) (value T, err error) {
	err = v.call("load", ctx, func() (err error) {
		value, err = v.array.At()
		return err
	})
	return value, err
}

// Store sets the value, while it holds the lock. It fails as [Value.Load] does, and has
// not set the value then. It should not be used with what Load has returned: another
// process may have set the value in between. Update is for that.
func (v *Value[T]) Store(ctx context.Context, value T) error {
	return v.call("store", ctx, func() error { return v.array.Set(value) })
}

// Update calls f with a copy of the value and then stores what f has left there, all
// while it holds the lock: no other process that uses the lock sets the value in between.
// If f returns an error or panics, the value stays as it was, and Update returns the error.
//
//	err := counter.Update(ctx, func(n *int64) error { *n++; return nil })
//
// f must not call methods of the value. It is not interrupted when ctx is done.
func (v *Value[T]) Update(ctx context.Context, f func(v *T) error) error {
	var failed error
	err := v.call("update", ctx, func() error {
		value, err := v.array.At()
		if err != nil {
			return err
		}
		if failed = f(&value); failed != nil {
			return nil
		}
		return v.array.Set(value)
	})
	if failed != nil {
		return failed
	}
	return err
}

// call calls f with the lock held, and Close waits until it has released the lock.
func (v *Value[T]) call(op string, ctx context.Context, f func() error) error {
	err := v.gate.run(ctx, func(ctx context.Context) error { return with(ctx, &v.lock, f) })
	return rewrap(op, v.Name(), err)
}

// Lock returns the lock, for everything that Load, Store and Update do not do: holding it
// for several values, say. Load, Store and Update would wait for a goroutine that holds it.
func (v *Value[T]) Lock() *Lock { return &v.lock }

// Array returns the memory as an array without axes: At() and Set(value) work without the
// lock.
func (v *Value[T]) Array() *Array[T] { return &v.array }

// Name returns the name by which the value was created or attached, or the name of its
// lock after [AttachValueParts].
func (v *Value[T]) Name() string {
	if name := v.array.m.Name(); name != "" {
		return name
	}
	return v.lock.Name()
}

// String returns, for example, Value('counter', dtype='<i8').
func (v *Value[T]) String() string {
	return fmt.Sprintf("Value(%s, dtype=%s)", format.Repr(v.Name()), quotedDtype(v.array.header.Dtype))
}

// Current reports whether the names still lead to this value. [SharedMemory.Current] has
// the details. A value of Python has only the name of its lock, which goes when Python's
// object ends.
func (v *Value[T]) Current() (bool, error) {
	current, err := v.lock.Current()
	if current && err == nil && !v.array.m.isNameless() {
		current, err = v.array.Current()
	}
	return current, rewrap("current", v.Name(), err)
}

// Unlink removes the names, before or after Close. If it cannot remove one of them, it
// removes the other and returns the error of [SharedMemory.Unlink]. A value that Python
// has made has nothing to unlink, and the error is [fs.ErrNotExist].
func (v *Value[T]) Unlink() error {
	return unlinkWithMemory(v.array.m, []*Semaphore{&v.lock.s})
}

// Close detaches from the value and its lock. Calls that wait for the lock get
// [fs.ErrClosed], as does every later call. Close waits for an Update whose function is
// running. Calling Close again does nothing.
func (v *Value[T]) Close() error {
	return v.gate.close(func() error { return closeWithMemory(v.array.m, []*Semaphore{&v.lock.s}) })
}
