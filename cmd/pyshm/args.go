package main

import (
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pyshm-go/pyshm/format"
	"github.com/pyshm-go/pyshm/pyshm"
)

// exactly returns a check for commands that take these arguments.
func exactly(names ...string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		switch {
		case len(args) < len(names):
			return fmt.Errorf("%s is missing", names[len(args)])
		case len(args) > len(names):
			return fmt.Errorf("unexpected argument %q", args[len(names)])
		}
		return nil
	}
}

// names checks that a command has at least one name.
func names(_ *cobra.Command, args []string) error {
	if len(args) == 0 {
		return errors.New("NAME is missing")
	}
	return nil
}

// addJSON gives a command the flag --json.
func addJSON(cmd *cobra.Command, asJSON *bool) {
	cmd.Flags().BoolVar(asJSON, "json", false, "print JSON")
}

// parseLiteral reads a LITERAL argument that is an item of a list, or a list of items: -
// means the whole standard input.
func parseLiteral(cmd *cobra.Command, arg string) (any, error) {
	return literalBy(format.ParseRepr, cmd, arg)
}

// parseAnyLiteral reads a LITERAL argument that is any plain data.
func parseAnyLiteral(cmd *cobra.Command, arg string) (any, error) {
	return literalBy(parseValue, cmd, arg)
}

func literalBy(parse func(string) (any, error), cmd *cobra.Command, arg string) (any, error) {
	if arg == "-" {
		text, err := io.ReadAll(cmd.InOrStdin())
		if err != nil {
			return nil, fmt.Errorf("standard input: %w", err)
		}
		arg = string(text)
	}
	v, err := parse(arg)
	if errors.Is(err, format.ErrSyntax) {
		return nil, usagef(`LITERAL: %w; to the shell, a str is "'text'"`, reason(err))
	}
	if err != nil {
		return nil, fmt.Errorf("LITERAL: %w", reason(err))
	}
	return v, nil
}

// An index is an INDEX argument. It is negative to count from the end.
type index struct {
	text string
	n    int
}

func parseIndex(arg string) (index, error) {
	n, err := strconv.Atoi(arg)
	if err != nil && !errors.Is(err, strconv.ErrRange) { // out of range of every list, too
		return index{}, usagef("INDEX %q is not an integer", arg)
	}
	return index{arg, n}, nil
}

func notAList(name string, why error) error {
	return fmt.Errorf("%q is neither a list nor an array: %w: pyshm show prints its content, pyshm read and write move bytes", name, why)
}

// attachItem attaches to the list and returns the item's index, counted from 0.
func (x index) attachItem(name string, opts ...pyshm.AttachOption) (*pyshm.ShareableList, int, error) {
	l, err := pyshm.AttachList(name, opts...)
	switch {
	case errors.Is(err, format.ErrIncomplete) && reason(err) != err: // the segment has a size
		return nil, 0, notAList(name, errors.New("it begins with zeros, as a list does until it is complete"))
	case errors.Is(err, format.ErrIncomplete):
		return nil, 0, notAList(name, err)
	case errors.Is(err, format.ErrCorrupt):
		return nil, 0, notAList(name, reason(err))
	case err != nil:
		return nil, 0, err
	}
	i, err := x.of(l)
	if err != nil {
		l.Close()
		return nil, 0, err
	}
	return l, i, nil
}

// of returns the index of the item in the list, counted from 0.
func (x index) of(l *pyshm.ShareableList) (int, error) {
	length := l.Len()
	i := x.n
	if i < 0 {
		i += length
	}
	switch {
	case i >= 0 && i < length:
		return i, nil
	case length == 0:
		return 0, fmt.Errorf("INDEX %s: %q is an empty list", x.text, l.Name())
	default:
		return 0, fmt.Errorf("INDEX %s: the items of %q are 0 to %d, or -%d to -1", x.text, l.Name(), length-1, length)
	}
}

// A span is a FIRST:END argument: a part of a sequence, as a slice in Python.
type span struct{ first, end *int }

func parseSpan(arg string) (span, error) {
	first, end, ok := strings.Cut(arg, ":")
	var s span
	for _, part := range []struct {
		text string
		n    **int
	}{{first, &s.first}, {end, &s.end}} {
		if part.text == "" {
			continue
		}
		n, err := strconv.Atoi(part.text)
		if err != nil && !errors.Is(err, strconv.ErrRange) {
			ok = false
		}
		*part.n = &n
	}
	if !ok {
		return span{}, usagef("FIRST:END %q: write numbers as in a slice of Python, such as 0:100, -5: or :3", arg)
	}
	return s, nil
}

// of returns where the part of a sequence of n items begins and ends.
func (s span) of(n int) (first, end int) {
	place := func(p *int, missing int) int {
		switch {
		case p == nil:
			return missing
		case *p < 0:
			return max(0, *p+n)
		}
		return min(*p, n)
	}
	first, end = place(s.first, 0), place(s.end, n)
	return first, max(first, end)
}

// A byteSize is the value of a flag: a number of bytes such as 4096, 64K, 1M, 2G, that an
// int has room for.
type byteSize int

func (s *byteSize) String() string { return strconv.Itoa(int(*s)) }
func (*byteSize) Type() string     { return "SIZE" }

func (s *byteSize) Set(text string) error {
	n, ok := parseBytes(text)
	switch {
	case !ok || n == 0:
		return errors.New("a size is a positive number of bytes, such as 4096, 64K, 1M or 1G")
	case n > math.MaxInt:
		return fmt.Errorf("a segment of this %d-bit program has at most %d bytes", strconv.IntSize, math.MaxInt)
	}
	*s = byteSize(n)
	return nil
}

// A byteCount is the value of a flag: a number of bytes, written as a byteSize, or 0. It may
// be larger than any segment.
type byteCount int64

func (c *byteCount) String() string { return strconv.FormatInt(int64(*c), 10) }
func (*byteCount) Type() string     { return "N" }

func (c *byteCount) Set(text string) error {
	n, ok := parseBytes(text)
	if !ok {
		return errors.New("write a number such as 0, 4096, 64K, 1M or 2G")
	}
	*c = byteCount(n)
	return nil
}

// parseBytes reads a number with a unit, a power of 1024.
func parseBytes(text string) (int64, bool) {
	digits := strings.TrimRight(text, "KMG")
	unit := map[string]int64{"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}[text[len(digits):]]
	n, err := strconv.ParseUint(digits, 10, 63)
	if err != nil || unit == 0 || n > uint64(math.MaxInt64/unit) {
		return 0, false
	}
	return int64(n) * unit, true
}

// A layoutFlag is the value of a flag: the version of CPython that a list is for.
type layoutFlag format.Layout

func (l *layoutFlag) String() string { return layoutName(format.Layout(*l)) }
func (*layoutFlag) Type() string     { return "VERSION" }

func (l *layoutFlag) Set(text string) error {
	for _, layout := range []format.Layout{format.Sizes, format.Offsets} {
		if text == layoutName(layout) {
			*l = layoutFlag(layout)
			return nil
		}
	}
	return errors.New("a layout is 3.8, or 3.9 for that and all later versions")
}

// layoutName returns the version of CPython that brought the layout.
func layoutName(layout format.Layout) string {
	if layout == format.Sizes {
		return "3.8"
	}
	return "3.9"
}
