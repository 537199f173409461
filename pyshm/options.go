package pyshm

import (
	"io/fs"

	"github.com/pyshm-go/pyshm/format"
)

// The type of an option determines which functions accept it, so an option that cannot
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

	// A QueueOption changes what [CreateQueue] makes: [Mode] or [Joinable].
	QueueOption interface{ applyToQueue(*queueOptions) }
	// A ModeOption is [Mode]. It is the only option of [CreateCondition] and
	// [CreateEvent], because several names cannot be replaced in one step. It is also
	// the only option of [OpenLock] and the like, for the case that they create.
	ModeOption interface {
		LockOption
		QueueOption
		toOpen()
	}
)

type (
	modeOption    struct{ mode fs.FileMode }
	replaceOption struct{}
	sparseOption  struct{}
	layoutOption  struct{ layout format.Layout }

	joinableOption struct{}
)

func (m modeOption) apply(o *createOptions)   { o.mode = m.mode }
func (replaceOption) apply(o *createOptions)  { o.replace = true }
func (sparseOption) apply(o *createOptions)   { o.sparse = true }
func (l layoutOption) apply(o *createOptions) { o.layout = l.layout }

func (m modeOption) applyToQueue(o *queueOptions)   { m.apply(&o.createOptions) }
func (joinableOption) applyToQueue(o *queueOptions) { o.joinable = true }

func (modeOption) forBlocks()    {}
func (modeOption) forLocks()     {}
func (modeOption) toOpen()       {}
func (replaceOption) forBlocks() {}
func (replaceOption) forLocks()  {}
func (sparseOption) forBlocks()  {}
func (sparseOption) toOpen()     {}
func (layoutOption) toOpen()     {}

// Mode sets the permissions of the new segment, whatever the umask is. The
// default is 0600: only the owner has access. Python attaches only to segments that it
// may read and write. Bits other than the nine permission bits are refused.
func Mode(mode fs.FileMode) ModeOption { return modeOption{mode} }

// Sparse reserves no memory: the segment takes memory page by page when a process first
// touches a page, like a segment that Python creates. If /dev/shm is full at that time,
// methods return [ErrFault], and a Python process dies of SIGBUS.
func Sparse() OpenOption { return sparseOption{} }

// Layout sets the byte layout of a new list. The default is [format.Offsets],
// which CPython 3.9 and later read; only CPython 3.8 needs another.
func Layout(layout format.Layout) OpenListOption { return layoutOption{layout} }

// Replace lets the new segment take a name that is in use. The name passes
// from one complete segment to the other in one step. Processes that are attached to
// the old segment keep it. Processes that attach from then on get the new one. A
// process killed right before that step leaves a segment under a hidden name, which the
// next Replace removes.
//
// Python's resource tracker goes by names. A Python process that has created the
// old segment, or attached to it, removes the name when it ends, and with it the new
// segment. Its unlink does the same. A Python that [WorkerEnv] has prepared leaves the
// new segment alone, and so does one that has attached with pyshm_attach.py.
func Replace() LockOption { return replaceOption{} }

// Joinable makes a queue that counts unfinished items, like Python's JoinableQueue: for
// [Queue.TaskDone] and [Queue.Join]. Every process that gets an item has to call TaskDone.
// The queue also has the semaphore NAME.unfinished and the condition NAME.cond.
func Joinable() QueueOption { return joinableOption{} }

type queueOptions struct {
	createOptions
	joinable bool
}

// An AttachOption changes how [Attach] and [AttachList] attach.
type AttachOption func(*attachOptions)

type attachOptions struct {
	readOnly bool
	lock     bool // the segment is a semaphore, to which ReadOnly does not apply
}

func newAttachOptions(opts []AttachOption) attachOptions {
	var o attachOptions
	for _, opt := range opts {
		opt(&o)
	}
	return o
}

// ReadOnly attaches without the right to write. A mode of 0444 is enough for that.
// Methods that write then fail with [fs.ErrPermission]; a write through
// [SharedMemory.Bytes] or [View] faults.
func ReadOnly() AttachOption {
	return func(o *attachOptions) { o.readOnly = true }
}
