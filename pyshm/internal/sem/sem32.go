package sem

import (
	"encoding/binary"
	"time"
	"unsafe"

	"github.com/pyshm-go/pyshm/internal/words"
	"github.com/pyshm-go/pyshm/pyshm/internal/futex"
)

// A Sem32 is a semaphore of a 32-bit glibc, which cannot change the value and the
// waiters in one step:
//
//	 0  value    4 bytes: value << 1 | whether there may be waiters
//	 4  private  4 bytes
//	 8  pad      4 bytes
//	12  waiters  4 bytes
//
// Waiters sleep on value. Its lowest bit saves posters a look at waiters. The bit may be
// set although no thread sleeps, but it is never clear while a thread sleeps.
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

// bytes32 returns the bytes of a new semaphore on a machine of the given byte order.
func bytes32(order binary.ByteOrder, value uint32) []byte {
	b := make([]byte, size32)
	order.PutUint32(b, value*oneToken)
	order.PutUint32(b[private32:], shared)
	return b
}

// At32 returns the semaphore in mem, which begins at a multiple of 4.
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

// Waiters returns the number of counted waiters.
func (s Sem32) Waiters() uint32 { return words.Load32(s.waiters) }

// update replaces a word by the result of f, unless f gives up. It returns the old word,
// and whether it was replaced.
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

// Post adds n tokens, unless that would raise the value above bound, which is at most
// MaxValue. If there are waiters, the caller has to wake n of them. Post does not touch
// memory after it has added the tokens: whatever happens to the memory then, the caller
// wakes the waiters.
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

// Count counts the caller as a waiter. Posters wake it once it sleeps.
func (s Sem32) Count() {
	update(s.waiters, func(n uint32) (uint32, bool) { return n + 1, true })
}

// Uncount ends the count of a waiter that gives up. A wake that was under way to it must
// go to another waiter: the caller has to wake as many as Uncount returns.
func (s Sem32) Uncount() (wake int) {
	wake = s.finish()
	if wake == 0 && s.Value() != 0 && s.Waiters() != 0 {
		wake = 1
	}
	return wake
}

// TakeCounted takes a token if there is one, and ends the count of the caller with it.
// wake is the number of other waiters that the caller then has to wake.
func (s Sem32) TakeCounted() (taken bool, wake int) {
	if !s.Take() {
		return false, 0
	}
	return true, s.finish()
}

// finish is glibc's __sem_wait_32_finish. The last waiter clears the bit before it ends
// its count, so that a waiter that counts itself afterwards does not lose the bit that
// it has set. If other waiters have come in between, finish sets the bit again and
// returns how many to wake, since posters passed them over in the meantime.
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

// Sleep blocks the thread until there may be a token, until the alarm rings or until the
// timeout. It may return earlier, as futex.Wait does. The caller has to be counted. slept
// is false if the thread had no reason to sleep.
func (s Sem32) Sleep(timeout time.Duration, alarm *futex.Alarm) (slept bool, err error) {
	_, empty := update(s.value, func(v uint32) (uint32, bool) {
		return v | mayWait, v/oneToken == 0
	})
	if !empty {
		return false, nil
	}
	return futex.Wait(s.value, mayWait, timeout, alarm)
}

// Wake wakes up to n sleeping waiters and returns how many it has woken.
func (s Sem32) Wake(n int) (int, error) { return futex.Wake(s.value, n) }
