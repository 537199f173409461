package main

import (
	"bytes"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"
)

// Accents keep the combining marks of ASCII characters, which Bubble Tea drops: it takes each
// ASCII character for a cell of its own, and a mark for no cell. In a view such a character
// and its marks are one character of a plane for private use. On the way to the terminal it
// becomes what it stands for. No other text has these characters: they are not printable.
type accents struct {
	mu    sync.Mutex
	known map[string]rune
	texts []string // what firstAccent and the characters after it stand for
}

const (
	firstAccent = '\U000f0000'
	lastAccent  = '\U000ffffd'

	largestAccent = 64 // bytes of a character and its marks; the others are dropped
)

// hide returns a text for a view.
func (a *accents) hide(text string) string {
	if ascii(text) {
		return text
	}
	var hidden strings.Builder
	for text != "" {
		n := 1
		switch c := text[0]; {
		case c == '\x1b': // a style, which ends with m
			n += max(0, strings.IndexByte(text, 'm'))
			hidden.WriteString(text[:n])
		case c >= ' ' && c < utf8.RuneSelf && marksIn(text[1:]) > 0:
			n += marksIn(text[1:])
			hidden.WriteString(a.standIn(text[:n]))
		default:
			hidden.WriteByte(c)
		}
		text = text[n:]
	}
	return hidden.String()
}

func ascii(text string) bool {
	return strings.IndexFunc(text, func(r rune) bool { return r >= utf8.RuneSelf }) < 0
}

// marksIn returns how many bytes the marks at the beginning of a text have.
func marksIn(text string) (n int) {
	for n < len(text) && text[n] >= utf8.RuneSelf {
		_, size := utf8.DecodeRuneInString(text[n:])
		if ansi.WcWidth.StringWidth(text[n:n+size]) > 0 {
			break
		}
		n += size
	}
	return n
}

// standIn returns the character for an ASCII character with marks.
func (a *accents) standIn(text string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	r, ok := a.known[text]
	if !ok {
		r = firstAccent + rune(len(a.texts))
		if r > lastAccent || len(text) > largestAccent {
			return text[:1]
		}
		if a.known == nil {
			a.known = map[string]rune{}
		}
		a.known[text] = r
		a.texts = append(a.texts, text)
	}
	return string(r)
}

// show puts characters with marks in the place of those that stand for them.
func (a *accents) show(frame []byte) []byte {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.texts) == 0 {
		return frame
	}
	var shown bytes.Buffer
	for len(frame) > 0 {
		r, size := utf8.DecodeRune(frame)
		if i := int(r - firstAccent); i >= 0 && i < len(a.texts) {
			shown.WriteString(a.texts[i])
		} else {
			shown.Write(frame[:size])
		}
		frame = frame[size:]
	}
	return shown.Bytes()
}
