//go:build race

package wait

import (
	"runtime"
	"unsafe"
)

// The race detector does not see what goes on in shared memory. These tell it
// that what happened before a release happened before the acquire that follows.

func (q *queue) acquired()  { runtime.RaceAcquire(unsafe.Pointer(q)) }
func (q *queue) releasing() { runtime.RaceReleaseMerge(unsafe.Pointer(q)) }
