package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"
	"github.com/charmbracelet/x/ansi"
	"golang.org/x/term"
)

// A screen is a terminal on which Bubble Tea shows a model. Bubble Tea draws, reads the keys,
// follows the size of the terminal, and leaves the terminal as it was. A screen adds what a
// model cannot see: when a raw text has reached the terminal, and that the terminal is gone.
type screen struct {
	ttyFile
	keyboard *os.File // nil if no terminal has the standard input
	program  *tea.Program
	accents  accents
	marks    chan struct{} // one a text; a view that ends may send a second text early
}

// A ttyFile is what Bubble Tea needs of a file to take it for a terminal.
type ttyFile interface {
	io.ReadWriteCloser
	Fd() uintptr
}

// isScreen reports whether out is a terminal for a screen.
func isScreen(out io.Writer) bool {
	return widthOf(out) > 0 && os.Getenv("TERM") != "dumb" && os.Getenv("TERM") != ""
}

func newScreen(in io.Reader, out io.Writer) *screen {
	s := &screen{ttyFile: out.(*os.File), marks: make(chan struct{}, 2)}
	if keyboard, ok := in.(*os.File); ok && term.IsTerminal(int(keyboard.Fd())) {
		s.keyboard = keyboard
	}
	return s
}

// slowestFrames is how often in a second Bubble Tea looks for a new frame, if a view looks more
// seldom: a key takes at most 50 ms to have an effect. Each time takes 0.1 ms of a processor.
const slowestFrames = 20

// A liveView is a model that knows why it has quit.
type liveView interface {
	tea.Model
	failure() error
}

// A stopMsg asks a view to quit: the context has ended, or the terminal is gone.
type stopMsg struct{ err error }

// show shows a view that looks at an interval, until it quits. The end of the context asks it
// to.
func (s *screen) show(ctx context.Context, interval time.Duration, v liveView) error {
	s.program = tea.NewProgram(v,
		tea.WithOutput(s),
		s.input(),
		tea.WithoutSignalHandler(), // the context has the signals
		tea.WithColorProfile(colorprofile.TrueColor), // colours as the views chose them
		tea.WithFPS(max(slowestFrames, int(time.Second/interval))),
		tea.WithFilter(withoutClusters),
	)
	defer context.AfterFunc(ctx, func() { s.stop(nil) })()
	_, err := s.program.Run()
	return errors.Join(err, v.failure())
}

// withoutClusters keeps Bubble Tea from a mode of terminals in which several characters may
// take the columns of one, unlike in the tables of the views.
func withoutClusters(_ tea.Model, msg tea.Msg) tea.Msg {
	if report, ok := msg.(tea.ModeReportMsg); ok && report.Mode == ansi.ModeUnicodeCore {
		return nil
	}
	return msg
}

// input gives Bubble Tea the keyboard. Without one it must not look for another terminal.
func (s *screen) input() tea.ProgramOption {
	if s.keyboard == nil {
		return tea.WithInput(nil)
	}
	return tea.WithInput(keyboard{s.keyboard, func() { s.stop(nil) }})
}

func (s *screen) stop(err error) { s.program.Send(stopMsg{err}) }

// A keyboard reports the end of its terminal, after which Bubble Tea would go on without keys.
type keyboard struct {
	*os.File
	gone func()
}

func (k keyboard) Read(b []byte) (int, error) {
	n, err := k.File.Read(b)
	if err != nil {
		go k.gone() // the program may wait for this Read
		err = io.EOF
	}
	return n, err
}

// mark ends a raw text of which a view has to know that it has reached the terminal. It
// stores the place of the cursor and goes back there. Bubble Tea's frames do not hold it.
const mark = "\x1b7\x1b8"

// A sentMsg reports that the text of the last send has reached the terminal.
type sentMsg struct{}

// send writes a text as it is, and reports it when the terminal has it. Bubble Tea writes raw
// texts first and the frame of the same moment next. So a text sent after the report comes
// after that frame. A view sends one text at a time.
func (s *screen) send(text string) tea.Cmd {
	return tea.Sequence(tea.Raw(text+mark), func() tea.Msg {
		<-s.marks
		return sentMsg{}
	})
}

// Write passes frames and raw texts on.
func (s *screen) Write(b []byte) (int, error) {
	_, err := s.ttyFile.Write(s.accents.show(b))
	if err != nil {
		go s.stop(err) // the program may wait for this Write
	}
	for range bytes.Count(b, []byte(mark)) {
		s.marks <- struct{}{}
	}
	return len(b), err
}

// A lookMsg asks a view to look again.
type lookMsg time.Time

func look(interval time.Duration) tea.Cmd {
	return tea.Every(interval, func(now time.Time) tea.Msg { return lookMsg(now) })
}

// view is the view of lines that fill the terminal.
func (s *screen) view(lines []string) tea.View {
	view := tea.NewView(s.accents.hide(strings.Join(lines, "\x1b[0m\n")))
	view.AltScreen = true
	view.DisableBracketedPasteMode = true // pasted text is keys, too
	return view
}

// endsView reports whether a key ends a view.
func endsView(key string) bool { return key == "q" || key == "ctrl+c" || key == "ctrl+d" }

// scroll returns where the first shown of n lines is after a key.
func scroll(first, n, page int, key string) int {
	switch key {
	case "up", "k":
		first--
	case "down", "j":
		first++
	case "pgup", "b":
		first -= page
	case "pgdown", "space":
		first += page
	case "home":
		first = 0
	case "end":
		first = n - page
	}
	return max(0, min(first, n-page))
}
