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
}

// A view is drawn on a screen.
type view interface {
	refresh(now time.Time) error           // looks again
	lines(width, height int) []string      // at most height lines, none wider than width
	key(key string, height int) (end bool) // acts on a key
}

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
	}
	if _, err := io.WriteString(out, enterScreen); err != nil {
		return err
	}
	defer func() { _, _ = io.WriteString(out, leaveScreen) }()
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
			if key == "q" || key == "ctrl-c" || v.key(key, height) {
				return nil
			}
		}
	}
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
	_, err = io.WriteString(s.out, "\x1b[H"+strings.Join(lines, "\x1b[0m\x1b[K\r\n")+"\x1b[0m\x1b[J")
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
	b := make([]byte, 64)
	for {
		n, err := keyboard.Read(b)
		if err != nil {
			s.keys <- "q"
			return
		}
		for typed := string(b[:n]); typed != ""; {
			var key string
			key, typed = cutKey(typed)
			if name := keyNames[key]; name != "" {
				key = name
			}
			s.keys <- key
		}
	}
}

// cutKey splits what a terminal has sent behind the first key.
func cutKey(typed string) (key, rest string) {
	if len(typed) < 3 || typed[0] != '\x1b' || typed[1] != '[' && typed[1] != 'O' {
		return typed[:1], typed[1:]
	}
	for i := 2; i < len(typed); i++ {
		if typed[i] >= '@' && typed[i] <= '~' { // the end of a control sequence
			return typed[:i+1], typed[i+1:]
		}
	}
	return typed, ""
}

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
