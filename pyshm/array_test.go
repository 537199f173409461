package pyshm_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pyshm-go/pyshm/format"
	"github.com/pyshm-go/pyshm/format/npy"
	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm"
)

type tick struct {
	T     int64 `numpy:"t,M8[ns]"`
	Price float64
	Qty   int32
	Side  uint8    `numpy:"side,S1"`
	Name  [3]uint8 `numpy:"name,S3"`
	M     [2][2]float32
}

func createArray[T any](t testing.TB, shape []int, opts ...pyshm.CreateOption) *pyshm.Array[T] {
	t.Helper()
	return keep[*pyshm.Array[T]](t)(pyshm.CreateArray[T](testkit.Name(t), shape, opts...))
}

func attachArray[T any](t testing.TB, name string, opts ...pyshm.AttachOption) *pyshm.Array[T] {
	t.Helper()
	a, err := pyshm.AttachArray[T](name, opts...)
	noError(t, err)
	t.Cleanup(func() { a.Close() })
	return a
}

// npyFile makes a segment with the header that text describes, and data.
func npyFile(t testing.TB, descr, shape string, fortran bool, data []byte) string {
	t.Helper()
	order := map[bool]string{false: "False", true: "True"}[fortran]
	text := fmt.Sprintf("{'descr': %s, 'fortran_order': %s, 'shape': %s, }", descr, order, shape)
	text += strings.Repeat(" ", 117-len(text)%64) + "\n"
	file := binary.LittleEndian.AppendUint16([]byte("\x93NUMPY\x01\x00"), uint16(len(text)))
	file = append(append(file, text...), data...)
	m := create(t, len(file))
	write(t, m, string(file), 0)
	return m.Name()
}

func TestArray(t *testing.T) {
	a := createArray[float64](t, []int{2, 3})
	b := attachArray[float64](t, a.Name())
	for i := range 2 {
		for j := range 3 {
			noError(t, a.Set(float64(10*i+j), i, j))
		}
	}
	if v, err := b.At(1, 2); v != 12 || err != nil {
		t.Errorf("At = %v, %v", v, err)
	}
	want := []float64{0, 1, 2, 10, 11, 12}
	all, err := b.Slice()
	if !slices.Equal(all, want) || cap(all) != 6 || err != nil {
		t.Errorf("Slice = %v, %v", all, err)
	}
	got := make([]float64, 7)
	if n, err := b.CopyTo(got); n != 6 || err != nil || !slices.Equal(got[:6], want) {
		t.Errorf("CopyTo = %d, %v: %v", n, err, got)
	}
	if n, err := b.CopyTo(got[:0]); n != 0 || err != nil {
		t.Errorf("CopyTo nothing = %d, %v", n, err)
	}
	if n, err := b.CopyFrom([]float64{7, 8}); n != 2 || err != nil || all[0] != 7 || all[1] != 8 || all[2] != 2 {
		t.Errorf("CopyFrom = %d, %v: %v", n, err, all)
	}
	if n, err := b.CopyFrom(got); n != 0 || !errors.Is(err, npy.ErrShape) || all[0] != 7 {
		t.Errorf("CopyFrom of more = %d, %v", n, err)
	}
	for i, row := range a.Rows() {
		if len(row) != 3 || cap(row) != 3 || row[2] != float64(10*i+2) {
			t.Errorf("row %d: %v", i, row)
		}
		row[0] = -1
	}
	if all[3] != -1 {
		t.Error("a row is a copy")
	}
	noError(t, b.Guard(func(lent []float64) error { lent[5] = 99; return nil }))
	if all[5] != 99 || b.Fortran() || b.Len() != 6 || !slices.Equal(b.Shape(), []int{2, 3}) || !slices.Equal(b.Strides(), []int{24, 8}) {
		t.Errorf("%v, %v, %v, %v", all, b.Len(), b.Shape(), b.Strides())
	}
	if text := fmt.Sprintf("Array('%s', shape=(2, 3), dtype='%v')", a.Name(), b.Dtype()); b.String() != text {
		t.Errorf("%v, not %s", b, text)
	}
	if err := b.Guard(func([]float64) error { return io.EOF }); err != io.EOF {
		t.Errorf("an error of the caller's: %v", err)
	}
	h, err := pyshm.Describe(b.SharedMemory())
	if !h.Dtype.Equal(b.Dtype()) || !slices.Equal(h.Shape, b.Shape()) || err != nil {
		t.Errorf("Describe = %v, %v", h, err)
	}
}

func TestArrayShapes(t *testing.T) {
	for _, shape := range [][]int{nil, {}, {0}, {1}, {3, 0, 2}, {0, math.MaxInt / 16}, slices.Repeat([]int{1}, 32), {2, 1, 3}} {
		a := createArray[uint16](t, shape)
		n := 1
		for _, length := range shape {
			n *= length
		}
		if a.Len() != n || a.Shape() == nil || !slices.Equal(a.Shape(), shape) || len(a.Strides()) != len(shape) {
			t.Errorf("%v: %d elements, shape %v", shape, a.Len(), a.Shape())
		}
		all, err := a.Slice()
		if len(all) != n || all == nil || err != nil {
			t.Errorf("%v: %v, %v", shape, all, err)
		}
		rows := 0
		for _, row := range a.Rows() {
			rows += len(row)
		}
		if rows != n {
			t.Errorf("%v: %d elements in rows", shape, rows)
		}
		if n == 1 {
			noError(t, a.Set(7, make([]int, len(shape))...))
			if all[0] != 7 {
				t.Errorf("%v: %v", shape, all)
			}
		}
	}
	for _, shape := range [][]int{{-1}, {math.MinInt}, {math.MaxInt}, {math.MaxInt / 2, 2}, {1 << 16, 1 << 16, 1 << 16, 1 << 16}, {0, math.MaxInt}, slices.Repeat([]int{1}, 33), {math.MaxInt/2 - 10}} {
		if a, err := pyshm.CreateArray[uint16](testkit.Name(t), shape); a != nil || !errors.Is(err, npy.ErrShape) && !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("%v: %v", shape, err)
		}
	}
}

func TestArrayIndex(t *testing.T) {
	a := createArray[int32](t, []int{2, 3})
	for _, tc := range []struct {
		index []int
		text  string
	}{
		{nil, "index out of range: 0 numbers for 2 axes"},
		{[]int{1}, "index out of range: 1 numbers for 2 axes"},
		{[]int{1, 1, 1}, "index out of range: 3 numbers for 2 axes"},
		{[]int{2, 0}, "index out of range: 2 on axis 0 with length 2"},
		{[]int{0, 3}, "index out of range: 3 on axis 1 with length 3"},
		{[]int{0, -1}, "index out of range: -1 on axis 1 with length 3"},
		{[]int{math.MinInt, 0}, fmt.Sprintf("index out of range: %d on axis 0 with length 2", math.MinInt)},
	} {
		_, errAt := a.At(tc.index...)
		errSet := a.Set(1, tc.index...)
		for op, err := range map[string]error{"at": errAt, "set": errSet} {
			if text := fmt.Sprintf("pyshm: %s %q: %s", op, a.Name(), tc.text); !errors.Is(err, format.ErrIndex) || err.Error() != text {
				t.Errorf("%v: %v, not %s", tc.index, err, text)
			}
		}
	}
	if all, _ := a.Slice(); !slices.Equal(all, make([]int32, 6)) {
		t.Errorf("something was set: %v", all)
	}
	if allocs := testing.AllocsPerRun(100, func() { a.At(1, 2); a.Set(3, 1, 2) }); allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}

func TestArrayOfRecords(t *testing.T) {
	a := createArray[tick](t, []int{5})
	noError(t, a.Set(tick{T: 1, Price: 2.5, Name: [3]uint8([]byte("abc")), M: [2][2]float32{{1, 2}, {3, 4}}}, 3))
	const descr = "[('t', '<M8[ns]'), ('price', '<f8'), ('qty', '<i4'), ('side', '|S1'), ('name', '|S3'), ('m', '<f4', (2, 2))]"
	if binary.NativeEndian.Uint16([]byte{1, 0}) == 1 && a.Dtype().String() != descr {
		t.Errorf("%v", a.Dtype())
	}
	v, err := attachArray[tick](t, a.Name()).At(3)
	if v.Price != 2.5 || v.M[1][0] != 3 || err != nil {
		t.Errorf("%v, %v", v, err)
	}
	if !strings.HasSuffix(a.String(), fmt.Sprintf(", shape=(5,), dtype=%v)", a.Dtype())) {
		t.Errorf("%v", a)
	}

	type price struct{ Price float32 }
	type other struct {
		T     int64 `numpy:"t,M8[us]"`
		Price float64
	}
	_, errPrice := pyshm.AttachArray[price](a.Name())
	_, errOther := pyshm.AttachArray[other](a.Name())
	_, errBool := pyshm.AttachArray[struct{ OK bool }](a.Name())
	_, errInt := pyshm.CreateArray[int]("x", nil)
	_, errBlock := pyshm.AttachArray[tick](create(t, 100).Name())
	_, errList := pyshm.AttachArray[tick](createList(t, everyKind).Name())
	order := must(npy.DtypeOf[int64]())(t).String()[:1]
	for _, tc := range []struct {
		err  error
		kind error
		text string
	}{
		{errPrice, npy.ErrMismatch, `attach array "` + a.Name() + `": price.price is field 1, not 0`},
		{errOther, npy.ErrMismatch, `": other.t: '` + order + `M8[ns]' is not '` + order + `M8[us]'`},
		{errBool, npy.ErrDtype, "OK: bool breaks"},
		{errInt, npy.ErrDtype, `pyshm: create array "x": int: int does not have the same size everywhere`},
		{errBlock, format.ErrIncomplete, "zeros stand where the header begins"},
		{errBlock, npy.ErrIncomplete, "zeros"},
		{errList, npy.ErrHeader, "it does not begin with"},
	} {
		var e *pyshm.Error
		if !errors.Is(tc.err, tc.kind) || !errors.As(tc.err, &e) || !strings.Contains(tc.err.Error(), tc.text) {
			t.Errorf("%v, not %q", tc.err, tc.text)
		}
	}
	var field *npy.Error
	if !errors.As(errOther, &field) || field.Path != "other.t" {
		t.Errorf("the field is %+v", field)
	}
}

// The last axes of numpy's array are in the elements, if these are Go arrays.
func TestArrayOfArrays(t *testing.T) {
	a := createArray[[3]uint8](t, []int{4, 5})
	noError(t, a.Set([3]uint8{1, 2, 3}, 3, 4))
	b := attachArray[uint8](t, a.Name())
	if v, err := b.At(3, 4, 2); v != 3 || err != nil || !slices.Equal(b.Shape(), []int{4, 5, 3}) {
		t.Errorf("%v, %v of %v", v, err, b)
	}
	if !slices.Equal(a.Shape(), []int{4, 5}) || !slices.Equal(a.Strides(), []int{15, 3}) || a.Dtype().String() != "|u1" {
		t.Errorf("%v: %v, %v, %v", a, a.Shape(), a.Strides(), a.Dtype())
	}
	info := a.Info()
	if !slices.Equal(info.Shape, []int{4, 5, 3}) || info.Dtype != "|u1" {
		t.Errorf("%+v", info)
	}
	if v, err := view[[3]uint8](t, a.SharedMemory(), info).At(3, 4); v != [3]uint8{1, 2, 3} || err != nil {
		t.Errorf("%v, %v", v, err)
	}
	_, err := pyshm.AttachArray[[2]uint8](a.Name())
	if !errors.Is(err, npy.ErrMismatch) {
		t.Error(err)
	}
	info.Strides = []int{1, 5, 20}
	info.Shape = []int{1, 4, 3}
	if _, err := pyshm.ViewArray[[3]uint8](a.SharedMemory(), info); !errors.Is(err, npy.ErrMismatch) {
		t.Errorf("numbers of an element that are not side by side: %v", err)
	}
	if _, err := pyshm.AttachArray[[2]uint8](npyFile(t, "'|u1'", "(3, 2)", true, make([]byte, 6))); !errors.Is(err, npy.ErrMismatch) {
		t.Errorf("in Fortran order: %v", err)
	}
}

func view[T any](t testing.TB, m *pyshm.SharedMemory, info pyshm.ArrayInfo) *pyshm.Array[T] {
	t.Helper()
	a, err := pyshm.ViewArray[T](m, info)
	noError(t, err)
	return a
}

func TestArrayFortran(t *testing.T) {
	data := binary.NativeEndian.AppendUint64(nil, 0)[:0]
	for i := range 6 {
		data = binary.NativeEndian.AppendUint16(data, uint16(i))
	}
	a := attachArray[uint16](t, npyFile(t, nativeDescr("u2"), "(2, 3)", true, data))
	if !a.Fortran() || !slices.Equal(a.Strides(), []int{2, 4}) {
		t.Errorf("Fortran = %v, strides %v", a.Fortran(), a.Strides())
	}
	got := make([]uint16, 6)
	if n, err := a.CopyTo(got); n != 6 || err != nil || !slices.Equal(got, []uint16{0, 2, 4, 1, 3, 5}) {
		t.Errorf("CopyTo = %d, %v: %v", n, err, got)
	}
	all, err := a.Slice()
	if !slices.Equal(all, []uint16{0, 1, 2, 3, 4, 5}) || err != nil {
		t.Errorf("Slice = %v, %v", all, err)
	}
	if n, err := a.CopyFrom([]uint16{10, 11, 12, 13}); n != 4 || err != nil || !slices.Equal(all, []uint16{10, 13, 11, 3, 12, 5}) {
		t.Errorf("CopyFrom = %d, %v: %v", n, err, all)
	}
	if err := rowsError(a); !errors.Is(err, npy.ErrShape) {
		t.Errorf("Rows: %v", err)
	}
}

func nativeDescr(code string) string {
	if binary.NativeEndian.Uint16([]byte{1, 0}) == 1 {
		return "'<" + code + "'"
	}
	return "'>" + code + "'"
}

func swappedDescr(code string) string {
	if binary.NativeEndian.Uint16([]byte{1, 0}) == 1 {
		return "'>" + code + "'"
	}
	return "'<" + code + "'"
}

// rowsError returns the error of Rows under a guard.
func rowsError[T any](a *pyshm.Array[T]) error {
	return a.SharedMemory().Guard(func() error {
		for range a.Rows() {
		}
		return nil
	})
}

func TestArrayByteOrder(t *testing.T) {
	testkit.NeedKeptNames(t)
	data := make([]byte, 6)
	name := npyFile(t, swappedDescr("u2"), "(3,)", false, data)
	a := attachArray[uint16](t, name)
	noError(t, a.Set(0x1234, 1))
	if n, err := a.CopyFrom([]uint16{0x0102}); n != 1 || err != nil {
		t.Errorf("CopyFrom = %d, %v", n, err)
	}
	memory := attach(t, name).Bytes()
	raw := memory[bytes.IndexByte(memory, '\n')+1:][:6]
	if swapped := []byte{1, 2, 0x12, 0x34, 0, 0}; binary.NativeEndian.Uint16([]byte{1, 0}) == 1 && !slices.Equal(raw, swapped) {
		t.Errorf("in memory: %x", raw)
	}
	got := make([]uint16, 3)
	n, err := a.CopyTo(got)
	if v, errAt := a.At(1); n != 3 || v != 0x1234 || !slices.Equal(got, []uint16{0x0102, 0x1234, 0}) || err != nil || errAt != nil {
		t.Errorf("At = %x, %v; CopyTo = %x, %v", v, errAt, got, err)
	}
	_, errSlice := a.Slice()
	for op, err := range map[string]error{"slice": errSlice, "guard": a.Guard(func([]uint16) error { panic("called") }), "rows": rowsError(a)} {
		var e *pyshm.Error
		if !errors.Is(err, npy.ErrByteOrder) || !errors.As(err, &e) || e.Op != op {
			t.Errorf("%s: %v", op, err)
		}
	}
	if _, err := pyshm.AttachArray[uint32](name); errors.Is(err, npy.ErrByteOrder) || !errors.Is(err, npy.ErrMismatch) {
		t.Errorf("another size besides: %v", err)
	}
	pairs := attachArray[[3]uint16](t, name)
	if v, err := pairs.At(); v != [3]uint16{0x0102, 0x1234, 0} || err != nil {
		t.Errorf("as one element: %x, %v", v, err)
	}
}

func TestArrayReadOnly(t *testing.T) {
	testkit.NeedKeptNames(t)
	a := createArray[int64](t, []int{3}, pyshm.Mode(0o444))
	b := attachArray[int64](t, a.Name(), pyshm.ReadOnly())
	_, errCopy := b.CopyFrom([]int64{1})
	_, errNone := b.CopyFrom(nil)
	for _, err := range []error{b.Set(1, 0), b.Set(1, 7), errCopy, errNone} {
		if !errors.Is(err, fs.ErrPermission) {
			t.Error(err)
		}
	}
	if err := b.Guard(func(all []int64) error { all[0] = 1; return nil }); !errors.Is(err, pyshm.ErrFault) {
		t.Errorf("a write through the lent slice: %v", err)
	}
	err := b.SharedMemory().Guard(func() error {
		for _, row := range b.Rows() {
			row[0] = 1
		}
		return nil
	})
	if !errors.Is(err, pyshm.ErrFault) {
		t.Errorf("a write through a row: %v", err)
	}
	if v, err := b.At(0); v != 0 || err != nil {
		t.Errorf("At = %v, %v", v, err)
	}
}

// arrayUses is every method that touches memory.
func arrayUses(a *pyshm.Array[int64]) map[string]error {
	last := a.Len() - 1
	buffer := make([]int64, a.Len())
	_, at := a.At(last)
	_, copyTo := a.CopyTo(buffer)
	_, copyFrom := a.CopyFrom(buffer)
	return map[string]error{
		"at": at, "set": a.Set(1, last), "copy to": copyTo, "copy from": copyFrom,
		"guard": a.Guard(func(all []int64) error { all[last]++; return nil }),
		"rows": a.SharedMemory().Guard(func() error {
			for _, row := range a.Rows() {
				row[last]++
			}
			return nil
		}),
	}
}

func TestArrayTruncated(t *testing.T) {
	testkit.NeedLinux(t)
	a := createArray[int64](t, []int{4096})
	noError(t, os.Truncate(pathOf(a.Name()), 4096))
	faults := testkit.HasFaultAddress(t)
	if faults {
		for op, err := range arrayUses(a) {
			if !errors.Is(err, pyshm.ErrFault) {
				t.Errorf("%s: %v", op, err)
			}
		}
	}
	defer func() {
		if !faults {
			return
		}
		var e *pyshm.Error
		if err, ok := recover().(error); !ok || !errors.Is(err, pyshm.ErrFault) || !errors.As(err, &e) {
			t.Errorf("Rows without a guard: %v", err)
		}
	}()
	for _, attach := range []func() (*pyshm.Array[int64], error){
		func() (*pyshm.Array[int64], error) { return pyshm.AttachArray[int64](a.Name()) },
		func() (*pyshm.Array[int64], error) {
			noError(t, os.Truncate(pathOf(a.Name()), 20))
			return pyshm.AttachArray[int64](a.Name())
		},
	} {
		if _, err := attach(); !errors.Is(err, format.ErrIncomplete) {
			t.Errorf("attach: %v", err)
		}
	}
	if faults {
		for _, row := range a.Rows() {
			row[4095]++
		}
	}
}

// Headers that numpy may write can be longer than the part that is read at first.
func TestArrayLongHeader(t *testing.T) {
	for _, spaces := range []int{900, 1000, 9000} {
		name := npyFile(t, "'|u1'", "(3,)"+strings.Repeat(" ", spaces), false, []byte{7, 8, 9})
		a := attachArray[uint8](t, name)
		if v, err := a.At(2); v != 9 || err != nil {
			t.Errorf("%d spaces: %d, %v", spaces, v, err)
		}
	}
}

func TestArrayClosed(t *testing.T) {
	a := createArray[int64](t, []int{3})
	noError(t, errors.Join(a.Close(), a.Close()))
	uses := arrayUses(a)
	_, uses["slice"] = a.Slice()
	_, uses["view array"] = pyshm.ViewArray[int64](a.SharedMemory(), a.Info())
	_, uses["describe"] = pyshm.Describe(a.SharedMemory())
	_, uses["current"] = a.Current()
	func() {
		defer func() { uses["rows without a guard"], _ = recover().(error) }()
		for range a.Rows() {
		}
	}()
	for op, err := range uses {
		if !errors.Is(err, fs.ErrClosed) {
			t.Errorf("%s: %v", op, err)
		}
	}
}

// A panic in the body of the loop goes on through Rows and Guard, and a loop may end
// early.
func TestRowsPanics(t *testing.T) {
	a := createArray[int64](t, []int{3, 2})
	defer func() {
		if r := recover(); r != "mine" {
			t.Errorf("recovered %v", r)
		}
	}()
	n := 0
	for range a.Rows() {
		if n++; n == 2 {
			break
		}
	}
	if n != 2 {
		t.Errorf("%d rows", n)
	}
	a.SharedMemory().Guard(func() error {
		for range a.Rows() {
			panic("mine")
		}
		return nil
	})
}

func TestAttachArrayContext(t *testing.T) {
	name := testkit.Name(t)
	m, err := pyshm.Create(name, 128+16)
	noError(t, err)
	defer m.Unlink()
	defer m.Close()
	file := must(npy.AppendHeader(nil, npy.Header{Dtype: must(npy.DtypeOf[int64]())(t), Shape: []int{2}}))(t)
	go func() { // in the order in which a memcpy may do it
		for _, part := range [][2]int{{64, 128}, {8, 40}, {40, 64}, {4, 8}, {2, 4}, {0, 2}} {
			time.Sleep(5 * time.Millisecond)
			m.WriteAt(file[part[0]:part[1]], int64(part[0]))
		}
	}()
	a, err := pyshm.AttachArrayContext[int64](t.Context(), name)
	noError(t, err)
	noError(t, a.Close())
}

func TestOpenArray(t *testing.T) {
	testkit.NeedKeptNames(t)
	name := testkit.Name(t) + "*"
	a := keep[*pyshm.Array[int64]](t)(pyshm.OpenArray[int64](name, []int{2, 3}, pyshm.Mode(0o640)))
	b, err := pyshm.OpenArray[int64](name, []int{2, 3})
	noError(t, err)
	noError(t, a.Set(5, 1, 1))
	if v, err := b.At(1, 1); v != 5 || err != nil || b.Name() != name {
		t.Errorf("%v, %v of %v", v, err, b)
	}
	noError(t, b.Close())
	if _, err := pyshm.OpenArray[int64](name, []int{3, 2}); !errors.Is(err, fs.ErrExist) || !strings.Contains(err.Error(), "the array has shape (2, 3), not (3, 2)") {
		t.Errorf("another shape: %v", err)
	}
	if _, err := pyshm.OpenArray[int32](name, []int{2, 3}); !errors.Is(err, npy.ErrMismatch) {
		t.Errorf("another type: %v", err)
	}
}

func TestArrayInfoJSON(t *testing.T) {
	a := createArray[float32](t, []int{480, 640})
	text := string(must(json.Marshal(a.Info()))(t))
	if want := fmt.Sprintf(`{"name":"%s","shape":[480,640],"dtype":"%s","offset":128}`, a.Name(), strings.NewReplacer("<", `\u003c`, ">", `\u003e`).Replace(a.Dtype().String())); text != want {
		t.Errorf("%s, not %s", text, want)
	}
	for _, tc := range []struct{ text, dtype string }{
		{`"float32"`, "float32"},
		{`[["a", "<i4"], ["b", "<f8", [2, 3]], ["c", "|u1", 3]]`, `[('a', '<i4'), ('b', '<f8', (2, 3, )), ('c', '|u1', 3), ]`},
		{`[["in", [["x", "<f4"]]], [["Title", "it's"], "<i4"], ["", "|V4"]]`, `[('in', [('x', '<f4'), ]), (('Title', "it's", ), '<i4'), ('', '|V4'), ]`},
	} {
		var info pyshm.ArrayInfo
		noError(t, json.Unmarshal([]byte(`{"name": "x", "shape": [2], "offset": 8, "strides": [-4], "dtype": `+tc.text+"}"), &info))
		if info.Dtype != tc.dtype || info.Name != "x" || info.Offset != 8 || !slices.Equal(info.Strides, []int{-4}) || !slices.Equal(info.Shape, []int{2}) {
			t.Errorf("%s: %+v", tc.text, info)
		}
		if _, err := npy.ParseDtype(info.Dtype); err != nil {
			t.Errorf("%s: %v", info.Dtype, err)
		}
	}
	for _, text := range []string{`5`, `{}`, `[5]`, `[[]]`, `[["a"]]`, `[["a", 5]]`, `[["a", "u1", 2, 3]]`, `[["a", null]]`,
		strings.Repeat(`[["a", `, 1000) + `"u1"` + strings.Repeat("]]", 1000)} {
		var info pyshm.ArrayInfo
		if err := json.Unmarshal([]byte(`{"dtype": `+text+"}"), &info); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("%.50s: %v, %+v", text, err, info)
		}
	}
	for _, text := range []string{`[["a", "u1", [[1]]]]`, `[["a", "u1", 1.5]]`, `[["a", "u1", "x"]]`, `[[null, "u1"]]`, `[]`} {
		var info pyshm.ArrayInfo
		noError(t, json.Unmarshal([]byte(`{"dtype": `+text+"}"), &info))
		if d, err := npy.ParseDtype(info.Dtype); err == nil {
			t.Errorf("%s: %v", text, d)
		}
	}
}

func TestViewArrayRefuses(t *testing.T) {
	m := create(t, 1000)
	for _, tc := range []struct {
		info pyshm.ArrayInfo
		want error
	}{
		{pyshm.ArrayInfo{Shape: []int{126}, Dtype: "f8"}, fs.ErrInvalid},
		{pyshm.ArrayInfo{Shape: []int{1}, Dtype: "f8", Offset: 993}, fs.ErrInvalid},
		{pyshm.ArrayInfo{Shape: []int{1}, Dtype: "f8", Offset: -8}, fs.ErrInvalid},
		{pyshm.ArrayInfo{Shape: []int{0}, Dtype: "f8", Offset: 1001}, fs.ErrInvalid},
		{pyshm.ArrayInfo{Shape: []int{2}, Dtype: "f8", Strides: []int{-8}}, fs.ErrInvalid},
		{pyshm.ArrayInfo{Shape: []int{2}, Dtype: "f8", Strides: []int{math.MaxInt}, Offset: 500}, fs.ErrInvalid},
		{pyshm.ArrayInfo{Shape: []int{2}, Dtype: "f8", Strides: []int{math.MinInt}, Offset: 500}, fs.ErrInvalid},
		{pyshm.ArrayInfo{Shape: []int{3, 3}, Dtype: "f8", Strides: []int{math.MaxInt / 2, math.MaxInt / 2}}, fs.ErrInvalid},
		{pyshm.ArrayInfo{Shape: []int{3, 3}, Dtype: "f8", Strides: []int{-math.MaxInt / 2, -math.MaxInt / 2}, Offset: 1000}, fs.ErrInvalid},
		{pyshm.ArrayInfo{Shape: []int{1 << 12, 1 << 12}, Dtype: "f8", Strides: []int{1 << 15, 8}}, fs.ErrInvalid},
		{pyshm.ArrayInfo{Shape: []int{-1}, Dtype: "f8"}, npy.ErrShape},
		{pyshm.ArrayInfo{Shape: []int{math.MaxInt, 2}, Dtype: "f8", Strides: []int{0, 0}}, npy.ErrShape},
		{pyshm.ArrayInfo{Shape: []int{2}, Dtype: "f8", Strides: []int{8, 8}}, npy.ErrShape},
		{pyshm.ArrayInfo{Shape: []int{2}, Dtype: "f8", Strides: []int{}}, npy.ErrShape},
		{pyshm.ArrayInfo{Shape: []int{2}, Dtype: "f4"}, npy.ErrMismatch},
		{pyshm.ArrayInfo{Shape: []int{2}, Dtype: "O"}, npy.ErrDtype},
		{pyshm.ArrayInfo{Shape: []int{2}}, npy.ErrDtype},
		{pyshm.ArrayInfo{Shape: []int{2}, Dtype: "f8", Name: "another"}, fs.ErrInvalid},
	} {
		a, err := pyshm.ViewArray[float64](m, tc.info)
		var e *pyshm.Error
		if a != nil || !errors.Is(err, tc.want) || !errors.As(err, &e) || e.Op != "view array" || e.Name != m.Name() {
			t.Errorf("%+v: %v, %v", tc.info, a, err)
		}
	}
	a := view[float64](t, m, pyshm.ArrayInfo{Name: "/" + m.Name(), Shape: []int{1, 2}, Dtype: "float64", Offset: 984, Strides: []int{math.MinInt, 8}})
	noError(t, a.Set(1.5, 0, 1))
	if v, err := a.At(0, 1); v != 1.5 || err != nil {
		t.Errorf("%v, %v", v, err)
	}
}

func TestCreateFrom(t *testing.T) {
	testkit.NeedKeptNames(t)
	name := testkit.Name(t)
	var kept io.WriterAt
	m := keep[*pyshm.SharedMemory](t)(pyshm.CreateFrom(name, 10, func(w io.WriterAt) error {
		if m, err := pyshm.Attach(name); testkit.NamesFirst {
			noError(t, err)
			want(t, m, strings.Repeat("\x00", 10), 0)
			noError(t, m.Close())
		} else if !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the name is there already: %v", err)
		}
		kept = w
		for _, off := range []int64{-1, 8, 11, math.MaxInt64, math.MinInt64} {
			if n, err := w.WriteAt([]byte("abc"), off); n != 0 || !errors.Is(err, fs.ErrInvalid) {
				t.Errorf("WriteAt %d = %d, %v", off, n, err)
			}
		}
		_, err := w.WriteAt([]byte("abc"), 7)
		return err
	}, pyshm.Mode(0o644)))
	if m.Size() != 10 {
		t.Errorf("%d bytes", m.Size())
	}
	want(t, m, "\x00\x00\x00\x00\x00\x00\x00abc", 0)
	if n, err := kept.WriteAt([]byte("x"), 0); n != 0 || !errors.Is(err, fs.ErrClosed) {
		t.Errorf("a late write: %d, %v", n, err)
	}
	other := testkit.Name(t)
	if m, err := pyshm.CreateFrom(other, 10, func(io.WriterAt) error { return io.EOF }); m != nil || err != io.EOF {
		t.Errorf("the caller's error: %v", err)
	}
	func() {
		defer func() { _ = recover() }()
		pyshm.CreateFrom(other, 10, func(io.WriterAt) error { panic("mine") })
	}()
	if _, err := pyshm.Attach(other); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("something is left: %v", err)
	}
	var e *pyshm.Error
	if _, err := pyshm.CreateFrom(name, 10, func(io.WriterAt) error { panic("called") }); !errors.Is(err, fs.ErrExist) || !errors.As(err, &e) || e.Op != "create from" {
		t.Errorf("a name in use: %v", err)
	}
}

func TestInspectArray(t *testing.T) {
	testkit.NeedLinux(t)
	a := createArray[tick](t, []int{4, 5})
	c, err := segment(t, a.Name()).Inspect()
	if err != nil || c.Kind != pyshm.KindArray || c.Array == nil || !slices.Equal(c.Array.Shape, []int{4, 5}) || !c.Array.Dtype.Equal(a.Dtype()) {
		t.Errorf("%+v, %v", c, err)
	}
	noError(t, os.Truncate(pathOf(a.Name()), int64(a.SharedMemory().Size()-1)))
	c, err = segment(t, a.Name()).Inspect()
	if err != nil || c.Kind != pyshm.KindBlock || c.Array != nil {
		t.Errorf("without its last byte: %+v, %v", c, err)
	}
}

func must[T any](v T, err error) func(t testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		noError(t, err)
		return v
	}
}
