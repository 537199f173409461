package worker

import (
	"bytes"
	"strings"
	"sync"
)

// longestLine is where a line of a worker's output is cut, in bytes.
const longestLine = 16 << 10

// keptLines is how many of the last lines an error has.
const keptLines = 20

// A lineWriter passes on what a worker prints, line by line.
type lineWriter struct {
	line func(string)

	mu  sync.Mutex
	buf []byte
}

func (w *lineWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := len(p)
	for {
		end := bytes.IndexByte(p, '\n')
		if end < 0 {
			break
		}
		w.add(p[:end])
		w.end()
		p = p[end+1:]
	}
	w.add(p)
	return n, nil
}

// add adds text to the line, and cuts lines that are too long.
func (w *lineWriter) add(p []byte) {
	for len(w.buf)+len(p) > longestLine {
		part := longestLine - len(w.buf)
		w.buf = append(w.buf, p[:part]...)
		p = p[part:]
		w.end()
	}
	w.buf = append(w.buf, p...)
}

// end passes on the line. Other bytes than UTF-8 are replaced.
func (w *lineWriter) end() {
	w.line(strings.TrimSuffix(strings.ToValidUTF8(string(w.buf), "\uFFFD"), "\r"))
	w.buf = w.buf[:0]
}

// flush passes on the rest, which has no end of line.
func (w *lineWriter) flush() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.buf) > 0 {
		w.end()
	}
}

// A tail keeps the last lines.
type tail struct {
	mu    sync.Mutex
	lines []string
}

func (t *tail) add(line string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.lines) == keptLines {
		t.lines = append(t.lines[:0], t.lines[1:]...)
	}
	t.lines = append(t.lines, line)
}

func (t *tail) last() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]string(nil), t.lines...)
}
