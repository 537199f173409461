package main

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pyshm-go/pyshm/format"
	"github.com/pyshm-go/pyshm/pyshm"
)

func newShow() *cobra.Command {
	var as showOptions
	cmd := &cobra.Command{
		Use:   "show NAME [FIRST:END]",
		Short: "Show the content of a segment",
		Long: `Shows the segment with a name: a ShareableList with the values of its items and
how they are stored (struct format, offset in the segment, and capacity, the
size of the slot in bytes); a numpy array with its dtype, shape, smallest and
largest number, mean, and first rows; a ring with the dtype and shape of its
frames and the number of frames that have been published; a block of memory
with its first bytes; a semaphore with its value and waiters. show changes
nothing.

FIRST:END chooses items of a list, rows of an array (places of its first axis),
or bytes of a block, as a slice in Python does: 0:100, -5:, :3.

On a terminal, lines are cut to its width. --json prints output for programs.
--python prints a literal, which Python reads: a list of a list's items, lists
in lists of an array's elements, the bytes of a block. ast.literal_eval reads
it, unless there are nans, which only eval reads. np.array(LITERAL, DTYPE) is
the array again. An element of a datetime is a count in the unit of its dtype.

A block with the bytes of a list is shown as a list, because a list has no
mark. An item that cannot be read is shown with the reason, and show fails.`,
		Example: `  pyshm show prices
  pyshm show prices -10:
  pyshm show prices --json | jq -r '.items[].value'
  python3 -c "print(max($(pyshm show prices 0:100 --python)))"`,
		Args: func(cmd *cobra.Command, args []string) error {
			if as.json && as.python {
				return errors.New("--json and --python do not go together")
			}
			if len(args) == 2 {
				return exactly("NAME", "FIRST:END")(cmd, args)
			}
			return exactly("NAME")(cmd, args)
		},
		Annotations: map[string]string{takesNumbers: "yes"},
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 2 {
				part, err := parseSpan(args[1])
				if err != nil {
					return err
				}
				as.part = &part
			}
			as.width = widthOf(cmd.OutOrStdout())
			// Prints each item as it is read: there may be very many.
			out := bufio.NewWriterSize(cmd.OutOrStdout(), 64<<10)
			return errors.Join(show(out, args[0], as), out.Flush())
		},
	}
	addJSON(cmd, &as.json)
	cmd.Flags().BoolVar(&as.python, "python", false, "print a literal that Python reads")
	return cmd
}

// showOptions say how show prints.
type showOptions struct {
	json, python bool
	part         *span // nil for everything
	width        int   // of the terminal, or 0
}

// span returns which of n items are to be shown.
func (o showOptions) span(n int) (first, end int) {
	if o.part == nil {
		return 0, n
	}
	return o.part.of(n)
}

func show(out *bufio.Writer, name string, as showOptions) error {
	if a, err := attachArray(name, pyshm.ReadOnly()); err == nil {
		defer a.m.Close()
		if ring, err := pyshm.DescribeRing(a.m); err == nil && !as.python && as.part == nil {
			return showRing(out, a, &ring, as.json)
		}
		return showArray(out, a, as)
	}
	if s, ok := findSegment(name); ok {
		if c, err := s.Inspect(); err == nil && (c.Kind == pyshm.KindSemaphore || c.Kind == pyshm.KindForeign || c.Kind == pyshm.KindPipe) {
			return showOther(out, s, c, as)
		}
	}
	l, err := pyshm.AttachList(name, pyshm.ReadOnly())
	var damage error
	if err == nil {
		defer l.Close()
		damage = l.Check()
		if damage == nil || errors.Is(damage, format.ErrBusy) {
			return showList(out, l, as)
		}
	} else if !errors.Is(err, format.ErrCorrupt) && !errors.Is(err, format.ErrIncomplete) {
		return err
	}
	m, err := pyshm.Attach(name, pyshm.ReadOnly())
	if err != nil {
		return err
	}
	defer m.Close()
	return showBlock(out, m, damage, as)
}

// findSegment returns the segment that has the name.
func findSegment(name string) (pyshm.Segment, bool) {
	for s, err := range pyshm.Segments() {
		if err == nil && s.Name == strings.TrimPrefix(name, "/") {
			return s, true
		}
	}
	return pyshm.Segment{}, false
}

// showOther shows a semaphore, or the pipe of a queue.
func showOther(out *bufio.Writer, s pyshm.Segment, c pyshm.Content, as showOptions) error {
	head := segmentHead{Name: fileName(s.Name), Kind: string(c.Kind), Size: s.Size}
	text, literal := "pipe of a queue: pyshm doctor checks it", "None"
	switch c.Kind {
	case pyshm.KindSemaphore:
		head.Value, head.Waiters = &c.Value, &c.Waiters
		text = fmt.Sprintf("semaphore, value %d, waiters %d", c.Value, c.Waiters)
		literal = fmt.Sprintf("{'value': %d, 'waiters': %d}", c.Value, c.Waiters)
	case pyshm.KindForeign:
		text = "semaphore of another libc: this machine's glibc cannot use it"
	}
	if as.json {
		return printJSON(out, head)
	}
	if as.python {
		_, err := fmt.Fprintln(out, literal)
		return err
	}
	_, err := fmt.Fprintf(out, "%s: %s\n", shown(s.Name), text)
	return err
}

// A segmentHead is the part of the JSON of a segment before its items.
type segmentHead struct {
	Name   fileName `json:"name"`
	Kind   string   `json:"kind"`
	Size   int64    `json:"size"`
	Layout string   `json:"layout,omitempty"`
	Length *int     `json:"length,omitempty"`
	Damage string   `json:"damage,omitempty"`
	arrayHead
	ringHead
	Offset  int    `json:"offset,omitempty"` // of an array's data
	Value   *int   `json:"value,omitempty"`
	Waiters *int   `json:"waiters,omitempty"`
	Bytes   []byte `json:"bytes,omitempty"` // of a block, if they were asked for
	summary
}

// showBlock shows a block. If the block looks like a list at first, damage is the
// reason why it is not one.
func showBlock(out *bufio.Writer, m *pyshm.SharedMemory, damage error, as showOptions) error {
	first, end := as.span(m.Size())
	switch {
	case as.python:
		return blockLiteral(out, m, first, end)
	case as.json:
		head := segmentHead{Name: fileName(m.Name()), Kind: "block", Size: int64(m.Size())}
		if damage != nil {
			head.Damage = reason(damage).Error()
		}
		if as.part != nil {
			head.Bytes = make([]byte, end-first)
			if _, err := m.ReadAt(head.Bytes, int64(first)); err != nil && err != io.EOF {
				return err
			}
		}
		return printJSON(out, head)
	case as.part == nil:
		end = min(end, 256)
	}
	fmt.Fprintf(out, "%s: block of %d bytes\n", shown(m.Name()), m.Size())
	if damage != nil {
		fmt.Fprintf(out, "a damaged list: %s\n", visible(reason(damage).Error()))
	}
	if err := dumpBytes(out, m, first, end); err != nil {
		return err
	}
	if more := m.Size() - end; more > 0 && as.part == nil {
		fmt.Fprintf(out, "... %d more bytes\n", more)
	}
	return nil
}

// dumpBytes prints bytes as hex.Dump does, with their places in the segment.
func dumpBytes(out *bufio.Writer, m *pyshm.SharedMemory, first, end int) error {
	b := make([]byte, 16)
	for ; first < end; first += len(b) {
		b = b[:min(len(b), end-first)]
		if _, err := m.ReadAt(b, int64(first)); err != nil && err != io.EOF {
			return err
		}
		line := strings.TrimPrefix(hex.Dump(b), "00000000")
		if _, err := fmt.Fprintf(out, "%08x%s", first, line); err != nil {
			return err
		}
	}
	return nil
}

// A row is an item and how it is stored. An item that cannot be read has an
// Error instead of a value.
type row struct {
	item
	Format   string `json:"format"`
	Offset   int    `json:"offset"`
	Capacity int    `json:"capacity"`
	Error    string `json:"error,omitempty"`
}

// eachRow reads items one after the other, and passes each to print. An item that
// cannot be read is passed as well, and makes eachRow fail in the end. The values come
// from All, which returns no more bytes than the segment has, even if slots overlap.
func eachRow(l *pyshm.ShareableList, first, end int, print func(row) error) error {
	unreadable := 0
	i := -1
	for v, err := range l.All() {
		if i++; i < first {
			continue
		}
		if i >= end {
			break
		}
		slot, errSlot := l.Slot(i)
		if err == nil {
			err = errSlot
		}
		r := row{item: item{Index: i, Kind: slot.Kind.String()}}
		var ofItem *format.Error
		switch {
		case err == nil:
			r.item = newItem(i, v)
		case errors.As(err, &ofItem):
			r.Error = ofItem.Err.Error()
			unreadable++
		default: // the segment is gone
			return err
		}
		r.Format, r.Offset, r.Capacity = slot.Format, slot.Offset, slot.Capacity
		if err := print(r); err != nil {
			return err
		}
	}
	if unreadable > 0 {
		return fmt.Errorf("show %q: items that cannot be read: %d of %d", l.Name(), unreadable, end-first)
	}
	return nil
}

// listTitle describes a list in a few words.
func listTitle(n, size int, layout format.Layout) string {
	items, version := "items", layoutName(layout)
	if n == 1 {
		items = "item"
	}
	if layout == format.Offsets {
		version += " and later"
	}
	return fmt.Sprintf("list of %d %s, %d bytes, layout of CPython %s", n, items, size, version)
}

func showList(out *bufio.Writer, l *pyshm.ShareableList, as showOptions) error {
	first, end := as.span(l.Len())
	switch {
	case as.python:
		return listLiteral(out, l, first, end)
	case as.json:
		return showListJSON(out, l, first, end)
	}
	size := l.SharedMemory().Size()
	fmt.Fprintf(out, "%s: %s\n", shown(l.Name()), listTitle(l.Len(), size, l.Layout()))
	// The value is the last column, because only its width is not known in advance.
	index := max(len("INDEX"), len(strconv.Itoa(l.Len()-1)))
	offset := max(len("OFFSET"), len(strconv.Itoa(size)))
	fmt.Fprintf(out, "%*s  %-8s  %-8s  %*s  %8s  %s\n",
		index, "INDEX", "KIND", "FORMAT", offset, "OFFSET", "CAPACITY", "VALUE")
	return eachRow(l, first, end, func(r row) error {
		if r.Error != "" {
			r.Repr = "<" + visible(r.Error) + ">"
		}
		line := fmt.Sprintf("%*d  %-8s  %-8s  %*d  %8d  %s",
			index, r.Index, r.Kind, r.Format, offset, r.Offset, r.Capacity, r.Repr)
		if as.width > 0 {
			line = cut(line, as.width)
		}
		_, err := fmt.Fprintln(out, line)
		return err
	})
}

// showListJSON prints the head's object and adds the items to it.
func showListJSON(out *bufio.Writer, l *pyshm.ShareableList, first, end int) error {
	length := l.Len()
	head, err := toJSON(segmentHead{Name: fileName(l.Name()), Kind: "list", Size: int64(l.SharedMemory().Size()),
		Layout: layoutName(l.Layout()), Length: &length})
	if err != nil {
		return err
	}
	out.Write(bytes.TrimSuffix(head, []byte("}")))
	out.WriteString(`,"items":`)
	items := beginArray(out)
	err = eachRow(l, first, end, func(r row) error { return items.add(r) })
	items.end()
	out.WriteString("}\n")
	return err
}
