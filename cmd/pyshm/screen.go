package main

import (
	"context"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"
)

// A screen is a terminal on which a view is drawn over and over, and whose keys go to the
// view. x/term and a dozen of the escapes that all terminals have in common are enough for
// that: a library for terminals would bring ten modules into the go.mod of programs that
// only share memory.
type screen struct {
	out  io.Writer
	fd   int // of the terminal that has the size
	keys chan string

	keyboard bool       // keys and replies come
	asking   askingView // the view, or nil
}

// A view is drawn on a screen.
type view interface {
	refresh(now time.Time) error           // looks again
	lines(width, height int) []string      // at most height lines, none wider than width
	key(key string, height int) (end bool) // acts on a key
}

// An asking view asks the terminal what it can do. The replies come among the keys.
type askingView interface {
	view
	ask() string             // what to send first
	reply(reply string) bool // reports whether it was one
	leave() string           // what to send last
	awaits() bool            // reports whether a reply is still to come
}

// keptLine is a line that the screen leaves as it is.
const keptLine = "\x00"

// isScreen reports whether out is a terminal for a screen.
func isScreen(out io.Writer) bool {
	return widthOf(out) > 0 && os.Getenv("TERM") != "dumb" && os.Getenv("TERM") != ""
}

const (
	enterScreen = "\x1b[?1049h\x1b[?25l\x1b[?7l" // the other screen, no cursor, no wrapping
	leaveScreen = "\x1b[0m\x1b[?7h\x1b[?25h\x1b[?1049l"
)

// runScreen draws the view at each interval and after each key, until the view or the
// context ends. The terminal is as before then.
func runScreen(ctx context.Context, in io.Reader, out io.Writer, interval time.Duration, v view) error {
	s := &screen{out: out, fd: int(out.(*os.File).Fd()), keys: make(chan string)}
	if keyboard, ok := in.(*os.File); ok && term.IsTerminal(int(keyboard.Fd())) {
		old, err := term.MakeRaw(int(keyboard.Fd()))
		if err != nil {
			return err
		}
		defer func() { _ = term.Restore(int(keyboard.Fd()), old) }()
		go s.read(keyboard)
		s.keyboard = true
	}
	s.asking, _ = v.(askingView)
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	due := time.NewTicker(interval)
	defer due.Stop()
	if err := v.refresh(time.Now()); err != nil {
		return err
	}
	for {
		height, err := s.draw(v)
		if err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case now := <-due.C:
			if err := v.refresh(now); err != nil {
				return err
			}
		case key := <-s.keys:
			if s.asking != nil && s.asking.reply(key) {
				continue
			}
			if key == "q" || key == "ctrl-c" || v.key(key, height) {
				return nil
			}
		}
	}
}

func (s *screen) enter() error {
	text := enterScreen
	if s.asking != nil && s.keyboard {
		text += s.asking.ask()
	}
	_, err := io.WriteString(s.out, text)
	return err
}

// lastReplies is how long leave waits for replies, which would be typed into a shell.
const lastReplies = 300 * time.Millisecond

func (s *screen) leave() {
	text := leaveScreen
	if s.asking != nil {
		for late := time.After(lastReplies); s.asking.awaits(); {
			select {
			case key := <-s.keys:
				s.asking.reply(key)
				continue
			case <-late:
			}
			break
		}
		text = s.asking.leave() + text
	}
	_, _ = io.WriteString(s.out, text)
}

// draw draws over all lines, and returns the height of the terminal. It asks for the size
// each time, so that it needs no signal for a change of it.
func (s *screen) draw(v view) (height int, err error) {
	width, height, err := term.GetSize(s.fd)
	if err != nil {
		return 0, err
	}
	lines := v.lines(width, height)
	lines = lines[:min(len(lines), height)]
	var text strings.Builder
	text.WriteString("\x1b[H")
	for i, line := range lines {
		if line != keptLine {
			text.WriteString(line + "\x1b[0m\x1b[K")
		}
		if i < len(lines)-1 {
			text.WriteString("\r\n")
		}
	}
	text.WriteString("\x1b[0m\x1b[J")
	_, err = io.WriteString(s.out, text.String())
	return height, err
}

// keyNames are the names of keys by what terminals send for them.
var keyNames = map[string]string{
	"\x1b[A": "up", "\x1b[B": "down", "\x1b[C": "right", "\x1b[D": "left",
	"\x1bOA": "up", "\x1bOB": "down", "\x1bOC": "right", "\x1bOD": "left",
	"\x1b[5~": "page up", "\x1b[6~": "page down", "\x1b[H": "home", "\x1b[F": "end",
	"\x1b[1~": "home", "\x1b[4~": "end", "\x1bOH": "home", "\x1bOF": "end",
	"k": "up", "j": "down", "h": "left", "l": "right", " ": "page down", "b": "page up",
	"\x03": "ctrl-c", "\x04": "q", "\r": "enter", "\n": "enter",
}

// read passes keys on, until the terminal is gone. It goes on until the process ends.
func (s *screen) read(keyboard io.Reader) {
	b := make([]byte, 4096)
	typed := ""
	for {
		n, err := keyboard.Read(b)
		if err != nil {
			s.keys <- "q"
			return
		}
		for typed += string(b[:n]); typed != ""; {
			key, rest, whole := cutKey(typed)
			if !whole && len(typed) < longestReply {
				break
			}
			typed = rest
			if name := keyNames[key]; name != "" {
				key = name
			}
			s.keys <- key
		}
	}
}

// longestReply is longer than any reply of a terminal.
const longestReply = 256

// cutKey splits what a terminal has sent behind the first key, or behind the first reply.
// It is not whole if the terminal has more of it to send. A lone escape is a key.
func cutKey(typed string) (key, rest string, whole bool) {
	if len(typed) < 2 || typed[0] != '\x1b' {
		return typed[:1], typed[1:], true
	}
	switch typed[1] {
	case '[', 'O':
		for i := 2; i < len(typed); i++ {
			if typed[i] >= '@' && typed[i] <= '~' { // the end of a control sequence
				return typed[:i+1], typed[i+1:], true
			}
		}
	case '_':
		if key, rest, whole := strings.Cut(typed, stringEnd); whole {
			return key + stringEnd, rest, true
		}
	default:
		return typed[:1], typed[1:], true
	}
	return typed, "", false
}

// stringEnd ends what a terminal, or a program, sends as a text of its own.
const stringEnd = "\x1b\\"

// scroll returns where the first shown of n lines is after a key.
func scroll(first, n, page int, key string) int {
	switch key {
	case "up":
		first--
	case "down":
		first++
	case "page up":
		first -= page
	case "page down":
		first += page
	case "home":
		first = 0
	case "end":
		first = n - page
	}
	return max(0, min(first, n-page))
}
