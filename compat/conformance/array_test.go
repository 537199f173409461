package conformance

import (
	_ "embed"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/pyshm-go/pyshm/compat"
	"github.com/pyshm-go/pyshm/format/npy"
	"github.com/pyshm-go/pyshm/internal/covered"
	"github.com/pyshm-go/pyshm/internal/soak"
	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm"
)

//go:embed array_numpy.py
var arrayNumpy string

// forEachArrayNumpy is forEachSharedNumpy with the functions of array_numpy.py.
func forEachArrayNumpy(t *testing.T, f func(t *testing.T, p *compat.Peer)) {
	t.Helper()
	forEachSharedNumpy(t, func(t *testing.T, p *compat.Peer) {
		_, err := p.Do([]compat.Request{{Op: "exec", Args: []any{"exec(compile(" + pyRepr(arrayNumpy) + ", 'array_numpy.py', 'exec'), values.__dict__)"}}})
		check(t, err)
		check(t, p.Exec("values.six; numpy = values.numpy"))
		f(t, p)
	})
}

// Element types whose dtype Go's own types do not determine.
type (
	arrayNanoseconds int64
	arrayHours       int64
	arrayQuarters    int64
	arrayBytes       [5]byte
	arrayText        [3]rune
	arrayVoid        [7]byte
)

func (arrayNanoseconds) NumpyDtype() string { return "M8[ns]" }
func (arrayHours) NumpyDtype() string       { return "m8[h]" }
func (arrayQuarters) NumpyDtype() string    { return "M8[25s]" }
func (arrayBytes) NumpyDtype() string       { return "S5" }
func (arrayText) NumpyDtype() string        { return "U3" }
func (arrayVoid) NumpyDtype() string        { return "V7" }

// An arrayRow has six elements of a type, in Python and in Go.
type arrayRow struct {
	dtype  string // in Python
	python string // an array of shape (2, 3)
	ours   sixElements
}

// sixElements are elements that Go finds in an array, or makes an array of.
type sixElements interface {
	create(t *testing.T, name string) goArray
	attach(t *testing.T, name string) goArray
	view(t *testing.T, m *pyshm.SharedMemory, info pyshm.ArrayInfo) goArray
}

// A goArray is an Array of any type, with the elements that the test knows.
type goArray interface {
	Close() error
	Unlink() error
	Info() pyshm.ArrayInfo
	holds(t *testing.T, order []int)
	put(t *testing.T, order []int)
}

type sixOf[T comparable] [6]T

type arrayOf[T comparable] struct {
	*pyshm.Array[T]
	elements sixOf[T]
}

func (e sixOf[T]) create(t *testing.T, name string) goArray {
	a := arrayOf[T]{must(pyshm.CreateArray[T](name, []int{2, 3}))(t), e}
	a.put(t, inOrder)
	return a
}

func (e sixOf[T]) attach(t *testing.T, name string) goArray {
	return arrayOf[T]{must(pyshm.AttachArrayContext[T](t.Context(), name))(t), e}
}

func (e sixOf[T]) view(t *testing.T, m *pyshm.SharedMemory, info pyshm.ArrayInfo) goArray {
	return arrayOf[T]{must(pyshm.ViewArray[T](m, info))(t), e}
}

var inOrder, reversed = []int{0, 1, 2, 3, 4, 5}, []int{5, 4, 3, 2, 1, 0}

// holds fails unless the array has the elements in an order, by every way to read them.
func (a arrayOf[T]) holds(t *testing.T, order []int) {
	t.Helper()
	var got [6]T
	if n := must(a.CopyTo(got[:]))(t); n != 6 || !slices.Equal(a.Shape(), []int{2, 3}) {
		t.Fatalf("%d elements, shape %v", n, a.Shape())
	}
	for i, v := range got {
		at := must(a.At(i/3, i%3))(t)
		if want := a.elements[order[i]]; v != want || at != want {
			t.Errorf("element %d is %v and %v, want %v", i, v, at, want)
		}
	}
	if a.Dtype().Swapped() {
		if _, err := a.Slice(); !errors.Is(err, npy.ErrByteOrder) {
			t.Errorf("Slice: %v", err)
		}
		return
	}
	all := must(a.Slice())(t)
	for i := range all {
		place := i
		if a.Fortran() {
			place = i%2*3 + i/2
		}
		if all[i] != got[place] {
			t.Errorf("Slice: %v, not %v", all, got)
		}
	}
}

func (a arrayOf[T]) put(t *testing.T, order []int) {
	t.Helper()
	var src [6]T
	for i := range src {
		src[i] = a.elements[order[i]]
	}
	must(a.CopyFrom(src[:4]))(t)
	for i := 4; i < 6; i++ {
		check(t, a.Set(src[i], i/3, i%3))
	}
}

var arrayRows = []arrayRow{
	{"i1", "[-128, -1, 0, 1, 2, 127]", sixOf[int8]{math.MinInt8, -1, 0, 1, 2, math.MaxInt8}},
	{"i2", "[-2**15, -1, 0, 1, 2, 2**15 - 1]", sixOf[int16]{math.MinInt16, -1, 0, 1, 2, math.MaxInt16}},
	{"i4", "[-2**31, -1, 0, 1, 2, 2**31 - 1]", sixOf[int32]{math.MinInt32, -1, 0, 1, 2, math.MaxInt32}},
	{"i8", "[-2**63, -1, 0, 1, 2, 2**63 - 1]", sixOf[int64]{math.MinInt64, -1, 0, 1, 2, math.MaxInt64}},
	{"u1", "[0, 1, 2, 3, 4, 255]", sixOf[uint8]{0, 1, 2, 3, 4, math.MaxUint8}},
	{"u2", "[0, 1, 2, 3, 4, 2**16 - 1]", sixOf[uint16]{0, 1, 2, 3, 4, math.MaxUint16}},
	{"u4", "[0, 1, 2, 3, 4, 2**32 - 1]", sixOf[uint32]{0, 1, 2, 3, 4, math.MaxUint32}},
	{"u8", "[0, 1, 2, 3, 4, 2**64 - 1]", sixOf[uint64]{0, 1, 2, 3, 4, math.MaxUint64}},
	{"f2", "[1, -2, 0.5, 65504, float('inf'), 0]", sixOf[npy.Float16]{0x3c00, 0xc000, 0x3800, 0x7bff, 0x7c00, 0}},
	{"f4", "[1, -2, 0.5, 2**-149, float('inf'), 0]", sixOf[float32]{1, -2, 0.5, math.SmallestNonzeroFloat32, float32(math.Inf(1)), 0}},
	{"f8", "[0.1, -2, 0.5, 5e-324, float('-inf'), 0]", sixOf[float64]{0.1, -2, 0.5, math.SmallestNonzeroFloat64, math.Inf(-1), 0}},
	{"c8", "[1.5-2j, 0.25j, 0, 1, 2, 3]", sixOf[complex64]{1.5 - 2i, 0.25i, 0, 1, 2, 3}},
	{"c16", "[0.1-2j, 5e-324j, 0, 1, 2, 3]", sixOf[complex128]{0.1 - 2i, complex(0, math.SmallestNonzeroFloat64), 0, 1, 2, 3}},
	{"?", "[True, False, False, True, True, False]", sixOf[npy.Bool]{1, 0, 0, 1, 1, 0}},
	{"M8[ns]", "['2026-01-02T03:04:05.000000006', 'NaT', 0, 1, 2, -1]", sixOf[arrayNanoseconds]{0x1886caf21c963206, math.MinInt64, 0, 1, 2, -1}},
	{"M8[25s]", "[5, 'NaT', 0, 1, 2, -1]", sixOf[arrayQuarters]{5, math.MinInt64, 0, 1, 2, -1}},
	{"m8[h]", "[5, 'NaT', 0, 1, 2, -1]", sixOf[arrayHours]{5, math.MinInt64, 0, 1, 2, -1}},
	{"S5", "[b'ab', b'abcde', b'a\\x00b', b'', b'\\xff', b'x']", sixOf[arrayBytes]{{'a', 'b'}, {'a', 'b', 'c', 'd', 'e'}, {'a', 0, 'b'}, {}, {0xff}, {'x'}}},
	{"U3", `['ab', '\u00e9\u20ac\U0001f600', 'a\x00b', '', '\U0010ffff', 'x']`, sixOf[arrayText]{{'a', 'b'}, {'é', '€', '😀'}, {'a', 0, 'b'}, {}, {0x10ffff}, {'x'}}},
	{"V7", `[b'abcdefg', b'\x00' * 7, b'\x00bcdef\x00', b'1234567', b'\xff' * 7, b'       ']`, sixOf[arrayVoid]{[7]byte([]byte("abcdefg")), {}, [7]byte([]byte("\x00bcdef\x00")), [7]byte([]byte("1234567")), {255, 255, 255, 255, 255, 255, 255}, [7]byte([]byte("       "))}},
	{"values.records(True)", "[values.record(i) for i in range(6)]", sixRecords()},
}

func sixRecords() (six sixOf[npyRecord]) {
	for i := range six {
		f := float32(i)
		six[i] = npyRecord{
			T: int64(i), Flag: uint8(i % 2), Price: float64(i) + 0.5, Qty: int32(-i), Side: [3]byte{'a', 'b'},
			Half: npy.Float16Of(f * 0.25), C: complex(f, 2), Name: [4]rune{'n', 'é', '😀'}, Last: uint8(200 + i),
		}
		for y := range six[i].Points {
			for x := range six[i].Points[y] {
				six[i].Points[y][x] = npyPoint{X: float32(x + i), Y: float32(y), N: 7}
			}
		}
	}
	return six
}

// six defines the array of a row in Python, in the byte order of a machine.
func (row arrayRow) six(t *testing.T, p *compat.Peer, order string) {
	t.Helper()
	dtype := row.dtype
	if dtype[0] != 'v' {
		dtype = pyRepr(dtype)
	}
	check(t, p.Exec(fmt.Sprintf("v = values.six(%s, %s)\nw = v.astype(v.dtype.newbyteorder('%s'))", dtype, row.python, order)))
}

// TestArraysOfNumpy has numpy make arrays in each way. Go attaches to them, reads and
// changes them. It copies elements in the byte order of other machines.
func TestArraysOfNumpy(t *testing.T) {
	testkit.NeedLinux(t)
	t.Parallel()
	forEachArrayNumpy(t, func(t *testing.T, p *compat.Peer) {
		testkit.Covers(t, p.Interpreter(), covered.Arrays)
		for _, row := range arrayRows {
			for _, order := range []string{"=", "S"} {
				row.six(t, p, order)
				for _, way := range []string{"by_open_memmap", "in_fortran_order", "by_save", "by_shared_memory", "by_frombuffer"} {
					t.Run(row.dtype+order+way, func(t *testing.T) { row.testMadeBy(t, p, way) })
				}
			}
		}
	})
}

func (row arrayRow) testMadeBy(t *testing.T, p *compat.Peer, way string) {
	name := newName(t)
	check(t, p.Exec(fmt.Sprintf("values.keep(values.made_%s(%q, w))", way, name)))
	defer func() { check(t, p.Exec("values.release(True)")) }()
	var a goArray
	if way == "by_frombuffer" {
		m := must(pyshm.Attach(name))(t)
		var info pyshm.ArrayInfo
		check(t, json.Unmarshal([]byte(must(p.Eval(fmt.Sprintf("values.info(%q)", name)))(t).(string)), &info))
		a = row.ours.view(t, m, info)
	} else {
		a = row.ours.attach(t, name)
	}
	defer a.Close()
	a.holds(t, inOrder)
	a.put(t, reversed)
	a.holds(t, reversed)
	if must(p.Eval("values.holds(v, range(5, -1, -1))"))(t) != true {
		t.Errorf("Python sees %v", must(p.Eval("repr(values.array)"))(t))
	}
}

// TestArraysOfGo has Go make arrays. numpy opens them in both ways, and changes them.
func TestArraysOfGo(t *testing.T) {
	testkit.NeedLinux(t)
	t.Parallel()
	forEachArrayNumpy(t, func(t *testing.T, p *compat.Peer) {
		for _, row := range arrayRows {
			row.six(t, p, "=")
			t.Run(row.dtype, func(t *testing.T) {
				name := newName(t)
				a := row.ours.create(t, name)
				defer a.Close()
				for _, way := range []string{"load", "shared_memory"} {
					check(t, p.Exec(fmt.Sprintf("values.keep(values.opened_by_%s(%q))", way, name)))
					if must(p.Eval("values.holds(v, range(6)) and values.array.flags.aligned"))(t) != true {
						t.Errorf("%s: Python sees %v", way, must(p.Eval("repr(values.array)"))(t))
					}
					check(t, p.Exec("values.array.reshape(-1)[:] = v.ravel()[::-1]"))
					a.holds(t, reversed)
					a.put(t, inOrder)
					check(t, p.Exec("values.release(True)"))
				}
			})
		}
	})
}

// TestArrayViewsOfNumpy has numpy make views: sliced, reversed, transposed, broadcast and
// overlapping ones. Go reads and writes the elements that numpy sees, or refuses the view.
func TestArrayViewsOfNumpy(t *testing.T) {
	testkit.NeedLinux(t)
	t.Parallel()
	forEachArrayNumpy(t, func(t *testing.T, p *compat.Peer) {
		name := newName(t)
		tally := new(soak.Tally)
		made := ask[[]any](t, p, "views", pyRepr(name), int(soak.Seed(t)>>1), soak.Length(500, 20_000))
		m := must(pyshm.Attach(name))(t)
		defer m.Close()
		for _, v := range made {
			described, overlaps := v.([]any)[0].(string), v.([]any)[1].(bool)
			test := testNumpyView[int32]
			if strings.Contains(described, "u2") {
				test = testNumpyView[uint16]
			}
			test(t, p, tally, m, described, overlaps)
		}
		check(t, p.Exec("values.release(True)"))
		t.Log(tally)
	})
}

func testNumpyView[T int32 | uint16](t *testing.T, p *compat.Peer, tally *soak.Tally, m *pyshm.SharedMemory, described string, overlaps bool) {
	t.Helper()
	var info pyshm.ArrayInfo
	check(t, json.Unmarshal([]byte(described), &info))
	a := must(pyshm.ViewArray[T](m, info))(t)
	wantStored := func(want []T) {
		t.Helper()
		var numbers []byte
		for _, v := range want {
			numbers = binary.NativeEndian.AppendUint64(numbers, uint64(int64(v)))
		}
		if got := ask[[]byte](t, p, "stored", pyRepr(described)); string(got) != string(numbers) {
			t.Errorf("%s: Go sees %v, numpy %v", described, want, got)
		}
	}
	got := make([]T, a.Len())
	must(a.CopyTo(got))(t)
	wantStored(got)
	before := fileBytes(t, m.Name())
	for i := range got {
		got[i] += T(i) + 1
	}
	_, err := a.CopyFrom(got)
	switch {
	case err != nil: // Go also refuses some views with odd strides, out of caution
		tally.Add("refused", 1)
		if !errors.Is(err, npy.ErrShape) || string(fileBytes(t, m.Name())) != string(before) {
			t.Errorf("%s: CopyFrom: %v", described, err)
		}
	case overlaps:
		t.Errorf("%s overlaps, and is written to", described)
	default:
		tally.Add("written", 1)
		wantStored(got)
	}
	if _, err := a.Slice(); err == nil {
		tally.Add("slices", 1)
	}
}

// TestArrayShapesOfNumpy shares arrays without axes, without elements, and with as many
// axes as there may be.
func TestArrayShapesOfNumpy(t *testing.T) {
	testkit.NeedLinux(t)
	t.Parallel()
	shapes := [][]int{{}, {0}, {3, 0, 2}, {1}, slices.Repeat([]int{1}, 31), append(slices.Repeat([]int{1}, 31), 2), {2, 3, 4, 5}}
	forEachArrayNumpy(t, func(t *testing.T, p *compat.Peer) {
		for _, shape := range shapes {
			for _, fortran := range []bool{false, true} {
				name := newName(t)
				tuple := "tuple(" + string(must(json.Marshal(shape))(t)) + ")"
				check(t, p.Exec(fmt.Sprintf("a = values.npy.open_memmap('/dev/shm/%s', 'w+', 'f8', %s, %s)\na[...] = numpy.arange(a.size).reshape(a.shape)",
					name, tuple, map[bool]string{false: "False", true: "True"}[fortran])))
				a := must(pyshm.AttachArray[float64](name))(t)
				all := make([]float64, a.Len())
				must(a.CopyTo(all))(t)
				for i, v := range all {
					if v != float64(i) {
						t.Errorf("%v: %v", shape, all)
						break
					}
				}
				wantEqual(t, "shape", fmt.Sprint(a.Shape()), fmt.Sprint(shape))
				check(t, errors.Join(a.Close(), a.Unlink()))

				b := must(pyshm.CreateArray[float64](name, shape))(t)
				must(b.CopyFrom(all))(t)
				check(t, p.Exec(fmt.Sprintf("a = numpy.load('/dev/shm/%s', mmap_mode='r')", name)))
				if must(p.Eval("a.shape == "+tuple+" and a.ravel().tolist() == list(range(a.size))"))(t) != true {
					t.Errorf("%v: numpy sees %v", shape, must(p.Eval("repr(a)"))(t))
				}
				check(t, p.Exec("del a"))
				check(t, errors.Join(b.Close(), b.Unlink()))
			}
		}
	})
}

// TestArrayRefusesNumpys has numpy make packed records, other units, and text that holds no
// characters. Go refuses them.
func TestArrayRefusesNumpys(t *testing.T) {
	testkit.NeedLinux(t)
	t.Parallel()
	forEachArrayNumpy(t, func(t *testing.T, p *compat.Peer) {
		name := newName(t)
		save := func(array string) {
			t.Helper()
			check(t, p.Exec(fmt.Sprintf("values.made_by_save(%q, %s)", name, array)))
		}
		save("numpy.zeros(3, values.records(False))")
		if _, err := pyshm.AttachArray[npyRecord](name); !errors.Is(err, npy.ErrMismatch) {
			t.Errorf("a packed record: %v", err)
		}
		save("numpy.zeros(3, 'M8[us]')")
		if _, err := pyshm.AttachArray[arrayNanoseconds](name); !errors.Is(err, npy.ErrMismatch) {
			t.Errorf("another unit: %v", err)
		}
		save("numpy.array([0x41, 0xd800, 0], 'i4').view('U3')")
		text := must(pyshm.AttachArray[arrayText](name))(t)
		v := must(text.At(0))(t)
		if s, err := npy.GetText(v[:]); s != "" || !errors.Is(err, npy.ErrText) {
			t.Errorf("half of a pair: %q, %v", s, err)
		}
		check(t, text.Close())
		save("numpy.zeros(3, 'f16')")
		if _, err := pyshm.AttachArray[float64](name); !errors.Is(err, npy.ErrMismatch) {
			t.Errorf("a long double: %v", err)
		}
	})
}
