//go:build !posixshm

package shmfile

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"strings"

	"golang.org/x/sys/unix"
)

// No system call puts a nameless segment in the place of another. So the segment first
// gets a temporary name, which is then renamed. A process that dies in between leaves
// the temporary name, and all the memory behind it. The process holds a flock(2) on the
// segment as long as it uses the temporary name. The lock ends with the process, so
// another process can find out that the name was left.

// temporaryPrefix begins the temporary names, and no other hidden names.
const temporaryPrefix = HiddenPrefix + "new-"

// replace puts the segment under a name that may be in use.
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
	// The mapping of the segment would keep it locked. An error here is ignored,
	// because the segment has its name already.
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

// sweep removes the temporary names that processes have left, if this process may open
// and remove them.
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
		// If the segment was renamed meanwhile, no segment has the temporary name.
		if f.lock() == nil {
			_ = Unlink(name) // if it fails, the next sweep tries again
		}
		f.Close()
	}
}
