package pyshm

import (
	"cmp"

	"github.com/pyshm-go/pyshm/pyshm/internal/sem"
	"github.com/pyshm-go/pyshm/pyshm/internal/shmfile"
)

// A member is one of the semaphores that a [Condition], an [Event] or a [Queue] consists of, with
// its name, its value and its bound.
type member struct {
	s     *Semaphore
	name  string
	value int // at first
	bound int
}

func lockMember(s *Semaphore, name string) member    { return member{s, name, 1, 1} }
func counterMember(s *Semaphore, name string) member { return member{s, name, 0, sem.MaxValue} }

// A memberError has the name of the semaphore, one of several, that could not be made
// or opened.
type memberError struct {
	name string
	err  error
}

func (e *memberError) Error() string { return e.err.Error() }
func (e *memberError) Unwrap() error { return e.err }

// A composite is a handle H to several semaphores. Its method begin sets the name of a
// new handle, and returns the members that Go makes under that name.
type composite[H any] interface {
	*H
	begin(name string) []member
}

// createComposite makes all the semaphores of a handle.
func createComposite[H any, C composite[H]](pattern string, o createOptions) (h *H, err error) {
	n, err := parsePattern(memberNames, pattern)
	if err != nil {
		return nil, err
	}
	_, err = n.give(func(name string) error {
		h = new(H)
		return createMembers(C(h).begin(name), o)
	})
	return opened(h, err)
}

// attachComposite opens all the semaphores that createComposite has made.
func attachComposite[H any, C composite[H]](name string) (*H, error) {
	name, err := shmfile.FileName(name)
	if err != nil {
		return nil, err
	}
	h := new(H)
	members := C(h).begin(name)
	first := members[0]
	if err := openMembers(members[:1]); err != nil {
		return nil, err
	}
	err = openMembersOf(first.s.owner(), members[1:])
	if err != nil {
		first.s.Close()
	}
	return opened(h, err)
}

// openComposite opens all the semaphores of a handle, and makes them if there are none.
func openComposite[H any, C composite[H]](name string, o createOptions) (h *H, err error) {
	err = openOrCreate(func() error {
		h, err = attachComposite[H, C](name)
		return err
	}, func() error {
		n, err := checkNewName(memberNames, name)
		if err != nil {
			return err
		}
		h = new(H)
		return createMembers(C(h).begin(n.name), o)
	})
	return opened(h, err)
}

// createMembers makes all the semaphores or none. It makes the first one last: a process
// attaches to them in their order, and if it finds the first it finds the others. The
// caller has checked the names.
func createMembers(members []member, o createOptions) error {
	for i := len(members) - 1; i >= 0; i-- {
		m := members[i]
		n := newName{kind: memberNames, name: m.name}
		if err := m.s.createNamed(n, m.value, m.bound, o); err != nil {
			unmake(members[i+1:])
			return &memberError{m.name, err}
		}
	}
	return nil
}

// unmake removes semaphores that no other process knows.
func unmake(members []member) {
	for _, made := range members {
		made.s.Unlink()
		made.s.Close()
	}
}

// makeWithMemory makes semaphores, and then calls last, which makes the memory that
// belongs to them. A process that finds the memory finds the semaphores.
func makeWithMemory(members []member, o createOptions, last func() error) error {
	if err := createMembers(members, o); err != nil {
		return err
	}
	if err := last(); err != nil {
		unmake(members)
		return err
	}
	return nil
}

// unlinkWithMemory removes the names of semaphores and of their memory. If the memory has
// none, Python has made them, and removes the others.
func unlinkWithMemory(m *SharedMemory, semaphores []*Semaphore) error {
	err := m.Unlink()
	if m.isNameless() {
		return err
	}
	return cmp.Or(err, each(semaphores, (*Semaphore).Unlink))
}

func closeWithMemory(m *SharedMemory, semaphores []*Semaphore) error {
	return cmp.Or(each(semaphores, (*Semaphore).Close), m.Close())
}

// openMembers opens semaphores by the names that a caller gives: all of them, or none and
// returns an error.
func openMembers(members []member) error {
	return openEach(members, func(m member) error { return m.s.openNamed(m.name, m.bound) })
}

// openMembersOf is openMembers for names that are made from the name of another part. All
// have to belong to the owner of that part: in a sticky /dev/shm every user can add names,
// and take those that are gone.
func openMembersOf(owner uint32, members []member) error {
	return openEach(members, func(m member) error {
		err := m.s.openNamed(m.name, m.bound)
		if err != nil {
			return err
		}
		if err := m.s.checkOwner(owner); err != nil {
			return cmp.Or(m.s.Close(), err)
		}
		return nil
	})
}

func openEach(members []member, open func(m member) error) error {
	for i, m := range members {
		if err := open(m); err != nil {
			for _, opened := range members[:i] {
				opened.s.Close()
			}
			return &memberError{m.name, err}
		}
	}
	return nil
}

// each calls f on all of the semaphores and returns the first error.
func each(semaphores []*Semaphore, f func(*Semaphore) error) (first error) {
	for _, s := range semaphores {
		if err := f(s); first == nil {
			first = err
		}
	}
	return first
}
