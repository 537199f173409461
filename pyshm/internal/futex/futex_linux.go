package futex

import (
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The operations of linux/futex.h. Without FUTEX_PRIVATE_FLAG the kernel knows
// a word by its file and offset: processes that map it anywhere meet on it.
const (
	opWait = 0
	opWake = 1
)

// Wait blocks the thread while the word is old, until another wakes it or the
// timeout has passed. It may return earlier for no reason; the caller has to
// look at the word again in any case. slept is false if the word was not old
// to begin with.
func Wait(word *uint32, old uint32, timeout time.Duration) (slept bool, err error) {
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
func Wake(word *uint32, n int) (woken int, err error) {
	r, _, errno := unix.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(word)), opWake, uintptr(n), 0, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(r), nil
}
