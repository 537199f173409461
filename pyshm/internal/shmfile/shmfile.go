// Package shmfile creates, opens, names and lists the files of segments. A segment here
// is a shared memory object of shm_open(3). Python's multiprocessing.shared_memory
// and glibc's named semaphores use these files too.
//
// Names in this package are file names, as FileName returns them. An error about
// one name is the bare errno of the system call that failed. If the folder of all names
// is the cause, the error names the folder and is never fs.ErrNotExist.
package shmfile

import (
	"io/fs"
	"strings"
	"time"
)

// HiddenPrefix begins names to which no process should attach. There are two kinds. A
// segment that cannot be put under its final name in one step has a hidden name for a
// moment. And a manager holds on to segments by hidden second names.
const HiddenPrefix = ".pyshm-"

// An ID identifies a segment among all that exist at the same time, whatever its names
// are.
type ID struct{ Dev, Ino uint64 }

// An Info is what the system knows about a segment.
type Info struct {
	ID        ID
	Size      int64       // bytes
	Allocated int64       // bytes of memory in use, less than Size in a sparse segment
	Mode      fs.FileMode // permission bits; fs.ModeNamedPipe for a FIFO, fs.ModeIrregular for all others but regular files
	UID, GID  uint32
	Links     uint64 // number of names of the segment
	Modified  time.Time
	Changed   time.Time
}

// FileName returns the file name for a name as Python prints it, with or without one
// leading slash. The error for an impossible name is [fs.ErrInvalid].
func FileName(name string) (string, error) {
	file := strings.TrimPrefix(name, "/")
	switch {
	case file == "":
		return "", invalidName("the name is empty")
	case file == "." || file == "..":
		return "", invalidName("the name is a directory")
	case strings.Contains(file, "/"):
		return "", invalidName("the name contains a slash")
	case strings.Contains(file, "\x00"):
		return "", invalidName("the name contains a NUL")
	}
	return file, nil
}

// ErrSpecial is the reason when a file is not a segment but a FIFO, a device or a
// folder, which cannot be mapped.
var ErrSpecial error = &reason{"not a segment but a special file", fs.ErrInvalid}

// ErrNotFIFO is the reason when a file is not a FIFO.
var ErrNotFIFO error = &reason{"not a FIFO but another file", fs.ErrInvalid}

// A reason is an error of a known kind with its own text.
type reason struct {
	text string
	kind error
}

func (r *reason) Error() string { return r.text }
func (r *reason) Unwrap() error { return r.kind }

func invalidName(text string) error { return &reason{text, fs.ErrInvalid} }
