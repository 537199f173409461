package pyshm

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"syscall"

	"github.com/pyshm-go/pyshm/format"
	"github.com/pyshm-go/pyshm/pyshm/internal/shmfile"
)

type createOptions struct {
	mode    fs.FileMode
	sparse  bool
	layout  format.Layout
	replace bool
}

func newCreateOptions[O ListOption](opts []O) createOptions {
	o := createOptions{mode: 0o600}
	for _, opt := range opts {
		opt.apply(&o)
	}
	return o
}

// A content is what a new segment holds. All is done before another process can
// see it, so that nothing that fails leaves a name.
type content struct {
	size int
	fill func(io.WriterAt) error     // writes it, all but zeros; may be nil
	open func(m *SharedMemory) error // makes the handle to it; may be nil
}

// create makes a segment and the handle to it.
func create(kind nameKind, name string, c content, o createOptions) (*SharedMemory, error) {
	n, err := checkNewName(kind, name)
	if err != nil {
		return nil, err
	}
	return n.create(c, o)
}

// create makes a segment of the name: an unnamed file, its content, its mapping,
// and in one last step the name.
func (n newName) create(c content, o createOptions) (*SharedMemory, error) {
	switch {
	case o.mode&^fs.ModePerm != 0:
		return nil, invalid("mode %v is more than permissions", o.mode)
	case c.size < 1:
		return nil, invalid("size %d is not positive", c.size)
	}
	if err := n.checkFree(o.replace); err != nil {
		return nil, err
	}
	f, err := shmfile.New(o.mode)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if o.sparse {
		err = f.Truncate(int64(c.size))
	} else {
		err = f.Reserve(int64(c.size))
	}
	if err == nil && c.fill != nil {
		err = c.fill(f)
	}
	if err != nil {
		return nil, err
	}
	m, err := mapFile(f, false)
	if err != nil {
		return nil, err
	}
	if c.open != nil {
		err = c.open(m)
	}
	if err == nil {
		m.name, err = n.give(func(file string) error { return f.Publish(file, o.replace && !n.random) })
	}
	if err != nil {
		m.discard()
		return nil, err
	}
	m.file = n.kind.prefix + m.name
	return m, nil
}

// A nameKind is the rule by which segments of one kind are named.
type nameKind struct {
	prefix string // of the file's name, in front of the segment's
	random string // begins a name that is chosen here, as in Python
}

var (
	segmentNames   = nameKind{"", "psm_"}
	semaphoreNames = nameKind{semaphorePrefix, "mp-"} // the prefix is glibc's
)

// semaphorePrefix begins the file names of glibc's semaphores.
const semaphorePrefix = "sem."

// A newName is the name of a segment that is about to be created.
type newName struct {
	kind   nameKind
	name   string
	random bool // one that no segment has, instead of name
}

// longestSegmentName is how many bytes the name of a new segment may have. The
// file may have one more, but the resource tracker of CPython 3.15 counts the
// slash in front too, and takes 255 bytes ("shared memory name too long"). Names
// of semaphores never come near: their file begins with sem.
const longestSegmentName = 254

// checkNewName checks a name that is about to be used: by the rules for all
// names, and for what Python's resource tracker cannot digest. Up to CPython 3.14
// the tracker encodes names in ASCII and reads them from lines of fields that
// colons separate. This package's own hidden names, which may be swept away, are
// refused too. An empty name is one to be chosen.
func checkNewName(kind nameKind, name string) (newName, error) {
	if name == "" {
		return newName{kind: kind, random: true}, nil
	}
	name, err := shmfile.FileName(name)
	if err != nil {
		return newName{}, err
	}
	switch {
	case strings.HasPrefix(name, shmfile.HiddenPrefix):
		return newName{}, invalid("names that begin with %q are for what pyshm hides and removes", shmfile.HiddenPrefix)
	case kind == segmentNames && len(name) > longestSegmentName:
		return newName{}, &reason{
			fmt.Sprintf("the name has %d bytes, and Python's resource tracker takes up to %d", len(name), longestSegmentName),
			syscall.ENAMETOOLONG,
		}
	case kind == semaphoreNames && strings.HasPrefix(name, semaphorePrefix): // or it would be another than the one that is meant
		return newName{}, errPrefix(name)
	}
	for i := range len(name) {
		switch c := name[i]; {
		case c == ':' || c == '\n':
			return newName{}, invalid("the name contains %q, which Python's resource tracker cannot parse", c)
		case c >= 0x80:
			return newName{}, invalid("the name is not ASCII, which Python's resource tracker requires")
		}
	}
	return newName{kind: kind, name: name}, nil
}

// checkGiven returns an error if the name is one to be chosen.
func (n newName) checkGiven() error {
	_, err := shmfile.FileName(n.name)
	return err
}

// checkFree finds out before the work what would come out after it: whether the
// name can be given.
func (n newName) checkFree(replace bool) error {
	if n.random {
		return nil
	}
	switch _, err := shmfile.Lookup(n.kind.prefix + n.name); {
	case err == nil && !replace:
		return syscall.EEXIST
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	}
	return nil
}

// give calls link with the name of the file, or with random ones until one was
// not in use, and returns the name.
func (n newName) give(link func(file string) error) (name string, err error) {
	for {
		name := n.name
		if n.random {
			name = n.kind.random + randomDigits()
		}
		err := link(n.kind.prefix + name)
		if !n.random || !errors.Is(err, fs.ErrExist) {
			return name, err
		}
	}
}

// randomDigits returns 8 hexadecimal digits, as Python takes them.
func randomDigits() string {
	var b [4]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}
