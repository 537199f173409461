package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/pyshm-go/pyshm/format"
)

// largestPlain is the size of the largest segment of which watch --plain keeps copies.
const largestPlain = 1 << 30

// watchPlain prints changes as lines until the context ends.
func watchPlain(ctx context.Context, out *bufio.Writer, f *follower) error {
	p := plainWatch{follower: f, out: out}
	due := time.NewTicker(f.interval)
	defer due.Stop()
	for first := true; ; first = false {
		if err := p.look(first); err != nil {
			return err
		}
		if err := out.Flush(); err != nil || p.done() {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-due.C:
		}
	}
}

// A plainWatch has the copies of a segment at the last look, and at this one.
type plainWatch struct {
	*follower
	out         *bufio.Writer
	before, now []byte
	last        table // of before
	changes     uint
	gone        bool
	damage      string // why there is no copy of this moment
}

func (p *plainWatch) done() bool { return p.count > 0 && p.changes >= p.count }

func (p *plainWatch) say(text string, args ...any) {
	fmt.Fprintf(p.out, "%s  %s\n", time.Now().Format("15:04:05.000"), fmt.Sprintf(text, args...))
}

// look follows the name, and prints what has changed since the last look.
func (p *plainWatch) look(first bool) error {
	current, err := isCurrent(p.w.m)
	switch {
	case err != nil:
		return err
	case !current && !p.reopen():
		if !p.gone {
			p.say("%s is %s", shown(p.name), visible(p.trouble))
		}
		p.gone = true
		return nil
	case first || !current:
		return p.begin()
	}
	now, err := p.w.take(p.now)
	switch text := fmt.Sprint(reason(err)); {
	case err == nil:
		p.damage = ""
	case !errors.Is(err, format.ErrCorrupt):
		return err
	case text != p.damage:
		p.damage = text
		p.say("%s: %s", shown(p.name), visible(text))
		return nil
	default:
		return nil
	}
	if err := p.compare(now); err != nil {
		return err
	}
	p.before, p.now, p.last = p.now, p.before, now
	return nil
}

// begin takes the first copy of a segment.
func (p *plainWatch) begin() (err error) {
	size := p.w.m.Size()
	if size > largestPlain {
		return fmt.Errorf("watch %q: --plain compares at most %d bytes: watch it on a terminal, which reads only the cells on the screen", p.name, largestPlain)
	}
	again := ""
	if p.replaced > 0 {
		again = "again "
	}
	p.say("%s: %s%s", shown(p.name), again, p.w.title())
	p.gone = false
	p.before, p.now = alignedBytes(size), alignedBytes(size)
	p.last, err = p.w.take(p.before)
	return err
}

// alignedBytes returns bytes that a list can be in.
func alignedBytes(n int) []byte { return make([]byte, max(n, 32))[:n] }

// compare prints the cells whose bytes have changed.
func (p *plainWatch) compare(now table) error {
	rows, cols := now.size()
	if oldRows, oldCols := p.last.size(); rows != oldRows || cols != oldCols {
		p.say("%s: now %s", shown(p.name), now.title())
		return nil
	}
	if bytes.Equal(p.before, p.now) && !hasState(now) {
		return nil
	}
	end := min(p.end, rows)
	for row := p.first; row < end; row++ {
		for col := range cols {
			if p.done() {
				return nil
			}
			from, to, kind := now.place(row, col)
			oldFrom, oldTo, oldKind := p.last.place(row, col)
			if kind == oldKind && bytes.Equal(p.now[from:to], p.before[oldFrom:oldTo]) {
				continue
			}
			old, _, err := p.last.cell(row, col)
			if err != nil {
				return err
			}
			text, _, err := now.cell(row, col)
			if err != nil {
				return err
			}
			if old == text { // padding
				continue
			}
			p.changes++
			p.say("%s  %s -> %s", p.index(now, row, col), old, text)
		}
	}
	return nil
}

// hasState reports whether a table has cells that are not in the copied bytes.
func hasState(t table) bool {
	switch t.(type) {
	case counterTable, *semaphoreTable:
		return true
	}
	return false
}

// index returns the label of a cell.
func (p *plainWatch) index(t table, row, col int) string {
	if g, ok := t.(gridTable); ok {
		return strings.ReplaceAll(fmt.Sprint(g.index(row*g.cols+col)), " ", ",")
	}
	return t.label(row)
}
