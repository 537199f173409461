package pyshm

import (
	"runtime"
	"runtime/debug"
)

// Every access to the memory of a segment may fault. Other processes may truncate the
// file at any time (SIGBUS). Close takes the memory away while other goroutines are
// still at work (SIGSEGV). With debug.SetPanicOnFault a fault is a panic, which enter
// and leave turn into an error. A method that touches the memory begins with
//
//	if m.isClosed() {
//		return m.errClosed(op)
//	}
//	defer m.leave(op, m.enter(), &err)
//
// or, if it is very short, as enterCall describes. A system call fails with EFAULT on such
// memory, and needs none of this.
//
// In race builds the guard works for plain loads, stores and copies, which the race
// detector only records. It does not work for sync/atomic: the detector probes the word
// and then changes it in C code, and a fault there (because the page has gone since, or
// may only be read) ends the process.

// enter prepares the goroutine for a fault, and returns the setting that leave has to
// restore.
func (m *SharedMemory) enter() bool { return debug.SetPanicOnFault(true) }

// leave has to be deferred itself, because recover works only in a deferred function.
func (m *SharedMemory) leave(op string, old bool, err *error) {
	debug.SetPanicOnFault(old)
	if r := recover(); r != nil {
		*err = m.faultError(r)
	}
	if *err != nil {
		*err = wrap(op, m.name, *err)
	}
	runtime.KeepAlive(m) // until here the range must stay mapped
}

// enterCall is enter for the methods that take some 20 ns or less, of which a call of leave
// and its recover would be 2 ns: Get, the next step of an iteration, reading or setting an
// item of a known type, and acquiring and releasing a semaphore. All other methods defer
// leave. Such a method goes on with
//
//	was := enterCall(&err)
//	defer func() {
//		if debug.SetPanicOnFault(was); err != nil {
//			err = m.failed(op, err, recover())
//		}
//	}()
//	return …
//
// err is set until the method returns, and so it is after a fault. The deferred function
// uses m, which keeps the range mapped until then.
func enterCall(err *error) (was bool) {
	*err = unfinished{}
	return debug.SetPanicOnFault(true)
}

type unfinished struct{}

func (unfinished) Error() string { return "the call has not returned" }

// failed returns the error of a method after it has returned err, or panicked with r.
func (m *SharedMemory) failed(op string, err error, r any) error {
	if r != nil {
		err = m.faultError(r)
	}
	return wrap(op, m.name, err)
}

// touch calls f, which touches the memory before the handle is complete. It returns
// a fault as a bare reason: the exported function that makes the handle wraps it.
func (m *SharedMemory) touch(f func() error) (err error) {
	old := m.enter()
	defer func() {
		debug.SetPanicOnFault(old)
		if r := recover(); r != nil {
			err = m.faultError(r)
		}
		runtime.KeepAlive(m)
	}()
	return f()
}

// faultError returns the reason for a fault in the memory of this segment. It panics
// again if r is not such a fault.
func (m *SharedMemory) faultError(r any) error {
	if e, ok := r.(*rowsError); ok && e.of == m {
		return e.err
	}
	fault, ok := r.(interface {
		runtime.Error
		Addr() uintptr
	})
	if !ok || !m.mem.Contains(fault.Addr()) {
		panic(r)
	}
	// A check before the access would prove nothing.
	if m.closed.Load() {
		return errClosed
	}
	return ErrFault
}

// Guard calls f, which may touch slices from [SharedMemory.Bytes] or [View]. If f
// faults, Guard returns an error with the reason [ErrFault], or [fs.ErrClosed] if the
// segment was closed meanwhile. f ends at the fault. Otherwise Guard returns what f
// returns.
//
// Guard catches faults in this segment, on this goroutine, and the errors with which
// [Array.Rows] of an array in this segment panics. Other panics go on. A fault on a
// goroutine that f starts ends the process, as without a guard. [iter.Pull] starts a
// goroutine for its iterator.
func (m *SharedMemory) Guard(f func() error) error { return m.guard("guard", f) }

// guard is Guard with the name of an operation for the error.
func (m *SharedMemory) guard(op string, f func() error) error {
	if m.isClosed() {
		return m.errClosed(op)
	}
	returned, result, fault := m.guarded(op, f)
	switch {
	case fault != nil:
		return fault
	case !returned:
		// f has called panic(nil) under GODEBUG=panicnil=1, and recover has returned
		// nil, as without a panic.
		panic(nil)
	}
	return result
}

func (m *SharedMemory) guarded(op string, f func() error) (returned bool, result, fault error) {
	defer m.leave(op, m.enter(), &fault)
	result = f()
	return true, result, nil
}
