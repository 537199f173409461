package main

import (
	"fmt"
	"strings"
	"testing"

	uv "github.com/charmbracelet/ultraviolet"
	"github.com/charmbracelet/x/ansi"
)

// What Bubble Tea makes cells of is the text again, in as many columns.
func TestAccents(t *testing.T) {
	for _, text := range []string{
		"plain", "e\u0301te\u0301", "'\u0302'", " \u0301", "1\ufe0f\u20e3x", "日e\u0301本", "\u00e9\u0301", "\x1b[7me\u0301\x1b[0m日",
		"e" + strings.Repeat("\u0301", 5), "क\u093f", "k\u093f",
	} {
		var a accents
		hidden := a.hide(text)
		canvas := uv.NewScreenBuffer(20, 1)
		uv.NewStyledString(hidden).Draw(canvas, canvas.Bounds())
		drawn := strings.TrimRight(string(a.show([]byte(ansi.Strip(canvas.Render())))), " ")
		if want := strings.TrimRight(ansi.Strip(text), " "); drawn != want {
			t.Errorf("%q is drawn as %q", want, drawn)
		}
		if strings.Contains(text, "\u093f") {
			continue // terminals do not agree on it
		}
		if got, want := ansi.WcWidth.StringWidth(hidden), textWidth(ansi.Strip(text)); got != want {
			t.Errorf("%q takes %d columns, not %d", text, got, want)
		}
	}
}

// A mark that follows a style or a line is no mark of their last character.
func TestAccentsAlone(t *testing.T) {
	var a accents
	for _, text := range []string{"\x1b[1m\u0301x", "a\n\u0301b", "\u0301", "\x1b"} {
		if hidden := a.hide(text); hidden != text {
			t.Errorf("%q becomes %q", text, hidden)
		}
	}
}

// However many marks a segment has, they take little memory, and the letters stay.
func TestAccentsAreFew(t *testing.T) {
	var a accents
	if got := a.hide("e" + strings.Repeat("\u0301", 100)); got != "e" {
		t.Errorf("%q", got)
	}
	for i := range 1 << 17 {
		text := fmt.Sprintf("e%c%c", 0x300+i%64, 0x300+i/64)
		if drawn := string(a.show([]byte(a.hide(text)))); drawn != text && drawn[0] != 'e' {
			t.Fatalf("%q is drawn as %q", text, drawn)
		}
	}
	if n := len(a.texts); n > lastAccent-firstAccent+1 {
		t.Errorf("%d characters stand for others", n)
	}
}
