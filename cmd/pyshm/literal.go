package main

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/pyshm-go/pyshm/format"
	"github.com/pyshm-go/pyshm/pyshm"
)

// Python has no literals of nan and infinity. 1e999 is too large for a float, so that
// Python reads infinity. float('nan') is an expression.

// valueLiteral returns a value of a list as Python reads it.
func valueLiteral(v any) string {
	if f, ok := v.(float64); ok {
		return literalOf(f, format.Repr(v))
	}
	return format.Repr(v)
}

// literalOf returns how Python reads a float whose repr is given.
func literalOf(f float64, repr string) string {
	switch {
	case math.IsInf(f, 1):
		return "1e999"
	case math.IsInf(f, -1):
		return "-1e999"
	case f != f:
		return "float('nan')"
	}
	return repr
}

func floatLiteral(b []byte) string { return literalOf(floatOf(b), floatText(b)) }

// complexLiteral returns a call where a literal would lose the sign of a zero.
func complexLiteral(b []byte) string {
	half := len(b) / 2
	re, im := floatOf(b[:half]), floatOf(b[half:])
	odd := func(f float64) bool { return math.IsInf(f, 0) || f != f || f == 0 && math.Signbit(f) }
	if odd(re) || odd(im) {
		return fmt.Sprintf("complex(%s, %s)", floatLiteral(b[:half]), floatLiteral(b[half:]))
	}
	return complexText(b)
}

// listLiteral prints items of a list as a list that Python reads. It stops at an item
// that cannot be read.
func listLiteral(out *bufio.Writer, l *pyshm.ShareableList, first, end int) error {
	out.WriteByte('[')
	i := -1
	for v, err := range l.All() {
		if i++; i < first || i >= end {
			continue
		}
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(out, "\n%s,", valueLiteral(v)); err != nil {
			return err
		}
	}
	if first < end {
		out.WriteByte('\n')
	}
	_, err := out.WriteString("]\n")
	return err
}

// arrayLiteral prints an array, or a part of its first axis, as lists in lists.
func arrayLiteral(out *bufio.Writer, a *array, first, end int) error {
	shape := append([]int{}, a.header.Shape...)
	n := 0
	if len(shape) > 0 {
		shape[0], n = end-first, first
		for _, length := range shape[1:] {
			n *= length
		}
	}
	if err := axisLiteral(out, a, shape, &n); err != nil {
		return err
	}
	return out.WriteByte('\n')
}

// axisLiteral prints elements from number n on.
func axisLiteral(out *bufio.Writer, a *array, shape []int, n *int) error {
	if len(shape) == 0 {
		b, _, err := a.element(*n)
		if err != nil {
			return err
		}
		text, err := asLiteral.element(a.header.Dtype.Native(), b)
		if err != nil {
			return fmt.Errorf("show %q: element %d: %w", a.m.Name(), *n, err)
		}
		*n++
		_, err = out.WriteString(text)
		return err
	}
	separator := ",\n"
	if len(shape) == 1 {
		separator = ", "
	}
	out.WriteByte('[')
	for i := range shape[0] {
		if i > 0 {
			out.WriteString(separator)
		}
		if err := axisLiteral(out, a, shape[1:], n); err != nil {
			return err
		}
	}
	return out.WriteByte(']')
}

// blockLiteral prints bytes as a bytes literal.
func blockLiteral(out *bufio.Writer, m *pyshm.SharedMemory, first, end int) error {
	out.WriteString("b'")
	b := make([]byte, 16<<10)
	for ; first < end; first += len(b) {
		b = b[:min(len(b), end-first)]
		if _, err := m.ReadAt(b, int64(first)); err != nil && err != io.EOF {
			return err
		}
		text := format.Repr(b)
		if text[1] == '"' { // Python chooses these quotes if there are ' and no "
			text = strings.ReplaceAll(text, "'", `\'`)
		}
		if _, err := out.WriteString(text[2 : len(text)-1]); err != nil {
			return err
		}
	}
	_, err := out.WriteString("'\n")
	return err
}
