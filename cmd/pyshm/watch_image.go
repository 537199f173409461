package main

import (
	"time"

	tea "charm.land/bubbletea/v2"
)

// An imageModel is the model of pyshm watch --image. Pictures of half blocks are in its view.
// Pictures of pixels cannot be: they are sent as raw texts, each after the frame that has room
// for it.
type imageModel struct {
	*follower
	screen        *screen
	graphics      *graphics
	width, height int
	blocks        []string // the picture, if it is of half blocks

	sending bool  // a text is on its way to the terminal
	leaving bool  // the view is to end
	err     error // why
}

// lastReplies is how long a view that ends waits for the terminal: later replies would be typed
// into a shell.
const lastReplies = 300 * time.Millisecond

// A lateMsg reports that lastReplies is over.
type lateMsg struct{}

// Init begins to look, and asks the terminal for its graphics if it can reply.
func (m *imageModel) Init() tea.Cmd {
	m.refresh(time.Now())
	if m.screen.keyboard == nil || m.graphics.way == "blocks" {
		return look(m.interval)
	}
	return tea.Batch(tea.Raw(m.graphics.ask()), look(m.interval))
}

// Update acts on a message, and then draws or leaves.
func (m *imageModel) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	var cmd tea.Cmd
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
	case lookMsg:
		m.refresh(time.Time(msg))
		cmd = look(m.interval)
	case sentMsg:
		m.sending = false
	case tea.KeyPressMsg:
		if !endsView(msg.String()) {
			return m, nil
		}
		cmd = m.end(nil)
	case stopMsg:
		cmd = m.end(msg.err)
	case lateMsg:
		m.sending, m.graphics.awaited = false, false
	default:
		if !m.graphics.reply(msg) {
			return m, nil
		}
	}
	if m.leaving {
		return m, tea.Batch(cmd, m.leave())
	}
	return m, tea.Batch(cmd, m.draw())
}

// View shows the title, and the picture or the room for it.
func (m *imageModel) View() tea.View {
	return m.screen.view(m.framed(m.blocks, m.width, m.height, "", "q ends"))
}

func (m *imageModel) failure() error { return m.err }

// rows returns how many lines the picture may take.
func (m *imageModel) rows() int { return max(0, m.height-frameLines) }

// draw makes the picture of this moment, and sends it unless it is in the view. While a text
// is on its way no other follows: its report comes back here.
func (m *imageModel) draw() tea.Cmd {
	if !m.graphics.pixels() {
		blocks, err := drawImage(m.w.table, m.width, m.rows())
		m.failed(err)
		m.blocks = blocks
		return nil
	}
	m.blocks = nil
	if m.sending || m.height == 0 {
		return nil
	}
	text, moved, err := m.graphics.next(m.w.table, m.width, m.height, m.rows())
	m.failed(err)
	switch {
	case moved: // the picture comes after the frame that clears its room
		m.sending = true
		return tea.Sequence(tea.ClearScreen, m.screen.send(text))
	case text != "":
		m.sending = true
		return m.screen.send(text)
	}
	return nil
}

func (m *imageModel) failed(err error) {
	if err != nil {
		m.trouble = explain(err)
	}
}

// end begins to leave.
func (m *imageModel) end(err error) tea.Cmd {
	m.leaving, m.err = true, err
	return tea.Tick(lastReplies, func(time.Time) tea.Msg { return lateMsg{} })
}

// leave removes the picture and quits. It first waits for texts and replies on their way, whose
// messages call leave again.
func (m *imageModel) leave() tea.Cmd {
	if m.sending || m.graphics.awaited {
		return nil
	}
	if text := m.graphics.erase(); text != "" {
		m.sending = true
		return m.screen.send(text)
	}
	return tea.Quit
}
