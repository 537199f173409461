// Package sem operates the semaphores of glibc, sem_t, in memory that several
// processes map. Python's multiprocessing locks are such semaphores.
//
// Each method is a step of glibc's sem_trywait, sem_wait or sem_post, with the
// same instructions on the same words, so that processes of both kinds can wait
// for each other. A waiter goes like this, and no token is ever lost because
// the value alone says whether there is one, and a wake is no more than a hint
// to look at it:
//
//	s.Count()
//	for taken, wake := s.TakeCounted(); !taken; ... {
//		s.Sleep(timeout)
//	}
//
// Any process may store anything into the words at any time. No method fails
// because of it, or tries for longer than the words keep changing; at worst a
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
// there the futex flag FUTEX_PRIVATE_FLAG, inverted. With any other value its
// waiters would only ever be woken by their own process.
const shared = 128

// ErrNotSemaphore is the reason when memory does not hold a semaphore as this
// machine's glibc makes it.
var ErrNotSemaphore = errors.New("not a semaphore of this machine's glibc")

// check looks at what tells a semaphore from other files: its size, and the
// private field at the given offset.
func check(mem []byte, size, private int) error {
	if len(mem) != size {
		return fmt.Errorf("%w: it has %d bytes instead of %d", ErrNotSemaphore, len(mem), size)
	}
	if flag := binary.NativeEndian.Uint32(mem[private:]); flag != shared {
		return fmt.Errorf("%w: its field private is %d instead of %d", ErrNotSemaphore, flag, shared)
	}
	return nil
}

// fits reports whether n more tokens leave the value at bound or below. It does
// not overflow, whatever the value is.
func fits(value, n, bound uint32) bool { return n <= bound && value <= bound-n }
