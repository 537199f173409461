package pyshm

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"math"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/pyshm-go/pyshm/format"
	"github.com/pyshm-go/pyshm/format/npy"
	"github.com/pyshm-go/pyshm/pyshm/internal/mappers"
	"github.com/pyshm-go/pyshm/pyshm/internal/sem"
	"github.com/pyshm-go/pyshm/pyshm/internal/shmfile"
)

// A Segment is one entry of [Segments]. It has what the system knew about the name
// when the iteration came to it.
type Segment struct {
	Name      string      // without a slash; with "sem." in front if it is a semaphore
	Size      int64       // bytes
	Allocated int64       // bytes of memory in use, less than Size in a sparse segment
	Mode      fs.FileMode // permissions
	UID, GID  uint32      // owner and group
	Links     int         // names that the segment has, Name included
	Changed   time.Time   // when its mode, owner or number of names last changed
	// Modified is when the segment last got its size or was written by a
	// system call. Writes to mapped memory do not count: for segments that Go or
	// Python makes, Modified is the time of creation.
	Modified time.Time

	id      shmfile.ID
	isPipe  bool
	mappers func() (mappers.Snapshot, error)
}

// Segments lists the shared memory of the machine in the order of the names: the
// segments of all programs, semaphores included, and the pipes of queues. It leaves out
// all other files that are not regular. An error ends the iteration.
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
			if errors.Is(err, fs.ErrNotExist) || err == nil && info.Mode&fs.ModeIrregular != 0 {
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
		Mode:      info.Mode.Perm(),
		UID:       info.UID,
		GID:       info.GID,
		Links:     int(info.Links),
		Changed:   info.Changed,
		Modified:  info.Modified,
		id:        info.ID,
		isPipe:    info.Mode&fs.ModeNamedPipe != 0,
		mappers:   snapshot,
	}
}

// Pids returns the IDs of the processes that map the segment, in ascending
// order. If it also returns an error, other processes may map the segment too. The
// error is
//
//   - [fs.ErrPermission] if some processes are hidden from this one: processes of
//     other users, and processes outside its PID namespace, which usually is a
//     container's
//   - [errors.ErrUnsupported] if there is no /proc, or /dev/shm is not a tmpfs, where
//     mappings are hard to recognise, or for a pipe, which processes open and do not map
//   - [syscall.EBUSY] if Pids has found no process, but the kernel knows of one that
//     has the segment open or mapped
//
// If Pids finds no process, it asks the kernel for a lease (F_SETLEASE of fcntl(2)).
// From Linux 5.3 on, the kernel grants the owner of a file, and privileged processes,
// a lease on a file that nothing else has open or mapped. With a lease there is no
// error, even where processes are hidden. The lease lasts some microseconds, in which
// any process that opens the segment waits. If this process is stopped just then, as
// by SIGSTOP, such a process waits until this one continues, but no longer than
// /proc/sys/fs/lease-break-time, 45 s by default.
//
// The first call looks at all processes. All segments of one iteration share the
// result.
func (s Segment) Pids() ([]int, error) {
	pids, err := s.pids()
	return pids, wrap("pids", s.Name, err)
}

func (s Segment) pids() ([]int, error) {
	if err := s.checkMappable(); err != nil {
		return nil, err
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

// checkMappable returns an error if nothing is known about the processes that map the
// segment.
func (s Segment) checkMappable() error {
	switch {
	case s.mappers == nil:
		return errUnlisted
	case s.isPipe:
		return errPipe
	}
	return nil
}

// A segmentUse is what the kernel reports about the use of a segment.
type segmentUse int

const (
	useUnknown segmentUse = iota // the kernel reports nothing
	useNone                      // no process has it open or mapped
	useSome                      // another process does, or this one
)

// lease asks the kernel about the use of the segment. If the segment is unused, every
// process that tries to open it waits until the returned file is closed.
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
// wait for the end of a lease: only callers that want this segment and no other have
// a reason to wait.
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

// UnlinkUnused removes the name if no process uses the segment and the name still
// belongs to it. It checks both once more, right before removing. The error is
// [syscall.EBUSY] if a process maps the segment, or the kernel knows of one that has
// it open. It is [fs.ErrNotExist] if the name is gone or belongs to another segment. It
// is the error of [Segment.Pids] if the use cannot be found out.
//
// The system offers no way to check and remove in one step. A process that
// attaches between the two keeps the memory, but the name is gone. The time between
// them is a few microseconds if the kernel grants a lease. Without a lease it is as many
// milliseconds as it takes to look at all processes. UnlinkUnused then also overlooks a
// process that has the segment open and does not map it. Go and Python do so only while
// they attach.
func (s Segment) UnlinkUnused() error {
	return wrap("unlink unused", s.Name, s.unlinkUnused(mappers.Take))
}

func (s Segment) unlinkUnused(census func() (mappers.Snapshot, error)) error {
	if err := s.checkMappable(); err != nil {
		return err
	}
	if err := checkName(s.Name, s.id); err != nil {
		return err
	}
	f, use := s.lease()
	if use == useNone {
		defer f.Close()
	} else {
		// Processes can be hidden from a census, but not from the kernel.
		snapshot, err := census()
		switch pids := snapshot[s.id]; {
		case len(pids) > 0:
			return &reason{fmt.Sprintf("process %d maps the segment", pids[0]), syscall.EBUSY}
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

// A ContentKind is the kind of content that a segment appears to have.
type ContentKind string

// The kinds. A list has no mark: a segment counts as a list if its header could be the
// header of a list, in every word. An array has the mark of a .npy file, a header that
// numpy reads, and all of its data. A ring is an array of slots, with numbers that a writer
// of a ring stores.
const (
	KindList       ContentKind = "list"       // a ShareableList
	KindArray      ContentKind = "array"      // a numpy array with its header, see [AttachArray]
	KindRing       ContentKind = "ring"       // slots for frames, see [AttachRing]
	KindBlock      ContentKind = "block"      // any other memory
	KindSemaphore  ContentKind = "semaphore"  // a semaphore: a multiprocessing.Lock or a part of a Condition, say
	KindPipe       ContentKind = "pipe"       // a FIFO: NAME.pipe has the items of the queue NAME
	KindForeign    ContentKind = "foreign"    // a semaphore of another libc, which [AttachSemaphore] refuses
	KindIncomplete ContentKind = "incomplete" // a segment of size 0: a process is creating it, or has given up
	KindUnreadable ContentKind = "unreadable" // the segment cannot be read
)

// A Content describes the content of a segment.
type Content struct {
	Kind    ContentKind
	Layout  format.Layout // of a list
	Len     int           // number of items of a list
	Array   *npy.Header   // of an array; nil for other kinds
	Ring    *RingInfo     // of a ring; nil for other kinds
	Value   int           // of a semaphore, see [Semaphore.Value]
	Waiters int           // of a semaphore, see [Semaphore.Waiters]
}

// Inspect reads the segment, without changing it, and returns what it appears to
// contain. With an error the kind is [KindUnreadable]. The error is
// [syscall.EAGAIN] while another process has a lease on the segment: unlike [Attach],
// Inspect does not wait for the end of the lease.
func (s Segment) Inspect() (Content, error) {
	if s.isPipe { // opening it could let a writer go on
		return Content{Kind: KindPipe}, nil
	}
	c, err := s.inspect()
	return c, wrap("inspect", s.Name, err)
}

func (s Segment) inspect() (c Content, err error) {
	c.Kind = KindUnreadable
	f, err := s.open()
	if err != nil {
		return c, err
	}
	defer f.Close()
	m, err := mapFile(f, true)
	switch {
	case errors.Is(err, format.ErrIncomplete):
		return Content{Kind: KindIncomplete}, nil
	case err != nil:
		return c, err
	}
	defer m.discard()
	err = m.touch(func() error {
		c = contentOf(s.Name, m.mem.Bytes(), f)
		return nil
	})
	return c, err
}

// contentOf describes the content of a segment of any kind, of which mem is the memory
// and f the open file.
func contentOf(name string, mem []byte, f io.ReaderAt) Content {
	if isSemaphore(name, len(mem)) {
		return inspectSemaphore(mem)
	}
	if h, offset, err := arrayHeader(mem, len(mem)); err == nil {
		if ring, err := inspectRing(h, offset, f); err == nil {
			return Content{Kind: KindRing, Ring: &ring}
		}
		return Content{Kind: KindArray, Array: &h}
	}
	list, err := format.Attach(mem)
	if err == nil {
		err = list.Check()
	}
	// A list that another process keeps writing to is a list, too.
	if err == nil || list != nil && errors.Is(err, format.ErrBusy) {
		return Content{Kind: KindList, Layout: list.Layout(), Len: list.Len()}
	}
	return Content{Kind: KindBlock}
}

// isSemaphore reports whether a segment with this name and size is a semaphore.
// Semaphores of glibc have 32 bytes, or 16 in 32-bit processes. Semaphores of musl have
// no prefix. isSemaphore recognises those that Python makes with musl: the ones of other
// programs look like blocks.
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
	waiters := min(s.Waiters(), math.MaxInt32) // another process may count any number
	return Content{Kind: KindSemaphore, Value: int(s.Value()), Waiters: int(waiters)}
}
