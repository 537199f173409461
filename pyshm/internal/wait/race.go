//go:build race

package wait

import (
	"runtime"
	"unsafe"
)

// The race detector does not see shared memory. These methods inform it that everything
// before a release happened before the acquire that follows.

func (q *queue) acquired()  { runtime.RaceAcquire(unsafe.Pointer(q)) }
func (q *queue) releasing() { runtime.RaceReleaseMerge(unsafe.Pointer(q)) }
