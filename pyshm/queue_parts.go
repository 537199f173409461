package pyshm

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/pyshm-go/pyshm/pyshm/internal/descriptor"
)

// QueueParts describe a queue that Python has made, or attached to. Their JSON is the dict
// that pyshm_attach.parts returns in Python:
//
//	print(parts(multiprocessing.get_context("spawn").Queue()))
type QueueParts struct {
	// PID is the process that has the descriptors Reader and Writer, the ends of the
	// pipe. With 0 it is this process, which has inherited them.
	PID    int `json:"pid"`
	Reader int `json:"reader"`
	Writer int `json:"writer"`
	// Pipe is the inode of the pipe, by which a wrong process is recognised; 0 is not
	// compared.
	Pipe uint64 `json:"pipe"`

	// The names of the semaphores. A SimpleQueue has no Sem, and only a JoinableQueue
	// has Unfinished and Cond.
	RLock      string         `json:"rlock"`
	WLock      string         `json:"wlock"`
	Sem        string         `json:"sem,omitempty"`
	Unfinished string         `json:"unfinished,omitempty"`
	Cond       ConditionParts `json:"cond,omitzero"`

	// MaxSize is how many items there may be; 0 stands for any number.
	MaxSize int `json:"maxsize"`
}

// queueSuffix ends the name of the FIFO of a queue that Go has made.
const queueSuffix = ".pipe"

// queueParts returns the names in a queue that Go has made.
func queueParts(name string, kind queueKind, maxsize int) QueueParts {
	p := QueueParts{RLock: name + ".rlock", WLock: name + ".wlock", Sem: name + ".sem", MaxSize: maxsize}
	if kind == joinableQueue {
		p.Unfinished, p.Cond = name+".unfinished", conditionParts(name+".cond")
	}
	return p
}

// AttachQueueParts attaches to a queue of Python, which made it in the context spawn or
// forkserver. In the context fork the semaphores have no names.
//
// With another process's PID, it opens the pipe through /proc/PID/fd: that process must
// run, and belong to the same user. With PID 0, Reader and Writer are descriptors that this
// process has inherited, as by subprocess's pass_fds; AttachQueueParts takes them over and
// closes them, unless it fails. The flags of Python's open files are left as they are.
//
// Python removes the names of the semaphores when its queue ends, so attach before that.
// The queue can be used afterwards, too, but no other process then attaches by its parts.
func AttachQueueParts(parts QueueParts) (*Queue, error) {
	q := new(Queue)
	err := q.attachParts(parts)
	return opened(q, wrap("attach queue", parts.RLock, err))
}

func (q *Queue) attachParts(parts QueueParts) (err error) {
	switch {
	case parts.Unfinished != "":
		q.parts = joinableQueue
	case parts.Sem != "":
		q.parts = boundedQueue
	}
	if q.maxsize, err = slots(parts.MaxSize); err != nil {
		return err
	}
	if err := q.openPipe(parts); err != nil {
		return err
	}
	members := q.members(parts)
	if err := q.attachMembers(parts.RLock, func() error { return openMembers(members) }); err != nil {
		return err
	}
	if parts.PID == 0 {
		return cmp.Or(descriptor.CloseInherited(parts.Reader), descriptor.CloseInherited(parts.Writer))
	}
	return nil
}

// openPipe opens the pipe of a queue that Python has made.
func (q *Queue) openPipe(parts QueueParts) error {
	if parts.Reader == parts.Writer {
		return descriptor.ErrNotPipe // and attachParts could not close it twice
	}
	var ends [2]*os.File
	for i, fd := range []int{parts.Reader, parts.Writer} {
		f, err := descriptor.Locate(parts.PID, fd)
		if err != nil {
			return err
		}
		defer f.Close()
		ends[i] = f
	}
	pipe, inode, err := descriptor.OpenPipe(ends[0], ends[1])
	if err != nil {
		return err
	}
	q.pipe = pipe
	if parts.Pipe != 0 && parts.Pipe != inode {
		q.closePipe()
		return &reason{fmt.Sprintf("process %d has another pipe there, %d and not %d", parts.PID, inode, parts.Pipe), fs.ErrNotExist}
	}
	return nil
}

// members returns the semaphores of a queue of q's kind, under the names in parts.
func (q *Queue) members(parts QueueParts) []member { return q.membersOf(parts, q.parts) }

func (q *Queue) membersOf(parts QueueParts, kind queueKind) []member {
	members := []member{lockMember(&q.rlock, parts.RLock), lockMember(&q.wlock, parts.WLock)}
	if kind != simpleQueue {
		members = append(members, member{&q.sem, parts.Sem, q.maxsize, q.maxsize})
	}
	if kind == joinableQueue {
		q.cond.init(parts.Cond.Lock)
		members = append(members, counterMember(&q.unfinished, parts.Unfinished))
		members = append(members, q.cond.members(parts.Cond)...)
	}
	return members
}

// semaphores returns all semaphores of the queue.
func (q *Queue) semaphores() []*Semaphore {
	all := append(q.readerSemaphores(), &q.wlock)
	if q.parts == joinableQueue {
		all = append(all, q.cond.semaphores()...)
	}
	return all
}

// readerSemaphores returns the semaphores outside of the condition that no Put in the
// background needs.
func (q *Queue) readerSemaphores() []*Semaphore {
	all := []*Semaphore{&q.rlock}
	if q.parts != simpleQueue {
		all = append(all, &q.sem)
	}
	if q.parts == joinableQueue {
		all = append(all, &q.unfinished)
	}
	return all
}

// ignoreMissing returns err, or nil if a name is missing.
func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
