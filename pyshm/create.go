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
func create(kind nameKind, pattern string, c content, o createOptions) (*SharedMemory, error) {
	n, err := parsePattern(kind, pattern)
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
		m.name, err = n.give(func(name string) error {
			return f.Publish(n.kind.prefix+name, o.replace && !n.random)
		})
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
	random string // begins a name that is chosen here, as in Python; "" if none is
}

var (
	segmentNames   = nameKind{"", "psm_"}
	semaphoreNames = nameKind{semaphorePrefix, "mp-"}
	memberNames    = nameKind{semaphorePrefix, ""} // of what consists of semaphores
)

// semaphorePrefix begins the file names of glibc's semaphores.
const semaphorePrefix = "sem."

// A newName is the name of a segment that is about to be created.
type newName struct {
	kind   nameKind
	name   string
	random bool   // random digits follow name, such that no segment has the whole
	suffix string // follows these
}

// longestSegmentName is how many bytes the name of a new segment may have. The
// file may have one more, but the resource tracker of CPython 3.15 counts the
// slash in front too, and takes 255 bytes ("shared memory name too long"). Names
// of semaphores never come near: their file begins with sem.
const longestSegmentName = 254

// parsePattern checks a name that is to be created, in which the last star stands
// for random digits. An empty name is one to be chosen.
func parsePattern(kind nameKind, pattern string) (newName, error) {
	if pattern == "" && kind.random != "" {
		return newName{kind: kind, name: kind.random, random: true}, nil
	}
	n, err := checkNewName(kind, pattern)
	if err != nil {
		return newName{}, err
	}
	if star := strings.LastIndexByte(n.name, '*'); star >= 0 {
		n.name, n.random, n.suffix = n.name[:star], true, n.name[star+1:]
	}
	return n, n.checkLength()
}

// checkNewName checks a name that is to be created as it stands: by the rules for
// all names, and for what Python's resource tracker cannot digest. Up to CPython
// 3.14 the tracker encodes names in ASCII and reads them from lines of fields that
// colons separate. This package's own hidden names, which may be swept away, are
// refused too.
func checkNewName(kind nameKind, name string) (newName, error) {
	name, err := shmfile.FileName(name)
	if err != nil {
		return newName{}, err
	}
	switch {
	case strings.HasPrefix(name, shmfile.HiddenPrefix):
		return newName{}, invalid("names that begin with %q are for what pyshm hides and removes", shmfile.HiddenPrefix)
	case kind.prefix != "" && strings.HasPrefix(name, kind.prefix): // or it would be another than the one that is meant
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
	n := newName{kind: kind, name: name}
	return n, n.checkLength()
}

func (n newName) checkLength() error {
	length := len(n.name) + len(n.suffix)
	if n.random {
		length += randomLength
	}
	if n.kind == segmentNames && length > longestSegmentName {
		return &reason{
			fmt.Sprintf("the name has %d bytes, and Python's resource tracker takes up to %d", length, longestSegmentName),
			syscall.ENAMETOOLONG,
		}
	}
	return nil
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

// give calls f with the name, or with random ones until one was not in use, and
// returns the name.
func (n newName) give(f func(name string) error) (name string, err error) {
	if !n.random {
		return n.name, f(n.name)
	}
	for {
		name := n.name + randomDigits() + n.suffix
		if err := f(name); !errors.Is(err, fs.ErrExist) {
			return name, err
		}
	}
}

// randomLength is how many hexadecimal digits a random part has, as in Python.
const randomLength = 8

func randomDigits() string {
	var b [randomLength / 2]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}
