package worker

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/pyshm-go/pyshm/pyshm"
)

// An arena is the shared memory of one worker: segments whose names are gone as soon as the
// worker has attached. The process that made them, and the worker, map them, and nothing is
// left of them when both have ended.
type arena struct {
	limit    int // of all segments together, in bytes
	size     int
	last     int        // number of the last segment
	segments []*segment // for arrays; the messages have a segment of their own
}

// A segment is a piece of an arena. Memory in it is taken from the beginning to the end, and
// given back all at once when a job is over.
type segment struct {
	number int
	m      *pyshm.SharedMemory
	used   int
	dirty  int // bytes that may be other than zero
}

func (s *segment) size() int { return s.m.Size() }

// errFull is the reason when an arena has no room.
var errFull = errors.New("the arena is full")

// create makes a segment.
func (a *arena) create(size int) (*segment, error) {
	if size > a.limit-a.size {
		return nil, fmt.Errorf("%w: %d of %d bytes are in use, and %d are needed: Options.Arena can give it more",
			errFull, a.size, a.limit, size)
	}
	m, err := pyshm.Create(namePattern(), size)
	if err != nil {
		return nil, err
	}
	a.size += size
	a.last++
	return &segment{number: a.last, m: m}, nil
}

// forget gives the memory of a segment back.
func (a *arena) forget(s *segment) {
	a.size -= s.size()
	a.segments = slices.DeleteFunc(a.segments, func(other *segment) bool { return other == s })
	s.m.Close()
}

func (a *arena) close() {
	for _, s := range a.segments {
		s.m.Close()
	}
}

// reset gives back what a job has taken. If the job has closed one of its arrays, and with it
// the memory of others, reset returns that as the reason why the arena is of no more use.
func (a *arena) reset() (reason string) {
	for _, s := range a.segments {
		s.used = 0
		if s.m.WithBytes(func([]byte) error { return nil }) != nil {
			return "a job has closed an array of its arena"
		}
	}
	return ""
}

// leastSegment is the size of the smallest segment for arrays.
const leastSegment = 1 << 20

// take returns size bytes of zeros: a segment and an offset in it, a multiple of 64.
func (a *arena) take(l *lane, size int) (*segment, int, error) {
	if size > min(a.limit, math.MaxInt-alignment) {
		return nil, 0, fmt.Errorf("%w: %d bytes are needed, and it may have %d: Options.Arena can give it more", errFull, size, a.limit)
	}
	for _, s := range a.segments {
		if size <= s.size()-s.used {
			return s.take(size)
		}
	}
	s, err := a.add(l, max(leastSegment, roundUp(size)))
	if errors.Is(err, errFull) || errors.Is(err, syscall.ENOSPC) {
		if err = a.drop(l); err == nil {
			s, err = a.add(l, max(alignUp(size), 64))
		}
	}
	if err != nil {
		return nil, 0, err
	}
	return s.take(size)
}

// roundUp returns the least power of two that is not below n, or n if an int has no room for
// it.
func roundUp(n int) int {
	if n > (math.MaxInt+1)/2 {
		return n
	}
	return 1 << bits.Len(uint(max(n, 1)-1))
}

// take returns the offset of size bytes of zeros.
func (s *segment) take(size int) (*segment, int, error) {
	at := s.used
	s.used = min(alignUp(at+size), s.size())
	if s.dirty <= at {
		s.dirty = s.used
		return s, at, nil
	}
	err := s.m.WithBytes(func(b []byte) error {
		clear(b[at:min(at+size, s.dirty)])
		return nil
	})
	s.dirty = max(s.dirty, s.used)
	return s, at, err
}

// add makes a segment and has the worker attach to it.
func (a *arena) add(l *lane, size int) (*segment, error) {
	s, err := a.create(size)
	if err != nil {
		return nil, err
	}
	defer s.m.Unlink()
	if err := l.control("pyshm.segment", s.number, s.m.Name()); err != nil {
		a.forget(s)
		return nil, err
	}
	a.segments = append(a.segments, s)
	return s, nil
}

// drop gives back the segments of which nothing is in use.
func (a *arena) drop(l *lane) error {
	for _, s := range slices.Clone(a.segments) {
		if s.used > 0 {
			continue
		}
		if err := l.control("pyshm.drop", s.number); err != nil {
			return err
		}
		a.forget(s)
	}
	return nil
}

// of returns the segment of the arena with this memory, if there is one.
func (a *arena) of(m *pyshm.SharedMemory) *segment {
	for _, s := range a.segments {
		if s.m == m {
			return s
		}
	}
	return nil
}

// numbered returns the segment with a number.
func (a *arena) numbered(n int64) *segment {
	for _, s := range a.segments {
		if int64(s.number) == n {
			return s
		}
	}
	return nil
}

// abandoned is the age from which on a name of a worker's memory is left over: it has one for
// a moment only.
var abandoned = time.Minute

// sweep removes names that a killed service has left. It fails silently: nothing else
// depends on it.
func sweep() {
	for s, err := range pyshm.Segments() {
		name := strings.TrimPrefix(s.Name, "sem.")
		if err == nil && strings.HasPrefix(name, namePrefix) && time.Since(s.Changed) > abandoned {
			_ = s.UnlinkUnused()
		}
	}
}
