package pyshm

import (
	"runtime"
	"runtime/debug"
)

// Every access to the memory of a segment may fault: other processes may
// truncate the file at any time (SIGBUS), and Close takes the memory away from
// under those who are still at work (SIGSEGV). Go code has to expect that by
// debug.SetPanicOnFault, whose panic enter and leave turn into an error. A
// method that touches the memory begins with
//
//	if m.isClosed() {
//		return m.errClosed(op)
//	}
//	defer m.leave(op, m.enter(), &err)
//
// A system call that is given such memory answers EFAULT and needs none of
// this.
//
// In race builds this holds for plain loads, stores and copies, which the race
// detector only takes note of, but not for sync/atomic: the detector probes
// the word and then changes it in C code, and a fault there (the page has gone
// since, or may only be read) ends the process.

// enter prepares the goroutine for a fault, and returns what leave has to
// restore.
func (m *SharedMemory) enter() bool { return debug.SetPanicOnFault(true) }

// leave has to be deferred itself: recover works in no other place.
func (m *SharedMemory) leave(op string, old bool, err *error) {
	debug.SetPanicOnFault(old)
	if r := recover(); r != nil {
		*err = m.faultError(r)
	}
	if *err != nil {
		*err = wrap(op, m.name, *err)
	}
	runtime.KeepAlive(m) // until here the range may not be unmapped
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

// faultError tells why memory of this segment could not be touched, and panics
// again if r is not about memory of this segment.
func (m *SharedMemory) faultError(r any) error {
	fault, ok := r.(interface {
		runtime.Error
		Addr() uintptr
	})
	if !ok || !m.mem.Contains(fault.Addr()) {
		panic(r)
	}
	// Not looked at before the access: a check in advance proves nothing.
	if m.closed.Load() {
		return errClosed
	}
	return ErrFault
}

// Guard calls f, which may touch what [SharedMemory.Bytes] or [View] gave out.
// If that faults, Guard returns an error with the reason [ErrFault], or
// [fs.ErrClosed] when the segment was closed meanwhile; what f would have done
// after the fault has not happened. Otherwise Guard returns what f returns.
//
// Guard sees faults in this segment, on this goroutine. Every other panic goes
// on, and a fault on a goroutine that f starts is that of a Go program without
// a guard: the process ends. [iter.Pull] starts one for its iterator.
func (m *SharedMemory) Guard(f func() error) error { return m.guard("guard", f) }

// guard is Guard for an operation of any name.
func (m *SharedMemory) guard(op string, f func() error) error {
	if m.isClosed() {
		return m.errClosed(op)
	}
	returned, result, fault := m.guarded(op, f)
	switch {
	case fault != nil:
		return fault
	case !returned:
		// With GODEBUG=panicnil=1 f has called panic(nil), which recover does not
		// tell from no panic.
		panic(nil)
	}
	return result
}

func (m *SharedMemory) guarded(op string, f func() error) (returned bool, result, fault error) {
	defer m.leave(op, m.enter(), &fault)
	result = f()
	return true, result, nil
}
