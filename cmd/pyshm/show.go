package main

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/pyshm-go/pyshm/format"
	"github.com/pyshm-go/pyshm/pyshm"
)

func newShow() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "show NAME",
		Short: "Show a list's items, or the beginning of an array or a block",
		Long: `Shows the segment with a name: a ShareableList with the values of its items and
how they are stored (struct format, offset in the segment, and capacity, the
size of the slot in bytes), a numpy array with its dtype, shape, order and first 20
elements in C order, a ring with the dtype and shape of its frames and the number of
frames that have been published, or a block of memory with its first bytes.

A block with the bytes of a list is shown as a list, because a list has no mark.
An item that cannot be read is shown with the reason, and show fails.`,
		Example: `  pyshm show prices
  pyshm show prices --json | jq -r '.items[].value'`,
		Args: exactly("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			// Prints each item as it is read: there may be very many.
			out := bufio.NewWriterSize(cmd.OutOrStdout(), 64<<10)
			return errors.Join(show(out, args[0], asJSON), out.Flush())
		},
	}
	addJSON(cmd, &asJSON)
	return cmd
}

func show(out *bufio.Writer, name string, asJSON bool) error {
	if a, err := attachArray(name, pyshm.ReadOnly()); err == nil {
		defer a.m.Close()
		if ring, err := pyshm.DescribeRing(a.m); err == nil {
			return showRing(out, a, &ring, asJSON)
		}
		return showArray(out, a, asJSON)
	}
	l, err := pyshm.AttachList(name, pyshm.ReadOnly())
	var damage error
	if err == nil {
		defer l.Close()
		damage = l.Check()
		if damage == nil || errors.Is(damage, format.ErrBusy) {
			if asJSON {
				return showListJSON(out, l)
			}
			return showList(out, l)
		}
	} else if !errors.Is(err, format.ErrCorrupt) && !errors.Is(err, format.ErrIncomplete) {
		return err
	}
	m, err := pyshm.Attach(name, pyshm.ReadOnly())
	if err != nil {
		return err
	}
	defer m.Close()
	return showBlock(out, m, damage, asJSON)
}

// A segmentHead is the part of the JSON of a segment before its items.
type segmentHead struct {
	Name   fileName `json:"name"`
	Kind   string   `json:"kind"`
	Size   int      `json:"size"`
	Layout string   `json:"layout,omitempty"`
	Length *int     `json:"length,omitempty"`
	Damage string   `json:"damage,omitempty"`
	arrayHead
	ringHead
	Offset int `json:"offset,omitempty"` // of an array's data
}

// showBlock shows a block. If the block looks like a list at first, damage is the
// reason why it is not one.
func showBlock(out *bufio.Writer, m *pyshm.SharedMemory, damage error, asJSON bool) error {
	if asJSON {
		head := segmentHead{Name: fileName(m.Name()), Kind: "block", Size: m.Size()}
		if damage != nil {
			head.Damage = reason(damage).Error()
		}
		return printJSON(out, head)
	}
	fmt.Fprintf(out, "%s: block of %d bytes\n", shown(m.Name()), m.Size())
	if damage != nil {
		fmt.Fprintf(out, "a damaged list: %s\n", visible(reason(damage).Error()))
	}
	head := make([]byte, min(m.Size(), 256))
	if _, err := m.ReadAt(head, 0); err != nil && err != io.EOF {
		return err
	}
	out.WriteString(hex.Dump(head))
	if more := m.Size() - len(head); more > 0 {
		fmt.Fprintf(out, "... %d more bytes\n", more)
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

// eachRow reads the items one after the other, and passes each to print. An item that
// cannot be read is passed as well, and makes eachRow fail in the end. The values come
// from All, which returns no more bytes than the segment has, even if slots overlap.
func eachRow(l *pyshm.ShareableList, print func(row) error) error {
	unreadable := 0
	i := -1
	for v, err := range l.All() {
		i++
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
		return fmt.Errorf("show %q: items that cannot be read: %d of %d", l.Name(), unreadable, l.Len())
	}
	return nil
}

func showList(out *bufio.Writer, l *pyshm.ShareableList) error {
	size := l.SharedMemory().Size()
	items, layout := "items", layoutName(l.Layout())
	if l.Len() == 1 {
		items = "item"
	}
	if l.Layout() == format.Offsets {
		layout += " and later"
	}
	fmt.Fprintf(out, "%s: list of %d %s, %d bytes, layout of CPython %s\n", shown(l.Name()), l.Len(), items, size, layout)
	// The value is the last column, because only its width is not known in advance.
	index := max(len("INDEX"), len(strconv.Itoa(l.Len()-1)))
	offset := max(len("OFFSET"), len(strconv.Itoa(size)))
	fmt.Fprintf(out, "%*s  %-8s  %-8s  %*s  %8s  %s\n",
		index, "INDEX", "KIND", "FORMAT", offset, "OFFSET", "CAPACITY", "VALUE")
	return eachRow(l, func(r row) error {
		if r.Error != "" {
			r.Repr = "<" + visible(r.Error) + ">"
		}
		_, err := fmt.Fprintf(out, "%*d  %-8s  %-8s  %*d  %8d  %s\n",
			index, r.Index, r.Kind, r.Format, offset, r.Offset, r.Capacity, r.Repr)
		return err
	})
}

// showListJSON prints the head's object and adds the items to it.
func showListJSON(out *bufio.Writer, l *pyshm.ShareableList) error {
	length := l.Len()
	head, err := toJSON(segmentHead{Name: fileName(l.Name()), Kind: "list", Size: l.SharedMemory().Size(),
		Layout: layoutName(l.Layout()), Length: &length})
	if err != nil {
		return err
	}
	out.Write(bytes.TrimSuffix(head, []byte("}")))
	out.WriteString(`,"items":`)
	items := beginArray(out)
	err = eachRow(l, func(r row) error { return items.add(r) })
	items.end()
	out.WriteString("}\n")
	return err
}
