//go:build linux

package main

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/pyshm-go/pyshm/pyshm"
)

const pattern = "pyshm_bench_*" // of names

// A handover gives memory to Python, and waits until it comes back.
type handover struct {
	toGo, toPython *pyshm.Semaphore
	spinning       bool
}

func newHandover(s *session, spinning bool) (*handover, error) {
	h := &handover{spinning: spinning}
	for _, of := range []**pyshm.Semaphore{&h.toGo, &h.toPython} {
		made, err := pyshm.CreateSemaphore(pattern, 0)
		if err != nil {
			return nil, err
		}
		s.atEnd(func() { made.Unlink(); made.Close() })
		*of = made
	}
	return h, nil
}

func (h *handover) give() error { return h.toPython.Release() }

func (h *handover) take() error {
	if !h.spinning {
		return h.toGo.Acquire(context.Background())
	}
	// It tries for 0.1 ms before it sleeps.
	for began := time.Now(); time.Since(began) < 100*time.Microsecond; {
		if taken, err := h.toGo.TryAcquire(); taken || err != nil {
			return err
		}
	}
	return h.toGo.Acquire(context.Background())
}

// lend is for data that both sides use where it lies. The class is Python's.
func lend[T element](h *handover, class, name string, data []T) passer[T] {
	spinning := "False"
	if h.spinning {
		spinning = "True"
	}
	return passer[T]{
		class:   fmt.Sprintf("%s(%q, %q, %q, %s)", class, name, h.toGo.Name(), h.toPython.Name(), spinning),
		data:    data,
		send:    func([]T) error { return h.give() },
		receive: func() ([]T, error) { return data, h.take() },
	}
}

// copied has Go copy its own data into the memory that p lends, and out of it.
func copied[T element](p passer[T]) passer[T] {
	shared, own := p.data, make([]T, len(p.data))
	p.data = own
	give, take := p.send, p.receive
	in := func(data []T) error { copy(shared, data); return nil }
	out := func() error { copy(own, shared); return nil }
	if a := p.array; a != nil {
		in = func(data []T) error { _, err := a.CopyFrom(data); return err }
		out = func() error { _, err := a.CopyTo(own); return err }
	}
	p.send = func(data []T) error {
		if err := in(data); err != nil {
			return err
		}
		return give(nil)
	}
	p.receive = func() ([]T, error) {
		if _, err := take(); err != nil {
			return nil, err
		}
		return own, out()
	}
	return p
}

func newArray[T any](s *session, length int) (a *pyshm.Array[T], data []T, err error) {
	a, err = pyshm.CreateArray[T](pattern, []int{length})
	if err != nil {
		return nil, nil, err
	}
	s.atEnd(func() { _, _ = a.Unlink(), a.Close() })
	data, err = a.Slice()
	return a, data, err
}

func inArray[T element](class string, spinning bool) func(s *session) (passer[T], error) {
	return func(s *session) (p passer[T], err error) {
		a, data, err := newArray[T](s, s.count)
		if err != nil {
			return p, err
		}
		h, err := newHandover(s, spinning)
		if err != nil {
			return p, err
		}
		p = lend(h, class, a.Name(), data)
		p.array = a
		return p, nil
	}
}

func inArrayCopied[T element](class string) func(s *session) (passer[T], error) {
	return func(s *session) (passer[T], error) {
		p, err := inArray[T](class, false)(s)
		if err == nil {
			p = copied(p)
		}
		return p, err
	}
}

// inWatchedArray hands over by two numbers in shared memory, which each side watches all
// the time.
func inWatchedArray[T element](s *session) (p passer[T], err error) {
	a, data, err := newArray[T](s, s.count)
	if err != nil {
		return p, err
	}
	marks, numbers, err := newArray[uint64](s, 16) // two cache lines
	if err != nil {
		return p, err
	}
	var sent, received uint64
	return passer[T]{
		class: fmt.Sprintf("SharedWatched(%q, %q)", a.Name(), marks.Name()),
		data:  data,
		send: func([]T) error {
			sent++
			atomic.StoreUint64((*uint64)(unsafe.Pointer(&numbers[8])), sent)
			return nil
		},
		receive: func() ([]T, error) {
			received++
			for began := time.Now(); atomic.LoadUint64(&numbers[0]) != received; {
				if time.Since(began) > time.Minute {
					return nil, fmt.Errorf("Python has not sent for a minute")
				}
			}
			return data, nil
		},
	}, nil
}

// newList makes a list of ints.
func newList(s *session) (*pyshm.ShareableList, *handover, error) {
	l, err := pyshm.CreateListOf(pattern, make([]int64, s.count))
	if err != nil {
		return nil, nil, err
	}
	s.atEnd(func() { l.Unlink(); l.Close() })
	h, err := newHandover(s, false)
	return l, h, err
}

// inListItems has both sides read and write the items of a list one by one.
func inListItems(s *session) (p passer[int64], err error) {
	l, h, err := newList(s)
	if err != nil {
		return p, err
	}
	own := make([]int64, s.count)
	p = lend(h, "ListItems", l.Name(), own)
	p.send = func(data []int64) error {
		for i, v := range data {
			if err := l.SetInt(i, v); err != nil {
				return err
			}
		}
		return h.give()
	}
	p.receive = func() ([]int64, error) {
		if err := h.take(); err != nil {
			return nil, err
		}
		for i := range own {
			if own[i], err = l.Int(i); err != nil {
				return nil, err
			}
		}
		return own, nil
	}
	return p, nil
}

// inListItem has both sides read and write the first item only.
func inListItem(s *session) (p passer[int64], err error) {
	l, h, err := newList(s)
	if err != nil {
		return p, err
	}
	shared, err := l.ViewInts()
	if err != nil {
		return p, err
	}
	p = lend(h, "ListInPlace", l.Name(), shared)
	p.send = func(data []int64) error {
		if err := l.SetInt(0, data[0]); err != nil {
			return err
		}
		return h.give()
	}
	p.receive = func() ([]int64, error) {
		if err := h.take(); err != nil {
			return nil, err
		}
		_, err := l.Int(0)
		return shared, err
	}
	return p, nil
}

// inListView has Go use all items of a list where they lie.
func inListView(class string) func(s *session) (passer[int64], error) {
	return func(s *session) (p passer[int64], err error) {
		l, h, err := newList(s)
		if err != nil {
			return p, err
		}
		data, err := l.ViewInts()
		return lend(h, class, l.Name(), data), err
	}
}

func inListViewCopied(class string) func(s *session) (passer[int64], error) {
	return func(s *session) (passer[int64], error) {
		p, err := inListView(class)(s)
		if err == nil {
			p = copied(p)
		}
		return p, err
	}
}
