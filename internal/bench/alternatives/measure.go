//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"time"

	"github.com/pyshm-go/pyshm/compat"
	"github.com/pyshm-go/pyshm/internal/bench/rounds"
)

// A bench is one run of the command.
type bench struct {
	python compat.Interpreter
	budget time.Duration
	rounds int
	match  *regexp.Regexp
}

// A table is for one kind and size of data.
type table struct {
	name  string
	bytes int
	base  string // the way with which the others are compared
	setting
	open func(s *session, t table, match *regexp.Regexp) (names []string, sides []rounds.Side, err error)
}

// A setting is how the data of a table is passed.
type setting struct {
	fromPython bool // Python sends first
	pinned     bool // Go has one CPU, and Python another
}

func newTable[T element](name string, count int, base string, set setting, ways []way[T]) table {
	var zero T
	t := table{name: name, bytes: count, base: base, setting: set}
	kind := "B"
	if _, ok := any(zero).(int64); ok {
		t.bytes, kind = 8*count, "q"
	}
	t.open = func(s *session, t table, match *regexp.Regexp) (names []string, sides []rounds.Side, err error) {
		s.count, s.kind = count, kind
		for _, w := range ways {
			if w.most > 0 && count > w.most || !match.MatchString(t.name+": "+w.name) {
				continue
			}
			side, err := w.side(s, t.fromPython)
			if err != nil {
				return nil, nil, fmt.Errorf("%s: %w", w.name, err)
			}
			names, sides = append(names, w.name), append(sides, side)
		}
		return names, sides, nil
	}
	return t
}

// measure measures the ways of a table in turns.
func (b *bench) measure(ctx context.Context, t table) (r tableResult, err error) {
	r = tableResult{Name: t.name, Bytes: t.bytes, Base: t.base}
	s, err := b.newSession(ctx)
	if err != nil {
		return r, err
	}
	defer s.close()
	names, sides, err := t.open(s, t, b.match)
	if err != nil || len(sides) == 0 {
		return r, err
	}
	if t.pinned {
		unpin, err := s.pin()
		if err != nil {
			return r, err
		}
		defer unpin()
	}
	times, err := rounds.Alternate(sides, b.rounds, 0, b.budget)
	if err != nil {
		return r, err
	}
	r.add(names, times)
	return r, nil
}

// A session has what the ways of a table share.
type session struct {
	ctx     context.Context
	python  compat.Interpreter
	peer    *compat.Peer
	workers []*exec.Cmd // other Pythons
	dir     string      // for sockets, pipes and files
	kind    string      // of the elements, in Python's module struct
	count   int         // of elements
	ways    int         // that Python has opened
	ends    []func()
}

func (b *bench) newSession(ctx context.Context) (*session, error) {
	s := &session{ctx: ctx, python: b.python}
	var err error
	if s.dir, err = os.MkdirTemp("", "pyshm-bench-"); err != nil {
		return nil, err
	}
	s.atEnd(func() { _ = os.RemoveAll(s.dir) })
	if s.peer, err = startPeer(ctx, b.python); err != nil {
		s.close()
		return nil, err
	}
	s.atEnd(func() { s.peer.Close() })
	return s, nil
}

func (s *session) atEnd(f func()) { s.ends = append(s.ends, f) }

// meanwhile has Python execute a statement while f runs.
func (s *session) meanwhile(statement string, f func() error) error {
	executed := make(chan error, 1)
	go func() { executed <- s.peer.Exec(statement) }()
	if err := f(); err != nil {
		s.peer.Close() // it may wait for data
		return errors.Join(err, <-executed)
	}
	return <-executed
}

func (s *session) close() {
	for _, end := range slices.Backward(s.ends) {
		end()
	}
}
