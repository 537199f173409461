// Package futex lets threads of different processes wait for each other on a word of
// memory that they share. It calls Linux's futex(2) in the variant for shared memory,
// as glibc's shared semaphores do.
package futex

import "math"

// All is more than the number of waiters can be.
const All = math.MaxInt32
