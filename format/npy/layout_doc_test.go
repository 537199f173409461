package npy_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the dump in LAYOUT.md anew")

// The dump in LAYOUT.md is of the bytes that the oldest and the newest numpy wrote.
func TestLayoutDocument(t *testing.T) {
	const begin, end = "<!-- generated: aligned -->\n", "<!-- end -->"
	oldest, err := os.ReadFile("../../testdata/npy/numpy-1.17/aligned.npy")
	if err != nil {
		t.Fatal(err)
	}
	newest, err := os.ReadFile("../../testdata/npy/numpy-2.5/aligned.npy")
	if err != nil || !bytes.Equal(oldest, newest) {
		t.Error("the newest numpy writes other bytes: ", err)
	}
	document, err := os.ReadFile("LAYOUT.md")
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(document), begin)
	_, after, foundEnd := strings.Cut(rest, end)
	if !found || !foundEnd {
		t.Fatal("LAYOUT.md has no place for the dump")
	}
	text := before + begin + "```\n" + dump(oldest) + "```\n" + end + after
	if *update {
		if err := os.WriteFile("LAYOUT.md", []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	} else if text != string(document) {
		t.Error("LAYOUT.md differs from the text that -update writes")
	}
}

// dump shows sixteen bytes a line; a line like the one before it is left out.
func dump(b []byte) string {
	var out strings.Builder
	var last []byte
	for at := 0; at < len(b); at += 16 {
		line := b[at:min(at+16, len(b))]
		if bytes.Equal(line, last) {
			if !strings.HasSuffix(out.String(), "*\n") {
				out.WriteString("*\n")
			}
			continue
		}
		last = line
		text := bytes.Map(func(r rune) rune {
			if r < ' ' || r > '~' {
				return '.'
			}
			return r
		}, bytes.ToValidUTF8(line, []byte{'.'}))
		out.WriteString(strings.TrimRight(fmt.Sprintf("%04x  % x  %s", at, line, text), " ") + "\n")
	}
	fmt.Fprintf(&out, "%04x\n", len(b))
	return out.String()
}
