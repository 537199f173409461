package pyshm

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"runtime"
	"sync/atomic"
	"syscall"

	"github.com/pyshm-go/pyshm/format"
	"github.com/pyshm-go/pyshm/pyshm/internal/mapping"
	"github.com/pyshm-go/pyshm/pyshm/internal/shmfile"
)

// A SharedMemory is a handle to a segment of shared memory, the counterpart of
// Python's multiprocessing.shared_memory.SharedMemory. Its methods may be
// called by several goroutines at once, Close included.
//
// The handle does not hold a descriptor. A handle that is dropped without
// Close gives its memory back some time after the garbage collector has found
// out, unless [SharedMemory.Bytes] or [View] gave out raw memory: then the
// memory stays mapped for the life of the process.
type SharedMemory struct {
	name     string // what users and Python call it
	file     string // what /dev/shm calls it
	id       shmfile.ID
	mem      *mapping.Mapping // nil in the zero value
	readOnly bool
	closed   atomic.Bool
	cleanup  runtime.Cleanup // gives the addresses back
}

var (
	_ io.ReaderAt = (*SharedMemory)(nil)
	_ io.WriterAt = (*SharedMemory)(nil)
	_ io.Closer   = (*SharedMemory)(nil)
)

// Create makes a segment of size bytes, all zero, and attaches to it. With an
// empty name it chooses one, as Python does. A name with a star, such as
// "frames-*", is a pattern: 8 random hexadecimal digits take the place of the last
// star, such that no segment has the name, and [SharedMemory.Name] returns it.
//
// The name appears when the segment is complete, and nothing is left when
// Create fails. A name that is taken is [fs.ErrExist]. The memory is reserved:
// a full /dev/shm is syscall.ENOSPC here and nowhere later, unless [Sparse] is
// given. Where /dev/shm has no limit, so is a size beyond the memory and swap
// that the machine has to spare.
//
// The segment lives until its name is unlinked and the last process detaches
// from it, whatever becomes of this one.
func Create(name string, size int, opts ...CreateOption) (*SharedMemory, error) {
	m, err := create(segmentNames, name, content{size: size}, newCreateOptions(opts))
	return m, wrap("create", name, err)
}

// Attach attaches to an existing segment, whoever made it. It changes nothing:
// not the segment's size, content or mode, nor the name, also when it fails.
//
// A missing segment is [fs.ErrNotExist]. One of size 0 is
// [format.ErrIncomplete]: its creator has yet to give it its size.
func Attach(name string, opts ...AttachOption) (*SharedMemory, error) {
	m, err := mapName(segmentNames, name, newAttachOptions(opts))
	return m, wrap("attach", name, err)
}

// mapName makes the handle to the segment that has the name.
func mapName(kind nameKind, name string, o attachOptions) (*SharedMemory, error) {
	name, err := shmfile.FileName(name)
	if err != nil {
		return nil, err
	}
	file := kind.prefix + name
	f, err := shmfile.OpenPatiently(file, o.readOnly)
	if err == syscall.EACCES {
		err = refused(file, o)
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	m, err := mapFile(f, o.readOnly)
	if err != nil {
		return nil, err
	}
	m.name, m.file = name, file
	return m, nil
}

// mapFile makes the handle to a segment, without a name as yet.
func mapFile(f *shmfile.File, readOnly bool) (*SharedMemory, error) {
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, err
	case info.Size == 0:
		return nil, errNoSize
	case info.Size > math.MaxInt:
		return nil, syscall.ENOMEM
	}
	mem, err := mapping.Map(f.Fd(), int(info.Size), readOnly)
	if err != nil {
		return nil, err
	}
	m := &SharedMemory{id: info.ID, mem: mem, readOnly: readOnly}
	m.cleanup = runtime.AddCleanup(m, func(mem *mapping.Mapping) { mem.Release() }, mem)
	return m, nil
}

// discard takes the place of Close for a handle that nobody else has seen. Its
// addresses are free at once, and not when the garbage collector has found out:
// until then, a few looks at a sparse file of terabytes would use them all up.
func (m *SharedMemory) discard() {
	m.closed.Store(true)
	m.cleanup.Stop()
	runtime.KeepAlive(m) // until here the cleanup may run
	m.mem.Release()
}

// Unlink removes a name. Those who are attached keep the segment; its memory
// is free when the last of them is gone and no other name is left.
//
// It is [SharedMemory.Unlink], not this function, that removes a name only if
// it still belongs to the segment one knows.
//
// Leave the names of what Python has made to Python's own unlink: its resource
// tracker warns at the end of what is gone by then.
//
// Locks and semaphores have the names of their files here: "sem." and the name.
func Unlink(name string) error {
	file, err := shmfile.FileName(name)
	if err == nil {
		err = shmfile.Unlink(file)
	}
	if errors.Is(err, fs.ErrNotExist) {
		if _, errLock := shmfile.Lookup(semaphorePrefix + file); errLock == nil {
			err = &reason{fmt.Sprintf("there is a lock of that name, which here is %q", semaphorePrefix+file), fs.ErrNotExist}
		}
	}
	return wrap("unlink", name, err)
}

// Name returns the name of the segment, without a slash: what Python's name
// attribute shows, and what Python takes.
func (m *SharedMemory) Name() string {
	if m == nil {
		return ""
	}
	return m.name
}

// String returns Python's repr, for example SharedMemory('psm_0a1b2c3d', size=4096).
func (m *SharedMemory) String() string {
	return fmt.Sprintf("SharedMemory(%s, size=%d)", format.Repr(m.Name()), m.Size())
}

// Size returns the size in bytes, which the segment had when the handle was
// made. On Linux it is the size its creator asked for.
func (m *SharedMemory) Size() int {
	if m == nil || m.mem == nil {
		return 0
	}
	return m.mem.Len()
}

func (m *SharedMemory) isClosed() bool {
	return m == nil || m.mem == nil || m.closed.Load()
}

func (m *SharedMemory) errClosed(op string) error {
	return &Error{Op: op, Name: m.Name(), Err: errClosed}
}

// Close detaches from the segment. The memory is given back at once, whoever
// is using it: methods that are under way or called later answer
// [fs.ErrClosed], and slices from [SharedMemory.Bytes] and [View] fault when
// they are touched. They never show memory that belongs to somebody else,
// because their addresses stay reserved; that costs address space but no
// memory. Without such slices, the addresses are used again when the garbage
// collector has found that no method is under way any more. Close starts a
// collection when many addresses have been attached to or closed since the last, and
// may then wait for it.
//
// Close does not unlink. Calling it again does nothing, unless it has failed: a
// process that has as many mappings as the kernel allows gets syscall.ENOMEM, and
// the segment is not closed.
func (m *SharedMemory) Close() error {
	if m.isClosed() || m.closed.Swap(true) {
		return nil
	}
	err := m.mem.Revoke()
	if err != nil {
		m.closed.Store(false)
	}
	runtime.KeepAlive(m)
	return wrap("close", m.name, err)
}

// Unlink removes the name of the segment, before or after Close. It refuses,
// with an error that is [fs.ErrNotExist], when the name has passed to another
// segment. The system offers no way to compare and remove in one step: a
// segment that takes the name within the microseconds between the two is
// removed in error.
func (m *SharedMemory) Unlink() error {
	if m == nil || m.mem == nil {
		return m.errClosed("unlink")
	}
	err := m.checkName(m.file)
	if err == nil {
		err = shmfile.Unlink(m.file)
	}
	return wrap("unlink", m.name, err)
}

// Current reports whether the name still leads to this segment, by device and inode.
// It does not if the name was removed, or has passed to another segment: a process
// that created the segment was restarted, say, and made a new one, which Attach
// would find. What is true when Current looks may have changed when it returns.
//
// After Close, Current is [fs.ErrClosed]: the number of the inode may be another
// segment's by then.
func (m *SharedMemory) Current() (bool, error) {
	const op = "current"
	if m.isClosed() {
		return false, m.errClosed(op)
	}
	err := m.checkName(m.file)
	switch {
	case m.closed.Load(): // perhaps before the look
		return false, m.errClosed(op)
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	}
	return err == nil, wrap(op, m.name, err)
}

// checkName returns an error unless a file is the segment's.
func (m *SharedMemory) checkName(file string) error { return checkName(file, m.id) }

func checkName(file string, id shmfile.ID) error {
	info, err := shmfile.Lookup(file)
	if err == nil && info.ID != id {
		err = errRenamed
	}
	return err
}

// ReadAt implements [io.ReaderAt]. It copies plain memory: what other
// processes or goroutines write at the same time may arrive in part. After a
// fault n is 0, and the content of p is undefined.
func (m *SharedMemory) ReadAt(p []byte, off int64) (n int, err error) {
	switch {
	case m.isClosed():
		return 0, m.errClosed("read")
	case off < 0:
		return 0, wrap("read", m.name, invalid("offset %d is negative", off))
	case off >= int64(m.Size()):
		return 0, io.EOF
	}
	n, err = m.guardedCopy("read", p, m.mem.Bytes()[off:])
	if err == nil && n < len(p) {
		err = io.EOF
	}
	return n, err
}

// WriteAt implements [io.WriterAt]. A segment does not grow: if p does not fit
// nothing is written. Others may see p in part while it is being written.
// After a fault n is 0, and any part of p may have been written.
func (m *SharedMemory) WriteAt(p []byte, off int64) (n int, err error) {
	size := int64(m.Size())
	switch {
	case m.isClosed():
		return 0, m.errClosed("write")
	case m.readOnly:
		return 0, wrap("write", m.name, errReadOnly)
	case off < 0:
		return 0, wrap("write", m.name, invalid("offset %d is negative", off))
	case off > size || int64(len(p)) > size-off:
		return 0, wrap("write", m.name, invalid("%d bytes at offset %d exceed the size of %d", len(p), off, size))
	}
	return m.guardedCopy("write", m.mem.Bytes()[off:], p)
}

func (m *SharedMemory) guardedCopy(op string, dst, src []byte) (n int, err error) {
	defer m.leave(op, m.enter(), &err)
	return copy(dst, src), nil
}

// Bytes returns the memory of the segment itself, or nil after Close. Nothing
// guards its use: reads and writes race with those of other processes, a
// fault ends the process unless [SharedMemory.Guard] is around it, and a
// [ReadOnly] segment faults on writing. The slice does not keep the handle
// alive, nor does it need it: once Bytes has been called, the memory stays
// mapped until Close, and its addresses stay reserved for the life of the
// process. [SharedMemory.WithBytes] is for programs that attach again and again.
func (m *SharedMemory) Bytes() []byte {
	if m.isClosed() {
		return nil
	}
	m.mem.Pin() // before the slice is out
	b := m.mem.Bytes()
	runtime.KeepAlive(m)
	return b
}

// WithBytes calls f with the memory of the segment itself, under a
// [SharedMemory.Guard], and returns what f returns. Writing to a [ReadOnly]
// segment is [ErrFault].
//
// f must not keep the slice: after Close its addresses are used again, for
// whatever memory, as they are not after [SharedMemory.Bytes].
func (m *SharedMemory) WithBytes(f func(b []byte) error) error {
	return m.guard("with bytes", func() error { return f(m.mem.Bytes()) })
}

// Alias gives the segment a second name and returns it. The name is a hard
// link: a worker that is given it, and whose resource tracker unlinks it in
// the end, leaves the segment's own name alone. Who makes an alias has to see
// to it that it is unlinked, if nobody else does.
//
// Alias needs the segment's name to be in place. On the segment of another user it
// is [fs.ErrPermission], unless this process may remove the names of others: in
// /dev/shm, which is sticky, the alias could not be removed again.
func (m *SharedMemory) Alias() (string, error) {
	if m.isClosed() {
		return "", m.errClosed("alias")
	}
	err := m.checkName(m.file)
	alias := ""
	if err == nil {
		alias, err = newName{name: segmentNames.random, random: true}.give(func(alias string) error { return shmfile.Link(m.file, alias) })
	}
	if err != nil {
		return "", wrap("alias", m.name, err)
	}
	// The name may have passed to another segment between look and link.
	if err := m.checkName(alias); err != nil {
		shmfile.Unlink(alias)
		return "", wrap("alias", m.name, err)
	}
	return alias, nil
}
