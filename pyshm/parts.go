package pyshm

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"slices"

	"github.com/pyshm-go/pyshm/format/npy"
	"github.com/pyshm-go/pyshm/pyshm/internal/shmfile"
)

// MemoryParts are where an object of Python's multiprocessing lies in memory without a
// name: in a file that a process has open as a descriptor. Python calls such a file an
// arena; it has many objects.
//
// The user of this process has to be the user of that process, which has to run until
// this process has attached. A PID of 0 means this process, which has inherited the
// descriptor FD, through pass_fds of Python's subprocess for example. Then the users may
// differ.
//
// The memory belongs to the object for as long as the object lives in Python. Afterwards
// Python gives it to other objects.
type MemoryParts struct {
	PID    int    `json:"pid"`
	FD     int    `json:"fd"`
	Device uint64 `json:"device"` // of the file; not compared if Inode is 0
	Inode  uint64 `json:"inode"`
	Offset int    `json:"offset"` // of the object, in bytes
	Size   int    `json:"size"`   // of the object, in bytes; not compared if it is 0
}

// ValueParts are the parts of a Value, Array, RawValue or RawArray of Python's
// multiprocessing. Their JSON is the dict that pyshm_attach.parts returns in Python.
type ValueParts struct {
	MemoryParts
	Shape []int  `json:"shape"` // empty for a single element
	Dtype string `json:"dtype"` // of an element, as numpy has it; "" means that it is not compared
	Lock  string `json:"lock"`  // "" if there is none
}

// AttachArrayParts attaches to the memory of a Value, Array, RawValue or RawArray that
// Python has made, as an array. Its elements have the type T, and the error is
// [npy.ErrMismatch] if the parts have another one. ctypes structures are records. A c_char
// is a uint8, and a c_wchar an int32 on Linux.
//
// The methods of the array acquire no lock. If Python's object has one, [AttachLock]
// attaches to parts.Lock. [AttachValueParts] does both for a single value.
//
// The array has no name. Its SharedMemory is the whole file, with all of the objects that
// Python has put into it. The error is [fs.ErrNotExist] if the process or its descriptor
// is gone, or if the descriptor leads to another file by now. It is [fs.ErrPermission] if
// the process is of another user.
func AttachArrayParts[T any](parts ValueParts, opts ...AttachOption) (*Array[T], error) {
	a := new(Array[T])
	err := a.openParts(parts, newAttachOptions(opts))
	return opened(a, wrap("attach array", "", err))
}

func (a *Array[T]) openParts(p ValueParts, o attachOptions) error {
	info := ArrayInfo{Shape: slices.Clone(p.Shape), Dtype: p.Dtype, Offset: p.Offset}
	if info.Dtype == "" {
		d, err := npy.DtypeOf[T]()
		if err != nil {
			return ofNpy(err)
		}
		info.Dtype = d.Elem().String()
		info.Shape = append(info.Shape, d.Shape()...)
	}
	return p.attachTo(o, func(m *SharedMemory) error {
		if err := a.viewInfo(m, info); err != nil {
			return err
		}
		if size := a.n * a.size; p.Size != 0 && size != p.Size {
			return &reason{fmt.Sprintf("the object has %d bytes, not %d", p.Size, size), npy.ErrMismatch}
		}
		return nil
	})
}

// attachTo maps the file, and opens a handle to its content.
func (p MemoryParts) attachTo(o attachOptions, open func(m *SharedMemory) error) error {
	m, err := p.attach(o)
	if err != nil {
		return &reason{fmt.Sprintf("%s: %v", p.file(), err), err}
	}
	if err := open(m); err != nil {
		m.discard()
		return err
	}
	return nil
}

func (p MemoryParts) attach(o attachOptions) (*SharedMemory, error) {
	if p.PID < 0 || p.FD < 0 || p.PID > math.MaxInt32 {
		return nil, invalid("there is no such process or descriptor")
	}
	f, err := shmfile.OpenDescriptor(p.PID, p.FD, o.readOnly)
	switch {
	case errors.Is(err, fs.ErrNotExist) && p.PID == 0:
		return nil, &reason{"this process has not inherited it", fs.ErrNotExist}
	case errors.Is(err, fs.ErrNotExist):
		return nil, &reason{"the process has ended, or has closed it", fs.ErrNotExist}
	case errors.Is(err, fs.ErrPermission):
		return nil, &reason{"this process may not open it: the other one is of another user, or protected", err}
	case err != nil:
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if p.Inode != 0 && (shmfile.ID{Dev: p.Device, Ino: p.Inode}) != info.ID {
		return nil, &reason{"it leads to another file now", fs.ErrNotExist}
	}
	return mapFile(f, o.readOnly)
}

// file names the file for an error, for example "descriptor 5 of process 4711".
func (p MemoryParts) file() string {
	if p.PID == 0 {
		return fmt.Sprintf("descriptor %d", p.FD)
	}
	return fmt.Sprintf("descriptor %d of process %d", p.FD, p.PID)
}

// errNameless is the reason when memory of Python's multiprocessing should be found or
// removed by its name.
var errNameless = &reason{"the memory has no name: Python has made it, and the system removes it when no process uses it", fs.ErrNotExist}
