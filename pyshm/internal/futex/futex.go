// Package futex makes threads of different processes wait for each other on a
// word of memory that they share: Linux's futex(2), in the variant for shared
// memory, which is the one that glibc's shared semaphores use.
package futex

import "math"

// All is a number of waiters that is never exceeded.
const All = math.MaxInt32
