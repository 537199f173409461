package pyshm

import (
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/pyshm-go/pyshm/format"
	"github.com/pyshm-go/pyshm/pyshm/internal/sem"
	"github.com/pyshm-go/pyshm/pyshm/internal/shmfile"
)

// Open attaches to the segment that has the name. If there is none, Open creates one of
// size bytes, all zero. Processes that open one name at the same time get the same
// segment: the first process creates it, in one step.
//
// A segment that exists stays as it is, and options do not apply to it. It may be
// larger than size. A smaller one is [fs.ErrExist]; one of size 0 is
// [format.ErrIncomplete], as for [Attach]. A star in the name is an ordinary character.
// The documentation of [Create] has more about names, errors and lifetimes.
func Open(name string, size int, opts ...OpenOption) (*SharedMemory, error) {
	m, err := openBlock(name, size, newCreateOptions(opts))
	return m, wrap("open", name, err)
}

func openBlock(name string, size int, o createOptions) (m *SharedMemory, err error) {
	if size < 1 {
		return nil, invalid("size %d is not positive", size)
	}
	err = openOrCreate(func() error {
		m, err = attachTo(segmentNames, name, attachOptions{}, nil)
		if err != nil || m.Size() >= size {
			return err
		}
		defer m.discard()
		return &reason{fmt.Sprintf("the segment has %d bytes, fewer than %d", m.Size(), size), fs.ErrExist}
	}, func() error {
		m, err = createNamed(name, content{size: size}, o)
		return err
	})
	return opened(m, err)
}

// OpenList attaches to the list that has the name, whatever its items are. If there is
// no segment of that name, OpenList creates a list of the values. Otherwise it is like
// [Open]. A segment that holds no list is [format.ErrCorrupt].
func OpenList(name string, values []any, opts ...OpenListOption) (*ShareableList, error) {
	const op = "open list"
	o := newCreateOptions(opts)
	e, err := format.NewEncoder(values, &format.Options{Layout: o.layout})
	if err != nil {
		return nil, wrap(op, name, err)
	}
	var l *ShareableList
	err = openOrCreate(func() error {
		l, err = attachList(name, attachOptions{})
		return err
	}, func() error {
		l = new(ShareableList)
		_, err := createNamed(name, l.content(e), o)
		return err
	})
	return opened(l, wrap(op, name, err))
}

// OpenLock attaches to the lock that has the name, or creates it if there is none.
// Processes that open one name at the same time get the same lock: the first process
// creates it, in one step. A lock that exists stays as it is: it may be held, and the
// option does not apply to it. A star in the name is an ordinary character.
// [AttachLock] and [CreateLock] describe names, errors and lifetimes.
func OpenLock(name string, opts ...ModeOption) (*Lock, error) {
	l := new(Lock)
	err := l.s.openOrCreate(name, 1, 1, newCreateOptions(opts))
	return opened(l, wrap("open lock", name, err))
}

// OpenSemaphore is [OpenLock] for a semaphore, which is created with the value.
func OpenSemaphore(name string, value int, opts ...ModeOption) (*Semaphore, error) {
	s := new(Semaphore)
	err := s.openOrCreate(name, value, sem.MaxValue, newCreateOptions(opts))
	return opened(s, wrap("open semaphore", name, err))
}

// OpenBoundedSemaphore is [OpenLock] for a semaphore of [CreateBoundedSemaphore].
// The value is the bound of the handle also if the semaphore already exists.
func OpenBoundedSemaphore(name string, value int, opts ...ModeOption) (*Semaphore, error) {
	s := new(Semaphore)
	err := s.openOrCreate(name, value, value, newCreateOptions(opts))
	return opened(s, wrap("open bounded semaphore", name, err))
}

// OpenCondition is [OpenLock] for a condition of [CreateCondition]. While another
// process creates the condition, OpenCondition waits for it, up to a second. If that
// process has died and left an incomplete condition, the error is [fs.ErrExist].
func OpenCondition(name string, opts ...ModeOption) (*Condition, error) {
	c, err := openComposite[Condition](name, newCreateOptions(opts))
	return c, wrap("open condition", name, err)
}

// OpenEvent is [OpenCondition] for an event of [CreateEvent].
func OpenEvent(name string, opts ...ModeOption) (*Event, error) {
	e, err := openComposite[Event](name, newCreateOptions(opts))
	return e, wrap("open event", name, err)
}

// openOrCreate calls attach, and create if there is nothing to attach to. Between
// the two another process may create or remove the name, several times, so
// openOrCreate tries again for up to a second. Where names come first, it waits in the same
// way for the content.
func openOrCreate(attach, create func() error) error {
	for end := time.Now().Add(openPatience); ; time.Sleep(time.Millisecond) {
		err := attach()
		if shmfile.NamesFirst && errors.Is(err, format.ErrIncomplete) && time.Now().Before(end) {
			continue
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err := create(); !errors.Is(err, fs.ErrExist) || time.Now().After(end) {
			return err
		}
	}
}

// openPatience is how long openOrCreate tries. A process creates an event in less than a
// millisecond, unless it is stopped in between.
const openPatience = time.Second

// openOrCreate makes s a handle to the semaphore that has the name, which it creates if
// there is none.
func (s *Semaphore) openOrCreate(name string, value, bound int, o createOptions) error {
	if err := checkTokens(value, bound); err != nil {
		return err
	}
	return openOrCreate(func() error {
		return s.openNamed(name, bound)
	}, func() error {
		n, err := checkNewName(semaphoreNames, name)
		if err != nil {
			return err
		}
		return s.createNamed(n, value, bound, o)
	})
}

// createNamed is create for a name in which a star is an ordinary character.
func createNamed(name string, c content, o createOptions) (*SharedMemory, error) {
	n, err := checkNewName(segmentNames, name)
	if err != nil {
		return nil, err
	}
	return n.create(c, o)
}
