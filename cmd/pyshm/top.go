package main

import (
	"bufio"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

func newTop() *cobra.Command {
	var once bool
	interval := 2 * time.Second
	cmd := &cobra.Command{
		Use:   "top",
		Short: "Watch all segments and locks, and the processes that use them",
		Long: `Shows all segments as ls does, with the names of the processes that map them,
again and again: first the locks and semaphores that processes wait for, then
the others. A segment that has appeared or changed since the last look is bold,
and a lock that processes wait for is marked. A lock does not know its holder:
it is one of the processes that map the lock and do not wait.

Keys: q ends; arrows, PgUp, PgDn, Home and End scroll; s sorts by size, n by
name. With --once, or without a terminal, prints everything once.`,
		Example: `  pyshm top
  pyshm top --once`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if interval < 10*time.Millisecond {
				return usagef("--interval %v is shorter than 10ms", interval)
			}
			v := &topView{}
			if !once && isScreen(cmd.OutOrStdout()) {
				ctx, stop := untilStopped(cmd.Context())
				defer stop()
				return runScreen(ctx, cmd.InOrStdin(), cmd.OutOrStdout(), interval, v)
			}
			if err := v.refresh(time.Now()); err != nil {
				return err
			}
			out := bufio.NewWriter(cmd.OutOrStdout())
			title, rows := v.table()
			fmt.Fprintln(out, title)
			for _, line := range rows {
				if width := widthOf(cmd.OutOrStdout()); width > 0 {
					line = cut(line, width)
				}
				fmt.Fprintln(out, line)
			}
			return out.Flush()
		},
	}
	cmd.Flags().BoolVar(&once, "once", false, "print once, and end")
	cmd.Flags().DurationVar(&interval, "interval", interval, "how often to look")
	return cmd
}

// A topView is the view of pyshm top.
type topView struct {
	now      time.Time
	segments []segment
	before   map[string]string // what was shown of each segment at the last look
	changed  map[string]bool
	first    int // the first shown segment
	bySize   bool
	names    map[int]string // of processes
}

func (v *topView) refresh(now time.Time) error {
	segments, err := listSegments()
	if err != nil {
		return err
	}
	texts := map[string]string{}
	v.changed = map[string]bool{}
	for _, s := range segments {
		text := fmt.Sprint(s.Size, s.content(), s.Pids)
		texts[s.found.Name] = text
		if v.before != nil && v.before[s.found.Name] != text {
			v.changed[s.found.Name] = true
		}
	}
	v.now, v.segments, v.before, v.names = now, segments, texts, map[int]string{}
	v.sort()
	return nil
}

// isWaitedFor reports whether the segment is a semaphore that processes wait for.
func (s segment) isWaitedFor() bool { return s.Value != nil && *s.Value == 0 && *s.Waiters > 0 }

func (v *topView) sort() {
	slices.SortStableFunc(v.segments, func(a, b segment) int {
		switch {
		case a.isWaitedFor() != b.isWaitedFor():
			if a.isWaitedFor() {
				return -1
			}
			return 1
		case v.bySize && a.Size != b.Size:
			if a.Size > b.Size {
				return -1
			}
			return 1
		}
		return strings.Compare(a.found.Name, b.found.Name)
	})
}

// table returns the title, and the heads and rows of the table.
func (v *topView) table() (title string, lines []string) {
	var allocated uint64
	held, waited := 0, 0
	rows := [][]string{{"NAME", "KIND", "SIZE", "AGE", "CONTENT", "PROCESSES"}}
	for _, s := range v.segments {
		allocated += uint64(max(0, s.found.Allocated))
		if s.Value != nil && *s.Value == 0 {
			held++
		}
		if s.isWaitedFor() {
			waited++
		}
		rows = append(rows, []string{
			shown(s.found.Name), s.Kind, fmt.Sprint(s.Size), age(v.now.Sub(s.Modified)), s.content(), v.processes(s.mapped),
		})
	}
	title = fmt.Sprintf("%s  segments: %d, %s", v.now.Format(time.TimeOnly), len(v.segments), sizeText(allocated))
	if m, err := memoryState(); err == nil && m.size > 0 {
		title += fmt.Sprintf(" of %s, %d %% in use", sizeText(m.size), (m.size-m.free)*100/m.size)
	}
	title += fmt.Sprintf("; semaphores of value 0: %d, waited for: %d", held, waited)
	return title, aligned(rows, 2, 3)
}

// processes returns the processes of a segment with their names.
func (v *topView) processes(m mapped) string {
	var all []string
	for _, pid := range m.Pids {
		name, ok := v.names[pid]
		if !ok {
			name = processName(pid)
			v.names[pid] = name
		}
		all = append(all, strings.TrimSpace(fmt.Sprint(pid, " ", name)))
	}
	if !m.Complete {
		all = append(all, "unknown")
	}
	if len(all) == 0 {
		return "-"
	}
	return strings.Join(all, ", ")
}

// processName returns the name of a process, or "" if there is no such process or no
// /proc.
func processName(pid int) string {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	return visible(strings.TrimSuffix(string(text), "\n"))
}

func (v *topView) lines(width, height int) []string {
	title, table := v.table()
	page := max(0, height-3)
	v.first = scroll(v.first, len(v.segments), page, "")
	lines := []string{cut("pyshm top  "+title, width), cut(table[0], width)}
	for i, line := range table[1+v.first : min(1+v.first+page, len(table))] {
		s := v.segments[v.first+i]
		line = cut(line, width)
		switch {
		case s.isWaitedFor():
			line = "\x1b[7m" + line
		case v.changed[s.found.Name]:
			line = "\x1b[1m" + line
		}
		lines = append(lines, line)
	}
	for len(lines) < height-1 {
		lines = append(lines, "")
	}
	return append(lines, cut("q end   arrows, PgUp, PgDn, Home, End scroll   s by size   n by name", width))
}

func (v *topView) key(key string, height int) bool {
	switch key {
	case "s", "n":
		v.bySize = key == "s"
		v.sort()
	default:
		v.first = scroll(v.first, len(v.segments), height-3, key)
	}
	return false
}
