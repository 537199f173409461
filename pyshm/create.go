package pyshm

import (
	"cmp"
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

// A content is the content of a new segment. If a function fails, no name is left: it is
// called before another process can see the segment or, where names come first, the name
// is removed again.
type content struct {
	size  int
	fill  func(io.WriterAt) error // writes the content into zeros; may be nil
	whole bool                    // fill writes every byte, in order
	open  opener                  // may be nil
}

// prepare gives a new file the size and, unless it is sparse, its memory. It returns the
// writer for the content.
func (c content) prepare(f *shmfile.File, sparse bool) (io.WriterAt, error) {
	switch {
	case sparse:
		return f, f.Truncate(int64(c.size))
	case c.whole:
		return f.Filler(int64(c.size))
	}
	return f, f.Reserve(int64(c.size))
}

// writeTo writes the content. If other processes can see the segment already, the first
// word is written last: a list without it is incomplete.
func (c content) writeTo(w io.WriterAt) error {
	if c.fill == nil {
		return nil
	}
	if !shmfile.NamesFirst {
		return c.fill(w)
	}
	late := &lateWriter{w: w}
	if err := c.fill(late); err != nil {
		return err
	}
	return late.end()
}

// An opener makes the handle to the content of m. The file is the segment's.
type opener func(m *SharedMemory, f *shmfile.File) error

// create makes a segment and a handle to it.
func create(kind nameKind, pattern string, c content, o createOptions) (*SharedMemory, error) {
	n, err := parsePattern(kind, pattern)
	if err != nil {
		return nil, err
	}
	return n.create(c, o)
}

// create makes a segment with this name.
func (n newName) create(c content, o createOptions) (*SharedMemory, error) {
	switch {
	case o.mode&^fs.ModePerm != 0:
		return nil, invalid("mode %v has more bits than the permissions", o.mode)
	case c.size < 1:
		return nil, invalid("size %d is not positive", c.size)
	}
	quick := c.fill == nil && c.size <= quickSize
	if !quick {
		if err := n.checkFree(o.replace); err != nil {
			return nil, err
		}
	}
	m, err := n.createFree(c, o)
	if err != nil && quick {
		err = cmp.Or(n.checkFree(o.replace), err) // a full /dev/shm must not hide that the name is taken
	}
	return m, err
}

// createFree is create for a name that seems to be free. It makes first an unnamed file,
// then its content, then its mapping, and in one last step the name. Where a segment
// cannot be made without a name, the name comes before the content.
func (n newName) createFree(c content, o createOptions) (m *SharedMemory, err error) {
	f, err := shmfile.New(o.mode)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	w, err := c.prepare(f, o.sparse)
	if err != nil {
		return nil, err
	}
	name := ""
	publish := func() (err error) {
		name, err = n.give(func(name string) error {
			return f.Publish(n.kind.prefix+name, o.replace && !n.random)
		})
		return err
	}
	if shmfile.NamesFirst {
		if err := publish(); err != nil {
			return nil, err
		}
		defer func() {
			if m == nil {
				withdraw(f, n.kind.prefix+name)
			}
		}()
	}
	m, err = c.make(f, w)
	if err != nil {
		return nil, err
	}
	if !shmfile.NamesFirst {
		if err := publish(); err != nil {
			m.discard()
			return nil, err
		}
	}
	m.name, m.file = name, n.kind.prefix+name
	return m, nil
}

// withdraw removes the name of a segment that could not be completed.
func withdraw(f *shmfile.File, file string) {
	if info, err := f.Stat(); err == nil {
		_ = unlinkOwn(file, info.ID) // another process may have removed it
	}
}

// make writes the content, and returns a handle to it.
func (c content) make(f *shmfile.File, w io.WriterAt) (*SharedMemory, error) {
	if err := c.writeTo(w); err != nil {
		return nil, err
	}
	m, err := mapFile(f, false)
	if err != nil || c.open == nil {
		return m, err
	}
	if err := c.open(m, f); err != nil {
		m.discard()
		return nil, err
	}
	return m, nil
}

// A nameKind is the rule for the names of one kind of segment.
type nameKind struct {
	prefix string // of the file's name, in front of the segment's
	random string // begins a name that create chooses, as in Python; "" if it chooses none
}

var (
	segmentNames   = nameKind{"", shmfile.RandomPrefix}
	semaphoreNames = nameKind{semaphorePrefix, "mp-"}
	memberNames    = nameKind{semaphorePrefix, ""} // of conditions, events and their semaphores
)

// semaphorePrefix begins the file names of glibc's semaphores.
const semaphorePrefix = "sem."

// A newName is the name of a segment to be created.
type newName struct {
	kind   nameKind
	name   string
	random bool   // random digits follow name, such that no segment has the whole name
	suffix string // follows the digits
}

// longestSegmentName is how many bytes the name of a new segment may have. A file
// name may have one more, but the resource tracker of CPython 3.15 counts the
// slash in front too, and takes 255 bytes ("shared memory name too long"). Names
// of semaphores cannot be as long: their file name begins with sem.
const longestSegmentName = 254

// parsePattern checks a new name, in which the last star stands for random digits. For
// an empty name create chooses one.
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

// checkNewName checks a new name as it stands, without a pattern. It applies the rules
// for all names, and refuses names that Python's resource tracker cannot handle: up to
// CPython 3.14 the tracker encodes names in ASCII and reads them from lines of fields
// that colons separate. checkNewName also refuses names like the hidden ones of this
// package, because these may be removed.
func checkNewName(kind nameKind, name string) (newName, error) {
	name, err := shmfile.FileName(name)
	if err != nil {
		return newName{}, err
	}
	switch {
	case strings.HasPrefix(name, shmfile.HiddenPrefix):
		return newName{}, invalid("names that begin with %q are for segments that pyshm hides and removes", shmfile.HiddenPrefix)
	case kind.prefix != "" && strings.HasPrefix(name, kind.prefix): // a file name: the prefix would come twice
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
	limit, whose := longestSegmentName, "Python's resource tracker"
	if shmfile.LongestName < limit {
		limit, whose = shmfile.LongestName, "the system"
	}
	if n.kind == segmentNames && length > limit {
		return &reason{
			fmt.Sprintf("the name has %d bytes, and %s takes up to %d", length, whose, limit),
			syscall.ENAMETOOLONG,
		}
	}
	return nil
}

// quickSize is a size in bytes at which creating a segment without content takes hardly
// longer than the look whether its name is free.
const quickSize = 16 << 10

// checkFree returns the error that giving the name would return in the end, before the
// work of creating the segment. Where the name comes first, there is no such work.
func (n newName) checkFree(replace bool) error {
	if n.random || shmfile.NamesFirst {
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

// give calls f with the name, and returns it. For a random name it calls f with new
// names until one is not in use.
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

// randomLength is the number of hexadecimal digits of a random part, as in Python.
const randomLength = 8

func randomDigits() string {
	var b [randomLength / 2]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}
