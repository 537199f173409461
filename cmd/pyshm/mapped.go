package main

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/pyshm-go/pyshm/pyshm"
)

// mapped lists the processes that map a segment, as JSON.
type mapped struct {
	Pids     []int `json:"pids"`
	Complete bool  `json:"pids_complete"` // false if other processes may map it, too

	hidden error // why the list is not complete
}

func mappersOf(s pyshm.Segment) mapped {
	var pids []int
	var err error
	unstopped(func() { pids, err = s.Pids() })
	return mapped{append([]int{}, pids...), err == nil, err}
}

// isOrphan reports whether it is certain that no process maps the segment.
func (m mapped) isOrphan() bool { return m.Complete && len(m.Pids) == 0 }

// isUnknown reports whether it is unknown if any process maps the segment.
func (m mapped) isUnknown() bool { return !m.Complete && len(m.Pids) == 0 }

// maxPids is how many processes ls lists on a line.
const maxPids = 4

// mappers returns the processes as ls prints them: -, or 17,23, or 17,unknown, or for
// many processes 17,23,42,51+96.
func (m mapped) mappers() string {
	if m.isOrphan() {
		return "-"
	}
	var pids []string
	for _, pid := range m.Pids[:min(maxPids, len(m.Pids))] {
		pids = append(pids, strconv.Itoa(pid))
	}
	if more := len(m.Pids) - maxPids; more > 0 {
		pids[maxPids-1] += fmt.Sprintf("+%d", more)
	}
	if !m.Complete {
		pids = append(pids, "unknown")
	}
	return strings.Join(pids, ",")
}

// printUnknown prints how many segments may or may not be orphans, and why.
func printUnknown(out io.Writer, segments []segment) {
	n, why := 0, error(nil)
	for _, s := range segments {
		if s.isUnknown() {
			n++
			why = s.hidden
		}
	}
	if n > 0 {
		complain(out, fmt.Sprintf("segments that may or may not be mapped: %d: %v", n, errors.Unwrap(why)))
	}
}
