package main

import (
	"bufio"
	"encoding/xml"
	"errors"
	"fmt"
	"os"
	"strings"
)

// drawLayout writes a picture to a new file: a line of text and boxes for each row.
func drawLayout(path, name string, b []byte, p *plan, all bool) (err error) {
	const line, box = 20, 28
	var rows strings.Builder
	y := 2 * line
	text := func(x int, s string) {
		fmt.Fprintf(&rows, `<text x="%d" y="%d">%s</text>`+"\n", x, y+14, xmlText(s))
	}
	p.rows(b, all, func(r byteRow) {
		text(8, fmt.Sprintf("%04x", r.at))
		for i, c := range r.bytes {
			x := 90 + i*box
			fmt.Fprintf(&rows, `<rect x="%d" y="%d" width="%d" height="%d" fill="%s" stroke="#999"/>`+"\n", x, y, box, line, colours[r.role].fill)
			text(x+6, fmt.Sprintf("%02x", c))
		}
		text(100+8*box, r.note)
		y += line
	})
	for _, f := range p.faults {
		text(8, "wrong: "+f)
		y += line
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	defer func() {
		if err = errors.Join(err, f.Close()); err != nil {
			os.Remove(path)
		}
	}()
	out := bufio.NewWriter(f)
	fmt.Fprintf(out, `<svg xmlns="http://www.w3.org/2000/svg" width="960" height="%d" font-family="monospace" font-size="13">`+"\n", y+line)
	fmt.Fprintf(out, `<rect width="100%%" height="100%%" fill="#fff"/>`+"\n"+`<text x="8" y="22">%s</text>`+"\n", xmlText(shown(name)+": "+p.title))
	out.WriteString(rows.String())
	out.WriteString("</svg>\n")
	return out.Flush()
}

// xmlText returns a text as XML.
func xmlText(s string) string {
	var out strings.Builder
	_ = xml.EscapeText(&out, []byte(visible(s))) // a strings.Builder takes everything
	return out.String()
}
