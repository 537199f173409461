// Package sem operates the semaphores of glibc, sem_t, in memory that several
// processes map. Python's multiprocessing locks are such semaphores.
//
// Each method is a step of glibc's sem_trywait, sem_wait or sem_post, with the
// same instructions on the same words, so that Go and glibc can wait for each other. A
// thread waits like this:
//
//	s.Count()
//	for taken, wake := s.TakeCounted(); !taken; ... {
//		s.Sleep(timeout, alarm)
//	}
//
// No token is ever lost: the value alone decides whether there is a token, and a wake is
// only a hint to look at the value.
//
// Any process may store anything into the words at any time. No method fails
// because of it, or tries for longer than the words keep changing. At worst a
// waiter sleeps until its timeout.
package sem

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// MaxValue is SEM_VALUE_MAX, the greatest value of a semaphore.
const MaxValue = math.MaxInt32

// shared is the private field of a semaphore that processes share: glibc keeps
// the futex flag FUTEX_PRIVATE_FLAG there, inverted. With any other value only their own
// process could wake the waiters.
const shared = 128

// ErrNotSemaphore is the error for memory without a semaphore of this machine's glibc.
var ErrNotSemaphore = errors.New("not a semaphore of this machine's glibc")

// check fails if mem cannot be a semaphore: if it has another size, or another value in
// the private field, which is at the given offset.
func check(mem []byte, size, private int) error {
	if len(mem) != size {
		return fmt.Errorf("%w: it has %d bytes instead of %d%s", ErrNotSemaphore, len(mem), size, otherWords(mem, size))
	}
	if flag := binary.NativeEndian.Uint32(mem[private:]); flag != shared {
		return fmt.Errorf("%w: its field private is %d instead of %d", ErrNotSemaphore, flag, shared)
	}
	return nil
}

// otherWords explains the size of a semaphore of glibc for programs whose words have another
// size than this program's.
func otherWords(mem []byte, size int) string {
	switch {
	case size == size64 && len(mem) == size32 && binary.NativeEndian.Uint32(mem[private32:]) == shared:
		return ": it is one of a 32-bit program, and this program is 64-bit"
	case size == size32 && len(mem) == size64 && binary.NativeEndian.Uint32(mem[private64:]) == shared:
		return ": it is one of a 64-bit program, and this program is 32-bit"
	}
	return ""
}

// fits reports whether the value stays at or below bound with n more tokens. It does
// not overflow, whatever the value is.
func fits(value, n, bound uint32) bool { return n <= bound && value <= bound-n }
