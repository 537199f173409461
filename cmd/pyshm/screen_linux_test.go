package main

import (
	"bytes"
	"fmt"
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm"
)

const (
	entersScreen = "\x1b[?1049h"
	leavesScreen = "\x1b[?1049l"
	showsCursor  = "\x1b[?25h"
)

// A shownView is a run of pyshm on a terminal.
type shownView struct {
	status    chan int
	complaint bytes.Buffer
}

// show runs pyshm on the terminal, and returns when the view is on it. Without a keyboard,
// the standard input is another file.
func (term *terminal) show(t *testing.T, stdin *os.File, args ...string) *shownView {
	t.Helper()
	v := &shownView{status: make(chan int, 1)}
	go func() { v.status <- run(args, stdin, term.slave, &v.complaint) }()
	testkit.Eventually(t, "a view", func() bool { return strings.Contains(term.sent.String(), "q end") })
	return v
}

// ended waits for the end, and checks the status.
func (v *shownView) ended(t *testing.T) {
	t.Helper()
	if status := <-v.status; status != 0 {
		t.Errorf("pyshm exits with %d: %s", status, v.complaint.String())
	}
}

func (term *terminal) settings(t *testing.T) (settings *unix.Termios) {
	t.Helper()
	raw := testkit.Must(term.slave.SyscallConn())(t)
	testkit.Check(t, raw.Control(func(fd uintptr) {
		settings = testkit.Must(unix.IoctlGetTermios(int(fd), unix.TCGETS))(t)
	}))
	return settings
}

func (term *terminal) resize(t *testing.T, cols, rows uint16) {
	t.Helper()
	raw := testkit.Must(term.master.SyscallConn())(t)
	testkit.Check(t, raw.Control(func(fd uintptr) {
		testkit.Check(t, unix.IoctlSetWinsize(int(fd), unix.TIOCSWINSZ, &unix.Winsize{Row: rows, Col: cols}))
	}))
	testkit.Check(t, syscall.Kill(os.Getpid(), syscall.SIGWINCH)) // it controls no process
}

// However a view ends, the terminal is as before.
func TestScreenIsLeft(t *testing.T) {
	name, _ := imageArray(t, 4, 4, 16)
	for _, args := range [][]string{
		{"watch", name}, {"watch", "--image", name}, {"watch", "--image", "--graphics", "kitty", name}, {"top"},
	} {
		for end, way := range map[string]func(*terminal){
			"q":       func(term *terminal) { term.master.WriteString("q") },
			"Ctrl-C":  func(term *terminal) { term.master.WriteString("\x03") },
			"SIGTERM": func(*terminal) { syscall.Kill(os.Getpid(), syscall.SIGTERM) },
			"SIGINT":  func(*terminal) { syscall.Kill(os.Getpid(), syscall.SIGINT) },
		} {
			t.Run(strings.Join(args[:len(args)-1], " ")+" "+end, func(t *testing.T) {
				term := openTerminal(t, 60, 12, map[string]string{
					askKitty: hasKitty, askCell: "\x1b[6;10;10t", askAttributes: hasNeither,
				})
				before := *term.settings(t)
				v := term.show(t, term.slave, args...)
				if *term.settings(t) == before {
					t.Error("the terminal is not raw")
				}
				way(term)
				v.ended(t)
				testkit.Eventually(t, "the former screen", func() bool {
					_, after, left := strings.Cut(term.sent.String(), leavesScreen)
					return left && strings.Contains(after, showsCursor)
				})
				if sent := term.sent.String(); strings.Count(sent, entersScreen) != 1 || strings.Count(sent, leavesScreen) != 1 {
					t.Errorf("the screen changes to and fro: %q", sent)
				}
				if after := *term.settings(t); after != before {
					t.Errorf("the terminal has %+v, not %+v", after, before)
				}
			})
		}
	}
}

// Without a keyboard a signal ends the view, and the terminal is asked nothing: its replies
// would be typed into a shell.
func TestScreenWithoutKeyboard(t *testing.T) {
	name, _ := imageArray(t, 4, 4, 16)
	null := testkit.Must(os.Open(os.DevNull))(t)
	defer null.Close()
	for _, args := range [][]string{{"watch", name}, {"watch", "--image", "--graphics", "kitty", name}, {"top"}} {
		term := openTerminal(t, 60, 12, nil)
		v := term.show(t, null, args...)
		testkit.Check(t, syscall.Kill(os.Getpid(), syscall.SIGTERM))
		v.ended(t)
		testkit.Eventually(t, "the former screen", func() bool { return strings.Contains(term.sent.String(), leavesScreen) })
		for _, question := range []string{"\x1b[c", "\x1b[?u", "$p", askCell, askKitty} {
			if strings.Contains(term.sent.String(), question) {
				t.Errorf("%v asks %q", args, question)
			}
		}
	}
}

// A view does not outlive its terminal.
func TestScreenIsGone(t *testing.T) {
	name, _ := imageArray(t, 4, 4, 16)
	for _, args := range [][]string{{"watch", name}, {"watch", "--image", "--graphics", "sixel", name}, {"top"}} {
		term := openTerminal(t, 60, 12, nil)
		v := term.show(t, term.slave, args...)
		term.master.Close()
		select {
		case <-v.status:
		case <-time.After(testkit.Patience):
			t.Fatalf("%s goes on", args[0])
		}
	}
}

// sequence is one that Bubble Tea draws with, or asks the terminal with.
var sequence = regexp.MustCompile(`\x1b\[[?<>]?[0-9;]*[A-Za-z]|\x1b\[\?20\d\d\$p|\x1b[78]`)

// Nothing in a segment, and no name, is obeyed by the terminal.
func TestScreenIsHarmless(t *testing.T) {
	ascii := []string{"\x1b]0;title\a", "\x1bPq#1~\x1b\\", "\x1b_Ga=d\x1b\\", "\x1b[66;6H", "\x1bc", "\a"}
	commands := append([]string{"\u009b31m", "\u009d8;;x\u009c", "\u202e", "\u2028", "\x9b5m"}, ascii...)
	var items []any
	for _, command := range commands {
		items = append(items, strings.ToValidUTF8(command, "?")+"here")
	}
	items = append(items, []byte(strings.Join(commands, "")))
	name := testkit.Name(t)
	l := testkit.Must(pyshm.CreateList(name+strings.Join(ascii, ""), items))(t)
	defer l.Unlink()
	defer l.Close()
	foreign := "/dev/shm/" + name + strings.Join(commands, "")
	testkit.Check(t, os.WriteFile(foreign, []byte("memory"), 0o600))
	defer os.Remove(foreign)
	for _, args := range [][]string{{"watch", l.Name()}, {"top"}} {
		term := openTerminal(t, 600, 200, nil)
		v := term.show(t, term.slave, args...)
		testkit.Eventually(t, "the name", func() bool { return strings.Contains(term.sent.String(), "title") })
		term.master.WriteString("q")
		v.ended(t)
		sent := term.sent.String()
		for _, command := range commands {
			if strings.Contains(sent, command) {
				t.Errorf("%s sends %q", args[0], command)
			}
		}
		left := strings.NewReplacer("\r", "", "\n", "", "\b", "", "\t", "").Replace(sequence.ReplaceAllString(sent, ""))
		if !printable(left) {
			t.Errorf("%s sends %q", args[0], left)
		}
	}
}

// A picture is drawn anew, with the new size, after the frame that clears the screen.
func TestWatchPictureResized(t *testing.T) {
	name, pixels := imageArray(t, 20, 20, 200)
	for _, way := range []string{"kitty", "sixel"} {
		t.Run(way, func(t *testing.T) {
			term := openTerminal(t, 20, 23, map[string]string{askCell: "\x1b[6;12;6t"})
			v := term.show(t, term.slave, "watch", "--image", "--interval", "5ms", "--graphics", way, name)
			pictures := func(sent string) []picture {
				kitty, sixel := picturesIn(t, sent)
				return append(kitty, sixel...)
			}
			const clears = "\x1b[2J"
			for _, size := range [][3]int{{20, 23, 120}, {30, 23, 180}, {30, 9, 72}, {10, 9, 60}} {
				if size[0] != 20 {
					term.resize(t, uint16(size[0]), uint16(size[1]))
				}
				testkit.Eventually(t, fmt.Sprintf("a picture on %v", size), func() bool {
					sent := term.sent.String()
					last := sent[strings.LastIndex(sent, clears):]
					all := pictures(last)
					return len(all) > 0 && all[len(all)-1].width == size[2]
				})
				sent := term.sent.String()
				all := pictures(sent)
				wantPicture(t, all[len(all)-1], size[2], size[2], pixels, 20, 20, 2)
			}
			var later string
			testkit.Eventually(t, "the next second", func() bool {
				sent := term.sent.String()
				later = sent[strings.LastIndex(sent, mark)+len(mark):]
				return later != ""
			})
			later = sequence.ReplaceAllString(later, "")
			if text := strings.Trim(later, "\r\n\b\t0123456789:"); text != "" {
				t.Errorf("after the picture comes %q, which may cover it", text)
			}
			term.master.WriteString("q")
			v.ended(t)
		})
	}
}
