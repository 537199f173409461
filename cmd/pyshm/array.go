package main

import (
	"bufio"
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
	a := &array{m: m}
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

// element returns a copy of the element whose number in C order is n, in this machine's
// byte order, and the place of the element.
func (a *array) element(n int) (b []byte, at int, err error) {
	at = a.offset
	strides := a.header.Strides()
	for axis := len(strides) - 1; axis >= 0; axis-- {
		at += n % a.header.Shape[axis] * strides[axis]
		n /= a.header.Shape[axis]
	}
	b = make([]byte, a.header.Dtype.Size())
	if _, err = a.m.ReadAt(b, int64(at)); err == nil || err == io.EOF {
		err = a.header.Dtype.Swap(b)
	}
	return b, at, err
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

// shownElements is how many elements show prints.
const shownElements = 20

func showArray(out *bufio.Writer, a *array, asJSON bool) error {
	if asJSON {
		return printJSON(out, segmentHead{
			Name: fileName(a.m.Name()), Kind: string(pyshm.KindArray), Size: a.m.Size(), arrayHead: newArrayHead(&a.header), Offset: a.offset,
		})
	}
	order := "C"
	if a.header.Fortran {
		order = "Fortran"
	}
	n, err := a.header.Len()
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s: array of shape %s in %s order, %d bytes, data from %d on\ndtype: %s\n",
		shown(a.m.Name()), shapeText(a.header.Shape), order, a.m.Size(), a.offset, visible(a.header.Dtype.String()))
	rows := min(n, shownElements)
	var errs []error
	for i := range rows {
		b, _, err := a.element(i)
		if err != nil { // the segment is gone
			return err
		}
		text, err := elementText(a.header.Dtype.Native(), b)
		if err != nil {
			errs = append(errs, fmt.Errorf("show %q: element %d: %w", a.m.Name(), i, err))
			text = "<" + visible(err.Error()) + ">"
		}
		fmt.Fprintln(out, text)
	}
	if n > rows {
		fmt.Fprintf(out, "... %d more elements\n", n-rows)
	}
	return errors.Join(errs...)
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
