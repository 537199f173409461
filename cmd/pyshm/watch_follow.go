package main

import (
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/pyshm-go/pyshm/pyshm"
)

// A follower looks at a segment by its name, also when the name passes to another segment.
type follower struct {
	watchOptions
	name string
	w    *watched

	now        time.Time
	trouble    string // why there is nothing new
	replaced   int
	first, end int // the rows of the part
}

// follow begins to follow a name. The caller closes the follower.
func follow(name string, o watchOptions) (*follower, error) {
	w, err := openWatched(name)
	if err != nil {
		return nil, err
	}
	f := &follower{watchOptions: o, name: name, w: w}
	f.first, f.end = w.rowsOf(o.part)
	if o.image {
		if err := canDraw(w.table); err != nil {
			f.close()
			return nil, fmt.Errorf("watch %q: %w", name, err)
		}
	}
	return f, nil
}

func (f *follower) close() { f.w.m.Close() }

// isCurrent reports whether the name still leads to the segment, or whether there is still a
// name where the system does not say more.
func isCurrent(m *pyshm.SharedMemory) (bool, error) {
	current, err := m.Current()
	if errors.Is(err, errors.ErrUnsupported) {
		return true, nil
	}
	return current, err
}

// refresh follows the name. A failure is the trouble that the view shows.
func (f *follower) refresh(now time.Time) {
	f.now = now
	current, err := isCurrent(f.w.m)
	if err == nil && !current {
		f.reopen()
		return
	}
	if err == nil {
		err = f.w.refresh()
	}
	f.trouble = ""
	if err != nil {
		f.trouble = explain(err)
	}
}

// reopen attaches to the segment that has the name now, and reports whether there is one.
func (f *follower) reopen() bool {
	w, err := openWatched(f.name)
	if err == nil && f.image && canDraw(w.table) != nil {
		err = canDraw(w.table)
		w.m.Close()
	}
	if errors.Is(err, fs.ErrNotExist) {
		f.trouble = "gone, and waited for"
		return false
	}
	if err != nil {
		f.trouble = explain(err)
		return false
	}
	f.w.m.Close()
	f.w = w
	f.replaced++
	f.first, f.end = w.rowsOf(f.part)
	f.trouble = ""
	return true
}

// framed puts the title and the state above a body, and the help below.
func (f *follower) framed(body []string, width, height int, state, help string) []string {
	state = f.now.Format(time.TimeOnly) + state
	if f.replaced > 0 {
		state += fmt.Sprintf("  replaced: %d", f.replaced)
	}
	if f.trouble != "" {
		state += "  " + visible(f.trouble)
	}
	lines := append([]string{
		"\x1b[1m" + cut(shown(f.name)+": "+f.w.title(), width), cut(state, width),
	}, body...)
	for len(lines) < height-1 {
		lines = append(lines, "")
	}
	lines = append(lines[:max(0, height-1)], cut(help, width))
	return lines[:min(len(lines), height)]
}

// frameLines is how many lines framed adds.
const frameLines = 3
