package main

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pyshm-go/pyshm/format/npy"
	"github.com/pyshm-go/pyshm/pyshm"
)

// An array is a numpy array in a segment, whose dtype is known at run time only.
type array struct {
	m      *pyshm.SharedMemory
	from   io.ReaderAt // m, or a copy of its bytes
	header npy.Header
	offset int // of the data
}

// longestHeader is how many bytes [npy.ParseHeader] reads.
const longestHeader = 12 + 10_000

// attachArray attaches to a segment that holds an array. The error is [npy.ErrHeader]
// if it holds something else.
func attachArray(name string, opts ...pyshm.AttachOption) (*array, error) {
	m, err := pyshm.Attach(name, opts...)
	if err != nil {
		return nil, err
	}
	a := &array{m: m, from: m}
	if err := a.read(); err != nil {
		m.Close()
		return nil, err
	}
	return a, nil
}

func (a *array) read() error {
	head := make([]byte, min(a.m.Size(), longestHeader))
	if _, err := a.m.ReadAt(head, 0); err != nil && err != io.EOF {
		return err
	}
	var err error
	if a.header, a.offset, err = npy.ParseHeader(head); err != nil {
		return err
	}
	size, err := a.header.Size()
	if there := a.m.Size() - a.offset; err == nil && size > there {
		return fmt.Errorf("%w: %d bytes of data are announced, and %d are there", npy.ErrIncomplete, size, there)
	}
	return err
}

// place returns where the element lies whose number in C order is n.
func (a *array) place(n int) int {
	at := a.offset
	strides := a.header.Strides()
	for axis := len(strides) - 1; axis >= 0; axis-- {
		at += n % a.header.Shape[axis] * strides[axis]
		n /= a.header.Shape[axis]
	}
	return at
}

// element returns a copy of the element whose number in C order is n, in this machine's
// byte order, and the place of the element.
func (a *array) element(n int) (b []byte, at int, err error) {
	at = a.place(n)
	b = make([]byte, a.header.Dtype.Size())
	return b, at, a.load(b, at)
}

// load reads the element at a place, in this machine's byte order.
func (a *array) load(b []byte, at int) error {
	if _, err := a.from.ReadAt(b, int64(at)); err != nil && err != io.EOF {
		return err
	}
	return a.header.Dtype.Swap(b)
}

// number returns the number in C order of the element that an argument names. The argument
// has a number for each axis, with commas between them; a negative number counts from the
// end. It is () if there is no axis.
func (a *array) number(arg string) (int, error) {
	index, err := parseInts("INDEX", arg)
	if err != nil {
		return 0, err
	}
	if len(index) != len(a.header.Shape) {
		return 0, fmt.Errorf("INDEX %s: %q has the shape %s: give as many numbers", arg, a.m.Name(), shapeText(a.header.Shape))
	}
	n := 0
	for axis, i := range index {
		length := a.header.Shape[axis]
		if i < 0 {
			i += length
		}
		if i < 0 || i >= length {
			return 0, fmt.Errorf("INDEX %s: axis %d of %q has length %d", arg, axis, a.m.Name(), length)
		}
		n = n*length + i
	}
	return n, nil
}

// parseInts reads numbers between commas, such as 480,640.
func parseInts(what, arg string) ([]int, error) {
	ints := []int{}
	if arg == "()" {
		return ints, nil
	}
	for _, part := range strings.Split(arg, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(part))
		if err != nil {
			return nil, usagef("%s %q: write integers with commas between them, such as 3,4, or () for none", what, arg)
		}
		ints = append(ints, n)
	}
	return ints, nil
}

// shapeText returns a shape as Python prints it.
func shapeText(shape []int) string {
	parts := make([]string, len(shape))
	for i, n := range shape {
		parts[i] = strconv.Itoa(n)
	}
	if len(parts) == 1 {
		return "(" + parts[0] + ",)"
	}
	return "(" + strings.Join(parts, ", ") + ")"
}

func getElement(cmd *cobra.Command, a *array, arg string, asJSON bool) error {
	n, err := a.number(arg)
	if err != nil {
		return err
	}
	b, _, err := a.element(n)
	if err != nil {
		return err
	}
	text, err := elementText(a.header.Dtype.Native(), b)
	if err != nil {
		return fmt.Errorf("get %q: %w", a.m.Name(), err)
	}
	if asJSON {
		index, _ := parseInts("INDEX", arg)
		return printJSON(cmd.OutOrStdout(), element{Index: index, Dtype: a.header.Dtype.String(), Repr: text})
	}
	_, err = fmt.Fprintln(cmd.OutOrStdout(), text)
	return err
}

// An element is an element of an array as JSON; the package documentation describes it.
type element struct {
	Index []int  `json:"index"`
	Dtype string `json:"dtype"`
	Repr  string `json:"repr"`
}

func setElement(cmd *cobra.Command, a *array, arg, value string) error {
	n, err := a.number(arg)
	if err != nil {
		return err
	}
	b, err := elementBytes(cmd, a.header.Dtype.Native(), value)
	if err != nil {
		return err
	}
	_, at, err := a.element(n)
	if err != nil {
		return err
	}
	if err := a.header.Dtype.Swap(b); err != nil { // now into the array's byte order
		return err
	}
	_, err = a.m.WriteAt(b, int64(at))
	return err
}

// shownRows and shownColumns are how many rows of an array show prints, unless it is asked
// for a part of the array.
const shownRows, shownColumns = 20, 20

func showArray(out *bufio.Writer, a *array, as showOptions) error {
	g, err := newGrid(a)
	if err != nil {
		return err
	}
	first, end, each := 0, 1, 1 // places of the first axis, and the rows of each
	if shape := a.header.Shape; len(shape) > 0 {
		first, end = as.span(shape[0])
		if each = 0; shape[0] > 0 {
			each = g.rows / shape[0]
		}
	}
	if as.python {
		return arrayLiteral(out, a, first, end)
	}
	sum, sparse, err := sumUp(a, first*each*g.cols, end*each*g.cols)
	if err != nil {
		return err
	}
	if as.json {
		return showArrayJSON(out, g, as.part != nil, sum, first*each*g.cols, end*each*g.cols)
	}
	order := "C"
	if a.header.Fortran {
		order = "Fortran"
	}
	fmt.Fprintf(out, "%s: array of shape %s in %s order, %d bytes, data from %d on\ndtype: %s\n",
		shown(a.m.Name()), shapeText(a.header.Shape), order, a.m.Size(), a.offset, visible(a.header.Dtype.String()))
	if text := cmp.Or(sparse, sum.text()); text != "" {
		fmt.Fprintln(out, text)
	}
	last, columns := end*each, math.MaxInt
	if as.part == nil {
		last, columns = min(last, shownRows), shownColumns
	}
	unreadable, err := g.print(out, first*each, last, columns, as.width)
	if more := end*each - last; more > 0 {
		fmt.Fprintf(out, "... %d more rows\n", more)
	}
	return errors.Join(append(unreadable, err)...)
}

// showArrayJSON prints the array's object, with elements if a part was asked for.
func showArrayJSON(out *bufio.Writer, g grid, elements bool, sum summary, first, end int) error {
	head, err := toJSON(segmentHead{
		Name: fileName(g.m.Name()), Kind: string(pyshm.KindArray), Size: int64(g.m.Size()), arrayHead: newArrayHead(&g.header), Offset: g.offset, summary: sum,
	})
	if err != nil {
		return err
	}
	out.Write(bytes.TrimSuffix(head, []byte("}")))
	var errs []error
	if elements {
		out.WriteString(`,"elements":`)
		all := beginArray(out)
		for n := first; n < end; n++ {
			text, unreadable, err := g.cell(n/g.cols, n%g.cols)
			if err != nil {
				return err
			}
			e := element{Index: g.index(n), Dtype: g.header.Dtype.String(), Repr: text}
			if unreadable != nil {
				errs = append(errs, fmt.Errorf("show %q: element %d: %w", g.m.Name(), n, unreadable))
				e.Repr = ""
			}
			if err := all.add(e); err != nil {
				return err
			}
		}
		all.end()
	}
	_, err = out.WriteString("}\n")
	return errors.Join(append(errs, err)...)
}

// index returns the index of the element whose number in C order is n.
func (a *array) index(n int) []int {
	index := make([]int, len(a.header.Shape))
	for axis := len(index) - 1; axis >= 0; axis-- {
		index[axis] = n % a.header.Shape[axis]
		n /= a.header.Shape[axis]
	}
	return index
}

// sumUp summarises elements, unless the array has holes: reading them would fill them with
// zeros, which take memory.
func sumUp(a *array, first, end int) (sum summary, sparse string, err error) {
	if s, ok := findSegment(a.m.Name()); ok && s.Allocated < s.Size {
		return summary{}, "no min, max and mean: the array has holes, which reading would fill", nil
	}
	sum, err = summarise(a, first, end)
	return sum, "", err
}

// An arrayHead describes an array in JSON.
type arrayHead struct {
	Dtype   string `json:"dtype,omitempty"`
	Shape   *[]int `json:"shape,omitempty"`
	Fortran *bool  `json:"fortran_order,omitempty"` // not of a ring
}

func newArrayHead(h *npy.Header) arrayHead {
	shape := append([]int{}, h.Shape...)
	return arrayHead{Dtype: h.Dtype.String(), Shape: &shape, Fortran: &h.Fortran}
}

// createArray creates an array of zeros. It needs no Go type for its elements.
func createArray(cmd *cobra.Command, name, dtype, shape string, opts []pyshm.CreateOption) error {
	d, err := npy.ParseDtype(dtype)
	if err != nil {
		return usagef("--array: %w", err)
	}
	lengths, err := parseInts("--shape", shape)
	if err != nil {
		return err
	}
	h := npy.Header{Dtype: d, Shape: lengths}
	text, err := npy.AppendHeader(nil, h)
	if err != nil {
		return usagef("--shape: %w", err)
	}
	size, err := h.Size()
	if err != nil {
		return err
	}
	if size > math.MaxInt-len(text) {
		return usagef("--shape: the array has more bytes than a segment can have")
	}
	m, err := pyshm.CreateFrom(name, len(text)+size, func(w io.WriterAt) error {
		_, err := w.WriteAt(text, 0)
		return err
	}, opts...)
	if err != nil {
		return err
	}
	defer m.Close()
	return printName(cmd, m)
}
