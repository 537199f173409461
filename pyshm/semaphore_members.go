package pyshm

import "github.com/pyshm-go/pyshm/pyshm/internal/sem"

// A member is one of the semaphores that a [Condition] or an [Event] consists of,
// and what there is to know to open it.
type member struct {
	s     *Semaphore
	name  string
	value int // at first
	bound int
}

func lockMember(s *Semaphore, name string) member    { return member{s, name, 1, 1} }
func counterMember(s *Semaphore, name string) member { return member{s, name, 0, sem.MaxValue} }

// createMembers makes all the semaphores, the first one last, or none: a process
// that attaches to them in their order and finds the first finds the others. The
// names are checked. With an error it returns the name that could not be made.
func createMembers(members []member, o createOptions) (failed string, err error) {
	for i := len(members) - 1; i >= 0; i-- {
		m := members[i]
		n := newName{kind: semaphoreNames, name: m.name}
		if err := m.s.createNamed(n, m.value, m.bound, o); err != nil {
			for _, made := range members[i+1:] {
				made.s.Unlink()
				made.s.Close()
			}
			return m.name, err
		}
	}
	return "", nil
}

// openMembers opens all the semaphores that exist, or none. With an error it
// returns the name that could not be opened.
func openMembers(members []member) (failed string, err error) {
	for i, m := range members {
		if err := m.s.openNamed(m.name, m.bound); err != nil {
			for _, opened := range members[:i] {
				opened.s.Close()
			}
			return m.name, err
		}
	}
	return "", nil
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
