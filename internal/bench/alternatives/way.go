//go:build linux

package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/pyshm-go/pyshm/internal/bench/rounds"
	"github.com/pyshm-go/pyshm/pyshm"
)

// An element is what data consists of: an item of a list, or a byte of an array.
type element interface{ byte | int64 }

// A way passes data from Go to Python and back.
type way[T element] struct {
	name string
	most int // elements that are not too many for it; 0 means any number
	open func(s *session) (passer[T], error)
}

// A passer is an open way.
type passer[T element] struct {
	class   string          // Python's side and its arguments; empty if Go alone can start
	accept  func() error    // if not nil, it is called when Python's side is there
	data    []T             // where the data lies, if it is not copied
	array   *pyshm.Array[T] // which has the data, or nil
	send    func(data []T) error
	receive func() ([]T, error)
}

// side opens the way, and passes random data once to check all of it.
func (w way[T]) side(s *session, fromPython bool) (rounds.Side, error) {
	p, err := w.open(s)
	if err != nil {
		return nil, err
	}
	fromGo := func(n int) (time.Duration, error) { return p.start(s.count, n) }
	if p.class != "" {
		variable, err := p.connect(s)
		if err != nil {
			return nil, err
		}
		fromGo = func(n int) (took time.Duration, err error) {
			return took, s.meanwhile(fmt.Sprintf("answer(%s, %d)", variable, n+1), func() error {
				took, err = p.start(s.count, n)
				return err
			})
		}
		if fromPython {
			return func(n int) (time.Duration, error) { return p.startInPython(s, variable, n) }, p.check(s.count, fromGo)
		}
	}
	return fromGo, p.check(s.count, fromGo)
}

// connect makes Python's side and returns its variable.
func (p *passer[T]) connect(s *session) (variable string, err error) {
	variable = fmt.Sprintf("way%d", s.ways)
	s.ways++
	class := strings.Replace(p.class, "(", fmt.Sprintf("(%q, %d, ", s.kind, s.count), 1)
	err = s.peer.Exec(variable + " = " + class)
	if err == nil && p.accept != nil {
		err = p.accept()
	}
	return variable, err
}

// start sends data and receives it again, and measures n rounds after one without which
// Python might not be there yet.
func (p *passer[T]) start(count, n int) (time.Duration, error) {
	if p.data == nil {
		p.data = make([]T, count)
	}
	data := p.data
	var began time.Time
	for i := range n + 1 {
		if i == 1 {
			began = time.Now()
		}
		before := data[0]
		if err := p.send(data); err != nil {
			return 0, err
		}
		var err error
		if data, err = p.receive(); err != nil {
			return 0, err
		}
		if len(data) != count || data[0] != before+1 {
			return 0, fmt.Errorf("%d elements that begin with %d came back for %d that begin with %d", len(data), data[0], count, before)
		}
	}
	return time.Since(began), nil
}

// startInPython is start with Go and Python exchanged.
func (p *passer[T]) startInPython(s *session, variable string, n int) (time.Duration, error) {
	err := s.meanwhile(fmt.Sprintf("took = start(%s, %d)", variable, n), func() error {
		for range n + 1 {
			data, err := p.receive()
			if err != nil {
				return err
			}
			data[0]++
			if err := p.send(data); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	took, err := s.peer.Eval("took")
	if err != nil {
		return 0, err
	}
	return time.Duration(took.(int64)), nil
}

// check passes random data twice, and checks all of it.
func (p *passer[T]) check(count int, fromGo rounds.Side) error {
	if p.data == nil {
		p.data = make([]T, count)
	}
	random := rand.New(rand.NewPCG(1, 2))
	for i := range p.data {
		p.data[i] = T(random.Uint32())
	}
	want := slices.Clone(p.data)
	want[0] += 2
	var got []T
	receive := p.receive
	p.receive = func() (data []T, err error) { got, err = receive(); return got, err }
	_, err := fromGo(1)
	p.receive = receive
	if err == nil && !slices.Equal(got, want) {
		err = errors.New("other data came back")
	}
	return err
}
