package shmfile

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"strings"

	"golang.org/x/sys/unix"
)

// No system call puts a nameless object in the place of another. It gets a
// temporary name first, which is then renamed. A process that dies in between
// leaves the temporary name, and all the memory behind it. So that the next one
// can tell, the object is locked with flock(2) as long as the name is in use: the
// lock ends with the process.

// temporaryPrefix begins these names, and no other hidden ones.
const temporaryPrefix = HiddenPrefix + "new-"

// replace puts the object under a name that may be in use.
func (f *File) replace(name string) error {
	sweep()
	if f.hidden == "" {
		if err := f.linkTemporary(); err != nil {
			return err
		}
	}
	if err := unix.Rename(pathOf(f.hidden), pathOf(name)); err != nil {
		return err
	}
	f.hidden = ""
	// The mapping of the object would keep it locked. To fail now would be to say
	// that the name is not in use.
	_ = unix.Flock(f.fd, unix.LOCK_UN)
	return nil
}

func (f *File) linkTemporary() error {
	if err := f.lock(); err != nil {
		return err
	}
	for {
		name := temporaryPrefix + rand.Text()
		err := f.link(name)
		if err == nil {
			f.hidden = name
		}
		if !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
}

func (f *File) lock() error {
	return ignoringEINTR(func() error { return unix.Flock(f.fd, unix.LOCK_EX|unix.LOCK_NB) })
}

// sweep removes the temporary names that processes have left. Those that it may
// not open or remove it leaves to who may.
func sweep() {
	names, err := Names()
	if err != nil {
		return
	}
	for _, name := range names {
		if !strings.HasPrefix(name, temporaryPrefix) {
			continue
		}
		f, err := Open(name, true)
		if err != nil {
			continue
		}
		// Renamed meanwhile, it has no such name any more, nor has another.
		if f.lock() == nil {
			_ = Unlink(name) // or the next one will
		}
		f.Close()
	}
}
