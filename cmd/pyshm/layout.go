package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pyshm-go/pyshm/pyshm"
)

func newLayout() *cobra.Command {
	var (
		as  string
		svg string
		all bool
	)
	cmd := &cobra.Command{
		Use:   "layout NAME|FILE",
		Short: "Show the purpose of each byte of a list or an array",
		Long: `Prints the bytes of a segment, or of a file such as a dump, with their purpose:
a list's count, table, slots, format words and codes, or an array's header and
elements. Marks the bytes of a slot behind the value: padding, or leftovers of
an earlier value. Reads any bytes, also damaged ones, and prints each fault
with its place.

An argument with a slash is a FILE. Any other is the NAME of a segment, or a
FILE if no segment has the name. layout changes nothing in the bytes it reads.
Without --all it leaves out the middle of long texts, and items behind the
first 64.`,
		Example: `  pyshm layout prices
  pyshm layout prices --svg prices.svg
  pyshm layout ./prices.bin --as list`,
		Args: exactly("NAME|FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withContent(args[0], func(b []byte) error {
				return layout(cmd, args[0], b, as, svg, all)
			})
		},
	}
	addAs(cmd, &as)
	cmd.Flags().StringVar(&svg, "svg", "", "write a picture to a new `FILE` instead")
	cmd.Flags().BoolVar(&all, "all", false, "leave out nothing")
	return cmd
}

func newCheck() *cobra.Command {
	var as string
	cmd := &cobra.Command{
		Use:   "check NAME|FILE",
		Short: "Check that a list or an array is not damaged",
		Long: `Checks every item of a list, or the header of an array, and prints each fault
with its place. Fails if there is one. An item that another process is writing
in this moment is looked at again for some milliseconds. Memory that is neither
a list nor an array has nothing to check; --as list says why it is no list.`,
		Example: `  pyshm check prices
  pyshm check ./prices.bin --as list`,
		Args: exactly("NAME|FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withContent(args[0], func(b []byte) error {
				p, err := describe(b, as)
				if err != nil {
					return err
				}
				if _, err := fmt.Fprintf(cmd.OutOrStdout(), "%s: %s\n", shown(args[0]), p.title); err != nil {
					return err
				}
				var errs []error
				for _, f := range p.faults {
					errs = append(errs, fmt.Errorf("check %q: %s", args[0], f))
				}
				return errors.Join(errs...)
			})
		},
	}
	addAs(cmd, &as)
	return cmd
}

func addAs(cmd *cobra.Command, as *string) {
	cmd.Flags().StringVar(as, "as", "", "read the bytes as a list, an array or a block (default: what they look like)")
}

// maxFile is the size of the largest file that layout and check read.
const maxFile = 1 << 30

// withContent calls f with the bytes of a segment, in place, or of a file. A segment that
// is truncated meanwhile makes it fail.
func withContent(arg string, f func(b []byte) error) error {
	if !strings.Contains(arg, "/") {
		m, err := pyshm.Attach(arg, pyshm.ReadOnly())
		if err == nil {
			defer m.Close()
			return m.WithBytes(f)
		}
		if _, errFile := os.Stat(arg); errFile != nil || !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	file, size, err := openFile(arg)
	if err != nil {
		return err
	}
	file.Close()
	if size > maxFile {
		return fmt.Errorf("%s has more than %d bytes", shown(arg), maxFile)
	}
	content, err := os.ReadFile(arg)
	if err != nil {
		return err
	}
	aligned := make([]byte, max(len(content), 32))[:len(content)]
	copy(aligned, content)
	return f(aligned)
}

// A role is the purpose of bytes. It chooses their colour.
type role int

const (
	roleNone role = iota // bytes without a known meaning
	roleHead
	roleTable
	roleValue
	rolePadding
	roleLeftover
	roleFormat
	roleCode
)

// colours of the roles on a terminal and in a picture.
var colours = [...]struct{ sgr, fill string }{
	roleNone:     {"", "#ffffff"},
	roleHead:     {"35", "#e6d0f5"},
	roleTable:    {"36", "#c9ecf0"},
	roleValue:    {"32", "#cdeec8"},
	rolePadding:  {"2", "#eeeeee"},
	roleLeftover: {"33", "#ffdca8"},
	roleFormat:   {"34", "#cddcfb"},
	roleCode:     {"31", "#f8cfcf"},
}

// A region is a part of the bytes that has one purpose.
type region struct {
	start, end int
	role       role
	note       string
}

// A plan describes bytes: the purpose of each region, and the faults.
type plan struct {
	title  string
	each   func(limit int, yield func(region)) // the regions, of at most limit items, in order
	faults []string
}

func describe(b []byte, as string) (*plan, error) {
	switch as {
	case "":
		switch {
		case bytes.HasPrefix(b, []byte("\x93NUMPY")):
			return describeArray(b), nil
		case looksLikeList(b):
			return describeList(b), nil
		}
		return describeBlock(b), nil
	case "list":
		return describeList(b), nil
	case "array":
		return describeArray(b), nil
	case "block":
		return describeBlock(b), nil
	}
	return nil, usagef("--as %s: write list, array or block", as)
}

func describeBlock(b []byte) *plan {
	return &plan{title: fmt.Sprintf("block of %d bytes, neither a list nor an array", len(b)),
		each: func(_ int, yield func(region)) { yield(region{0, len(b), roleNone, ""}) }}
}

// shownItems is how many items layout shows without --all, and shownLines how many lines
// of 8 bytes of a region.
const shownItems, shownLines = 64, 8

// A byteRow is at most 8 bytes of a region, or none and the number of those left out.
type byteRow struct {
	at    int
	bytes []byte
	role  role
	note  string
}

// rows yields the rows of the regions. Each row has a copy of its bytes.
func (p *plan) rows(b []byte, all bool, yield func(byteRow)) {
	items, lines := shownItems, shownLines
	if all {
		items, lines = math.MaxInt, math.MaxInt
	}
	p.each(items, func(r region) {
		note := r.note
		for line, at := 0, r.start; at < r.end; line, at = line+1, at+8 {
			if line == lines {
				yield(byteRow{at: at, note: fmt.Sprintf("... %d more bytes", r.end-at)})
				break
			}
			yield(byteRow{at, bytes.Clone(b[at:min(at+8, r.end)]), r.role, note})
			note = ""
		}
	})
}

func layout(cmd *cobra.Command, name string, b []byte, as, svg string, all bool) error {
	p, err := describe(b, as)
	if err != nil {
		return err
	}
	if svg != "" {
		return drawLayout(svg, name, b, p, all)
	}
	out := bufio.NewWriterSize(cmd.OutOrStdout(), 64<<10)
	coloured := isTerminal(cmd.OutOrStdout(), 0) && os.Getenv("NO_COLOR") == ""
	fmt.Fprintf(out, "%s: %s\n", shown(name), p.title)
	width := max(4, len(fmt.Sprintf("%x", len(b))))
	p.rows(b, all, func(r byteRow) {
		text := fmt.Sprintf("%-23s  %-8s", fmt.Sprintf("% x", r.bytes), plainText(r.bytes))
		if sgr := colours[r.role].sgr; coloured && sgr != "" {
			text = "\x1b[" + sgr + "m" + text + "\x1b[0m"
		}
		fmt.Fprintln(out, strings.TrimRight(fmt.Sprintf("%0*x  %s  %s", width, r.at, text, r.note), " "))
	})
	fmt.Fprintf(out, "%0*x  end\n", width, len(b))
	for _, f := range p.faults {
		fmt.Fprintf(out, "wrong: %s\n", visible(f))
	}
	return out.Flush()
}

// plainText returns bytes as ASCII, with dots for the other bytes.
func plainText(b []byte) string {
	text := bytes.Clone(b)
	for i, c := range text {
		if c < ' ' || c > '~' {
			text[i] = '.'
		}
	}
	return string(text)
}
