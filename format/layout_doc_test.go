package format_test

import (
	"bytes"
	"encoding/binary"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pyshm-go/pyshm/format"
)

var update = flag.Bool("update", false, "write the dumps in LAYOUT.md anew")

// The dumps in LAYOUT.md are the bytes that Encode makes of the list, and that Python
// wrote.
func TestLayoutDocument(t *testing.T) {
	if binary.NativeEndian.Uint16([]byte{1, 0}) != 1 {
		t.Skip("the dumps are of a little-endian machine")
	}
	const name = "LAYOUT.md"
	document, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	text := string(document)
	for _, tt := range []struct {
		layout format.Layout
		python string
	}{
		{format.Offsets, "cpython-3.13"},
		{format.Sizes, "cpython-3.8"},
	} {
		buf := encode(t, tt.layout, -2, 1.5, true, nil, "hé", []byte("\x00ab"), "abcdefgh", "")
		python, err := os.ReadFile("../testdata/" + tt.python + "/mixed.bin")
		if err != nil || !bytes.Equal(buf, python) {
			t.Errorf("%v: %s wrote other bytes (%v)", tt.layout, tt.python, err)
		}
		text = replaceGenerated(t, text, tt.layout.String(), "```\n"+dump(t, buf, tt.layout)+"```\n")
	}
	if *update {
		if err := os.WriteFile(name, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	} else if diff := cmp.Diff(string(document), text); diff != "" {
		t.Errorf("%s is not what -update would write (-is +would be):\n%s", name, diff)
	}
}

// replaceGenerated replaces the text between the comments of the section.
func replaceGenerated(t *testing.T, text, section, content string) string {
	t.Helper()
	before, rest, found := strings.Cut(text, "<!-- generated: "+section+" -->\n")
	_, after, ended := strings.Cut(rest, "<!-- end -->")
	if !found || !ended {
		t.Fatalf("no section %s", section)
	}
	return before + "<!-- generated: " + section + " -->\n" + content + "<!-- end -->" + after
}

// dump returns the bytes of a list as text, a word on each line with its meaning.
func dump(t *testing.T, buf []byte, layout format.Layout) string {
	var out strings.Builder
	line := func(off, size int, what string, args ...any) {
		fmt.Fprintf(&out, "%04x  % -23x  %s\n", off, buf[off:off+size], fmt.Sprintf(what, args...))
	}
	l, p := attach(t, buf), areasOf(buf, layout)
	line(0, 8, "n = %d", getWord(buf, 0))
	for off := p.table; off < p.data; off += 8 {
		line(off, 8, "table[%d] = %d", (off-p.table)/8, getWord(buf, off))
	}
	for i := range l.Len() {
		slot, err := l.Slot(i)
		if err != nil {
			t.Fatal(err)
		}
		v, err := l.Get(i)
		if err != nil {
			t.Fatal(err)
		}
		line(slot.Offset, 8, "slot %d: %s", i, format.Repr(v))
		for off := 8; off < slot.Capacity; off += 8 {
			line(slot.Offset+off, 8, "slot %d, byte %d", i, off)
		}
	}
	for i := range l.Len() {
		off := p.formats + 8*i
		line(off, 8, "format %d: %q", i, strings.TrimRight(string(buf[off:off+8]), "\x00"))
	}
	line(p.codes, p.end-p.codes, "codes")
	fmt.Fprintf(&out, "%04x  %-23s  end\n", p.end, "")
	return out.String()
}
