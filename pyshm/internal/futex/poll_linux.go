package futex

import (
	"runtime/debug"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pyshm-go/pyshm/pyshm/internal/words"
)

// longestPoll is how long poll keeps its caller from looking for itself whether
// it has another reason to stop: the pauses before it are 1, 2, 4, 8 and 16 ms.
const longestPoll = 31 * time.Millisecond

// poll waits without a thread: it looks at the word now and then.
func poll(word *uint32, old uint32, timeout time.Duration) (slept bool, err error) {
	end := time.Now().Add(min(timeout, longestPoll))
	for pause := time.Millisecond; ; pause *= 2 {
		v, err := load(word)
		left := time.Until(end)
		if err != nil || v != old || left <= 0 {
			return slept, err
		}
		time.Sleep(min(pause, left))
		slept = true
	}
}

// load reads a word that may have been truncated away, and then returns the
// error that the kernel has for it.
func load(word *uint32) (v uint32, err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if recover() != nil {
			err = unix.EFAULT
		}
	}()
	return words.Load32(word), nil
}
