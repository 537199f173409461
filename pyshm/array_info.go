package pyshm

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/pyshm-go/pyshm/format"
	"github.com/pyshm-go/pyshm/format/npy"
)

// An ArrayInfo describes an array that has no header, in a form that programs pass on as
// JSON:
//
//	{"name": "psm_5f0c21e9", "shape": [480, 640], "dtype": "<f4"}
//
// which in Python is np.frombuffer(shm.buf, dtype, count, offset).reshape(shape).
//
// Dtype is a text that numpy prints: dtype.str or str(dtype), and for a record the text
// of dtype.descr. In JSON it may also be the list dtype.descr itself. Offset is where the
// first element begins in the segment, in bytes. Strides are the distances in bytes to
// the next element along each axis, as in numpy. Without Strides, the array is in C
// order.
type ArrayInfo struct {
	Name    string `json:"name"`
	Shape   []int  `json:"shape"`
	Dtype   string `json:"dtype"`
	Offset  int    `json:"offset,omitempty"`
	Strides []int  `json:"strides,omitempty"`
}

// UnmarshalJSON accepts the list of a record's fields for its dtype, as Python's json
// writes dtype.descr.
func (i *ArrayInfo) UnmarshalJSON(text []byte) error {
	type plain ArrayInfo
	var read struct {
		plain
		Dtype json.RawMessage `json:"dtype"`
	}
	if err := json.Unmarshal(text, &read); err != nil {
		return err
	}
	dtype, err := dtypeText(read.Dtype)
	if err != nil {
		return fmt.Errorf("dtype: %w", err)
	}
	*i = ArrayInfo(read.plain)
	i.Dtype = dtype
	return nil
}

// dtypeText returns a dtype as numpy spells it. The JSON is a string, or lists.
func dtypeText(text json.RawMessage) (string, error) {
	var v any
	if len(text) == 0 {
		return "", nil
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		return "", err
	}
	if s, ok := v.(string); ok {
		return s, nil
	}
	var b strings.Builder
	err := writeFields(&b, v, 0)
	return b.String(), err
}

// maxRecordDepth is how deep records may be in one another for npy.ParseDtype.
const maxRecordDepth = 16

// writeFields writes a list of fields as Python has it: [("a", "<i4"), ("b", "<f8", (2,))].
// It writes any names and dtypes, and leaves the judgement to npy.ParseDtype.
func writeFields(b *strings.Builder, v any, depth int) error {
	switch v := v.(type) {
	case string:
		b.WriteString(format.Repr(v))
		return nil
	case []any:
		b.WriteByte('[')
		for _, field := range v {
			parts, ok := field.([]any)
			if !ok || depth > maxRecordDepth {
				return errField
			}
			if err := writeField(b, parts, depth); err != nil {
				return err
			}
		}
		b.WriteByte(']')
		return nil
	}
	return errField
}

var errField = invalid("it is neither a string nor a list of fields, [name, dtype] or [name, dtype, shape]")

func writeField(b *strings.Builder, parts []any, depth int) error {
	if len(parts) < 2 || len(parts) > 3 {
		return errField
	}
	b.WriteByte('(')
	writeTuple(b, parts[0]) // or [title, name]
	b.WriteString(", ")
	if err := writeFields(b, parts[1], depth+1); err != nil {
		return err
	}
	if len(parts) == 3 {
		b.WriteString(", ")
		writeTuple(b, parts[2])
	}
	b.WriteString("), ")
	return nil
}

// writeTuple writes a string, a number, or a list of these as a tuple.
func writeTuple(b *strings.Builder, v any) {
	switch v := v.(type) {
	case []any:
		b.WriteByte('(')
		for _, item := range v {
			if _, nested := item.([]any); nested {
				b.WriteByte('?') // npy.ParseDtype refuses it
				continue
			}
			writeTuple(b, item)
			b.WriteString(", ")
		}
		b.WriteByte(')')
	case string:
		b.WriteString(format.Repr(v))
	default:
		fmt.Fprint(b, v)
	}
}

// ViewArray returns an array in a segment without a header, as info describes it. It
// checks the description, because the bytes of the segment do not describe the array. The
// error is
//
//   - [fs.ErrInvalid] if some elements would lie outside of the segment, or if info has
//     the name of another segment; it may have no name
//   - [npy.ErrShape] if no array can have the shape
//   - [npy.ErrDtype] if the dtype cannot be shared
//   - [npy.ErrMismatch] if the dtype is not the dtype of T
//
// The array is another handle to m: closing one closes the other.
func ViewArray[T any](m *SharedMemory, info ArrayInfo) (*Array[T], error) {
	const op = "view array"
	if m.isClosed() {
		return nil, m.errClosed(op)
	}
	a := new(Array[T])
	err := a.viewInfo(m, info)
	return opened(a, wrap(op, m.Name(), err))
}

func (a *Array[T]) viewInfo(m *SharedMemory, info ArrayInfo) error {
	if name := strings.TrimPrefix(info.Name, "/"); name != "" && name != m.Name() {
		return invalid("the description is of the segment %q", name)
	}
	d, err := npy.ParseDtype(info.Dtype)
	if err != nil {
		return ofNpy(err)
	}
	h := npy.Header{Dtype: d, Shape: info.Shape}
	if _, err := h.Size(); err != nil {
		return ofNpy(err)
	}
	strides := slices.Clone(info.Strides)
	switch {
	case strides == nil:
		strides = h.Strides()
	case len(strides) != len(info.Shape):
		return &reason{fmt.Sprintf("%d strides for %s", len(strides), axes(len(info.Shape))), npy.ErrShape}
	}
	return a.view(m, h, strides, info.Offset)
}

// Info returns the description with which [ViewArray], or a Python program, finds the
// same elements without a header. If T is a Go array, the last axes of the shape are T's.
// Strides are left out if the elements are in C order.
func (a *Array[T]) Info() ArrayInfo {
	info := ArrayInfo{
		Name:   a.Name(),
		Shape:  append([]int{}, a.header.Shape...),
		Dtype:  a.header.Dtype.String(),
		Offset: a.offset,
	}
	if !a.inOrder(false) {
		info.Strides = append([]int{}, a.given...)
	}
	return info
}
