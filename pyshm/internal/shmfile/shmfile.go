// Package shmfile reaches the files behind shared memory: objects of
// shm_open(3), which are also the segments of Python's
// multiprocessing.shared_memory and the named semaphores of glibc.
//
// Names here are file names, as FileName returns them. Errors are the bare
// errno of the system call that failed, where it is about one name. Where the
// folder of all names is to blame, the error says so and is never
// fs.ErrNotExist.
package shmfile

import (
	"io/fs"
	"strings"
	"time"
)

// HiddenPrefix begins the names that nobody is meant to attach to: those that an
// object has for a moment where it cannot be put under its final name in one
// step, and the second names by which a manager holds on to segments.
const HiddenPrefix = ".pyshm-"

// An ID tells one object from every other that exists at the same time,
// whatever its names are.
type ID struct{ Dev, Ino uint64 }

// An Info is what the system knows about an object.
type Info struct {
	ID        ID
	Size      int64       // bytes
	Allocated int64       // bytes of memory in use, less than Size in a sparse object
	Mode      fs.FileMode // permission bits; fs.ModeIrregular on what is not a regular file
	UID, GID  uint32
	Links     uint64 // names the object has
	Modified  time.Time
	Changed   time.Time
}

// FileName turns a name as Python prints it, with or without one leading
// slash, into the file name behind it. What can be no name is [fs.ErrInvalid].
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

// ErrSpecial is the reason when a file is no object that can be mapped: a FIFO, a
// device, a folder.
var ErrSpecial error = &reason{"not a segment but a special file", fs.ErrInvalid}

// A reason is an error of a known kind in words of its own.
type reason struct {
	text string
	kind error
}

func (r *reason) Error() string { return r.text }
func (r *reason) Unwrap() error { return r.kind }

func invalidName(text string) error { return &reason{text, fs.ErrInvalid} }
