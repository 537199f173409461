package futex

import (
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The operations of linux/futex.h. Without the flag private the kernel identifies a
// word by its file and offset, so processes may map it at different addresses.
const (
	opWait  = 0
	opWake  = 1
	private = 128
)

// MaxAlone is how many threads of this process wait for one word each, which is
// the fastest way to wait. More waiters share threads, because the Go runtime ends a
// program that has 10,000 threads.
const MaxAlone = 16

var alone atomic.Int32

// Wait blocks the goroutine while the word is old, until another process or
// goroutine wakes it, the alarm rings or the timeout has passed. It may return earlier
// without a reason, so the caller has to load the word again in any case: the Go runtime
// interrupts threads by signals, which end a thread's sleep. slept is false if the word
// was not old at the start, or the alarm had rung by then.
//
// A wake may leave the goroutine asleep if the word has not changed.
//
// The first 16 waits of a process occupy a thread each. Further waits share threads,
// 127 waits in each, if the kernel has futex_waitv(2): from Linux 5.16 on, unless a
// filter forbids it. Without futex_waitv further waits occupy no thread: they load the
// word with pauses of up to 16 ms, and Wake does not count them.
func Wait(word *uint32, old uint32, timeout time.Duration, alarm *Alarm) (slept bool, err error) {
	switch {
	case alone.Add(1) <= MaxAlone:
		defer alone.Add(-1)
		return waitAlone(word, old, timeout, alarm)
	case hasWaitv():
		alone.Add(-1)
		return waitInCrowd(word, old, timeout, alarm)
	default:
		alone.Add(-1)
		return poll(word, old, timeout, alarm)
	}
}

// waitAlone blocks the thread.
func waitAlone(word *uint32, old uint32, timeout time.Duration, alarm *Alarm) (slept bool, err error) {
	alarm.alone.Store(word)
	defer alarm.alone.Store(nil)
	if alarm.rung.Load() { // a Ring after this look finds the thread alone
		return false, nil
	}
	// The monotonic clock counts relative timeouts.
	ts := unix.NsecToTimespec(int64(timeout))
	_, _, errno := unix.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(word)), opWait, uintptr(old), uintptr(unsafe.Pointer(&ts)), 0, 0)
	switch errno {
	case 0, unix.EINTR, unix.ETIMEDOUT:
		return true, nil
	case unix.EAGAIN:
		return false, nil
	}
	return false, errno
}

// Wake wakes up to n waiters of the word, the longest waiting first, and returns how
// many it has woken.
func Wake(word *uint32, n int) (woken int, err error) { return wake(word, opWake, n) }

func wake(word *uint32, op uintptr, n int) (woken int, err error) {
	r, _, errno := unix.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(word)), op, uintptr(n), 0, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(r), nil
}
