package npy_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/pyshm-go/pyshm/format/npy"
)

// parse returns the dtype that a text describes.
func parse(t testing.TB, s string) npy.Dtype {
	t.Helper()
	d, err := npy.ParseDtype(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// vectors are headers that numpy 1.17.3 and 2.5.5 write alike.
var vectors = []struct {
	dtype, text string
	shape       []int
	fortran     bool
	spaces      int
}{
	{"<f8", `{'descr': '<f8', 'fortran_order': False, 'shape': (2,), }`, []int{2}, false, 60},
	{"u1", `{'descr': '|u1', 'fortran_order': False, 'shape': (2, 3), }`, []int{2, 3}, false, 58},
	{"<i2", `{'descr': '<i2', 'fortran_order': True, 'shape': (2, 3), }`, []int{2, 3}, true, 59},
	{"<f8", `{'descr': '<f8', 'fortran_order': False, 'shape': (), }`, nil, true, 62},
	{"<f4", `{'descr': '<f4', 'fortran_order': False, 'shape': (0, 3), }`, []int{0, 3}, true, 58},
	{">i4", `{'descr': '>i4', 'fortran_order': False, 'shape': (1,), }`, []int{1}, true, 60},
	{"<U2", `{'descr': '<U2', 'fortran_order': False, 'shape': (1,), }`, []int{1}, false, 60},
	{"S3", `{'descr': '|S3', 'fortran_order': False, 'shape': (2,), }`, []int{2}, false, 60},
	{"<M8[ns]", `{'descr': '<M8[ns]', 'fortran_order': False, 'shape': (1,), }`, []int{1}, false, 56},
	{"?", `{'descr': '|b1', 'fortran_order': False, 'shape': (3,), }`, []int{3}, false, 60},
	{
		"[('a', '|u1'), ('', '|V7'), ('b', '<f8'), ('c', '<i2'), ('', '|V6')]",
		`{'descr': [('a', '|u1'), ('', '|V7'), ('b', '<f8'), ('c', '<i2'), ('', '|V6')], 'fortran_order': False, 'shape': (1,), }`,
		[]int{1}, false, 61,
	},
	{
		"[('a', '|u1'), ('b', '<f8'), ('c', '<i2')]",
		`{'descr': [('a', '|u1'), ('b', '<f8'), ('c', '<i2')], 'fortran_order': False, 'shape': (1,), }`,
		[]int{1}, false, 23,
	},
}

func TestVectors(t *testing.T) {
	for _, v := range vectors {
		h := npy.Header{Dtype: parse(t, v.dtype), Shape: v.shape, Fortran: v.fortran}
		want := v1(v.text + strings.Repeat(" ", v.spaces) + "\n")
		got, err := npy.AppendHeader([]byte("before"), h)
		if err != nil || string(got) != "before"+string(want) {
			t.Errorf("%s: %v\n%q, want\n%q", v.dtype, err, got, want)
		}
		back, offset, err := npy.ParseHeader(append(want, "data"...))
		if err != nil || offset != len(want) || !back.Dtype.Equal(h.Dtype) || !slices.Equal(back.Shape, h.Shape) {
			t.Errorf("%s: ParseHeader = %v, %d, %v", v.dtype, back, offset, err)
		}
		if offset%64 != 0 {
			t.Errorf("%s: the data begins at %d", v.dtype, offset)
		}
	}
}

// v1 returns the header of version 1.0 with a text.
func v1(text string) []byte {
	return append(binary.LittleEndian.AppendUint16([]byte("\x93NUMPY\x01\x00"), uint16(len(text))), text...)
}

// later returns the header of another version.
func later(version byte, text string) []byte {
	return append(binary.LittleEndian.AppendUint32([]byte{0x93, 'N', 'U', 'M', 'P', 'Y', version, 0}, uint32(len(text))), text...)
}

// with returns a text that has a descr.
func with(descr string) string {
	return "{'descr': " + descr + ", 'fortran_order': False, 'shape': (3,), }\n"
}

// numpy reads these headers, and never writes them.
func TestParseHeaderAccepts(t *testing.T) {
	for _, tt := range []struct {
		header      []byte
		descr       string
		shape       []int
		fortranOnly bool
	}{
		{v1(`{"shape":(2,3),"fortran_order":True,"descr":"f8"}`), "<f8", []int{2, 3}, true},
		{v1("{\n'shape' : ( 2L , 3L , ) ,\n\t'fortran_order' : False,'descr':'=i4'}  \n \n"), "<i4", []int{2, 3}, false},
		{later(2, with("'float64'")), "<f8", []int{3}, false},
		{later(2, with("'datetime64[25s]'")), "<M8[25s]", []int{3}, false},
		{later(3, with("[('π', 'f8')]")), "[('π', '<f8')]", []int{3}, false},
		{v1(with("[('\xe9', 'f8')]")), "[('é', '<f8')]", []int{3}, false},
		{v1(with(`[('\xe9\n\u20ac\U0001f600\\\'', 'f8')]`)), `[("é\n€😀\\'", '<f8')]`, []int{3}, false},
		{v1(with("[(('title','name',),'i4',),]")), "[(('title', 'name'), '<i4')]", []int{3}, false},
		{v1(with("[('a', 'u1', 3), ('b', ('u1', (2, 3)))]")), "[('a', '|u1', (3,)), ('b', '|u1', (2, 3))]", []int{3}, false},
		{v1(with("[('a', [('', 'V1'), ('b', '?')], (2,))]")), "[('a', [('', '|V1'), ('b', '|b1')], (2,))]", []int{3}, false},
		{v1("{'descr': 'u1', 'fortran_order': False, 'shape': (0, 1073741824)}"), "|u1", []int{0, 1 << 30}, false},
	} {
		h, offset, err := npy.ParseHeader(tt.header)
		if err != nil {
			t.Errorf("%q: %v", tt.header, err)
			continue
		}
		descr := native(tt.descr)
		if h.Dtype.String() != descr || !slices.Equal(h.Shape, tt.shape) || h.Fortran != tt.fortranOnly || offset != len(tt.header) {
			t.Errorf("%q = %v, %d", tt.header, h, offset)
		}
	}
}

// nativeOrder is the byte order of a dtype that is written without one.
var nativeOrder = map[bool]string{true: "<", false: ">"}[binary.NativeEndian.Uint16([]byte{1, 0}) == 1]

func TestParseHeaderRefuses(t *testing.T) {
	for _, tt := range []struct {
		header []byte
		want   error
		text   string
	}{
		{nil, npy.ErrIncomplete, "0 bytes are less"},
		{[]byte("\x93NUM"), npy.ErrIncomplete, "less than a header"},
		{make([]byte, 200), npy.ErrIncomplete, "zeros stand where the header begins"},
		{[]byte("\x93NUMPY\x01\x00\x00\x00" + strings.Repeat("\x00", 100)), npy.ErrIncomplete, "length of the text is zero"},
		{v1(with("'<f8'"))[:40], npy.ErrIncomplete, "are there"},
		{[]byte("\x00\x00NUMPY\x01\x00v\x00"), npy.ErrHeader, "does not begin"},
		{[]byte("\x00\x00UMPY\x01\x00v\x00"), npy.ErrIncomplete, "zeros stand where the header begins"},
		{[]byte("\x93NUMPY\x00\x00v\x00"), npy.ErrIncomplete, "zeros stand where the header begins"},
		{v1("\x00\x00\x00" + with("'<f8'")[3:]), npy.ErrIncomplete, "zeros stand where the text should be"},
		{v1(with("'<f8'") + "\x00\x00"), npy.ErrIncomplete, "zeros stand where the text should be"},
		{[]byte("\x00\x00\x00\x00\x00\x00\x00\x06 a list in big-endian order"), npy.ErrHeader, "does not begin"},
		{[]byte("PK\x03\x04 this is an npz file"), npy.ErrHeader, "does not begin"},
		{[]byte("\x93NUMPX\x01\x00\x10\x00"), npy.ErrHeader, "does not begin"},
		{later(4, with("'<f8'")), npy.ErrHeader, "version 4.0"},
		{[]byte("\x93NUMPY\x01\x01\x10\x00 and the rest"), npy.ErrHeader, "version 1.1"},
		{append([]byte("\x93NUMPY\x02\x00\xff\xff\xff\xff"), "{"...), npy.ErrHeader, "numpy reads 10000"},
		{v1(with("'<f8'") + strings.Repeat(" ", 10000)), npy.ErrHeader, "numpy reads 10000"},
		{later(3, with("[('\xe9', 'f8')]")), npy.ErrHeader, "not valid UTF-8"},
		{later(3, "{'descr': 'f8', 'fortran_order': False, 'shape': (3L,), }"), npy.ErrHeader, ""},
		{v1(" " + with("'<f8'")), npy.ErrHeader, "no dict"},
		{v1(with("'<f8'") + "{}"), npy.ErrHeader, "something follows"},
		{v1(with("'<f8'") + "# comment"), npy.ErrHeader, "something follows"},
		{v1("{'descr': 'f8', 'shape': (3,)}"), npy.ErrHeader, "is missing"},
		{v1("{'descr': 'f8', 'descr': 'f8', 'fortran_order': True, 'shape': (3,)}"), npy.ErrHeader, "'descr' is given twice"},
		{v1("{'descr': 'f8', 'fortran_order': True, 'shape': (3,), 'more': 1}"), npy.ErrHeader, "no key 'more'"},
		{v1("{'descr': 'f8', 'fortran_order': 1, 'shape': (3,)}"), npy.ErrHeader, "True or False"},
		{v1("{'descr': 'f8', 'fortran_order': True, 'shape': (3)}"), npy.ErrHeader, "written (n,)"},
		{v1("{'descr': 'f8', 'fortran_order': True, 'shape': [3]}"), npy.ErrHeader, ""},
		{v1("{'descr': 'f8', 'fortran_order': True, 'shape': (-3,)}"), npy.ErrHeader, "non-negative int"},
		{v1("{'descr': 'f8', 'fortran_order': True, 'shape': (03,)}"), npy.ErrHeader, "non-negative int"},
		{v1("{'descr': 'f8', 'fortran_order': True, 'shape': (,)}"), npy.ErrHeader, ""},
		{v1("{'descr': 'f8', 'fortran_order': True, 'shape': (4611686018427387904,)}"), npy.ErrShape, ""},
		{v1("{'descr': 'f8', 'fortran_order': True, 'shape': (4611686018427387904, 0)}"), npy.ErrShape, ""},
		{v1("{'descr': 'f8', 'fortran_order': True, 'shape': (99999999999999999999999, 0)}"), npy.ErrShape, "does not fit"},
		{v1("{'descr': 'f8', 'fortran_order': True, 'shape': (" + strings.Repeat("1,", 33) + ")}"), npy.ErrShape, "more than 32 axes"},
		{v1(with("('f8', (2,))")), npy.ErrDtype, "into the shape"},
		{v1(with("'|O'")), npy.ErrDtype, "pointers into one Python process"},
		{v1(with("[('a', 'O')]")), npy.ErrDtype, "pointers into one Python process"},
		{v1(with("'|T16'")), npy.ErrDtype, "write S<n> or U<n>"},
		{v1(with("None")), npy.ErrHeader, "a string is missing"},
		{v1(with("'?u1'")), npy.ErrDtype, "unknown dtype '?u1'"},
		{v1(with("'d'")), npy.ErrDtype, "unknown"},
		{v1(with("'i4,f4'")), npy.ErrDtype, "unknown"},
		{v1(with("'S0'")), npy.ErrDtype, "unknown"},
		{v1(with("[]")), npy.ErrDtype, "without fields"},
		{v1(with("[('', 'V8')]")), npy.ErrDtype, "without fields"},
		{v1(with("[('', 'f8')]")), npy.ErrDtype, "without a name"},
		{v1(with("[('a', 'f8'), ('a', 'f8')]")), npy.ErrDtype, "called 'a'"},
		{v1(with("[(('a', 'b'), 'f8'), ('a', 'f8')]")), npy.ErrDtype, "called 'a'"},
		{v1(with("[(('a', 'a'), 'f8')]")), npy.ErrDtype, "called 'a'"},
		{v1(with(`[('a\x00', 'f8')]`)), npy.ErrHeader, "escape"},
		{v1(with(`[('\ud800', 'f8')]`)), npy.ErrHeader, "escape"},
		{v1(with("[('a\x00', 'f8')]")), npy.ErrIncomplete, "zeros stand where the text should be"},
		{v1(with("[('a', 'f8', 1)]")), npy.ErrDtype, "ambiguous"},
		{v1(with("[('a', 'f8', ())]")), npy.ErrDtype, "0 axes"},
		{v1(with("[('a', 'f8', (0,))]")), npy.ErrDtype, "no bytes"},
		{v1(with("[('a', ('f8', (2,)), (2,))]")), npy.ErrDtype, "one shape"},
		{v1(with("[('a', 'f8', (65536, 65536))]")), npy.ErrDtype, "an element of more"},
		{v1(with("[('a', 'V2147483647'), ('b', 'u1')]")), npy.ErrDtype, "an element of more"},
		{v1(with("'V2147483648'")), npy.ErrDtype, "unknown"},
		{v1(with("'U536870912'")), npy.ErrDtype, "an element of more"},
		{v1(with(nested(17))), npy.ErrDtype, "in one another"},
		{v1(with(strings.Repeat("[", 5000))), npy.ErrHeader, ""},
		{v1(with(strings.Repeat("[('a',", 1500))), npy.ErrDtype, "in one another"},
		{v1(with("[" + strings.Repeat("('','V1'),", 970) + "('a','u1'),]")), nil, ""},
		{v1(with("[('a', ('u1', (2,)]")), npy.ErrHeader, "is missing"},
		{v1(with("[('a', 'u1')")), npy.ErrHeader, ""},
	} {
		_, offset, err := npy.ParseHeader(tt.header)
		if !errors.Is(err, tt.want) || err != nil && (!strings.Contains(err.Error(), tt.text) || offset != 0) {
			t.Errorf("%.100q: %d, %v; want %v with %q", tt.header, offset, err, tt.want, tt.text)
		}
		if tt.want != nil && tt.want != npy.ErrIncomplete && errors.Is(err, npy.ErrIncomplete) {
			t.Errorf("%.100q is not incomplete: %v", tt.header, err)
		}
	}
}

// nested returns records in one another.
func nested(depth int) string {
	return strings.Repeat("[('a',", depth) + "'u1'" + strings.Repeat(")]", depth)
}

// The place in an error counts bytes of the header, also if a character has several.
func TestErrorOffset(t *testing.T) {
	for _, header := range [][]byte{v1(with("[('\xe9\xe9', 'x9')]")), later(3, with("[('éé', 'x9')]"))} {
		_, _, err := npy.ParseHeader(header)
		want := bytes.Index(header, []byte("'x9'"))
		if e, ok := errors.AsType[*npy.Error](err); !ok || e.Offset != want {
			t.Errorf("%q: %v, want byte %d", header, err, want)
		}
	}
}

func TestAppendHeaderRefuses(t *testing.T) {
	long := "[('" + strings.Repeat("n", 9950) + "', '<f8')]"
	for _, tt := range []struct {
		h    npy.Header
		want error
		text string
	}{
		{npy.Header{}, npy.ErrDtype, "no dtype"},
		{npy.Header{Dtype: parse(t, "[('é', 'f8')]")}, npy.ErrDtype, "not ASCII"},
		{npy.Header{Dtype: parse(t, long)}, npy.ErrDtype, "numpy reads 10000"},
		{npy.Header{Dtype: parse(t, "u1"), Shape: make([]int, 33)}, npy.ErrShape, "33 axes"},
		{npy.Header{Dtype: parse(t, "u1"), Shape: []int{2, -1}}, npy.ErrShape, "axis 1 has length -1"},
		{npy.Header{Dtype: parse(t, "f8"), Shape: []int{math.MaxInt / 8, 2}}, npy.ErrShape, "fit an int"},
		{npy.Header{Dtype: parse(t, "f8"), Shape: []int{math.MaxInt / 8, 2, 0}}, npy.ErrShape, "fit an int"},
		{npy.Header{Dtype: parse(t, "('f8', (2,))"), Shape: []int{2, 3}, Fortran: true}, npy.ErrShape, "C order"},
		{npy.Header{Dtype: parse(t, "('f8', (1,))"), Shape: slices.Repeat([]int{1}, 32)}, npy.ErrShape, "33 axes"},
	} {
		b, err := npy.AppendHeader([]byte("kept"), tt.h)
		if !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.text) || string(b) != "kept" {
			t.Errorf("%v: %q, %v; want %v", tt.h, b, err, tt.want)
		}
	}
}

// The axes of elements become axes of the array, as in numpy.
func TestSubarraysBecomeAxes(t *testing.T) {
	b, err := npy.AppendHeader(nil, npy.Header{Dtype: parse(t, "('u1', (3,))"), Shape: []int{480, 640}})
	if err != nil {
		t.Fatal(err)
	}
	h, _, err := npy.ParseHeader(b)
	if err != nil || h.Dtype.String() != "|u1" || !slices.Equal(h.Shape, []int{480, 640, 3}) {
		t.Fatal(h, err)
	}
	pixel, err := npy.DtypeOf[[3]uint8]()
	if err != nil {
		t.Fatal(err)
	}
	image, err := h.As(pixel)
	if err != nil || !slices.Equal(image.Shape, []int{480, 640}) || image.Dtype.Size() != 3 {
		t.Error(image, err)
	}
	for _, wrong := range []npy.Header{
		{Dtype: h.Dtype, Shape: []int{480, 640, 4}},
		{Dtype: h.Dtype, Shape: []int{}},
		{Dtype: h.Dtype, Shape: []int{2, 3}, Fortran: true},
		{Dtype: parse(t, "i1"), Shape: []int{2, 3}},
	} {
		if _, err := wrong.As(pixel); !errors.Is(err, npy.ErrMismatch) {
			t.Errorf("%v as %v: %v", wrong, pixel, err)
		}
	}
}

func TestLenSizeStrides(t *testing.T) {
	f8 := parse(t, "f8")
	for _, tt := range []struct {
		h       npy.Header
		n       int
		strides []int
	}{
		{npy.Header{Dtype: f8}, 1, []int{}},
		{npy.Header{Dtype: f8, Shape: []int{2, 3, 4}}, 24, []int{96, 32, 8}},
		{npy.Header{Dtype: f8, Shape: []int{2, 3, 4}, Fortran: true}, 24, []int{8, 16, 48}},
		{npy.Header{Dtype: f8, Shape: []int{3, 0, 2}}, 0, []int{16, 16, 8}},
	} {
		n, err := tt.h.Len()
		size, sizeErr := tt.h.Size()
		if n != tt.n || size != 8*tt.n || err != nil || sizeErr != nil || !slices.Equal(tt.h.Strides(), tt.strides) {
			t.Errorf("%v: %d elements, %d bytes, strides %v, %v", tt.h, n, size, tt.h.Strides(), err)
		}
	}
	if _, err := (npy.Header{Dtype: f8, Shape: []int{-1}}).Len(); !errors.Is(err, npy.ErrShape) {
		t.Error(err)
	}
}
