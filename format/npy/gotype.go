package npy

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"
)

// Typed is implemented by an element type that gives its own dtype, because Go's type
// alone does not determine it and an element that is no field has no tag: [Float16],
// [Bool], or
//
//	type Nanoseconds int64
//
//	func (Nanoseconds) NumpyDtype() string { return "M8[ns]" }
//
// NumpyDtype is called on the zero value. The dtype that it returns must fit the type, as
// the dtype in a tag must: see [DtypeOf].
type Typed interface{ NumpyDtype() string }

// DtypeOf returns the dtype of T as it lies in this machine's memory. T is one of
//
//	int8 … int64, uint8 … uint64    i1 … i8, u1 … u8
//	float32, float64                f4, f8
//	complex64, complex128           c8, c16
//	an array of these or of structs a sub-array; arrays of arrays have one shape
//	a struct of these               a record: Go's offsets, and Go's padding as gaps
//	a type that implements [Typed]  the dtype that its method returns
//
// The name of a field is its Go name in lower case, unless a tag names it. A field
// called _ is padding. The second part of a tag is a dtype that the Go type alone does
// not determine:
//
//	T    int64     `numpy:"t,M8[ns]"`  // or m8; with the unit
//	OK   uint8     `numpy:"ok,b1"`     // true is any byte but 0
//	Sym  [5]byte   `numpy:"sym,S5"`    // or V5; S1 and V1 also for uint8
//	Name [8]int32  `numpy:"name,U8"`   // see GetText and PutText
//	H    uint16    `numpy:",f2"`       // or the type Float16
//	Days [7]int64  `numpy:",M8[D]"`    // for each element
//
// All other types are refused. The error has the path of the field, and what to write
// instead. Refused are bool (another process may write a byte other than 0 and 1, with
// which Go reads outside of tables), int, uint and uintptr (of no fixed size), strings,
// slices, maps, pointers, and any type without bytes, for which Go pads structs.
func DtypeOf[T any]() (Dtype, error) {
	t := reflect.TypeFor[T]()
	c := converter{}
	d, err := c.dtype(t, typeName(t), 0)
	if err == nil && c.fields > maxFields {
		err = failf("dtype of", typeName(t), ErrDtype, "%v has more than %d fields", t, maxFields)
	}
	if err != nil {
		return Dtype{}, err
	}
	return d, nil
}

// typeName returns the beginning of the paths of t's fields.
func typeName(t reflect.Type) string {
	if t.Name() != "" {
		return t.Name()
	}
	return t.Kind().String()
}

// A converter counts the fields that it has converted.
type converter struct{ fields int }

// isTyped reports whether a type gives its own dtype. A struct never does, even if it has
// the method, from an embedded field perhaps: its dtype is made of its fields.
func isTyped(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Struct, reflect.Interface, reflect.Pointer:
		return false
	}
	return reflect.PointerTo(t).Implements(reflect.TypeFor[Typed]())
}

func (c *converter) dtype(t reflect.Type, path string, depth int) (Dtype, error) {
	refuse := func(format string, args ...any) (Dtype, error) {
		return Dtype{}, failf("dtype of", path, ErrDtype, "%s: %s", path, fmt.Sprintf(format, args...))
	}
	wrap := func(d Dtype, err error) (Dtype, error) {
		if err != nil {
			return refuse("%v", err)
		}
		return d, nil
	}
	if isTyped(t) {
		return wrap(tagged(t, reflect.New(t).Interface().(Typed).NumpyDtype()))
	}
	if depth > maxDepth {
		return refuse("more than %d structs and arrays in one another", maxDepth)
	}
	switch kind := t.Kind(); kind {
	case reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return plain(KindInt, int(t.Size())), nil
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return plain(KindUint, int(t.Size())), nil
	case reflect.Float32, reflect.Float64:
		return plain(KindFloat, int(t.Size())), nil
	case reflect.Complex64, reflect.Complex128:
		return plain(KindComplex, int(t.Size())), nil
	case reflect.Array:
		elem, shape := axes(t)
		d, err := c.dtype(elem, path, depth+1)
		if err != nil {
			return Dtype{}, err
		}
		return wrap(arrayOf(d, shape))
	case reflect.Struct:
		return c.record(t, path, depth)
	default:
		return refuse("%s", instead(kind))
	}
}

// axes returns the innermost element type of an array of arrays, and the lengths.
func axes(t reflect.Type) (elem reflect.Type, shape []int) {
	for elem = t; elem.Kind() == reflect.Array && !isTyped(elem); elem = elem.Elem() {
		shape = append(shape, elem.Len())
	}
	return elem, shape
}

// arrayOf is subarray for elements whose own dtype may be an array.
func arrayOf(elem Dtype, shape []int) (Dtype, error) {
	if elem.kind == KindSubarray {
		shape, elem = append(shape, elem.parts.shape...), elem.parts.elem
	}
	return subarray(elem, shape)
}

// instead returns why a kind cannot be shared, and what to write instead.
func instead(kind reflect.Kind) string {
	switch kind {
	case reflect.Bool:
		return "bool breaks if another process writes a byte other than 0 and 1: write uint8 and the tag `numpy:\"name,b1\"`, or npy.Bool"
	case reflect.Int, reflect.Uint:
		return fmt.Sprintf("%v does not have the same size everywhere: write %[1]v64 or %[1]v32", kind)
	case reflect.Uintptr:
		return "uintptr does not have the same size everywhere: write uint64"
	case reflect.String:
		return "string is a pointer, which means nothing to other processes: write [N]byte and the tag `numpy:\"name,SN\"`, or [N]int32 and U for N"
	case reflect.Slice:
		return "slice is a pointer, which means nothing to other processes: write an array, [N]T"
	case reflect.Pointer, reflect.UnsafePointer:
		return "pointer, which means nothing to other processes: write the value itself, or its index as int64"
	default:
		return fmt.Sprintf("%v is made of pointers, which mean nothing to other processes: write fixed-size numbers", kind)
	}
}

func (c *converter) record(t reflect.Type, path string, depth int) (Dtype, error) {
	var fields []Field
	for i := range t.NumField() {
		field := t.Field(i)
		d, err := c.field(field, path+"."+field.Name, depth)
		if err != nil {
			return Dtype{}, err
		}
		if field.Name == "_" {
			continue
		}
		name, _, _ := strings.Cut(field.Tag.Get("numpy"), ",")
		if name == "" {
			name = strings.ToLower(field.Name)
		}
		if !utf8.ValidString(name) || strings.Contains(name, "\x00") {
			return Dtype{}, failf("dtype of", path+"."+field.Name, ErrDtype, "%s.%s: %q is no name", path, field.Name, name)
		}
		fields = append(fields, Field{Name: name, Offset: int(field.Offset), Dtype: d})
	}
	d, err := record(fields, int(t.Size()))
	if err != nil {
		return Dtype{}, failf("dtype of", path, ErrDtype, "%s: %v", path, err)
	}
	d.parts.goType = typeName(t)
	return d, nil
}

// field returns the dtype of a struct's field: from its tag, or else from its Go type.
func (c *converter) field(field reflect.StructField, path string, depth int) (Dtype, error) {
	c.fields++
	refuse := func(reason any) (Dtype, error) {
		return Dtype{}, failf("dtype of", path, ErrDtype, "%s: %v", path, reason)
	}
	_, text, hasDtype := strings.Cut(field.Tag.Get("numpy"), ",")
	switch {
	case field.Type.Size() == 0:
		return refuse("it has no bytes, and Go pads structs for such fields: remove it")
	case field.Type.Size() > maxSize:
		return refuse(tooLarge())
	case !hasDtype:
		return c.dtype(field.Type, path, depth+1)
	}
	d, err := tagged(field.Type, text)
	if err != nil {
		return refuse(err)
	}
	return d, nil
}

// tagged returns the dtype in text. It fails if the dtype does not fit the Go type.
func tagged(t reflect.Type, text string) (Dtype, error) {
	d, err := parsePlain(text)
	if err != nil {
		return Dtype{}, err
	}
	if d.swapped {
		return Dtype{}, reasonf(ErrDtype, "%s is not this machine's byte order: write %s", excerpt(text), quote(d.letter()))
	}
	elem, shape := t, []int(nil)
	for !fits(elem, d) {
		if elem.Kind() != reflect.Array {
			return Dtype{}, reasonf(ErrDtype, "%s does not fit %v: %s", d.descr(), t, wanted(d))
		}
		shape = append(shape, elem.Len())
		elem = elem.Elem()
	}
	if shape == nil {
		return d, nil
	}
	return subarray(d, shape)
}

// fits reports whether an element of d can lie in a Go type.
func fits(t reflect.Type, d Dtype) bool {
	kind := t.Kind()
	if int(t.Size()) != d.size {
		return false
	}
	switch d.kind {
	case KindBool:
		return kind == reflect.Uint8
	case KindInt:
		return kind >= reflect.Int8 && kind <= reflect.Int64
	case KindUint:
		return kind >= reflect.Uint8 && kind <= reflect.Uint64
	case KindFloat:
		return kind == reflect.Float32 || kind == reflect.Float64 || kind == reflect.Uint16
	case KindComplex:
		return kind == reflect.Complex64 || kind == reflect.Complex128
	case KindDatetime, KindTimedelta:
		return kind == reflect.Int64
	}
	if kind == reflect.Array {
		kind = t.Elem().Kind()
	}
	if d.kind == KindText {
		return kind == reflect.Int32 || kind == reflect.Uint32
	}
	return kind == reflect.Uint8 // Bytes, Void
}

// wanted describes the Go type that fits d.
func wanted(d Dtype) string {
	switch d.kind {
	case KindBool:
		return "it needs uint8"
	case KindDatetime, KindTimedelta:
		return "it needs int64"
	case KindBytes, KindVoid:
		return fmt.Sprintf("it needs [%d]byte", d.size)
	case KindText:
		return fmt.Sprintf("it needs [%d]int32", d.size/4)
	case KindFloat, KindComplex:
		if d.size == 2 {
			return "it needs uint16 or npy.Float16"
		}
		if d.size == 16 && d.kind == KindFloat || d.size == 32 {
			return "long doubles differ between machines"
		}
	}
	return "it needs " + slices.Collect(strings.FieldsSeq(d.Name()))[0]
}
