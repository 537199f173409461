package npy_test

import (
	"errors"
	"runtime"
	"strings"
	"testing"
	"unsafe"

	"github.com/pyshm-go/pyshm/format/npy"
)

type Tick struct {
	T     int64 `numpy:"t,M8[ns]"`
	Price float64
	Qty   int32
	Side  uint8 `numpy:"side,S1"`
	Name  [3]uint8
	M     [2][2]float32
}

type nanoseconds int64

func (nanoseconds) NumpyDtype() string { return "M8[ns]" }

type symbol [5]byte

func (*symbol) NumpyDtype() string { return "S5" }

type wrongBool uint32

func (wrongBool) NumpyDtype() string { return "b1" }

type everything struct {
	I8    int8
	_     [3]byte
	I16   int16
	U32   uint32 `numpy:"Ünïcode"`
	I64   int64
	C64   complex64
	C128  complex128
	H     npy.Float16
	Half  uint16   `numpy:",f2"`
	Flag  uint8    `numpy:",b1"`
	Flags [2]uint8 `numpy:",b1"`
	Bools [2]npy.Bool
	Sym   symbol
	Syms  [2]symbol
	Raw   [3][4]byte  `numpy:",V4"`
	Text  [2]rune     `numpy:",U2"`
	Texts [2][3]int32 `numpy:",U3"`
	Char  rune        `numpy:",U1"`
	Word  uint32      `numpy:",U1"`
	Days  [7]int64    `numpy:",m8[D]"`
	When  nanoseconds
	In    [2]struct{ X, Y int16 }
	Named Tick
	same  float32 `numpy:"f,f4"`
}

// native returns a text for little-endian machines as it is spelled on this machine.
func native(s string) string {
	if plain, ok := strings.CutPrefix(s, "<"); ok {
		return nativeOrder + plain
	}
	return strings.ReplaceAll(s, "'<", "'"+nativeOrder)
}

func TestDtypeOf(t *testing.T) {
	for _, tt := range []struct {
		of   func() (npy.Dtype, error)
		want string
		size uintptr
	}{
		{npy.DtypeOf[int8], "|i1", 1},
		{npy.DtypeOf[uint64], "<u8", 8},
		{npy.DtypeOf[float32], "<f4", 4},
		{npy.DtypeOf[complex128], "<c16", 16},
		{npy.DtypeOf[npy.Float16], "<f2", 2},
		{npy.DtypeOf[npy.Bool], "|b1", 1},
		{npy.DtypeOf[nanoseconds], "<M8[ns]", 8},
		{npy.DtypeOf[symbol], "|S5", 5},
		{npy.DtypeOf[[2][3]float32], "('<f4', (2, 3))", 24},
		{npy.DtypeOf[struct{ npy.Float16 }], "[('float16', '<f2')]", 2},
		{npy.DtypeOf[[2]symbol], "('|S5', (2,))", 10},
		{npy.DtypeOf[Tick], "[('t', '<M8[ns]'), ('price', '<f8'), ('qty', '<i4'), ('side', '|S1'), ('name', '|u1', (3,)), ('m', '<f4', (2, 2))]", unsafe.Sizeof(Tick{})},
		{npy.DtypeOf[struct {
			A uint8
			B float32
			C uint16
		}], "[('a', '|u1'), ('', '|V3'), ('b', '<f4'), ('c', '<u2'), ('', '|V2')]", 12},
	} {
		d, err := tt.of()
		if err != nil || d.String() != native(tt.want) || d.Size() != int(tt.size) || d.Swapped() {
			t.Errorf("%v, %v; want %s", d, err, tt.want)
		}
	}
	d, err := npy.DtypeOf[everything]()
	if err != nil {
		t.Fatal(err)
	}
	if want := int(unsafe.Sizeof(everything{})); d.Size() != want {
		t.Errorf("%d bytes, in Go %d", d.Size(), want)
	}
	for name, want := range map[string]string{
		"Ünïcode": "<u4", "half": "<f2", "flags": "('|b1', (2,))", "bools": "('|b1', (2,))", "syms": "('|S5', (2,))",
		"raw": "('|V4', (3,))", "text": "<U2", "texts": "('<U3', (2,))", "char": "<U1", "word": "<U1", "days": "('<m8[D]', (7,))",
		"when": "<M8[ns]", "in": "([('x', '<i2'), ('y', '<i2')], (2,))", "f": "<f4",
	} {
		f := fieldOf(t, d, name)
		if f.Dtype.String() != native(want) {
			t.Errorf("%s is %v, not %s", name, f.Dtype, want)
		}
	}
	var e everything
	if f := fieldOf(t, d, "f"); f.Offset != int(unsafe.Offsetof(e.same)) {
		t.Errorf("f is at %d, in Go at %d", f.Offset, unsafe.Offsetof(e.same))
	}
}

func fieldOf(t *testing.T, d npy.Dtype, name string) npy.Field {
	t.Helper()
	for _, f := range d.Fields() {
		if f.Name == name {
			return f
		}
	}
	t.Fatalf("%v has no field %s", d, name)
	return npy.Field{}
}

type deep struct{ A struct{ B []int } }

func TestDtypeOfRefuses(t *testing.T) {
	for _, tt := range []struct {
		of   func() (npy.Dtype, error)
		text string
	}{
		{npy.DtypeOf[bool], "bool: bool breaks if another process writes a byte other than 0 and 1: write uint8 and the tag"},
		{npy.DtypeOf[int], "int does not have the same size everywhere: write int64"},
		{npy.DtypeOf[uint], "write uint64"},
		{npy.DtypeOf[uintptr], "write uint64"},
		{npy.DtypeOf[string], "write [N]byte and the tag"},
		{npy.DtypeOf[[]float64], "write an array"},
		{npy.DtypeOf[*Tick], "write the value itself"},
		{npy.DtypeOf[unsafe.Pointer], "pointer, which means nothing"},
		{npy.DtypeOf[map[int8]int8], "map is made of pointers"},
		{npy.DtypeOf[any], "interface is made of pointers"},
		{npy.DtypeOf[npy.Typed], "interface is made of pointers"},
		{npy.DtypeOf[func()], "func is made of pointers"},
		{npy.DtypeOf[chan int8], "chan is made of pointers"},
		{npy.DtypeOf[*nanoseconds], "pointer"},
		{npy.DtypeOf[[0]int8], "no bytes"},
		{npy.DtypeOf[struct{}], "without fields"},
		{npy.DtypeOf[struct{ _ int8 }], "without fields"},
		{npy.DtypeOf[struct {
			A int8
			B [0]int64
		}], "struct.B: it has no bytes"},
		{npy.DtypeOf[struct {
			A int8
			_ struct{}
		}], "struct._: it has no bytes"},
		{npy.DtypeOf[struct {
			A int8
			_ *int8
		}], "struct._: pointer"},
		{npy.DtypeOf[deep], "deep.A.B: slice"},
		{npy.DtypeOf[struct{ A [2]struct{ OK bool } }], "struct.A.OK: bool breaks"},
		{npy.DtypeOf[struct {
			A int8
			B int8 `numpy:"a"`
		}], "are called 'a'"},
		{npy.DtypeOf[struct {
			A int8 `numpy:"\xff"`
		}], "no name"},
		{npy.DtypeOf[struct {
			A int32 `numpy:",M8[ns]"`
		}], "struct.A: '<M8[ns]' does not fit int32: it needs int64"},
		{npy.DtypeOf[struct {
			A [4]byte `numpy:",S5"`
		}], "'|S5' does not fit [4]uint8: it needs [5]byte"},
		{npy.DtypeOf[struct {
			A [5]byte `numpy:",U5"`
		}], "it needs [5]int32"},
		{npy.DtypeOf[struct {
			A bool `numpy:",b1"`
		}], "it needs uint8"},
		{npy.DtypeOf[struct {
			A uint64 `numpy:",f8"`
		}], "it needs float64"},
		{npy.DtypeOf[struct {
			A [16]byte `numpy:",f16"`
		}], "long doubles differ"},
		{npy.DtypeOf[struct {
			A int64 `numpy:",M8[parsec]"`
		}], "unknown dtype 'M8[parsec]'"},
		{npy.DtypeOf[struct {
			A int64 `numpy:"a,"`
		}], "unknown dtype ''"},
		{npy.DtypeOf[struct {
			A *int8 `numpy:",O"`
		}], "pointers into one Python process"},
		{npy.DtypeOf[wrongBool], "does not fit"},
		{npy.DtypeOf[a17], "in one another"},
	} {
		d, err := tt.of()
		if !errors.Is(err, npy.ErrDtype) || !strings.Contains(err.Error(), native(tt.text)) || d.Kind() != 0 {
			t.Errorf("%v, %v; want %q", d, err, tt.text)
		}
	}
	_, err := npy.DtypeOf[deep]()
	if e, ok := errors.AsType[*npy.Error](err); !ok || e.Path != "deep.A.B" {
		t.Error(err)
	}
	foreign := "<"
	if nativeOrder == "<" {
		foreign = ">"
		_, err = npy.DtypeOf[struct {
			A int64 `numpy:",>M8[s]"`
		}]()
	} else {
		_, err = npy.DtypeOf[struct {
			A int64 `numpy:",<M8[s]"`
		}]()
	}
	if err == nil || !strings.Contains(err.Error(), "'"+foreign+"M8[s]' is not this machine's byte order: write 'M8[s]'") {
		t.Error(err)
	}
}

type (
	a1 struct{ A int8 }
	a5 struct {
		A struct{ A struct{ A struct{ A a1 } } }
	}
	a9 struct {
		A struct{ A struct{ A struct{ A a5 } } }
	}
	a13 struct {
		A struct{ A struct{ A struct{ A a9 } } }
	}
	a17 struct {
		A struct{ A struct{ A struct{ A a13 } } }
	}
)

func TestCheck(t *testing.T) {
	type pair struct {
		A uint8
		_ [7]byte // 32-bit machines would pad less
		B float64
	}
	of := func(d npy.Dtype, err error) npy.Dtype {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	tick, two, flag := of(npy.DtypeOf[Tick]()), of(npy.DtypeOf[pair]()), of(npy.DtypeOf[struct {
		OK uint8
		U  [2]int32
	}]())
	hint := "make the dtype with align=True, which pads as Go does"
	if runtime.GOARCH == "386" && runtime.GOOS != "windows" {
		hint = "on this machine align=True pads less: make the dtype of a dict with 'offsets' and 'itemsize'"
	}
	for _, tt := range []struct {
		d    string
		g    npy.Dtype
		path string
		text string // all behind "npy: check: "; empty if they fit
	}{
		{tick.String(), tick, "", ""},
		{strings.ReplaceAll(tick.String(), "('qty'", "(('Quantity', 'qty')"), tick, "", ""},
		{"[('a', 'u1'), ('', 'V7'), ('b', 'f8')]", two, "", ""},
		{"f8", of(npy.DtypeOf[float64]()), "", ""},
		{"f4", of(npy.DtypeOf[float64]()), "", "'<f4' is not '<f8'"},
		{"f8", two, "pair", "pair: '<f8' is not [('a', '|u1'), ('', '|V7'), ('b', '<f8')]"},
		{"[('a', 'u1'), ('', 'V7'), ('b', 'f4'), ('', 'V4')]", two, "pair.b", "pair.b: '<f4' is not '<f8'"},
		{"[('a', 'u1'), ('b', 'f8')]", two, "pair.b", "pair.b is at 1, not 8: " + hint},
		{"[('a', 'u1'), ('', 'V3'), ('b', 'f8'), ('', 'V4')]", two, "pair.b", "pair.b is at 4, not 8"},
		{"[('b', 'f8'), ('a', 'u1')]", two, "pair.a", "pair.a is field 1, not 0"},
		{"[('a', 'u1'), ('', 'V7'), ('c', 'f8')]", two, "pair.b", "pair.b is missing"},
		{"[('a', 'u1'), ('', 'V7'), ('b', 'f8'), ('c', 'f8')]", two, "pair.c", "pair.c is not in Go's type"},
		{"[('a', 'u1'), ('', 'V7'), ('b', 'f8'), ('', 'V8')]", two, "pair", "pair has 24 bytes, not 16"},
		{"[('a', 'u1'), ('', 'V7'), ('b', 'f8', (1,))]", two, "pair.b", "pair.b: ('<f8', (1,)) is not '<f8'"},
		{"[('a', '?'), ('', 'V7'), ('b', 'f8')]", two, "pair.a", "pair.a: '|b1' is not '|u1': the tag `numpy:\"name,b1\"` makes it one"},
		{"[('ok', 'S1'), ('', 'V3'), ('u', 'U2')]", flag, "struct.ok", "struct.ok: '|S1' is not '|u1': the tag `numpy:\"name,S1\"` makes it one"},
		{"[('ok', 'u1'), ('', 'V3'), ('u', 'U2')]", flag, "struct.u", "struct.u: '<U2' is not ('<i4', (2,)): the tag `numpy:\"name,U2\"` makes it one"},
		{"[('ok', 'i1'), ('', 'V3'), ('u', 'U2')]", flag, "struct.ok", "struct.ok: '|i1' is not '|u1'"},
		{strings.ReplaceAll(tick.String(), "[ns]", "[us]"), tick, "Tick.t", "Tick.t: '<M8[us]' is not '<M8[ns]'"},
		{strings.ReplaceAll(tick.String(), "(2, 2)", "(4,)"), tick, "Tick.m", "Tick.m: ('<f4', (4,)) is not ('<f4', (2, 2))"},
		{strings.ReplaceAll(tick.String(), "<M8", "<m8"), tick, "Tick.t", "Tick.t: '<m8[ns]' is not '<M8[ns]'"},
		{"('f8', (2,))", of(npy.DtypeOf[[3]float64]()), "", "('<f8', (2,)) is not ('<f8', (3,))"},
	} {
		if nativeOrder != "<" {
			t.Skip("the texts are a little-endian machine's")
		}
		err := parse(t, tt.d).Check(tt.g)
		if tt.text == "" {
			if err != nil {
				t.Errorf("%s: %v", tt.d, err)
			}
			continue
		}
		e, ok := errors.AsType[*npy.Error](err)
		if !ok || !errors.Is(err, npy.ErrMismatch) || err.Error() != "npy: check: "+tt.text || e.Path != tt.path {
			t.Errorf("%s: %v, want %q", tt.d, err, tt.text)
		}
	}
}

func TestCheckByteOrder(t *testing.T) {
	type In struct{ X, Y uint16 }
	type Mixed struct {
		A uint32
		B [3]In
	}
	g, err := npy.DtypeOf[Mixed]()
	if err != nil {
		t.Fatal(err)
	}
	foreign := map[string]string{"<": ">", ">": "<"}[nativeOrder]
	d := parse(t, "[('a', 'u4'), ('b', [('x', 'u2'), ('y', '"+foreign+"u2')], (3,))]")
	err = d.Check(g)
	if !errors.Is(err, npy.ErrByteOrder) || errors.Is(err, npy.ErrMismatch) || !strings.Contains(err.Error(), "Mixed.b.y: '"+foreign+"u2' has the other byte order") {
		t.Error(err)
	}
	if err := d.Native().Check(g); err != nil {
		t.Error(err)
	}
	if !d.Swapped() || d.Native().Swapped() || g.Swapped() {
		t.Error("Swapped")
	}
	b := []byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}
	if err := d.Swap(b[:15]); !errors.Is(err, npy.ErrShape) {
		t.Error(err)
	}
	if err := d.Swap(b); err != nil || string(b) != "\x01\x02\x03\x04\x05\x06\x08\x07\x09\x0a\x0c\x0b\x0d\x0e\x10\x0f" {
		t.Errorf("%v, %v", b, err)
	}
	for _, tt := range []struct{ dtype, in, out string }{
		{"f2", "abcd", "badc"},
		{"u4", "abcdABCD", "dcbaDCBA"},
		{"M8[s]", "abcdefgh", "hgfedcba"},
		{"c8", "abcdABCD", "dcbaDCBA"},
		{"c16", "abcdefghABCDEFGH", "hgfedcbaHGFEDCBA"},
		{"f16", "abcdefghABCDEFGH", "HGFEDCBAhgfedcba"},
		{"U2", "abcdABCD", "dcbaDCBA"},
		{"S4", "abcd", "abcd"},
		{"u1", "abcd", "abcd"},
	} {
		for start := range 3 { // any alignment
			b := append(make([]byte, start), tt.in...)
			if err := parse(t, foreign+tt.dtype).Swap(b[start:]); err != nil || string(b[start:]) != tt.out {
				t.Errorf("%s: %q becomes %q, %v", tt.dtype, tt.in, b[start:], err)
			}
			if err := parse(t, nativeOrder+tt.dtype).Swap(b[start:]); err != nil || string(b[start:]) != tt.out {
				t.Errorf("%s: native elements become %q, %v", tt.dtype, b[start:], err)
			}
		}
	}
}
