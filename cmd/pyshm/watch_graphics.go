package main

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	tea "charm.land/bubbletea/v2"
	uv "github.com/charmbracelet/ultraviolet"
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
	drawn  string // the picture on the screen
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
	g.asks, g.awaited = true, true
	return "\x1b_Gi=" + strconv.Itoa(kittyQuery) + ",s=1,v=1,a=q,t=d,f=24;AAAA" + stringEnd + askCell + "\x1b[?1;1;0S" + "\x1b[c"
}

// kittyQuery is the number of a picture that only asks.
const kittyQuery = 31

const askCell = "\x1b[16t"

// stringEnd ends what a terminal, or a program, sends as a text of its own.
const stringEnd = "\x1b\\"

// largestCell is larger than a character of any terminal, in pixels.
const largestCell = 1000

var coloursReply = regexp.MustCompile(`^\x1b\[\?1;0;(\d{1,5})S$`)

// reply reads a reply of the terminal, and reports whether the message is one.
func (g *graphics) reply(msg tea.Msg) bool {
	switch msg := msg.(type) {
	case uv.KittyGraphicsEvent:
		if msg.Options.ID == kittyQuery {
			g.kitty = string(msg.Payload) == "OK"
		}
	case uv.CellSizeEvent:
		if msg.Width > 1 && msg.Height > 1 && msg.Width < largestCell && msg.Height < largestCell {
			g.cell = [2]int{msg.Width, msg.Height}
		}
	case uv.UnknownCsiEvent:
		m := coloursReply.FindStringSubmatch(string(msg))
		if m == nil {
			return false
		}
		if n, _ := strconv.Atoi(m[1]); n > 1 {
			g.colours = min(n, 256)
		}
	case uv.PrimaryDeviceAttributesEvent:
		g.decide(msg)
	default:
		return false
	}
	return true
}

// decide chooses a way when all replies have come. The first attribute is a class of
// terminals; a 4 among the others means sixels.
func (g *graphics) decide(attributes []int) {
	g.awaited = false
	if g.way != "auto" {
		return
	}
	switch {
	case g.cell[0] == 0:
		g.way = "blocks"
	case g.kitty:
		g.way = "kitty"
	case len(attributes) > 1 && slices.Contains(attributes[1:], 4):
		g.way = "sixel"
	default:
		g.way = "blocks"
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

// next returns the text that brings the picture on the screen up to date, below the two lines
// of the title; it is "" if the terminal has the picture already. If the picture takes another
// room than before, the text is about the room alone, which has to be cleared.
func (g *graphics) next(t table, width, height, rows int) (text string, moved bool, err error) {
	p, err := g.take(t, width, rows)
	if err != nil {
		return "", false, err
	}
	if placed := [4]int{width, height, p.width, p.height}; g.placed != placed {
		text = g.erase()
		if g.asks && (g.placed[0] != width || g.placed[1] != height) {
			text += askCell // it may have changed
		}
		g.placed, g.drawn = placed, ""
		return text, true, nil
	}
	image := g.encode(p)
	if image == g.drawn {
		return "", false, nil
	}
	g.drawn = image
	return "\x1b7\x1b[3;1H" + image + "\x1b8", false, nil
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

// erase returns what removes the picture from the screen. Sixels vanish with the lines.
func (g *graphics) erase() string {
	if g.way != "kitty" || g.drawn == "" {
		return ""
	}
	g.drawn = ""
	return fmt.Sprintf("\x1b_Ga=d,d=I,i=%d,q=2"+stringEnd, g.id)
}

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
