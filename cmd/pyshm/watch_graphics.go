package main

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// graphicsWays are the values of --graphics.
var graphicsWays = []string{"auto", "kitty", "sixel", "blocks"}

// A graphics draws pictures on a terminal: in kitty's graphics protocol, in sixels, or as
// half blocks. The terminal is asked which it has; until it replies, half blocks are drawn.
// kitty, Ghostty, Konsole and WezTerm have the first; xterm, foot, iTerm2, mlterm and
// Windows Terminal the second.
type graphics struct {
	way     string // one of graphicsWays; auto is undecided
	cell    [2]int // width and height of a character, in pixels
	colours int    // of sixels
	id      int    // of the picture in this terminal
	kitty   bool   // the terminal has kitty's protocol
	asks    bool   // a keyboard brings replies
	awaited bool   // the device attributes

	placed [4]int // width and height of the screen, and of the picture on it
	drawn  string
}

// The VT340, from which sixels come, had characters of this size.
var cellOfVT340 = [2]int{10, 20}

func newGraphics(way string) *graphics {
	g := &graphics{way: way, colours: 256, id: os.Getpid()}
	if way == "auto" && (os.Getenv("TMUX") != "" || strings.HasPrefix(os.Getenv("TERM"), "screen")) {
		g.way = "blocks" // it keeps kitty's pictures from the terminal, and claims to have sixels in any
	}
	if way != "auto" {
		g.cell = cellOfVT340
	}
	return g
}

// ask returns what asks for kitty's graphics, the size of a character in pixels, the number
// of sixel's colours, and last for the device attributes, which every terminal sends.
func (g *graphics) ask() string {
	if g.way == "blocks" {
		return ""
	}
	g.asks, g.awaited = true, true
	return "\x1b_Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA" + stringEnd + askCell + "\x1b[?1;1;0S" + "\x1b[c"
}

const askCell = "\x1b[16t"

func (g *graphics) awaits() bool { return g.awaited }

var (
	cellReply    = regexp.MustCompile(`^\x1b\[6;(\d{1,3});(\d{1,3})t$`)
	coloursReply = regexp.MustCompile(`^\x1b\[\?1;0;(\d{1,5})S$`)
)

// reply reads a reply of the terminal.
func (g *graphics) reply(reply string) bool {
	if attributes, ok := strings.CutPrefix(reply, "\x1b[?"); ok && strings.HasSuffix(attributes, "c") {
		g.decide(strings.Split(strings.TrimSuffix(attributes, "c"), ";"))
		return true
	}
	if m := cellReply.FindStringSubmatch(reply); m != nil {
		height, _ := strconv.Atoi(m[1])
		width, _ := strconv.Atoi(m[2])
		if width > 1 && height > 1 {
			g.cell = [2]int{width, height}
		}
		return true
	}
	if m := coloursReply.FindStringSubmatch(reply); m != nil {
		if n, _ := strconv.Atoi(m[1]); n > 1 {
			g.colours = min(n, 256)
		}
		return true
	}
	switch {
	case strings.HasPrefix(reply, "\x1b_Gi=31"):
		g.kitty = strings.HasPrefix(reply, "\x1b_Gi=31;OK")
	case !strings.HasPrefix(reply, "\x1b_"):
		return false
	}
	return true
}

// decide chooses a way when all replies have come. The first attribute is a class of
// terminals; a 4 among the others means sixels.
func (g *graphics) decide(attributes []string) {
	g.awaited = false
	if g.way != "auto" {
		return
	}
	g.way = "blocks"
	if g.cell[0] == 0 {
		return
	}
	for _, a := range attributes[1:] {
		if a == "4" {
			g.way = "sixel"
		}
	}
	if g.kitty {
		g.way = "kitty"
	}
}

// pixels reports whether the terminal draws pixels.
func (g *graphics) pixels() bool { return g.way == "kitty" || g.way == "sixel" }

// take makes the largest picture that fits on so many characters.
func (g *graphics) take(t table, width, height int) (picture, error) {
	height *= g.cell[1]
	if g.way == "sixel" && height >= sixelRows {
		height -= height % sixelRows // a terminal may scroll for a part of a row
	}
	return takePicture(t, width*g.cell[0], height)
}

// lines returns the lines that a picture takes on a screen, and what draws it below the two
// lines of the title. A picture already there is not sent again.
func (g *graphics) lines(t table, width, height, body int) (lines []string, draws string, err error) {
	p, err := g.take(t, width, body)
	if err != nil {
		return slices.Repeat([]string{keptLine}, body), "", err
	}
	placed := [4]int{width, height, p.width, p.height}
	line := keptLine
	if g.placed != placed {
		line, draws = "", g.erase()
		if g.asks && (g.placed[0] != width || g.placed[1] != height) {
			draws += askCell // it may have changed
		}
		g.placed, g.drawn = placed, ""
	}
	if text := g.encode(p); text != g.drawn {
		draws += "\x1b7\x1b[3;1H" + text + "\x1b8"
		g.drawn = text
	}
	return slices.Repeat([]string{line}, body), draws, nil
}

func (g *graphics) encode(p picture) string {
	switch {
	case p.width == 0:
		return ""
	case g.way == "kitty":
		return kittyImage(p, g.id)
	}
	return sixelImage(p, g.colours)
}

// erase returns what removes a picture from the screen. Sixels vanish with the lines.
func (g *graphics) erase() string {
	if g.way == "kitty" && g.drawn != "" {
		return fmt.Sprintf("\x1b_Ga=d,d=I,i=%d,q=2"+stringEnd, g.id)
	}
	return ""
}

func (g *graphics) leave() string { return g.erase() }

// print returns a picture for a pipe, as large as 80 times 40 characters.
func (g *graphics) print(t table) (string, error) {
	const width, height = 80, 40
	if !g.pixels() {
		lines, err := drawImage(t, width, height)
		return strings.Join(lines, "\x1b[0m\n") + "\x1b[0m\n", err
	}
	p, err := g.take(t, width, height)
	return g.encode(p) + "\n", err
}
