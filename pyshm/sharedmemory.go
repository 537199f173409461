package pyshm

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"runtime"
	"strconv"
	"sync/atomic"
	"syscall"

	"github.com/pyshm-go/pyshm/format"
	"github.com/pyshm-go/pyshm/internal/words"
	"github.com/pyshm-go/pyshm/pyshm/internal/mapping"
	"github.com/pyshm-go/pyshm/pyshm/internal/shmfile"
)

// A SharedMemory is a handle to a segment of shared memory, the counterpart of
// Python's multiprocessing.shared_memory.SharedMemory. Its methods may be
// called by several goroutines at once, Close included.
//
// The handle does not hold a descriptor. The memory of a handle that becomes
// unreachable without Close is unmapped some time after the garbage collector has
// noticed. If [SharedMemory.Bytes] or [View] was called, the memory stays mapped for the
// life of the process.
type SharedMemory struct {
	name     string // for users and Python
	file     string // the file's name in /dev/shm
	id       shmfile.ID
	owner    uint32           // the user that the file belonged to when the handle was made
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

// Create makes a segment of size bytes, all zero, and attaches to it. If the name is
// empty, Create chooses a name, as Python does. A name with a star, such as
// "frames-*", is a pattern: 8 random hexadecimal digits take the place of the last
// star, such that no segment has the name, and [SharedMemory.Name] returns it.
//
// The name appears when the segment is complete. Create leaves nothing behind when it
// fails. If the name is taken, the error is [fs.ErrExist]. Create reserves the memory,
// unless [Sparse] is given: a full /dev/shm is syscall.ENOSPC here, and not a fault
// later. If /dev/shm has no limit, a size beyond the memory and swap that the machine
// can spare is syscall.ENOSPC too.
//
// The segment lives until its name is unlinked and the last process detaches
// from it, even if the process that created it has ended.
func Create(name string, size int, opts ...CreateOption) (*SharedMemory, error) {
	m, err := create(segmentNames, name, content{size: size}, newCreateOptions(opts))
	return m, wrap("create", name, err)
}

// Attach attaches to an existing segment, no matter which process made it. It never
// changes the segment's size, content, mode or name, also when it fails.
//
// A missing segment is [fs.ErrNotExist]. A segment of size 0 is
// [format.ErrIncomplete]: its creator has not given it its size yet.
func Attach(name string, opts ...AttachOption) (*SharedMemory, error) {
	m, err := attachTo(segmentNames, name, newAttachOptions(opts), nil)
	return m, wrap("attach", name, err)
}

// attachTo maps the segment that has the name, and opens a handle to its content. open
// may be nil.
func attachTo(kind nameKind, name string, o attachOptions, open opener) (*SharedMemory, error) {
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
	if open != nil {
		if err := open(m, f); err != nil {
			m.discard()
			return nil, err
		}
	}
	return m, nil
}

// mapFile returns a handle to an open segment. The handle has no name yet.
func mapFile(f *shmfile.File, readOnly bool) (*SharedMemory, error) {
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, err
	case info.Size == 0:
		return nil, errNoSize
	case info.Size > math.MaxInt:
		return nil, &reason{
			fmt.Sprintf("it has %d bytes, and a segment of this %d-bit program has at most %d", info.Size, strconv.IntSize, math.MaxInt),
			syscall.ENOMEM,
		}
	}
	mem, err := mapping.Map(f.Fd(), int(info.Size), readOnly)
	if err != nil {
		return nil, err
	}
	m := &SharedMemory{id: info.ID, owner: info.UID, mem: mem, readOnly: readOnly}
	m.cleanup = runtime.AddCleanup(m, func(mem *mapping.Mapping) { mem.Release() }, mem)
	return m, nil
}

// discard replaces Close for a handle that no other goroutine has seen. It frees the
// addresses at once. Close leaves that to the garbage collector, and until a
// collection a few calls for a sparse file of terabytes would use up all addresses.
func (m *SharedMemory) discard() {
	m.closed.Store(true)
	m.cleanup.Stop()
	runtime.KeepAlive(m) // until here the cleanup could run
	m.mem.Release()
}

// Unlink removes a name, no matter which segment has it. [SharedMemory.Unlink] checks
// first that the name still belongs to the segment of the handle.
//
// Processes that are attached keep the segment. Its memory becomes free when the last
// of them has detached and no other name is left.
//
// Names that Python has made are for Python's own unlink to remove: at the end of the
// program, Python's resource tracker warns about names that are gone by then.
//
// For a lock or a semaphore, Unlink takes the name of the file: "sem." and the name.
func Unlink(name string) error {
	file, err := shmfile.FileName(name)
	if err == nil {
		err = unlinkFile(file)
	}
	if errors.Is(err, fs.ErrNotExist) {
		if _, errLock := shmfile.Lookup(semaphorePrefix + file); errLock == nil {
			err = &reason{fmt.Sprintf("there is a lock of that name: to unlink it, use its file name %q", semaphorePrefix+file), fs.ErrNotExist}
		}
	}
	return wrap("unlink", name, err)
}

// Name returns the name of the segment, without a slash. Python's name attribute has
// the same value, and Python attaches by this name.
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

// Size returns the size in bytes that the segment had when the handle was made. On
// Linux it is the size that its creator asked for.
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

// Close detaches from the segment. It gives the memory back at once, even if other
// goroutines are using it. Methods that are under way or called later return
// [fs.ErrClosed]. Slices from [SharedMemory.Bytes] and [View] fault when they are
// touched. They never show other memory, because their addresses stay reserved, which
// costs address space but no memory.
//
// If there are no such slices, the addresses are used again when the garbage collector
// has found that no method is under way any more. Close starts a collection, and may
// wait for it, when many addresses have been attached to or closed since the last
// collection.
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

// Unlink removes the name of the segment, before or after Close. It fails with
// [fs.ErrNotExist] when the name has passed to another segment. The system offers no
// way to compare and remove in one step: if another segment takes the name within the
// microseconds between the two, Unlink removes that segment's name by mistake. On macOS, where
// segments have no inode, it does so whichever segment has the name.
func (m *SharedMemory) Unlink() error {
	switch {
	case m == nil || m.mem == nil:
		return m.errClosed("unlink")
	case !shmfile.KeepsNames:
		return nil
	}
	err := error(errNameless)
	if !m.isNameless() {
		err = unlinkOwn(m.file, m.id)
	}
	return wrap("unlink", m.name, err)
}

// unlinkOwn removes the name of the segment with the ID, unless another segment has it.
// Without IDs, that cannot be found out.
func unlinkOwn(file string, id shmfile.ID) error {
	if id != (shmfile.ID{}) {
		if err := checkName(file, id); err != nil {
			return err
		}
	}
	return shmfile.Unlink(file)
}

// Current reports whether the name still leads to this segment, by device and inode.
// It does not if the name was removed, or has passed to another segment: a process
// that created the segment was restarted, say, and made a new one, which Attach
// would find. The result may be out of date when Current returns.
//
// After Close, Current fails with [fs.ErrClosed]: another segment may have the same
// inode by then. On macOS, where segments have no inode, it fails with
// [errors.ErrUnsupported] as long as a segment has the name.
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
	case err == nil && shmfile.KeepsNames && m.id == shmfile.ID{}:
		err = errNoID
	}
	return err == nil, wrap(op, m.name, err)
}

// checkName returns an error unless the file is the segment's.
func (m *SharedMemory) checkName(file string) error {
	if m.isNameless() {
		return errNameless
	}
	return checkName(file, m.id)
}

// isNameless reports whether the segment never had a name in /dev/shm.
func (m *SharedMemory) isNameless() bool { return m == nil || m.file == "" }

// checkName returns an error unless the segment with the ID has the name. Without IDs, any
// segment may have it.
func checkName(file string, id shmfile.ID) error {
	info, err := shmfile.Lookup(file)
	if err == nil && info.ID != id {
		err = errRenamed
	}
	return err
}

// ReadAt implements [io.ReaderAt]. It copies plain memory: the copy may have a part of
// what other processes or goroutines write at the same time. After a fault n is 0, and
// the content of p is undefined.
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

// WriteAt implements [io.WriterAt]. A segment does not grow: if p does not fit,
// WriteAt writes nothing. Other processes may see a part of p in the meantime. After a
// fault n is 0, and any part of p may have been written.
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
	return words.Copy(dst, src), nil
}

// Bytes returns the memory of the segment itself, or nil after Close. Nothing
// guards the slice: reads and writes race with other processes, a fault ends the
// process unless [SharedMemory.Guard] is around it, and writing to a [ReadOnly] segment
// faults.
//
// The slice does not keep the handle alive, and does not need it: once Bytes has been
// called, the memory stays mapped until Close, and its addresses stay reserved for the
// life of the process. Programs that attach again and again use
// [SharedMemory.WithBytes].
func (m *SharedMemory) Bytes() []byte {
	if m.isClosed() {
		return nil
	}
	m.mem.Pin() // before the caller has the slice
	b := m.mem.Bytes()
	runtime.KeepAlive(m)
	return b
}

// WithBytes calls f with the memory of the segment itself, under a
// [SharedMemory.Guard], and returns what f returns. Writing to a [ReadOnly]
// segment is [ErrFault].
//
// f must not keep the slice. Its addresses are used again for other memory after
// Close, unlike the addresses of slices from [SharedMemory.Bytes].
func (m *SharedMemory) WithBytes(f func(b []byte) error) error {
	return m.guard("with bytes", func() error { return f(m.mem.Bytes()) })
}

// Alias gives the segment a second name and returns it. The name is a hard
// link. It is for a worker whose resource tracker unlinks the name that the worker has
// attached to: the segment's own name stays. The caller of Alias has to unlink the
// alias if no worker does.
//
// Alias fails if the segment's name is gone. For the segment of another user it fails
// with [fs.ErrPermission], unless this process may remove the names of other users:
// /dev/shm is sticky, so the alias could not be removed again.
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
	// The name may have passed to another segment between the check and the link.
	if err := m.checkName(alias); err != nil {
		shmfile.Unlink(alias)
		return "", wrap("alias", m.name, err)
	}
	return alias, nil
}
