package futex

import (
	"runtime/debug"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pyshm-go/pyshm/internal/words"
)

// longestPoll is how long poll keeps its caller from checking for another reason to
// stop. The pauses up to then are 1, 2, 4, 8 and 16 ms.
const longestPoll = 31 * time.Millisecond

// poll waits without a thread: it loads the word, with pauses in between.
func poll(word *uint32, old uint32, timeout time.Duration, alarm *Alarm) (slept bool, err error) {
	end := time.Now().Add(min(timeout, longestPoll))
	for pause := time.Millisecond; ; pause *= 2 {
		v, err := load(word)
		left := time.Until(end)
		if err != nil || v != old || left <= 0 || alarm.rung.Load() {
			return slept, err
		}
		time.Sleep(min(pause, left))
		slept = true
	}
}

// load reads a word. If the word has been truncated away, load fails with the error
// that the kernel has for it.
func load(word *uint32) (v uint32, err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if recover() != nil {
			err = unix.EFAULT
		}
	}()
	return words.Load32(word), nil
}
