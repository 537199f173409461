package sem

import (
	"bytes"
	"encoding/binary"
	"time"
	"unsafe"

	"github.com/pyshm-go/pyshm/internal/words"
	"github.com/pyshm-go/pyshm/pyshm/internal/futex"
)

// A Sem64 is a semaphore of a 64-bit glibc. Its value and its waiters are in one word:
//
//	 0  data     8 bytes: waiters << 32 | value
//	 8  private  4 bytes
//	12  unused  20 bytes
//
// Waiters sleep on the half of data that holds the value: bytes 0 to 3 on a
// little-endian machine, and 4 to 7 on a big-endian one.
type Sem64 struct {
	data  *uint64
	value *uint32
}

const (
	size64    = 32
	private64 = 8
	oneWaiter = 1 << 32
)

// bytes64 returns the bytes of a new semaphore on a machine of the given byte order.
func bytes64(order binary.ByteOrder, value uint32) []byte {
	b := make([]byte, size64)
	order.PutUint64(b, uint64(value))
	order.PutUint32(b[private64:], shared)
	return b
}

// valueOffset64 returns the offset of the half of data that holds the value.
func valueOffset64(order binary.ByteOrder) int {
	lowest := bytes.IndexByte(bytes64(order, 1), 1)
	return lowest &^ 3
}

// At64 returns the semaphore in mem, which begins at a multiple of 8.
func At64(mem []byte) (Sem64, error) {
	if err := check(mem, size64, private64); err != nil {
		return Sem64{}, err
	}
	return Sem64{
		data:  (*uint64)(unsafe.Pointer(&mem[0])),
		value: (*uint32)(unsafe.Pointer(&mem[valueOffset64(binary.NativeEndian)])),
	}, nil
}

// Value returns the number of tokens that can be taken.
func (s Sem64) Value() uint32 { return uint32(words.Load64(s.data)) }

// Waiters returns the number of counted waiters.
func (s Sem64) Waiters() uint32 { return uint32(words.Load64(s.data) >> 32) }

// update replaces data by the result of f, unless f gives up. It returns the old data,
// and whether it was replaced.
func (s Sem64) update(f func(data uint64) (uint64, bool)) (old uint64, done bool) {
	for {
		old := words.Load64(s.data)
		v, ok := f(old)
		if !ok {
			return old, false
		}
		if words.CompareAndSwap64(s.data, old, v) {
			return old, true
		}
	}
}

// Take takes a token if there is one.
func (s Sem64) Take() bool {
	_, taken := s.update(func(data uint64) (uint64, bool) {
		return data - 1, uint32(data) != 0
	})
	return taken
}

// TakeUpTo takes as many tokens as there are, at most n, and returns how many.
func (s Sem64) TakeUpTo(n uint32) (taken uint32) {
	old, _ := s.update(func(data uint64) (uint64, bool) {
		return data - uint64(min(n, uint32(data))), true
	})
	return min(n, uint32(old))
}

// Post adds n tokens, unless that would raise the value above bound, which is at most
// MaxValue. If there are waiters, the caller has to wake n of them.
func (s Sem64) Post(n, bound uint32) (posted bool, waiters uint32) {
	old, posted := s.update(func(data uint64) (uint64, bool) {
		return data + uint64(n), fits(uint32(data), n, bound)
	})
	return posted, uint32(old >> 32)
}

// Count counts the caller as a waiter. Posters wake it from now on.
func (s Sem64) Count() {
	s.update(func(data uint64) (uint64, bool) { return data + oneWaiter, true })
}

// Uncount ends the count of a waiter that gives up. A wake that was under way to it must
// go to another waiter: the caller has to wake as many as Uncount returns.
func (s Sem64) Uncount() (wake int) {
	old, _ := s.update(func(data uint64) (uint64, bool) { return uncounted(data), true })
	if left := uncounted(old); left>>32 != 0 && uint32(left) != 0 {
		return 1
	}
	return 0
}

// TakeCounted takes a token if there is one, and ends the count of the caller with it.
// wake is the number of other waiters that the caller then has to wake.
func (s Sem64) TakeCounted() (taken bool, wake int) {
	_, taken = s.update(func(data uint64) (uint64, bool) {
		return uncounted(data) - 1, uint32(data) != 0
	})
	return taken, 0
}

// uncounted returns data with one waiter less. If another process has overwritten the
// count, it may already be 0, and stays 0.
func uncounted(data uint64) uint64 {
	if data < oneWaiter {
		return data
	}
	return data - oneWaiter
}

// Sleep blocks the thread until there may be a token, until the alarm rings or until the
// timeout. It may return earlier, as futex.Wait does. The caller has to be counted. slept
// is false if the thread had no reason to sleep.
func (s Sem64) Sleep(timeout time.Duration, alarm *futex.Alarm) (slept bool, err error) {
	return futex.Wait(s.value, 0, timeout, alarm)
}

// Wake wakes up to n sleeping waiters and returns how many it has woken.
func (s Sem64) Wake(n int) (int, error) { return futex.Wake(s.value, n) }
