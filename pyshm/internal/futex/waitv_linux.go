package futex

import (
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A waitv is struct futex_waitv, a word to wait for. It is the same on every
// architecture.
type waitv struct {
	old      uint64
	word     uint64 // the address of the word; the garbage collector does not see it
	flags    uint32
	reserved uint32
}

// maxWaitv is FUTEX_WAITV_MAX, the greatest number of words in one call.
const maxWaitv = 128

// size32 is FUTEX2_SIZE_U32. private may be added to it.
const size32 = 2

func waitvFor(word *uint32, old, flags uint32) waitv {
	return waitv{old: uint64(old), word: uint64(uintptr(unsafe.Pointer(word))), flags: size32 | flags}
}

// waitAny blocks the thread until one of the words is woken or the timeout has
// passed (ETIMEDOUT), and returns the index of the last word that was woken.
// Others may have been woken too. waitAny fails with EAGAIN if a word is not old, and
// with EFAULT if a word cannot be read. In both cases no word was woken.
func waitAny(words []waitv, timeout time.Duration) (woken int, errno unix.Errno) {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		return -1, err.(unix.Errno)
	}
	end := now.Nano() + max(int64(timeout), 0)
	ts := struct{ sec, nsec int64 }{end / 1e9, end % 1e9} // 64-bit on every architecture
	r, _, errno := unix.Syscall6(unix.SYS_FUTEX_WAITV, uintptr(unsafe.Pointer(&words[0])), uintptr(len(words)), 0,
		uintptr(unsafe.Pointer(&ts)), unix.CLOCK_MONOTONIC, 0)
	if errno != 0 {
		return -1, errno
	}
	return int(r), 0
}

// hasWaitv reports whether this process can call futex_waitv. A kernel without
// it fails with ENOSYS, a filter with any error.
var hasWaitv = sync.OnceValue(func() bool {
	word := new(uint32)
	_, errno := waitAny([]waitv{waitvFor(word, 1, private)}, 0)
	return errno == unix.EAGAIN // the right error, because the word is 0 and not 1
})
