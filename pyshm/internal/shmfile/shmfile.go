// Package shmfile reaches the files behind shared memory: objects of
// shm_open(3), which are also the segments of Python's
// multiprocessing.shared_memory and the named semaphores of glibc.
//
// Names here are file names, without the leading slash, already checked by
// the caller. Errors are the bare errno of the system call that failed.
package shmfile

import (
	"io/fs"
	"time"
)

// HiddenPrefix begins the temporary names that an object has for a moment
// where it cannot be put under its final name in one step.
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
