//go:build darwin || freebsd || (linux && posixshm)

package shmfile

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"runtime/debug"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A segment is an object of shm_open(2) here, which Python's _posixshmem module makes. It
// has a name and stays until it is unlinked, as on Linux, but it is no file:
//
//   - It has its name from the start, and no other one ever.
//   - It gets its size after its name. On macOS that works once, and the size is whole
//     pages, of which processes other than the creator do not know how many bytes the
//     creator has asked for.
//   - It is neither read nor written by a system call, only through a mapping.
//   - There is no list of names, no lease and no lock.
//
// The files objects_*.go have the system calls. With the build tag posixshm, this file runs
// on Linux: objects_linux.go is the same interface over files in /dev/shm, with all the
// limits of macOS.

// Dir is the folder of the segments. There is none on this system.
const Dir = ""

const (
	// NamesFirst reports that a segment has its name before its content.
	NamesFirst = true
	// KeepsNames reports that a name stays until it is unlinked.
	KeepsNames = true
	// RandomPrefix begins the names that Python chooses.
	RandomPrefix = "psm_"
	// LongestName is how many bytes a name may have.
	LongestName = longestObjectName - 1
)

// A File is an open segment, or one to be created.
type File struct {
	fd   int // -1 before Publish
	made bool
	mode fs.FileMode // if made is true or fd is -1
	size int64       // bytes that the creator has asked for, likewise

	mapping sync.Mutex
	view    []byte // for WriteAt, or nil
}

// New returns a segment without name, size and memory. Publish creates it.
func New(mode fs.FileMode) (*File, error) { return &File{fd: -1, mode: mode.Perm()}, nil }

// Open opens the segment called name and changes nothing.
func Open(name string, readOnly bool) (*File, error) {
	flags := unix.O_RDWR
	if readOnly {
		flags = unix.O_RDONLY
	}
	fd, err := openObject(name, flags, 0)
	if err != nil {
		return nil, err
	}
	return &File{fd: fd}, nil
}

// OpenPatiently is Open: there are no leases.
func OpenPatiently(name string, readOnly bool) (*File, error) { return Open(name, readOnly) }

// Fd returns the descriptor, which is valid until Close.
func (f *File) Fd() int { return f.fd }

// Stat describes the open segment. On macOS it has no ID: fstat(2) returns no inode there
// (pshm_stat in xnu's bsd/kern/posix_shm.c).
func (f *File) Stat() (Info, error) {
	info, err := statObject(f.fd)
	if f.made {
		info.Size = f.size
	}
	return info, err
}

// Truncate gives the segment its size, which it has when Publish has created it.
func (f *File) Truncate(size int64) error {
	f.size = size
	return nil
}

// Reserve is Truncate: the system sets no memory aside for a segment.
func (f *File) Reserve(size int64) error { return f.Truncate(size) }

// Filler gives the segment its size, and returns a writer for its content.
func (f *File) Filler(size int64) (io.WriterAt, error) { return f, f.Truncate(size) }

// ReadAt returns errors.ErrUnsupported: an object is read through its mapping.
func (f *File) ReadAt([]byte, int64) (int, error) { return 0, errors.ErrUnsupported }

// WriteAt implements io.WriterAt for a segment that Publish has created. If another process
// has cut the segment short, the error is EFAULT.
func (f *File) WriteAt(p []byte, off int64) (n int, err error) {
	if off < 0 || off > f.size || int64(len(p)) > f.size-off {
		return 0, io.ErrShortWrite
	}
	view, err := f.mapView()
	if err != nil {
		return 0, err
	}
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			if !faulted(r, view) {
				panic(r)
			}
			n, err = 0, unix.EFAULT
		}
	}()
	return copy(view[off:], p), nil
}

// mapView returns the memory of a segment that Publish has created. Several goroutines may
// call it.
func (f *File) mapView() (view []byte, err error) {
	f.mapping.Lock()
	defer f.mapping.Unlock()
	if f.view == nil {
		f.view, err = unix.Mmap(f.fd, 0, int(f.size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	}
	return f.view, err
}

// faulted reports whether a panic is a fault in the memory.
func faulted(r any, mem []byte) bool {
	fault, ok := r.(interface{ Addr() uintptr })
	return ok && fault.Addr()-uintptr(unsafe.Pointer(unsafe.SliceData(mem))) < uintptr(len(mem))
}

// longestSize is more bytes than a process has addresses. macOS would take longer, and
// make an object for every 4 GiB (pshm_truncate).
const longestSize = 1 << 47

// Publish creates the object, under its name. The name comes first, then the size, and its
// bytes are zero. If Publish fails, it leaves no name.
//
// A Python that attaches before the object has a size fails, and on macOS it also removes the
// name: mmap(2) refuses the size 0 with EINVAL there, and class SharedMemory unlinks the name
// on every OSError. So Publish looks whether the name is still there, and otherwise begins
// again.
func (f *File) Publish(name string, replace bool) error {
	switch {
	case replace:
		return unsupported("on " + system + " a name belongs to one segment until it is unlinked")
	case f.size > longestSize:
		return unix.ENOMEM
	}
	return f.publish(name, f.create)
}

func (f *File) publish(name string, create func(name string) error) error {
	for range publishTries {
		err := create(name)
		if err != nil {
			return err
		}
		if _, err = Lookup(name); err != unix.ENOENT {
			return nil
		}
		if err := f.Close(); err != nil {
			return err
		}
	}
	return errRemoved
}

const publishTries = 10

// create creates the object and gives it its size.
func (f *File) create(name string) error {
	fd, err := openObject(name, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL, uint32(f.mode))
	if err == unix.EEXIST {
		return errExists
	}
	if err != nil {
		return err
	}
	f.fd, f.made = fd, true
	if err = chmodObject(f.fd, f.mode); err == nil {
		err = truncateObject(f.fd, f.size)
	}
	if err != nil {
		_ = Unlink(name) // another process may have removed it
	}
	return err
}

var errRemoved = &reason{"other processes remove the name again and again", unix.EBUSY}

var errExists = &reason{"a segment of that name exists: attach to it, or unlink it", unix.EEXIST}

// Close closes the descriptor. A published segment stays.
func (f *File) Close() error {
	var err error
	if f.view != nil {
		err = unix.Munmap(f.view)
		f.view = nil
	}
	if f.fd >= 0 {
		err = errors.Join(err, unix.Close(f.fd))
		f.fd = -1
	}
	return err
}

// Lookup describes the segment called name, which this process must be allowed to read.
func Lookup(name string) (Info, error) {
	f, err := Open(name, true)
	if err != nil {
		return Info{}, err
	}
	defer f.Close()
	return f.Stat()
}

// Unlink removes a name.
func Unlink(name string) error { return unlinkObject(name) }

// objectName returns the argument of a system call for a name.
func objectName(name string) (*byte, error) {
	if len(name) > LongestName {
		return nil, errTooLong
	}
	return unix.BytePtrFromString("/" + name)
}

func unsupported(text string) error { return &reason{text, errors.ErrUnsupported} }

// Link returns errors.ErrUnsupported.
func Link(string, string) error { return errOneName }

// LinkHidden returns errors.ErrUnsupported.
func LinkHidden(string) (string, error) { return "", errOneName }

// Names returns errors.ErrUnsupported.
func Names() ([]string, error) {
	return nil, unsupported("pyshm cannot list the segments of " + system)
}

// CheckDir returns errors.ErrUnsupported.
func CheckDir() error { return unsupported(system + " has no folder of segments") }

// OpenDescriptor returns errors.ErrUnsupported.
func OpenDescriptor(int, int, bool) (*File, error) {
	return nil, unsupported("on " + system + " a process cannot open the descriptors of another")
}

// NewFIFO returns errors.ErrUnsupported.
func NewFIFO(string, fs.FileMode) error { return errNoQueues }

// LocateFIFO returns errors.ErrUnsupported.
func LocateFIFO(string) (*os.File, Info, error) { return nil, Info{}, errNoQueues }

var (
	errOneName  = unsupported("on " + system + " a segment has one name")
	errNoQueues = unsupported("a queue with a name needs a pipe in the folder of segments, which " + system + " does not have")
)

// HasLeases returns errors.ErrUnsupported.
func HasLeases() (bool, error) { return false, errors.ErrUnsupported }

// Lease returns errors.ErrUnsupported.
func (f *File) Lease() error { return errors.ErrUnsupported }

func ignoringEINTR(f func() error) error {
	for {
		if err := f(); err != unix.EINTR {
			return err
		}
	}
}
