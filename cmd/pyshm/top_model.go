package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
)

// A topModel is the model of pyshm top.
type topModel struct {
	screen        *screen
	interval      time.Duration
	width, height int
	lines         []string
	err           error // why it has ended

	now      time.Time
	segments []segment
	before   map[string]string // what was shown of each segment at the last look
	changed  map[string]bool
	names    map[int]string // of processes

	first  int // the first shown segment
	bySize bool
}

// Init begins to look again.
func (m *topModel) Init() tea.Cmd { return look(m.interval) }

// Update acts on a message, and makes the lines that are then on the screen.
func (m *topModel) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	var cmd tea.Cmd
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
	case lookMsg:
		if m.err = m.refresh(time.Time(msg)); m.err != nil {
			return m, tea.Quit
		}
		cmd = look(m.interval)
	case tea.KeyPressMsg:
		if endsView(msg.String()) {
			return m, tea.Quit
		}
		m.key(msg.String())
	case stopMsg:
		m.err = msg.err
		return m, tea.Quit
	default:
		return m, nil
	}
	m.draw()
	return m, cmd
}

// View shows a page of the table.
func (m *topModel) View() tea.View { return m.screen.view(m.lines) }

func (m *topModel) failure() error { return m.err }

func (m *topModel) key(key string) {
	switch key {
	case "s", "n":
		m.bySize = key == "s"
		m.sort()
	default:
		m.first = scroll(m.first, len(m.segments), m.rows(), key)
	}
}

// rows returns how many segments fit on the screen, below the title and the heads.
func (m *topModel) rows() int { return max(0, m.height-3) }

// draw makes the lines of a page.
func (m *topModel) draw() {
	title, table := m.table()
	m.first = scroll(m.first, len(m.segments), m.rows(), "")
	lines := []string{cut("pyshm top  "+title, m.width), cut(table[0], m.width)}
	for i, line := range table[1+m.first : min(1+m.first+m.rows(), len(table))] {
		s := m.segments[m.first+i]
		line = cut(line, m.width)
		switch {
		case s.isWaitedFor():
			line = "\x1b[7m" + line
		case m.changed[s.found.Name]:
			line = "\x1b[1m" + line
		}
		lines = append(lines, line)
	}
	for len(lines) < m.height-1 {
		lines = append(lines, "")
	}
	lines = append(lines, cut("q end   arrows, PgUp, PgDn, Home, End scroll   s by size   n by name", m.width))
	m.lines = lines[:min(len(lines), m.height)]
}

// print prints the table once.
func (m *topModel) print(to io.Writer) error {
	out := bufio.NewWriter(to)
	title, rows := m.table()
	fmt.Fprintln(out, title)
	for _, line := range rows {
		if width := widthOf(to); width > 0 {
			line = cut(line, width)
		}
		fmt.Fprintln(out, line)
	}
	return out.Flush()
}

func (m *topModel) refresh(now time.Time) error {
	segments, err := listSegments()
	if err != nil {
		return err
	}
	texts := map[string]string{}
	m.changed = map[string]bool{}
	for _, s := range segments {
		text := fmt.Sprint(s.Size, s.content(), s.Pids)
		texts[s.found.Name] = text
		if m.before != nil && m.before[s.found.Name] != text {
			m.changed[s.found.Name] = true
		}
	}
	m.now, m.segments, m.before, m.names = now, segments, texts, map[int]string{}
	m.sort()
	return nil
}

// isWaitedFor reports whether the segment is a semaphore that processes wait for.
func (s segment) isWaitedFor() bool { return s.Value != nil && *s.Value == 0 && *s.Waiters > 0 }

func (m *topModel) sort() {
	slices.SortStableFunc(m.segments, func(a, b segment) int {
		switch {
		case a.isWaitedFor() != b.isWaitedFor():
			if a.isWaitedFor() {
				return -1
			}
			return 1
		case m.bySize && a.Size != b.Size:
			if a.Size > b.Size {
				return -1
			}
			return 1
		}
		return strings.Compare(a.found.Name, b.found.Name)
	})
}

// table returns the title, and the heads and rows of the table.
func (m *topModel) table() (title string, lines []string) {
	var allocated uint64
	held, waited := 0, 0
	rows := [][]string{{"NAME", "KIND", "SIZE", "AGE", "CONTENT", "PROCESSES"}}
	for _, s := range m.segments {
		allocated += uint64(max(0, s.found.Allocated))
		if s.Value != nil && *s.Value == 0 {
			held++
		}
		if s.isWaitedFor() {
			waited++
		}
		rows = append(rows, []string{
			shown(s.found.Name), s.Kind, fmt.Sprint(s.Size), age(m.now.Sub(s.Modified)), s.content(), m.processes(s.mapped),
		})
	}
	title = fmt.Sprintf("%s  segments: %d, %s", m.now.Format(time.TimeOnly), len(m.segments), sizeText(allocated))
	if memory, err := memoryState(); err == nil && memory.size > 0 {
		title += fmt.Sprintf(" of %s, %d %% in use", sizeText(memory.size), (memory.size-memory.free)*100/memory.size)
	}
	title += fmt.Sprintf("; semaphores of value 0: %d, waited for: %d", held, waited)
	return title, aligned(rows, 2, 3)
}

// processes returns the processes of a segment with their names.
func (m *topModel) processes(of mapped) string {
	var all []string
	for _, pid := range of.Pids {
		name, ok := m.names[pid]
		if !ok {
			name = processName(pid)
			m.names[pid] = name
		}
		all = append(all, strings.TrimSpace(fmt.Sprint(pid, " ", name)))
	}
	if !of.Complete {
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
