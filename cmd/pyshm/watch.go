package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/pyshm-go/pyshm/pyshm"
)

func newWatch() *cobra.Command {
	var o watchOptions
	o.interval = 100 * time.Millisecond
	cmd := &cobra.Command{
		Use:   "watch NAME [FIRST:END]",
		Short: "Watch a segment change",
		Long: `Shows a segment as a table on the terminal, and marks what changes: the items
of a list, the elements of an array, the newest frame of a ring, the bytes of a
block, the value of a semaphore. It reads only the cells on the screen, so a
list may have millions of items. It follows a name that vanishes and comes
back, or is replaced. Between two looks a value may change more than once: only
the last change is seen. FIRST:END chooses a part, as in show.

Keys: q ends; arrows, PgUp, PgDn, Home and End scroll; a number and g goes to a
row.

--image draws an array of shape (h, w), (h, w, 3) or (h, w, 4), or such frames
of a ring, as a picture: by the graphics of the terminal, if it has kitty's
graphics protocol or sixels, or of coloured half blocks. tmux and screen get
half blocks. --graphics chooses one of the ways. Without a terminal the picture
is drawn once.

--plain, or a pipe as output, prints a line for each change, of all items or of
the part. It keeps two copies of the segment.`,
		Example: `  pyshm watch prices
  pyshm watch camera --image
  pyshm watch prices 0:10 --plain | grep -F '[3]'`,
		Args: func(cmd *cobra.Command, args []string) error {
			switch {
			case o.plain && o.image:
				return errors.New("--plain and --image do not go together")
			case cmd.Flags().Changed("graphics") && !o.image:
				return errors.New("--graphics is for --image")
			case !slices.Contains(graphicsWays, o.way):
				return fmt.Errorf("--graphics %q: choose one of %s", o.way, strings.Join(graphicsWays, ", "))
			case o.interval < time.Millisecond:
				return fmt.Errorf("--interval %v is shorter than 1ms", o.interval)
			case len(args) == 2:
				return exactly("NAME", "FIRST:END")(cmd, args)
			}
			return exactly("NAME")(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 2 {
				part, err := parseSpan(args[1])
				if err != nil {
					return err
				}
				o.part = &part
			}
			return watch(cmd, args[0], o)
		},
	}
	cmd.Flags().BoolVar(&o.plain, "plain", false, "print a line for each change")
	cmd.Flags().BoolVar(&o.image, "image", false, "draw an array as a picture")
	cmd.Flags().StringVar(&o.way, "graphics", "auto", "the `WAY` of --image: "+strings.Join(graphicsWays, ", "))
	cmd.Flags().DurationVar(&o.interval, "interval", o.interval, "how often to look")
	cmd.Flags().UintVar(&o.count, "count", 0, "with --plain: end after so many changes (0: never)")
	return cmd
}

type watchOptions struct {
	part         *span
	plain, image bool
	way          string // of graphics
	interval     time.Duration
	count        uint
}

func watch(cmd *cobra.Command, name string, o watchOptions) error {
	w, err := openWatched(name)
	if err != nil {
		return err
	}
	v := &watchView{name: name, watchOptions: o, w: w, graphics: newGraphics(o.way)}
	defer func() { v.w.m.Close() }()
	if o.image {
		if err := canDraw(w.table); err != nil {
			return fmt.Errorf("watch %q: %w", name, err)
		}
	}
	v.reset()
	ctx, stop := untilStopped(cmd.Context())
	defer stop()
	switch screen := isScreen(cmd.OutOrStdout()); {
	case screen && !o.plain:
		return runScreen(ctx, cmd.InOrStdin(), cmd.OutOrStdout(), o.interval, v)
	case o.image:
		text, err := v.graphics.print(w.table)
		if err == nil {
			_, err = io.WriteString(cmd.OutOrStdout(), text)
		}
		return err
	}
	out := bufio.NewWriter(cmd.OutOrStdout())
	return errors.Join(watchPlain(ctx, out, v), out.Flush())
}

// A watchView is the view of pyshm watch.
type watchView struct {
	watchOptions
	name     string
	w        *watched
	graphics *graphics // of --image

	now      time.Time
	trouble  string // why there is nothing new
	replaced int
	cells    map[[2]int]watchedCell // the ones on the screen
	recent   []changesAt            // of the last second

	first, end int // rows
	row, col   int // the first shown ones
	widths     map[int]int
	typed      string
}

// A watchedCell is a cell as it was at the last look.
type watchedCell struct {
	text    string
	changed time.Time
}

type changesAt struct {
	at time.Time
	n  int
}

// markTime is how long a change is marked.
const markTime = time.Second

// reset begins to show a segment.
func (v *watchView) reset() {
	v.cells, v.widths = map[[2]int]watchedCell{}, map[int]int{}
	v.first, v.end = v.w.rowsOf(v.part)
	v.row = max(v.row, v.first)
	v.trouble = ""
}

// isCurrent reports whether the name still leads to the segment, or whether there is still a
// name where the system does not say more.
func isCurrent(m *pyshm.SharedMemory) (bool, error) {
	current, err := m.Current()
	if errors.Is(err, errors.ErrUnsupported) {
		return true, nil
	}
	return current, err
}

// refresh follows the name.
func (v *watchView) refresh(now time.Time) error {
	v.now = now
	for len(v.recent) > 0 && now.Sub(v.recent[0].at) > time.Second {
		v.recent = v.recent[1:]
	}
	switch current, err := isCurrent(v.w.m); {
	case err != nil:
		v.trouble = explain(err)
		return nil
	case !current:
		v.follow()
		return nil
	}
	v.trouble = ""
	if err := v.w.refresh(); err != nil {
		v.trouble = explain(err)
	}
	return nil
}

// follow attaches to the segment that has the name now, and reports whether there is one.
func (v *watchView) follow() bool {
	w, err := openWatched(v.name)
	if err == nil && v.image && canDraw(w.table) != nil {
		err = canDraw(w.table)
		w.m.Close()
	}
	if errors.Is(err, fs.ErrNotExist) {
		v.trouble = "gone, and waited for"
		return false
	}
	if err != nil {
		v.trouble = explain(err)
		return false
	}
	v.w.m.Close()
	v.w = w
	v.replaced++
	v.reset()
	return true
}

func (v *watchView) lines(width, height int) []string {
	body := v.body(height)
	if v.image {
		return v.imageLines(width, height, body)
	}
	v.row = max(v.first, min(v.row, v.end-body))
	last := min(v.row+body, v.end)
	rows, err := v.read(v.row, last, width)
	if err != nil {
		v.trouble = explain(err)
	}
	return v.framed(rows, width, height, fmt.Sprintf("rows %d to %d of %d   q ends   arrows, PgUp, PgDn, Home, End scroll   12g goes to row 12", v.row, last-1, v.end-v.first))
}

func (v *watchView) imageLines(width, height, body int) []string {
	var picture []string
	var err error
	draws := ""
	if v.graphics.pixels() {
		picture, draws, err = v.graphics.lines(v.w.table, width, height, body)
	} else {
		picture, err = drawImage(v.w.table, width, body)
	}
	if err != nil {
		v.trouble = explain(err)
	}
	lines := v.framed(picture, width, height, "q ends")
	if len(lines) > 0 {
		lines[len(lines)-1] += draws
	}
	return lines
}

func (v *watchView) ask() string {
	if !v.image {
		return ""
	}
	return v.graphics.ask()
}

func (v *watchView) reply(reply string) bool { return v.graphics.reply(reply) }
func (v *watchView) awaits() bool            { return v.graphics.awaits() }
func (v *watchView) leave() string           { return v.graphics.leave() }

// body returns how many rows fit on a screen.
func (v *watchView) body(height int) int {
	body := height - 3 // without title, status and help
	if !v.image && v.w.head(0) != "" {
		body--
	}
	return max(0, body)
}

// framed puts the title above and the help below.
func (v *watchView) framed(body []string, width, height int, help string) []string {
	changes := 0
	for _, c := range v.recent {
		changes += c.n
	}
	status := v.now.Format(time.TimeOnly)
	if !v.image {
		status += fmt.Sprintf("  changes seen in a second: %d", changes)
	}
	if v.replaced > 0 {
		status += fmt.Sprintf("  replaced: %d", v.replaced)
	}
	if v.trouble != "" {
		status += "  " + visible(v.trouble)
	}
	lines := append([]string{
		"\x1b[1m" + cut(shown(v.name)+": "+v.w.title(), width), cut(status, width),
	}, body...)
	for len(lines) < height-1 {
		lines = append(lines, "")
	}
	return append(lines[:max(0, height-1)], cut(v.typed+help, width))
}

// read reads the shown cells, marks the ones that have changed, and aligns them.
func (v *watchView) read(first, end, width int) (lines []string, err error) {
	_, cols := v.w.size()
	labels := 0
	for _, row := range []int{first, end - 1} {
		if row >= first {
			labels = max(labels, len(v.w.label(row)))
		}
	}
	v.col = max(0, min(v.col, cols-1))
	texts := make([][]string, end-first)
	cells, changes := map[[2]int]watchedCell{}, 0
	shownCols, at := 0, labels
	for col := v.col; col < cols && at < width; col++ {
		if v.w.head(0) != "" {
			v.widths[col] = max(v.widths[col], len(v.w.head(col)))
		}
		for i := range texts {
			text, _, err := v.w.cell(first+i, col)
			if err != nil {
				return nil, err
			}
			key := [2]int{first + i, col}
			c, known := v.cells[key]
			if known && c.text != text {
				c.changed = v.now
				changes++
			}
			c.text = text
			cells[key] = c
			texts[i] = append(texts[i], text)
			v.widths[col] = min(max(v.widths[col], textWidth(text)), width)
		}
		at += 2 + v.widths[col]
		shownCols++
	}
	v.cells = cells
	if changes > 0 {
		v.recent = append(v.recent, changesAt{v.now, changes})
	}
	if v.w.head(0) != "" {
		line := strings.Repeat(" ", labels)
		for i := range shownCols {
			line += "  " + pad(v.w.head(v.col+i), v.widths[v.col+i], v.w.numeric())
		}
		lines = append(lines, cut(line, width))
	}
	for i, row := range texts {
		lines = append(lines, v.line(first+i, labels, row, width))
	}
	return lines, nil
}

// line aligns the cells of a row, and marks changes.
func (v *watchView) line(row, labels int, texts []string, width int) string {
	line := pad(v.w.label(row), labels, false)
	at := labels
	for i, text := range texts {
		room := width - at - 2
		if room <= 0 {
			break
		}
		columns := v.widths[v.col+i]
		text = cut(pad(text, columns, v.w.numeric()), room)
		if changed := v.cells[[2]int{row, v.col + i}].changed; !changed.IsZero() && v.now.Sub(changed) < markTime {
			inner := strings.TrimRight(text, " ")
			text = "\x1b[7m" + inner + "\x1b[0m" + text[len(inner):]
		}
		line += "  " + text
		at += 2 + columns
	}
	return strings.TrimRight(line, " ")
}

func (v *watchView) key(key string, height int) bool {
	page := v.body(height)
	switch {
	case len(key) == 1 && key[0] >= '0' && key[0] <= '9' && len(v.typed) < 18:
		v.typed += key
		return false
	case key == "left":
		v.col--
	case key == "right":
		v.col++
	case (key == "g" || key == "enter") && v.typed != "":
		_, _ = fmt.Sscan(v.typed, &v.row) // at most 18 digits
	default:
		v.row = v.first + scroll(v.row-v.first, v.end-v.first, page, key)
	}
	v.typed = ""
	return false
}

// trueColour reports whether the terminal has more than 256 colours.
func trueColour() bool {
	c := os.Getenv("COLORTERM")
	return c == "truecolor" || c == "24bit"
}
