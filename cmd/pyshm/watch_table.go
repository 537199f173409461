package main

import (
	"fmt"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
)

// A tableModel is the model of pyshm watch for the cells of a segment.
type tableModel struct {
	*follower
	screen        *screen
	width, height int
	lines         []string
	err           error // why it has ended

	of     *watched               // which the cells are of
	cells  map[[2]int]watchedCell // the ones on the screen
	recent []changesAt            // of the last second

	row, col int // the first shown ones
	widths   map[int]int
	typed    string
}

// A watchedCell is a cell as it was at the last look.
type watchedCell struct {
	text    string
	changed time.Time
}

type changesAt struct {
	at time.Time
	n  int
}

// markTime is how long a change is marked.
const markTime = time.Second

// Init begins to look.
func (m *tableModel) Init() tea.Cmd {
	m.refresh(time.Now())
	return look(m.interval)
}

// Update acts on a message, and reads the cells that are then on the screen.
func (m *tableModel) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	var cmd tea.Cmd
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
	case lookMsg:
		m.refresh(time.Time(msg))
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

// View shows what was read last.
func (m *tableModel) View() tea.View { return m.screen.view(m.lines) }

func (m *tableModel) failure() error { return m.err }

func (m *tableModel) key(key string) {
	switch {
	case len(key) == 1 && key[0] >= '0' && key[0] <= '9' && len(m.typed) < 18:
		m.typed += key
		return
	case key == "left" || key == "h":
		m.col--
	case key == "right" || key == "l":
		m.col++
	case (key == "g" || key == "enter" || key == "ctrl+j") && m.typed != "":
		_, _ = fmt.Sscan(m.typed, &m.row) // at most 18 digits
	default:
		m.row = m.first + scroll(m.row-m.first, m.end-m.first, m.rows(), key)
	}
	m.typed = ""
}

// rows returns how many rows fit on the screen.
func (m *tableModel) rows() int {
	rows := m.height - frameLines
	if m.w.head(0) != "" {
		rows--
	}
	return max(0, rows)
}

// draw reads the shown cells into lines.
func (m *tableModel) draw() {
	if m.of != m.w {
		m.of, m.cells, m.widths = m.w, map[[2]int]watchedCell{}, map[int]int{}
	}
	m.row = max(m.first, min(m.row, m.end-m.rows()))
	end := min(m.row+m.rows(), m.end)
	body, err := m.read(m.row, end)
	if err != nil {
		m.trouble = explain(err)
	}
	changes := fmt.Sprintf("  changes seen in a second: %d", m.recentChanges())
	help := fmt.Sprintf("rows %d to %d of %d   q ends   arrows, PgUp, PgDn, Home, End scroll   12g goes to row 12", m.row, end-1, m.end-m.first)
	m.lines = m.framed(body, m.width, m.height, changes, m.typed+help)
}

// recentChanges returns how many changes were seen in the last second.
func (m *tableModel) recentChanges() (n int) {
	for len(m.recent) > 0 && m.now.Sub(m.recent[0].at) > time.Second {
		m.recent = m.recent[1:]
	}
	for _, c := range m.recent {
		n += c.n
	}
	return n
}

// read reads the shown cells, marks the ones that have changed, and aligns them.
func (m *tableModel) read(first, end int) (lines []string, err error) {
	_, cols := m.w.size()
	labels := 0
	for _, row := range []int{first, end - 1} {
		if row >= first {
			labels = max(labels, len(m.w.label(row)))
		}
	}
	m.col = max(0, min(m.col, cols-1))
	texts := make([][]string, end-first)
	cells, changes := map[[2]int]watchedCell{}, 0
	shownCols, at := 0, labels
	for col := m.col; col < cols && at < m.width; col++ {
		if m.w.head(0) != "" {
			m.widths[col] = max(m.widths[col], len(m.w.head(col)))
		}
		for i := range texts {
			text, _, err := m.w.cell(first+i, col)
			if err != nil {
				return nil, err
			}
			key := [2]int{first + i, col}
			c, known := m.cells[key]
			if known && c.text != text {
				c.changed = m.now
				changes++
			}
			c.text = text
			cells[key] = c
			texts[i] = append(texts[i], text)
			m.widths[col] = min(max(m.widths[col], textWidth(text)), m.width)
		}
		at += 2 + m.widths[col]
		shownCols++
	}
	m.cells = cells
	if changes > 0 {
		m.recent = append(m.recent, changesAt{m.now, changes})
	}
	if m.w.head(0) != "" {
		line := strings.Repeat(" ", labels)
		for i := range shownCols {
			line += "  " + pad(m.w.head(m.col+i), m.widths[m.col+i], m.w.numeric())
		}
		lines = append(lines, cut(line, m.width))
	}
	for i, row := range texts {
		lines = append(lines, m.line(first+i, labels, row))
	}
	return lines, nil
}

// line aligns the cells of a row, and marks changes.
func (m *tableModel) line(row, labels int, texts []string) string {
	line := pad(m.w.label(row), labels, false)
	at := labels
	for i, text := range texts {
		room := m.width - at - 2
		if room <= 0 {
			break
		}
		columns := m.widths[m.col+i]
		text = cut(pad(text, columns, m.w.numeric()), room)
		if changed := m.cells[[2]int{row, m.col + i}].changed; !changed.IsZero() && m.now.Sub(changed) < markTime {
			inner := strings.TrimRight(text, " ")
			text = "\x1b[7m" + inner + "\x1b[0m" + text[len(inner):]
		}
		line += "  " + text
		at += 2 + columns
	}
	return strings.TrimRight(line, " ")
}
