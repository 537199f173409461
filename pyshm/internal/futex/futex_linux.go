package futex

import (
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The operations of linux/futex.h. Without the flag private the kernel knows a
// word by its file and offset: processes that map it anywhere meet on it.
const (
	opWait  = 0
	opWake  = 1
	private = 128
)

// MaxAlone is how many threads of this process wait for one word each, which is
// the fastest way to wait. Waiters beyond them share threads, because a Go
// program that has 10,000 threads ends.
const MaxAlone = 16

var alone atomic.Int32

// Wait blocks the goroutine while the word is old, until another process or
// goroutine wakes it or the timeout has passed. It may return earlier for no
// reason; the caller has to look at the word again in any case. slept is false
// if the word was not old to begin with.
//
// A wake that finds the word as it was may leave the goroutine asleep. To wake
// it for another reason than a new value, wake it until it returns.
//
// The first 16 waits of a process occupy a thread each. Further ones share
// threads, 127 in each, if the kernel has futex_waitv(2): since Linux 5.16, and
// unless a filter forbids it. Without it they occupy none: they look at the
// word now and then, with pauses of up to 16 ms, and no wake is counted for them.
func Wait(word *uint32, old uint32, timeout time.Duration) (slept bool, err error) {
	switch {
	case alone.Add(1) <= MaxAlone:
		defer alone.Add(-1)
		return waitAlone(word, old, timeout)
	case hasWaitv():
		alone.Add(-1)
		return waitInCrowd(word, old, timeout)
	default:
		alone.Add(-1)
		return poll(word, old, timeout)
	}
}

// waitAlone blocks the thread.
func waitAlone(word *uint32, old uint32, timeout time.Duration) (slept bool, err error) {
	// Relative timeouts are counted by the monotonic clock.
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

// Wake wakes up to n of those who wait on the word, the longest waiting first,
// and returns how many it has woken.
func Wake(word *uint32, n int) (woken int, err error) { return wake(word, opWake, n) }

func wake(word *uint32, op uintptr, n int) (woken int, err error) {
	r, _, errno := unix.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(word)), op, uintptr(n), 0, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(r), nil
}
