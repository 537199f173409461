package sem

import (
	"encoding/binary"
	"time"
	"unsafe"

	"github.com/pyshm-go/pyshm/internal/words"
	"github.com/pyshm-go/pyshm/pyshm/internal/futex"
)

// A Sem32 is the semaphore of a 32-bit glibc, which cannot change its value and
// its waiters in one step:
//
//	 0  value    4 bytes: value << 1 | whether there may be waiters
//	 4  private  4 bytes
//	 8  pad      4 bytes
//	12  waiters  4 bytes
//
// Waiters sleep on value. Its lowest bit saves posters a look at waiters; it
// may be set for nothing, but never be clear while somebody sleeps.
type Sem32 struct {
	value, waiters *uint32
}

const (
	size32    = 16
	private32 = 4
	waiters32 = 12

	mayWait  = 1
	oneToken = 2
)

// bytes32 is a new semaphore as a machine of this byte order has it.
func bytes32(order binary.ByteOrder, value uint32) []byte {
	b := make([]byte, size32)
	order.PutUint32(b, value*oneToken)
	order.PutUint32(b[private32:], shared)
	return b
}

// At32 finds a semaphore in mem, which begins at a multiple of 4.
func At32(mem []byte) (Sem32, error) {
	if err := check(mem, size32, private32); err != nil {
		return Sem32{}, err
	}
	return Sem32{
		value:   (*uint32)(unsafe.Pointer(&mem[0])),
		waiters: (*uint32)(unsafe.Pointer(&mem[waiters32])),
	}, nil
}

// Value returns the number of tokens that can be taken.
func (s Sem32) Value() uint32 { return words.Load32(s.value) / oneToken }

// Waiters returns the number of waiters that are counted.
func (s Sem32) Waiters() uint32 { return words.Load32(s.waiters) }

// update replaces a word by what f makes of it, unless f gives up, and returns
// what the word was.
func update(word *uint32, f func(uint32) (uint32, bool)) (old uint32, done bool) {
	for {
		old := words.Load32(word)
		v, ok := f(old)
		if !ok {
			return old, false
		}
		if words.CompareAndSwap32(word, old, v) {
			return old, true
		}
	}
}

// Take takes a token if there is one.
func (s Sem32) Take() bool {
	_, taken := update(s.value, func(v uint32) (uint32, bool) {
		return v - oneToken, v/oneToken != 0
	})
	return taken
}

// TakeUpTo takes as many tokens as there are, at most n, and returns how many.
func (s Sem32) TakeUpTo(n uint32) (taken uint32) {
	old, _ := update(s.value, func(v uint32) (uint32, bool) {
		return v - min(n, v/oneToken)*oneToken, true
	})
	return min(n, old/oneToken)
}

// Post adds n tokens unless that would raise the value above bound, at most
// MaxValue. If there are waiters, n of them have to be woken. Memory is not
// touched any more once the tokens are there: the caller wakes the waiters
// whatever happens to it.
func (s Sem32) Post(n, bound uint32) (posted bool, waiters uint32) {
	counted := s.Waiters()
	old, posted := update(s.value, func(v uint32) (uint32, bool) {
		return v + n*oneToken, fits(v/oneToken, n, bound)
	})
	if old&mayWait == 0 {
		return posted, 0
	}
	return posted, max(counted, 1)
}

// Count counts the caller as a waiter, whom posters wake once it sleeps.
func (s Sem32) Count() {
	update(s.waiters, func(n uint32) (uint32, bool) { return n + 1, true })
}

// Uncount ends the count of a waiter that gives up. If a wake was under way to
// it, others need it: wake says how many have to be woken.
func (s Sem32) Uncount() (wake int) {
	wake = s.finish()
	if wake == 0 && s.Value() != 0 && s.Waiters() != 0 {
		wake = 1
	}
	return wake
}

// TakeCounted takes a token if there is one, and with it ends the count of the
// caller. wake says how many others have to be woken.
func (s Sem32) TakeCounted() (taken bool, wake int) {
	if !s.Take() {
		return false, 0
	}
	return true, s.finish()
}

// finish is glibc's __sem_wait_32_finish. The last waiter clears the bit before
// it ends its count, so that nobody who counts himself afterwards loses the bit
// that he has set. If others have come in between, the bit is set again, and
// those are woken whom posters passed over meanwhile.
func (s Sem32) finish() (wake int) {
	last := s.Waiters() == 1
	if last {
		update(s.value, func(v uint32) (uint32, bool) { return v &^ mayWait, true })
	}
	counted, _ := update(s.waiters, func(n uint32) (uint32, bool) { return n - 1, n != 0 })
	if !last || counted <= 1 {
		return 0
	}
	old, _ := update(s.value, func(v uint32) (uint32, bool) { return v | mayWait, true })
	return int(min(old/oneToken, futex.All))
}

// Sleep blocks the thread until there may be a token, or until the timeout. The
// caller has to be counted. slept is false if it had no reason to sleep.
func (s Sem32) Sleep(timeout time.Duration) (slept bool, err error) {
	_, empty := update(s.value, func(v uint32) (uint32, bool) {
		return v | mayWait, v/oneToken == 0
	})
	if !empty {
		return false, nil
	}
	return futex.Wait(s.value, mayWait, timeout)
}

// Wake wakes up to n of those who sleep and returns how many it has woken.
func (s Sem32) Wake(n int) (int, error) { return futex.Wake(s.value, n) }
