package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/pyshm-go/pyshm/format/npy"
)

// A grid is an array as rows of its last axis. A row of an array with one axis is an
// element.
type grid struct {
	*array
	rows, cols int
}

func newGrid(a *array) (grid, error) {
	n, err := a.header.Len()
	shape := a.header.Shape
	g := grid{array: a, rows: n, cols: 1}
	if len(shape) > 1 {
		g.cols = shape[len(shape)-1]
		if g.rows = 0; g.cols > 0 {
			g.rows = n / g.cols
		}
	}
	return g, err
}

// label returns the index of a row, such as [2] or, with three axes, [0,2].
func (g grid) label(row int) string {
	shape := g.header.Shape
	switch {
	case len(shape) == 0:
		return "()"
	case len(shape) > 1:
		shape = shape[:len(shape)-1]
	}
	index := make([]string, len(shape))
	for axis := len(shape) - 1; axis >= 0; axis-- {
		index[axis] = strconv.Itoa(row % shape[axis])
		row /= shape[axis]
	}
	return "[" + strings.Join(index, ",") + "]"
}

// head returns the label of a column, or "" if the array has one axis.
func (g grid) head(col int) string {
	if len(g.header.Shape) < 2 {
		return ""
	}
	return strconv.Itoa(col)
}

// cell returns an element as text, on one line. unreadable is the reason why an element
// has no text; err is about the segment.
func (g grid) cell(row, col int) (text string, unreadable, err error) {
	b, _, err := g.element(row*g.cols + col)
	if err != nil {
		return "", nil, err
	}
	if text, unreadable = elementText(g.header.Dtype.Native(), b); unreadable != nil {
		text = "<" + visible(unreadable.Error()) + ">"
	}
	return text, unreadable, nil
}

// numeric reports whether the elements are aligned as numbers.
func (g grid) numeric() bool {
	switch g.header.Dtype.Kind() {
	case npy.KindInt, npy.KindUint, npy.KindFloat, npy.KindComplex, npy.KindDatetime, npy.KindTimedelta:
		return true
	}
	return false
}

// gridRows is how many rows are aligned with each other.
const gridRows = 256

// print prints rows, and at most limit columns of those that fit into a width, if it is
// not 0. It returns an error for each element that cannot be read.
func (g grid) print(out io.Writer, first, end, limit, width int) (unreadable []error, err error) {
	widths := []int{0} // of the labels, and of each column
	for begin := first; first < end; first += gridRows {
		lines, bad, err := g.texts(first, min(first+gridRows, end), limit, width)
		if err != nil {
			return unreadable, err
		}
		unreadable = append(unreadable, bad...)
		if first == begin && g.head(0) != "" {
			lines = append([][]string{g.heads(len(lines[0]) - 1)}, lines...)
		}
		for _, line := range lines {
			for i, text := range line {
				if i == len(widths) {
					widths = append(widths, 0)
				}
				widths[i] = max(widths[i], textWidth(text))
			}
		}
		for _, line := range lines {
			if _, err := fmt.Fprintln(out, g.line(line, widths, width)); err != nil {
				return unreadable, err
			}
		}
	}
	return unreadable, nil
}

// heads returns the line above the first row.
func (g grid) heads(cols int) []string {
	line := []string{""}
	for col := range cols {
		line = append(line, g.head(col))
	}
	return line
}

// texts returns the labels and elements of rows.
func (g grid) texts(first, end, limit, width int) (lines [][]string, unreadable []error, err error) {
	cols := min(g.cols, limit)
	if width > 0 {
		cols = min(cols, width/2+1) // more cannot fit
	}
	for row := first; row < end; row++ {
		line := []string{g.label(row)}
		for col := range cols {
			text, bad, err := g.cell(row, col)
			if err != nil {
				return nil, nil, err
			}
			if bad != nil {
				unreadable = append(unreadable, fmt.Errorf("show %q: element %d: %w", g.m.Name(), row*g.cols+col, bad))
			}
			line = append(line, text)
		}
		lines = append(lines, line)
	}
	return lines, unreadable, nil
}

// line aligns the texts of a row, and leaves out what does not fit into the width.
func (g grid) line(texts []string, widths []int, width int) string {
	line := pad(texts[0], widths[0], false)
	for i, text := range texts[1:] {
		next := line + "  " + pad(text, widths[i+1], g.numeric())
		more := i+2 < len(texts) || len(texts)-1 < g.cols
		if room := width - len("  ..."); width > 0 && (textWidth(next) > width || more && textWidth(next) > room) {
			if i == 0 {
				return cut(next, width)
			}
			return line + "  ..."
		}
		line = next
	}
	if len(texts)-1 < g.cols {
		line += "  ..."
	}
	return strings.TrimRight(line, " ")
}
