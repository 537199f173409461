package pyshm

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/pyshm-go/pyshm/format"
	"github.com/pyshm-go/pyshm/pyshm/internal/mappers"
	"github.com/pyshm-go/pyshm/pyshm/internal/sem"
	"github.com/pyshm-go/pyshm/pyshm/internal/shmfile"
)

// A Segment is one entry of [Segments]: what the system knows about a name,
// at the time when the iteration came to it.
type Segment struct {
	Name      string      // without a slash; a semaphore's begins with "sem."
	Size      int64       // bytes
	Allocated int64       // bytes of memory in use, less than Size in a sparse segment
	Mode      fs.FileMode // permissions
	UID, GID  uint32      // owner and group
	Links     int         // names that the segment has, Name included
	Changed   time.Time   // when its mode, owner or number of names last changed
	// Modified is when the segment last got its size or was written by a
	// system call. Writes to mapped memory do not count, so that it is the time
	// of creation of all that Go or Python makes.
	Modified time.Time

	id      shmfile.ID
	mappers func() (mappers.Snapshot, error)
}

// Segments lists what there is of shared memory on the machine, in the order
// of the names: the segments of all programs, with semaphores among them. What
// is not a regular file is left out. An error ends the iteration.
func Segments() iter.Seq2[Segment, error] {
	return func(yield func(Segment, error) bool) {
		names, err := shmfile.Names()
		if err != nil {
			yield(Segment{}, wrap("segments", "", err))
			return
		}
		slices.Sort(names)
		snapshot := sync.OnceValues(mappers.Take)
		for _, name := range names {
			info, err := shmfile.Lookup(name)
			if errors.Is(err, fs.ErrNotExist) || err == nil && !info.Mode.IsRegular() {
				continue
			}
			if err != nil {
				yield(Segment{Name: name}, wrap("segments", name, err))
				return
			}
			if !yield(newSegment(name, info, snapshot), nil) {
				return
			}
		}
	}
}

func newSegment(name string, info shmfile.Info, snapshot func() (mappers.Snapshot, error)) Segment {
	return Segment{
		Name:      name,
		Size:      info.Size,
		Allocated: info.Allocated,
		Mode:      info.Mode,
		UID:       info.UID,
		GID:       info.GID,
		Links:     int(info.Links),
		Changed:   info.Changed,
		Modified:  info.Modified,
		id:        info.ID,
		mappers:   snapshot,
	}
}

// Pids returns the IDs of the processes that map the segment, in ascending
// order. With an error there may be others. The error is [fs.ErrPermission] if
// some processes are hidden from this one: those of other users, and those
// outside its PID namespace, which is a container's as a rule. It is
// [errors.ErrUnsupported] if /dev/shm is no tmpfs, where mappings are hard to
// recognise, or there is no /proc. It is [syscall.EBUSY] if no process was found,
// but the kernel knows of one that has the segment open or mapped.
//
// If no process was found, the kernel is asked: from Linux 5.3 on it grants the
// owner of a file, and the privileged, a lease (F_SETLEASE of fcntl(2)) on what
// nothing else has open or mapped. With a lease there is no error, even where
// processes are hidden. The lease lasts some microseconds, in which any process
// that opens the segment waits. Should this process be stopped just then, as by
// SIGSTOP, they wait until it continues, but no longer than
// /proc/sys/fs/lease-break-time, 45 s by default.
//
// All segments of one iteration share one look at the processes, which the
// first call takes.
func (s Segment) Pids() ([]int, error) {
	pids, err := s.pids()
	return pids, wrap("pids", s.Name, err)
}

func (s Segment) pids() ([]int, error) {
	if s.mappers == nil {
		return nil, errUnlisted
	}
	snapshot, err := s.mappers()
	pids := slices.Clone(snapshot[s.id])
	if len(pids) > 0 {
		return pids, err
	}
	f, use := s.lease()
	switch use {
	case useNone:
		return nil, f.Close()
	case useSome:
		return nil, cmp.Or[error](err, errInUse)
	}
	return nil, err
}

// A segmentUse is what the kernel says of a segment.
type segmentUse int

const (
	useUnknown segmentUse = iota // nothing
	useNone                      // no process has it open or mapped
	useSome                      // another process does, or this one
)

// lease asks the kernel for the use of the segment. If it is unused, every process
// that tries to open it waits until the file is closed.
func (s Segment) lease() (*shmfile.File, segmentUse) {
	f, err := s.open()
	if err == nil {
		if err = f.Lease(); err == nil {
			return f, useNone
		}
		f.Close()
	}
	if err != syscall.EAGAIN {
		return nil, useUnknown
	}
	if works, err := shmfile.HasLeases(); err == nil && !works {
		return nil, useUnknown
	}
	return nil, useSome
}

// open opens the segment for reading, if the name still belongs to it. It does not
// wait for the end of a lease, which is for those to do that want this segment
// and no other.
func (s Segment) open() (*shmfile.File, error) {
	f, err := shmfile.Open(s.Name, true)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && info.ID != s.id {
		err = errRenamed
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// UnlinkUnused removes the name, provided that no process uses the segment and
// that the name has not passed to another one, both looked at anew. The error is
// [syscall.EBUSY] if a process maps it, or the kernel knows of one that has it
// open; [fs.ErrNotExist] if the name is gone or another's; and that of
// [Segment.Pids] if nobody can tell.
//
// The system offers no way to look and remove in one step. A process that
// attaches between the two keeps the memory, but the name is gone. That takes a
// few microseconds where the kernel grants a lease, and otherwise as many
// milliseconds as it takes to look at all processes; then a process is
// overlooked, too, that has the segment open and does not map it, as Go and Python
// do only while they attach.
func (s Segment) UnlinkUnused() error {
	return wrap("unlink unused", s.Name, s.unlinkUnused(mappers.Take))
}

func (s Segment) unlinkUnused(census func() (mappers.Snapshot, error)) error {
	if s.mappers == nil {
		return errUnlisted
	}
	if err := checkName(s.Name, s.id); err != nil {
		return err
	}
	f, use := s.lease()
	if use == useNone {
		defer f.Close()
	} else {
		// Processes can hide from a census, but none from the kernel.
		snapshot, err := census()
		switch pids := snapshot[s.id]; {
		case len(pids) > 0:
			return &reason{fmt.Sprintf("process %d maps it", pids[0]), syscall.EBUSY}
		case use == useSome:
			return errInUse
		case err != nil:
			return err
		}
	}
	if err := checkName(s.Name, s.id); err != nil {
		return err
	}
	return shmfile.Unlink(s.Name)
}

// A ContentKind is what a segment appears to be.
type ContentKind string

// The kinds. There is no mark on a list: a block is one if every word of its
// header could be that of a list.
const (
	KindList       ContentKind = "list"       // a ShareableList
	KindBlock      ContentKind = "block"      // any other memory
	KindSemaphore  ContentKind = "semaphore"  // what is behind a multiprocessing.Lock and its like
	KindForeign    ContentKind = "foreign"    // a semaphore of another libc, which [AttachSemaphore] refuses
	KindIncomplete ContentKind = "incomplete" // of size 0: being created, or given up
	KindUnreadable ContentKind = "unreadable" // could not be looked at
)

// A Content says what is in a segment.
type Content struct {
	Kind    ContentKind
	Layout  format.Layout // of a list
	Len     int           // number of items of a list
	Value   int           // of a semaphore, see [Semaphore.Value]
	Waiters int           // of a semaphore, see [Semaphore.Waiters]
}

// Inspect looks into the segment, without changing it, and tells what it
// appears to be. With an error the kind is [KindUnreadable]. The error is
// [syscall.EAGAIN] while another process has a lease on the segment: Inspect does
// not wait, as [Attach] does.
func (s Segment) Inspect() (Content, error) {
	m, err := s.mapListed()
	if errors.Is(err, format.ErrIncomplete) {
		return Content{Kind: KindIncomplete}, nil
	}
	if err != nil {
		return Content{Kind: KindUnreadable}, wrap("inspect", s.Name, err)
	}
	defer m.discard()
	c, err := m.inspect()
	return c, wrap("inspect", s.Name, err)
}

// mapListed makes the handle to the segment that was listed.
func (s Segment) mapListed() (*SharedMemory, error) {
	f, err := s.open()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	m, err := mapFile(f, true)
	if err == nil {
		m.name, m.file = s.Name, s.Name
	}
	return m, err
}

// inspect finds out what is in a segment that may be of any kind.
func (m *SharedMemory) inspect() (c Content, err error) {
	c.Kind = KindUnreadable // if what follows faults
	err = m.touch(func() error {
		c = contentOf(m.file, m.mem.Bytes())
		return nil
	})
	return c, err
}

func contentOf(file string, mem []byte) Content {
	if isSemaphore(file, len(mem)) {
		return inspectSemaphore(mem)
	}
	list, err := format.Attach(mem)
	if err == nil {
		err = list.Check()
	}
	// A list that another process keeps writing to is a list nevertheless.
	if err == nil || list != nil && errors.Is(err, format.ErrBusy) {
		return Content{Kind: KindList, Layout: list.Layout(), Len: list.Len()}
	}
	return Content{Kind: KindBlock}
}

// isSemaphore reports whether this is the name and size of a semaphore: of
// glibc, which has them in 32 bytes or, in 32-bit processes, in 16; or of a
// Python with musl, whose semaphores have no prefix. From other programs musl's
// cannot be told from blocks.
func isSemaphore(name string, size int) bool {
	if strings.HasPrefix(name, semaphorePrefix) {
		return size == 32 || size == 16
	}
	random, ok := strings.CutPrefix(name, "mp-")
	return ok && len(random) == 8 && size == 32
}

func inspectSemaphore(mem []byte) Content {
	s, err := sem.At(mem)
	if err != nil {
		return Content{Kind: KindForeign}
	}
	return Content{Kind: KindSemaphore, Value: int(s.Value()), Waiters: int(s.Waiters())}
}
