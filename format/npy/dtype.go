package npy

import (
	"encoding/binary"
	"slices"
)

// A Kind is the type of an element: numpy's letter for it. Records and sub-arrays, which
// numpy counts as void, have signs of this package's own.
type Kind byte

// The kinds of elements.
const (
	KindBool      Kind = 'b'
	KindInt       Kind = 'i'
	KindUint      Kind = 'u'
	KindFloat     Kind = 'f'
	KindComplex   Kind = 'c'
	KindDatetime  Kind = 'M' // int64, counted in a unit from 1970
	KindTimedelta Kind = 'm' // int64, counted in a unit
	KindBytes     Kind = 'S' // padded with NULs
	KindText      Kind = 'U' // UTF-32, padded with NULs
	KindVoid      Kind = 'V' // bytes without a meaning
	KindRecord    Kind = '[' // fields
	KindSubarray  Kind = '(' // a fixed number of elements, in C order
)

// Limits that every numpy from 1.17 on has room for.
const (
	MaxDims = 32        // axes of an array, and of a sub-array
	maxSize = 1<<31 - 1 // bytes of an element: numpy keeps them in a C int

	maxFields = 1024 // of a dtype, the fields of its fields included
	maxDepth  = 16   // records and sub-arrays in one another
)

// littleEndian is the byte order of this machine.
var littleEndian = binary.NativeEndian.Uint16([]byte{1, 0}) == 1

// A Dtype describes the elements of an array. It is a value that never changes; any
// number of goroutines may use it. Only [ParseDtype], [DtypeOf] and [ParseHeader]
// make one. The zero value describes nothing.
type Dtype struct {
	_        [0]func() // == would compare pointers: use Equal
	kind     Kind
	swapped  bool  // a number in it is not in the machine's byte order
	unit     uint8 // index into units
	multiple int32 // of the unit; 1 for most
	size     int   // in bytes
	parts    *parts
}

// parts belong to records and sub-arrays alone.
type parts struct {
	fields []Field
	shape  []int
	elem   Dtype
	goType string // name of the struct, for messages
}

// A Field is a field of a record.
type Field struct {
	Name   string
	Title  string // a second name; mostly empty
	Offset int    // from the start of the record, in bytes
	Dtype  Dtype
}

// Kind returns the kind of the element, 0 for the zero Dtype.
func (d Dtype) Kind() Kind { return d.kind }

// Size returns the size of an element in bytes: numpy's itemsize. It is at least 1
// and less than 2³¹.
func (d Dtype) Size() int { return d.size }

// Unit returns the unit of a KindDatetime or KindTimedelta, such as "ns" or "25s". It is
// empty for the unit that numpy calls generic, and for other kinds.
func (d Dtype) Unit() string {
	if d.unit == 0 {
		return ""
	}
	return d.unitText()
}

// Swapped reports whether a number in the element is in the byte order of other
// machines. Go cannot use such elements as they are; see [Dtype.Swap].
func (d Dtype) Swapped() bool { return d.swapped }

// Fields returns the fields of a KindRecord in the order of their offsets, nil for other
// kinds. Fields do not overlap; the bytes between them are padding.
func (d Dtype) Fields() []Field {
	if d.kind != KindRecord {
		return nil
	}
	return slices.Clone(d.parts.fields)
}

// Elem returns the dtype of a KindSubarray's elements, and d itself for other kinds.
func (d Dtype) Elem() Dtype {
	if d.kind != KindSubarray {
		return d
	}
	return d.parts.elem
}

// Shape returns the lengths of a KindSubarray's axes, nil for other kinds.
func (d Dtype) Shape() []int {
	if d.kind != KindSubarray {
		return nil
	}
	return slices.Clone(d.parts.shape)
}

// Equal reports whether d and e describe the same bytes in the same way: kinds,
// sizes, units, byte orders, shapes, and the names, titles and offsets of fields.
func (d Dtype) Equal(e Dtype) bool {
	if d.kind != e.kind || d.size != e.size || d.swapped != e.swapped || d.unit != e.unit || d.multiple != e.multiple {
		return false
	}
	switch d.kind {
	case KindRecord:
		return slices.EqualFunc(d.parts.fields, e.parts.fields, func(a, b Field) bool {
			return a.Name == b.Name && a.Title == b.Title && a.Offset == b.Offset && a.Dtype.Equal(b.Dtype)
		})
	case KindSubarray:
		return slices.Equal(d.parts.shape, e.parts.shape) && d.parts.elem.Equal(e.parts.elem)
	}
	return true
}

// subarray returns the dtype of shape elements.
func subarray(elem Dtype, shape []int) (Dtype, error) {
	if elem.kind == KindSubarray {
		return Dtype{}, reasonf(ErrDtype, "a sub-array of sub-arrays: give it one shape")
	}
	if len(shape) == 0 || len(shape) > MaxDims {
		return Dtype{}, reasonf(ErrDtype, "a sub-array of %d axes: it must have 1 to %d", len(shape), MaxDims)
	}
	size := elem.size
	for _, n := range shape {
		if n < 1 {
			return Dtype{}, reasonf(ErrDtype, "a sub-array without elements has no bytes")
		}
		if n > maxSize/size {
			return Dtype{}, tooLarge()
		}
		size *= n
	}
	return Dtype{kind: KindSubarray, size: size, swapped: elem.swapped, parts: &parts{elem: elem, shape: shape}}, nil
}

// record returns the dtype of fields, whose offsets must ascend without overlap.
func record(fields []Field, size int) (Dtype, error) {
	if len(fields) == 0 {
		return Dtype{}, reasonf(ErrDtype, "a record without fields")
	}
	if size > maxSize {
		return Dtype{}, tooLarge()
	}
	end, swapped := 0, false
	for _, f := range fields {
		if f.Offset < end || f.Dtype.size > size-f.Offset {
			return Dtype{}, reasonf(ErrDtype, "field %s overlaps another, is out of order, or reaches beyond the record", excerpt(f.Name))
		}
		end = f.Offset + f.Dtype.size
		swapped = swapped || f.Dtype.swapped
	}
	if name, twice := duplicate(fields); twice {
		return Dtype{}, reasonf(ErrDtype, "two fields or titles are called %s", excerpt(name))
	}
	return Dtype{kind: KindRecord, size: size, swapped: swapped, parts: &parts{fields: fields}}, nil
}

// packed reports whether a record has no gaps.
func (d Dtype) packed() bool {
	end := 0
	for _, f := range d.parts.fields {
		if f.Offset != end {
			return false
		}
		end += f.Dtype.size
	}
	return end == d.size
}

func tooLarge() error { return reasonf(ErrDtype, "an element of more than %d bytes", maxSize) }

// duplicate returns a name or title that stands for more than one field.
func duplicate(fields []Field) (string, bool) {
	names := make([]string, 0, len(fields))
	for _, f := range fields {
		names = append(names, f.Name)
		if f.Title != "" {
			names = append(names, f.Title)
		}
	}
	slices.Sort(names)
	for i, name := range names[1:] {
		if name == names[i] {
			return name, true
		}
	}
	return "", false
}
