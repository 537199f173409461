package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/term"
)

// A progress is two lines that show how far Go and Python have counted. On a terminal
// they are drawn over and over in the same place, in other output once.
type progress struct {
	*counter
	what string

	due   <-chan time.Time // receives when the lines are to be drawn again
	stop  func()
	drawn bool
}

const barWidth = 20

func newProgress(c *counter, what string) *progress {
	p := &progress{counter: c, what: what, stop: func() {}}
	if isTerminal(c.out, len(p.line("", 0))) {
		ticker := time.NewTicker(50 * time.Millisecond)
		p.due, p.stop = ticker.C, ticker.Stop
	}
	return p
}

// isTerminal reports whether out is a terminal on which lines of this length
// can be drawn over.
func isTerminal(out io.Writer, length int) bool {
	file, ok := out.(*os.File)
	if !ok || os.Getenv("TERM") == "dumb" {
		return false
	}
	width, _, err := term.GetSize(int(file.Fd()))
	return err == nil && width >= length
}

func (p *progress) draw() error {
	text := p.line("Go", 1) + p.line("Python", 2)
	if p.drawn {
		text = "\x1b[2A" + text // two lines up
	}
	p.drawn = true
	_, err := io.WriteString(p.out, text)
	return err
}

// line returns the line of a side. The item has the count of the side.
func (p *progress) line(side string, item int) string {
	// While Python writes, the item may have any value.
	done := min(max(atomic.LoadInt64(&p.items[item]), 0), increments)
	bar := strings.Repeat("#", int(done*barWidth/increments))
	return fmt.Sprintf(sayFormat, side, p.what, fmt.Sprintf("%-*s %4d", barWidth, bar, done))
}
