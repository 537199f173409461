//go:build linux || darwin || freebsd

package worker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pyshm-go/pyshm/compat"
	"github.com/pyshm-go/pyshm/format/npy"
	"github.com/pyshm-go/pyshm/format/pickle"
	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm"
	"github.com/pyshm-go/pyshm/scripts"
)

func init() { namePrefix = testkit.Prefix } // Main looks for names that begin so

// withNumpy returns an interpreter with numpy, or skips the test.
func withNumpy(t testing.TB) compat.Interpreter {
	t.Helper()
	for _, py := range must(compat.Find(t.Context()))(t) {
		if py.HasNumpy {
			return py
		}
	}
	testkit.Missing(t, "no interpreter has numpy")
	return compat.Interpreter{}
}

func numpyPool(t testing.TB, o Options) *Pool {
	t.Helper()
	return startScript(t, script(withNumpy(t), "arrays.py"), o)
}

// TestArrays passes arrays by reference, and takes them back in place.
func TestArrays(t *testing.T) {
	t.Parallel()
	needArena(t)
	p := numpyPool(t, Options{Workers: 1})
	check(t, p.Do(t.Context(), func(j *Job) error {
		image := must(NewArray[float32](j, 48, 64))(t)
		check(t, image.Set(0.25, 3, 4))
		sum := must(j.Call(t.Context(), "double", image))(t)
		wantEqual(t, "the sum", sum, any(0.5))
		wantEqual(t, "the element", must(image.At(3, 4))(t), float32(0.5))

		row := must(j.Call(t.Context(), "row", image, 3))(t)
		third := must(ArrayOf[float32](j, row))(t)
		check(t, third.Set(7, 4))
		wantEqual(t, "an element of the row", must(image.At(3, 4))(t), float32(7))

		// An array in another order than C's is copied.
		column := must(ArrayOf[float32](j, must(j.Call(t.Context(), "column", image, 4))(t)))(t)
		wantEqual(t, "the column's element", must(column.At(3))(t), float32(7))
		check(t, column.Set(8, 3))
		wantEqual(t, "the image", must(image.At(3, 4))(t), float32(7))

		nested := must(j.Call(t.Context(), "double_all", []any{map[string]any{"a": image}}))(t)
		a, _ := nested.([]any)[0].(*pickle.Dict).Get("a")
		got := must(ArrayOf[float32](j, a))(t)
		wantEqual(t, "an element of a nested array", must(got.At(3, 4))(t), float32(14))
		return nil
	}))
	wantNamed(t, p)
	wantRecords(t, p)
	wantResults(t, p)
	wantLargeArray(t, p)
	wantMisuse(t, p)
}

// A relocated is an array that says that it lies elsewhere.
type relocated struct {
	*pyshm.Array[float32]
	info pyshm.ArrayInfo
}

func (r *relocated) Info() pyshm.ArrayInfo { return r.info }

// TestArraysAgain: calls with the same arrays as before, and with others in between, reach
// the arrays that they name.
func TestArraysAgain(t *testing.T) {
	t.Parallel()
	needArena(t)
	p := numpyPool(t, Options{Workers: 1})
	check(t, p.Do(t.Context(), func(j *Job) error {
		a, b := must(NewArray[float32](j, 3))(t), must(NewArray[float32](j, 2, 2))(t)
		check(t, a.Set(1, 0))
		check(t, b.Set(10, 0, 0))
		for i, call := range []struct {
			function string
			array    any
			want     any
		}{
			{"double", a, 2.0}, {"double", a, 4.0}, {"double", b, 20.0}, {"double", b, 40.0}, {"double", a, 8.0},
			{"total", a, 8.0}, {"total", a, 8.0}, {"double", a, 16.0},
		} {
			wantEqual(t, fmt.Sprint("result ", i), must(j.Call(t.Context(), call.function, call.array))(t), call.want)
		}
		wantEqual(t, "two arrays", must(j.Call(t.Context(), "total", a, b))(t), any(56.0))
		wantEqual(t, "two arrays again", must(j.Call(t.Context(), "total", a, b))(t), any(56.0))
		wantEqual(t, "the other way round", must(j.Call(t.Context(), "total", b, a))(t), any(56.0))
		wantEqual(t, "no array", must(j.Call(t.Context(), "total"))(t), any(0.0))

		moved := &relocated{a, a.Info()}
		wantEqual(t, "an array", must(j.Call(t.Context(), "double", moved))(t), any(32.0))
		moved.info = b.Info()
		wantEqual(t, "an array that moves", must(j.Call(t.Context(), "double", moved))(t), any(80.0))
		return nil
	}))
}

// TestManyArraysAgain: a call whose request does not fit into the messages goes by the
// connection, the second time as well.
func TestManyArraysAgain(t *testing.T) {
	t.Parallel()
	needArena(t)
	p := numpyPool(t, Options{Workers: 1, Arena: firstMessages + 4096})
	ctx, cancel := context.WithTimeout(t.Context(), testkit.Patience)
	defer cancel()
	check(t, p.Do(ctx, func(j *Job) error {
		a := must(NewArray[float32](j, 3))(t)
		check(t, a.Set(1, 0))
		many := slices.Repeat([]any{a}, 1<<14)
		for range 3 {
			wantEqual(t, "the sum", must(j.Call(ctx, "total", many...))(t), any(float64(len(many))))
		}
		return nil
	}))
}

// TestKeptRequest: a request is found for its own call alone, and not when the arena no longer
// has the arrays.
func TestKeptRequest(t *testing.T) {
	t.Parallel()
	m := must(pyshm.Create(testkit.Name(t), 64))(t)
	defer m.Close()
	check(t, m.Unlink())
	view := func(offset int) any {
		return must(pyshm.ViewArray[int32](m, pyshm.ArrayInfo{Shape: []int{1}, Dtype: "i4", Offset: offset}))(t)
	}
	a, b := view(0), view(4)
	in, out := &arena{segments: []*segment{{m: m}}}, &arena{}
	var k keptRequest
	k.keep("f", []any{a, b}, in, []byte("request"))
	for _, test := range []struct {
		function string
		args     []any
		in       *arena
		found    bool
	}{
		{"f", []any{a, b}, in, true},
		{"g", []any{a, b}, in, false},
		{"f", []any{a}, in, false},
		{"f", []any{b, a}, in, false},
		{"f", []any{a, b, a}, in, false},
		{"f", []any{a, []byte("b")}, in, false},
		{"f", []any{a, b}, out, false},
	} {
		wantEqual(t, fmt.Sprint(test), k.find(test.function, test.args, test.in) != nil, test.found)
	}
	for _, args := range [][]any{nil, {1}, {a, "b"}, {a, nil}} {
		k.keep("f", args, in, []byte("request"))
		wantEqual(t, fmt.Sprint("keeps ", args), k.find("f", args, in) != nil, false)
	}
}

// wantNamed passes memory that has a name, and memory that has none.
func wantNamed(t *testing.T, p *Pool) {
	t.Helper()
	image := must(pyshm.CreateArray[float64](testkit.Name(t), []int{2, 3}))(t)
	block := must(pyshm.Create(testkit.Name(t), 64))(t)
	list := must(pyshm.CreateList(testkit.Name(t), []any{41}, pyshm.Layout(withNumpy(t).Layout())))(t)
	defer func() {
		check(t, errors.Join(block.Unlink(), list.Unlink(), image.Close(), block.Close(), list.Close()))
	}()
	check(t, image.Set(0.25, 1, 2))
	wantEqual(t, "the sum", call(t, p, "double", image), any(0.5))
	wantEqual(t, "the element", must(image.At(1, 2))(t), 0.5)
	call(t, p, "double_all", []any{map[string]any{"a": image}})
	wantEqual(t, "the element", must(image.At(1, 2))(t), 1.0)

	// Columns of an array without a header.
	info := pyshm.ArrayInfo{Shape: []int{2, 2}, Dtype: "i4", Offset: 16, Strides: []int{4, 8}}
	columns := must(pyshm.ViewArray[int32](block, info))(t)
	check(t, columns.Set(3, 0, 1))
	wantEqual(t, "the sum", call(t, p, "double", columns), any(int64(6)))
	wantEqual(t, "the element", must(columns.At(0, 1))(t), int32(6))
	call(t, p, "bump", block, list)
	wantEqual(t, "a byte, an item", []any{block.Bytes()[1], must(list.Int(0))(t)}, []any{byte(1), int64(42)})

	check(t, image.Unlink())
	_, err := p.Call(t.Context(), "double", image)
	wantReason(t, "an array whose name is gone", err, fs.ErrInvalid)
	if !strings.Contains(err.Error(), "copy the elements to an array of this job's NewArray") {
		t.Errorf("the error does not say what to do: %v", err)
	}
	_, err = p.Call(t.Context(), "double", (*pyshm.SharedMemory)(nil))
	wantReason(t, "a nil block", err, fs.ErrClosed)
}

// wantRecords passes an array of structs.
func wantRecords(t *testing.T, p *Pool) {
	type tick struct {
		T     int64 `numpy:"t,M8[ns]"`
		Price float64
		Qty   int32
	}
	check(t, p.Do(t.Context(), func(j *Job) error {
		ticks := must(NewArray[tick](j, 3))(t)
		check(t, ticks.Set(tick{1, 5, 7}, 2))
		v := must(j.Call(t.Context(), "discount", ticks))(t)
		rest := must(ArrayOf[tick](j, v.(pickle.Tuple)[0]))(t)
		wantEqual(t, "a record", must(rest.At(1))(t), tick{1, 2.5, 7})
		return nil
	}))
}

// wantResults takes arrays and scalars that a function has made.
func wantResults(t *testing.T, p *Pool) {
	v := call(t, p, "make", pickle.Tuple{2, 3}, "i2")
	wantEqual(t, "elements", must(Elements[int16](v))(t), []int16{0, 1, 2, 3, 4, 5})
	wantEqual(t, "shape", v.(*NDArray).Shape, []int{2, 3})
	_, err := Elements[int32](v)
	wantReason(t, "elements of another type", err, npy.ErrMismatch)
	_, err = Elements[int16](call(t, p, "make", pickle.Tuple{2}, ">i2"))
	wantReason(t, "elements in another byte order", err, npy.ErrByteOrder)
	wantEqual(t, "no elements", must(Elements[float64](call(t, p, "make", pickle.Tuple{0, 3}, "f8")))(t), []float64{})

	// It is larger than the messages: once it comes by the connection, later by place.
	for range 2 {
		v = call(t, p, "make", pickle.Tuple{1000, 1000}, "f4")
		wantEqual(t, "the last element", must(Elements[float32](v))(t)[999_999], float32(999_999))
	}
	scalars := call(t, p, "scalars").([]any)
	wantEqual(t, "scalars", scalars[:4], []any{0.5, int64(7), true, "x"})

	a := &NDArray{Dtype: "<f4", Shape: []int{2, 2}, Data: make([]byte, 16)}
	a.Data[3] = 0x40 // 2.0
	wantEqual(t, "mean", call(t, p, "mean", a), any(pickle.Tuple{0.5, "float32", pickle.Tuple{int64(2), int64(2)}}))
}

// wantLargeArray passes an array that is attached to the request.
func wantLargeArray(t *testing.T, p *Pool) {
	a := &NDArray{Dtype: "u1", Shape: []int{100, 100}, Data: bytes.Repeat([]byte{3}, 10_000)}
	v := call(t, p, "echo", []byte("short"), a, bytes.Repeat([]byte{5}, 5000)).(pickle.Tuple)
	back := v[1].(*NDArray)
	if !bytes.Equal(back.Data, a.Data) || back.Shape[1] != 100 || back.Dtype != "|u1" || len(v[2].([]byte)) != 5000 {
		t.Errorf("%v came back with %d bytes, and %d bytes", back, len(back.Data), len(v[2].([]byte)))
	}
}

// wantMisuse gets errors, and the pool goes on.
func wantMisuse(t *testing.T, p *Pool) {
	var kept *Job
	var array *pyshm.Array[uint8]
	check(t, p.Do(t.Context(), func(j *Job) error {
		kept, array = j, must(NewArray[uint8](j, 10))(t)
		_, err := NewArray[uint8](j, 65<<20)
		wantReason(t, "an array that is too large", err, errFull)
		_, err = NewArray[bool](j, 1)
		wantReason(t, "an array of bool", err, npy.ErrDtype)
		_, err = NewArray[uint8](j, -1)
		wantReason(t, "a negative length", err, npy.ErrShape)
		return nil
	}))
	_, err := NewArray[uint8](kept, 1)
	wantReason(t, "after the job", err, errOver)
	_, err = kept.Call(t.Context(), "echo", 1)
	wantReason(t, "after the job", err, errOver)

	// Another job gets the memory, as zeros.
	check(t, array.Set(9, 5))
	check(t, p.Do(t.Context(), func(j *Job) error {
		again := must(NewArray[uint8](j, 10))(t)
		wantEqual(t, "an element of a new array", must(again.At(5))(t), uint8(0))
		return nil
	}))
}

// TestSpill sends and returns values of any size, with an arena and when it is full.
func TestSpill(t *testing.T) {
	t.Parallel()
	for _, arena := range []int{-1, 0, 1 << 20} {
		p := startPool(t, testkit.Python(t), Options{Workers: 1, Arena: arena})
		for _, size := range []int{0, 100, 60 << 10, 255 << 10, 256 << 10, 3 << 20, 1} {
			data := bytes.Repeat([]byte("abcdefg\n"), size/8)
			got := call(t, p, "echo", data, "x").(pickle.Tuple)
			if !bytes.Equal(got[0].([]byte), data) || got[1] != "x" {
				t.Errorf("%d bytes with an arena of %d came back as %d", size, arena, len(got[0].([]byte)))
			}
		}
		_, err := p.Call(t.Context(), "fail", string(bytes.Repeat([]byte("x"), 1<<20)))
		var raised *PythonError
		if !errors.As(err, &raised) || len(raised.Message) < 1<<20 {
			t.Errorf("an exception with a long message: %.100v", err)
		}
	}
}

// TestViews: without numpy, an array is a memoryview.
func TestViews(t *testing.T) {
	t.Parallel()
	needArena(t)
	py := testkit.Python(t)
	p := startScript(t, func() *exec.Cmd {
		cmd := exec.Command(py.Path, "-c", `
import sys
sys.modules["numpy"] = None  # as if there were none
from pyshm_attach import serve
@serve
def double(view, i, j):
    view[i, j] *= 2
    return view, len(view), view.format
serve()`)
		return cmd
	}, Options{Workers: 1})
	check(t, p.Do(t.Context(), func(j *Job) error {
		a := must(NewArray[float64](j, 2, 3))(t)
		check(t, a.Set(1.5, 1, 2))
		got := must(j.Call(t.Context(), "double", a, 1, 2))(t).(pickle.Tuple)
		wantEqual(t, "length and format", got[1:], pickle.Tuple{int64(2), "d"})
		wantEqual(t, "the element", must(a.At(1, 2))(t), 3.0)
		back := must(ArrayOf[float64](j, got[0]))(t)
		wantEqual(t, "the element of what came back", must(back.At(1, 2))(t), 3.0)
		return nil
	}))
}

// TestClosedArray: a job that closes one of its arrays closes its arena. Another worker takes
// the place of the job's.
func TestClosedArray(t *testing.T) {
	t.Parallel()
	needArena(t)
	p := startPool(t, testkit.Python(t), Options{Workers: 1})
	first := call(t, p, "pid")
	check(t, p.Do(t.Context(), func(j *Job) error { return must(NewArray[uint8](j, 10))(t).Close() }))
	wantEqual(t, "another worker", call(t, p, "pid") != first, true)
}

// TestIdle: a worker that has had nothing to do for a while takes no time of any processor,
// takes calls all the same, and notices when the pool ends.
func TestIdle(t *testing.T) {
	t.Parallel()
	needArena(t)
	p := startPool(t, testkit.Python(t), Options{Workers: 1, Spin: mostSpin})
	for range 3 {
		testkit.Eventually(t, "the worker rests", func() bool {
			p.mu.Lock()
			defer p.mu.Unlock()
			posts := &p.queue.free[0].posts
			posts.mu.Lock()
			defer posts.mu.Unlock()
			return posts.rests
		})
		before := switches(t, p)
		time.Sleep(moment)
		wantEqual(t, "how often it has slept", switches(t, p), before)
		call(t, p, "pid")
	}
}

// switches returns how often the pool's only worker has left its processor, when it sleeps.
func switches(t *testing.T, p *Pool) (lines []string) {
	t.Helper()
	p.mu.Lock()
	path := fmt.Sprintf("/proc/%d/status", p.queue.free[0].pid())
	p.mu.Unlock()
	testkit.Eventually(t, "the worker sleeps", func() bool {
		status := string(must(os.ReadFile(path))(t))
		lines = slices.DeleteFunc(strings.Split(status, "\n"), func(line string) bool { return !strings.Contains(line, "ctxt_switches") })
		return strings.Contains(status, "State:\tS")
	})
	return lines
}

// TestWakeFrame: the helper knows the frame that wakes it.
func TestWakeFrame(t *testing.T) {
	if text := fmt.Sprintf("%q", wakeFrame); !strings.Contains(strings.ReplaceAll(scripts.AttachHelper(), "_WAKE = b", "_WAKE = "), "_WAKE = "+text) {
		t.Errorf("pyshm_attach.py does not have the frame %s", text)
	}
}

// TestLoopHasNoArena: what needs the helper is refused to a loop without it.
func TestLoopHasNoArena(t *testing.T) {
	t.Parallel()
	p := startScript(t, script(testkit.Python(t), "loop.py"), Options{Workers: 1})
	check(t, p.Do(t.Context(), func(j *Job) error {
		_, err := NewArray[uint8](j, 1)
		wantReason(t, "an array", err, errors.ErrUnsupported)
		_, err = j.Call(t.Context(), "add", &NDArray{Dtype: "u1", Shape: []int{1}, Data: []byte{1}}, 1)
		wantReason(t, "an NDArray", err, errors.ErrUnsupported)
		wantEqual(t, "a call", must(j.Call(t.Context(), "add", 1, 2))(t), any(int64(3)))
		return nil
	}))
}

// TestSweep: a pool removes the names that a killed service has left.
func TestSweep(t *testing.T) {
	testkit.NeedLinux(t)
	testkit.Foreign(t)
	semaphore := must(pyshm.CreateSemaphore(namePattern(), 0))(t)
	used := must(pyshm.Create(namePattern(), 8))(t)
	defer func() { check(t, used.Unlink()); check(t, used.Close()) }()
	check(t, semaphore.Close())
	defer func(age time.Duration) { abandoned = age }(abandoned)
	abandoned = 0
	sweep()
	wantEqual(t, "names", testkit.NamesWith(namePrefix), []string{used.Name()})
	wantEqual(t, "semaphores", len(testkit.NamesWith("sem."+namePrefix)), 0)
}

// TestHostileMemory: whatever a worker writes into the words of the messages, the call gets
// an error.
func TestHostileMemory(t *testing.T) {
	t.Parallel()
	needArena(t)
	p := startPool(t, testkit.Python(t), Options{Workers: 1, Grace: time.Millisecond})
	for _, words := range [][]uint64{
		{1 << 40, kindReturn, 8}, // another number
		{0, kindReturn, 1 << 62}, // beyond the segment
		{0, kindReturn, 3},       // no pickle
		{0, 77, 8},               // no kind
		{0, kindRaise, 0},        // no exception
	} {
		_, err := p.Call(t.Context(), "forge", words[0], words[1], words[2])
		wantCrash(t, fmt.Sprint(words), err)
		wantReason(t, fmt.Sprint(words), err, errProtocol)
	}
	if os.Geteuid() == 0 { // only root may open the file of a mapping
		_, err := p.Call(t.Context(), "truncate")
		wantCrash(t, "truncated messages", err)
	}
	call(t, p, "pid")
}
