package pyshm

import "github.com/pyshm-go/pyshm/pyshm/internal/sem"

// A part is one of the semaphores that a [Condition] or an [Event] consists of,
// and what there is to know to open it.
type part struct {
	s     *Semaphore
	name  string
	value int // at first
	bound int
}

func lockPart(s *Semaphore, name string) part    { return part{s, name, 1, 1} }
func counterPart(s *Semaphore, name string) part { return part{s, name, 0, sem.MaxValue} }

// createParts makes all the parts, the first one last, or none: who attaches to
// them in their order and finds the first finds the others.
func createParts(op string, parts []part, opts []CreateOption) error {
	o := newCreateOptions(opts)
	if o.replace {
		return wrap(op, parts[0].name, invalid("several names cannot be replaced in one step"))
	}
	for i := len(parts) - 1; i >= 0; i-- {
		p := parts[i]
		if err := p.s.create(op, p.name, p.value, semaphoreOptions{o, p.bound}); err != nil {
			for _, made := range parts[i+1:] {
				made.s.Unlink()
				made.s.Close()
			}
			return err
		}
	}
	return nil
}

// attachParts attaches to all the parts, or to none.
func attachParts(op string, parts []part) error {
	for i, p := range parts {
		if err := p.s.attach(op, p.name, p.bound); err != nil {
			for _, attached := range parts[:i] {
				attached.s.Close()
			}
			return err
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
