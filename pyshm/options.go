package pyshm

import (
	"io/fs"

	"github.com/pyshm-go/pyshm/format"
)

// The types of options say what an option applies to, so that one which cannot
// apply does not compile. An option that applies to more has more methods.
type (
	// A ListOption changes what [CreateList] makes: [Mode], [Replace], [Sparse]
	// or [Layout].
	ListOption interface{ apply(*createOptions) }

	// A CreateOption changes what [Create] makes: [Mode], [Replace] or [Sparse].
	CreateOption interface {
		ListOption
		forBlocks()
	}

	// A LockOption changes what [CreateLock] and [CreateSemaphore] make: [Mode]
	// or [Replace].
	LockOption interface {
		CreateOption
		forLocks()
	}

	// An OpenListOption changes what [OpenList] makes if there is no list: [Mode],
	// [Sparse] or [Layout].
	OpenListOption interface {
		ListOption
		toOpen()
	}

	// An OpenOption changes what [Open] makes if there is no segment: [Mode] or
	// [Sparse].
	OpenOption interface {
		CreateOption
		toOpen()
	}

	// A ModeOption is [Mode]. It alone changes what [CreateCondition] and
	// [CreateEvent] make, whose several names cannot be replaced in one step, and
	// what [OpenLock] and the like make if there is none.
	ModeOption interface {
		LockOption
		toOpen()
	}
)

type (
	modeOption    struct{ mode fs.FileMode }
	replaceOption struct{}
	sparseOption  struct{}
	layoutOption  struct{ layout format.Layout }
)

func (m modeOption) apply(o *createOptions)   { o.mode = m.mode }
func (replaceOption) apply(o *createOptions)  { o.replace = true }
func (sparseOption) apply(o *createOptions)   { o.sparse = true }
func (l layoutOption) apply(o *createOptions) { o.layout = l.layout }

func (modeOption) forBlocks()    {}
func (modeOption) forLocks()     {}
func (modeOption) toOpen()       {}
func (replaceOption) forBlocks() {}
func (replaceOption) forLocks()  {}
func (sparseOption) forBlocks()  {}
func (sparseOption) toOpen()     {}
func (layoutOption) toOpen()     {}

// Mode sets the permissions of the new segment, whatever the umask. The
// default is 0600: the segment is its owner's alone. Python attaches only to
// what it may read and write. Bits other than the nine permission bits are
// refused.
func Mode(mode fs.FileMode) ModeOption { return modeOption{mode} }

// Sparse leaves out the reservation of memory: the segment takes memory page
// by page as it is first touched, as one created by Python does. If /dev/shm
// is full at that time, methods answer [ErrFault], and a Python process dies
// of SIGBUS.
func Sparse() OpenOption { return sparseOption{} }

// Layout sets the byte layout of a new list. The default is [format.Offsets],
// which CPython 3.9 and later read; only CPython 3.8 needs another.
func Layout(layout format.Layout) OpenListOption { return layoutOption{layout} }

// Replace lets the new segment take a name that is in use. The name passes
// from one complete segment to the other in one step: who is attached to the
// old segment keeps it, who attaches from then on gets the new one. What a
// process leaves that is killed just before that step, under a hidden name, the
// next Replace removes.
//
// Python's resource tracker goes by names. A Python process that has created the
// old segment, or attached to it, removes the name when it ends, and so the new
// segment; its unlink does the same. A Python that [WorkerEnv] has prepared, and
// one that has attached with pyshm_attach.py, leave the new segment alone.
func Replace() LockOption { return replaceOption{} }

// An AttachOption changes how [Attach] and [AttachList] attach.
type AttachOption func(*attachOptions)

type attachOptions struct {
	readOnly bool
	lock     bool // for a semaphore, which ReadOnly is not for
}

func newAttachOptions(opts []AttachOption) attachOptions {
	var o attachOptions
	for _, opt := range opts {
		opt(&o)
	}
	return o
}

// ReadOnly attaches without the right to write, which a mode of 0444 is enough
// for. Methods that write then answer [fs.ErrPermission]; a write through
// [SharedMemory.Bytes] or [View] faults.
func ReadOnly() AttachOption {
	return func(o *attachOptions) { o.readOnly = true }
}
