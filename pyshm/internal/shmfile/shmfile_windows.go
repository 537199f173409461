package shmfile

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"sync"
	"unsafe"

	"golang.org/x/sys/windows"
)

// A segment is a section here, a file mapping object of Windows that the pagefile backs:
// Python's multiprocessing.shared_memory makes it with CreateFileMapping (class
// SharedMemory, the branch for Windows, and mmap.mmap with a tagname). It differs from
// a file in these points:
//
//   - It has its name from the start, and no other one ever.
//   - Name and memory exist as long as a process has a handle. There is nothing to
//     unlink, and no other segment can take the name from it.
//   - It cannot be resized. Its size is whole pages, of which processes other than the
//     creator do not know how many bytes the creator has asked for.
//   - It has no owner or mode, and there is no list of names.

// Dir is the folder of the segments. There is none on this system.
const Dir = ""

const (
	// NamesFirst reports that a segment has its name before its content.
	NamesFirst = true
	// KeepsNames reports that a name stays until it is unlinked.
	KeepsNames = false
	// RandomPrefix begins the names that Python chooses.
	RandomPrefix = "wnsm_"
	// LongestName is how many bytes a name may have.
	LongestName = 255
)

// A File is an open section, or one to be created.
type File struct {
	section windows.Handle // 0 before Publish
	size    int64          // bytes; of an opened section in whole pages

	mapping sync.Mutex
	view    []byte // for WriteAt, or nil
}

// New returns a segment without name, size and memory. Publish creates it.
func New(mode fs.FileMode) (*File, error) {
	if mode.Perm() != 0o600 {
		return nil, unsupported("Windows gives segments no mode: this user's processes may use it")
	}
	return &File{}, nil
}

// Open opens the segment called name and changes nothing.
func Open(name string, readOnly bool) (*File, error) {
	access := uint32(windows.FILE_MAP_READ | windows.FILE_MAP_WRITE)
	if readOnly {
		access = windows.FILE_MAP_READ
	}
	section, err := openSection(access, name)
	if err != nil {
		return nil, err
	}
	f := &File{section: section}
	if f.size, err = sizeOf(section); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// OpenPatiently is Open: there are no leases.
func OpenPatiently(name string, readOnly bool) (*File, error) { return Open(name, readOnly) }

// sizeOf returns the size of a section in whole pages. Python finds it in the same way.
func sizeOf(section windows.Handle) (int64, error) {
	addr, err := windows.MapViewOfFile(section, windows.FILE_MAP_READ, 0, 0, 0)
	if err != nil {
		return 0, err
	}
	defer windows.UnmapViewOfFile(addr)
	var info windows.MemoryBasicInformation
	err = windows.VirtualQuery(addr, &info, unsafe.Sizeof(info))
	return int64(info.RegionSize), err
}

// Fd returns the handle, which is valid until Close.
func (f *File) Fd() int { return int(f.section) }

// Stat describes the segment. It has no ID: as long as this process has a handle, no
// other segment can have the name.
func (f *File) Stat() (Info, error) { return Info{Size: f.size, Mode: 0o600, Links: 1}, nil }

// Truncate gives the segment its size.
func (f *File) Truncate(size int64) error {
	f.size = size
	return nil
}

// Reserve gives the segment its size. Windows sets the memory aside when Publish
// creates the section, and then it cannot run out.
func (f *File) Reserve(size int64) error { return f.Truncate(size) }

// Filler gives the segment its size, and returns a writer for its content.
func (f *File) Filler(size int64) (io.WriterAt, error) { return f, f.Truncate(size) }

// ReadAt returns errors.ErrUnsupported: a section is read through its mapping.
func (f *File) ReadAt([]byte, int64) (int, error) { return 0, errors.ErrUnsupported }

// WriteAt implements io.WriterAt for a segment that Publish has created.
func (f *File) WriteAt(p []byte, off int64) (int, error) {
	if off < 0 || off > f.size || int64(len(p)) > f.size-off {
		return 0, io.ErrShortWrite
	}
	view, err := f.mapView()
	if err != nil {
		return 0, err
	}
	return copy(view[off:], p), nil
}

// mapView returns the memory of a segment that Publish has created. Several goroutines may
// call it.
func (f *File) mapView() ([]byte, error) {
	f.mapping.Lock()
	defer f.mapping.Unlock()
	if f.view == nil {
		addr, err := windows.MapViewOfFile(f.section, windows.FILE_MAP_WRITE, 0, 0, uintptr(f.size))
		if err != nil {
			return nil, explain(err)
		}
		f.view = unsafe.Slice((*byte)(*(*unsafe.Pointer)(unsafe.Pointer(&addr))), int(f.size))
	}
	return f.view, nil
}

// Publish creates the section, under its name. Its bytes are zero.
func (f *File) Publish(name string, replace bool) error {
	if replace {
		return unsupported("on Windows a name belongs to one segment until the last process has closed it")
	}
	text, err := windows.UTF16PtrFromString(name)
	if err != nil {
		return err
	}
	section, err := windows.CreateFileMapping(windows.InvalidHandle, nil, windows.PAGE_READWRITE,
		uint32(f.size>>32), uint32(f.size), text)
	if section != 0 && err == windows.ERROR_ALREADY_EXISTS { // the handle is the other segment's
		windows.CloseHandle(section)
		return errExists
	}
	if err == windows.ERROR_INVALID_HANDLE {
		return errOtherKind
	}
	if err != nil {
		return explain(err)
	}
	f.section = section
	return nil
}

// Close closes the handle. The segment goes with the last handle of all processes.
func (f *File) Close() error {
	var err error
	if f.view != nil {
		err = windows.UnmapViewOfFile(uintptr(unsafe.Pointer(unsafe.SliceData(f.view))))
		f.view = nil
	}
	if f.section != 0 {
		err = errors.Join(err, windows.CloseHandle(f.section))
		f.section = 0
	}
	return err
}

// Lookup describes the segment called name, of which only its presence is known.
func Lookup(name string) (Info, error) {
	section, err := openSection(windows.FILE_MAP_READ, name)
	if err != nil {
		return Info{}, err
	}
	return Info{Mode: 0o600, Links: 1}, windows.CloseHandle(section)
}

var openFileMapping = windows.NewLazySystemDLL("kernel32.dll").NewProc("OpenFileMappingW")

func openSection(access uint32, name string) (windows.Handle, error) {
	text, err := windows.UTF16PtrFromString(name)
	if err != nil {
		return 0, err
	}
	section, _, err := openFileMapping.Call(uintptr(access), 0, uintptr(unsafe.Pointer(text)))
	switch {
	case section != 0:
		return windows.Handle(section), nil
	case errors.Is(err, windows.ERROR_INVALID_HANDLE):
		return 0, ErrSpecial
	}
	return 0, explain(err)
}

var (
	errExists    = &reason{"a segment of that name exists: attach to it, or close it in all processes", windows.ERROR_ALREADY_EXISTS}
	errOtherKind = &reason{"an object of another kind has the name, such as a mutex", windows.ERROR_ALREADY_EXISTS}
	errMissing   = &reason{"no process has a segment of that name: not created yet, or its last process has closed it", windows.ERROR_FILE_NOT_FOUND}
	errMemory    = &reason{"Windows can set aside no more memory", windows.ERROR_COMMITMENT_LIMIT}
)

// explain returns an error of Windows with its meaning for segments.
func explain(err error) error {
	switch {
	case errors.Is(err, windows.ERROR_FILE_NOT_FOUND):
		return errMissing
	case errors.Is(err, windows.ERROR_NOT_ENOUGH_MEMORY), errors.Is(err, windows.ERROR_COMMITMENT_LIMIT):
		return errMemory
	}
	return err
}

func unsupported(text string) error { return &reason{text, errors.ErrUnsupported} }

// Unlink does nothing, like Python's: a segment goes with its last handle.
func Unlink(string) error { return nil }

// Link returns errors.ErrUnsupported.
func Link(string, string) error {
	return unsupported("on Windows a segment has one name")
}

// Names returns errors.ErrUnsupported.
func Names() ([]string, error) {
	return nil, unsupported("Windows has no list of the segments")
}

// OpenDescriptor returns errors.ErrUnsupported.
func OpenDescriptor(int, int, bool) (*File, error) {
	return nil, unsupported("on Windows memory of Python without a name has no descriptor")
}

// NewFIFO returns errors.ErrUnsupported.
func NewFIFO(string, fs.FileMode) error { return errNoQueues }

// LocateFIFO returns errors.ErrUnsupported.
func LocateFIFO(string) (*os.File, Info, error) { return nil, Info{}, errNoQueues }

var errNoQueues = unsupported("a queue needs a pipe and locks with names, which Python does not have on Windows")

// HasLeases returns errors.ErrUnsupported.
func HasLeases() (bool, error) { return false, errors.ErrUnsupported }

// Lease returns errors.ErrUnsupported.
func (f *File) Lease() error { return errors.ErrUnsupported }
