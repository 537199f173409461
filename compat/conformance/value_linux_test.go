//go:build !posixshm

package conformance

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/pyshm-go/pyshm/compat"
	"github.com/pyshm-go/pyshm/format/npy"
	"github.com/pyshm-go/pyshm/internal/covered"
	"github.com/pyshm-go/pyshm/internal/soak"
	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm"
)

// These tests share values, arrays and barriers of multiprocessing between this process
// and a Python, made by either.

//go:embed value_python.py
var valuePython string

// forEachValuePython runs f for each interpreter, with the functions of value_python.py.
func forEachValuePython(t *testing.T, f func(t *testing.T, py compat.Interpreter, p *compat.Peer)) {
	dir := t.TempDir()
	check(t, os.WriteFile(filepath.Join(dir, "value_python.py"), []byte(valuePython), 0o600))
	compat.ForEach(t, func(t *testing.T, py compat.Interpreter) {
		t.Parallel()
		p := start(t, py, compat.Dir(dir), compat.Env("PYTHONPATH="+testkit.HelperDir(t)))
		check(t, p.Exec("import gc, ctypes, json\nfrom multiprocessing import sharedctypes\nfrom value_python import *\nfrom pyshm_attach import *\nspawn = multiprocessing.get_context('spawn')"))
		f(t, py, p)
		check(t, p.Close())
		wantEqual(t, "standard error", p.Stderr(), "")
	})
}

// partsOf returns the parts of an object that Python has made.
func partsOf[P any](t testing.TB, p *compat.Peer, expression string) (parts P) {
	t.Helper()
	check(t, json.Unmarshal([]byte(eval[string](t, p, "parts("+expression+")")), &parts))
	return parts
}

func TestValues(t *testing.T) {
	t.Parallel()
	forEachValuePython(t, func(t *testing.T, py compat.Interpreter, p *compat.Peer) {
		testkit.Covers(t, py, covered.Values)
		t.Run("made by Python", func(t *testing.T) { testValuesOfPython(t, p) })
		t.Run("made by Go", func(t *testing.T) { testValuesOfGo(t, p) })
		t.Run("refused by Python", func(t *testing.T) { testRefusedByPython(t, p) })
		t.Run("counters", func(t *testing.T) { testCounters(t, py, p) })
		t.Run("barrier made by Python", func(t *testing.T) {
			check(t, p.Exec("barrier = spawn.Barrier(4)"))
			b := must(pyshm.AttachBarrierParts(partsOf[pyshm.BarrierParts](t, p, "barrier")))(t)
			defer b.Close()
			testBarrier(t, p, b)
			_, err := p.Eval("parts(spawn.Barrier(2, print))")
			wantPythonError(t, err, "ValueError", "the barrier has an action")
		})
		t.Run("barrier made by Go", func(t *testing.T) {
			b := keepHandle(t, must(pyshm.CreateBarrier(newName(t), 4))(t))
			check(t, p.Exec(fmt.Sprintf("barrier = attach_barrier(%q)", b.Name())))
			testBarrier(t, p, b)
			testKilledParty(t, p, b, testkit.Share(t, py, testkit.StartMethods))
		})
	})
}

func testValuesOfPython(t *testing.T, p *compat.Peer) {
	check(t, p.Exec(`
point = spawn.Value(Point, 1.5, -2, b'abcde', (7, 8), True, (9, 1 << 40))
number, flag, swapped = spawn.Value('d', 0.5), spawn.Value(ctypes.c_bool, True), spawn.RawValue(ctypes.c_int32.__ctype_be__, 77)
array, raw, text, wide = spawn.Array('h', [1, -2, 3]), spawn.RawArray('f', 4), spawn.Array('c', b'text'), spawn.RawArray('u', 'hé')
grid = spawn.RawArray(ctypes.c_int64 * 3, 2)
moved = spawn.RawValue(Moved)
nameless = multiprocessing.get_context('fork').Value('i', 5)
`))
	ctx := soon(t)
	point := must(pyshm.AttachValueParts[cPoint](partsOf[pyshm.ValueParts](t, p, "point")))(t)
	defer point.Close()
	check(t, point.Update(ctx, func(v *cPoint) error {
		want := cPoint{X: 1.5, N: -2, Name: [5]byte([]byte("abcde")), Tail: [2]int32{7, 8}, OK: 1}
		want.Inner.A, want.Inner.B = 9, 1<<40
		wantEqual(t, "point", *v, want)
		v.X, v.Tail[1], v.Inner.B = -0.25, -8, 5
		return nil
	}))
	wantEqual(t, "point in Python", must(p.Eval("[point.x, point.n, point.name, list(point.tail), point.inner.b]"))(t),
		[]any{-0.25, int64(-2), []byte("abcde"), []any{int64(7), int64(-8)}, int64(5)})
	if err := point.Unlink(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("unlink of what Python has made: %v", err)
	}

	number := must(pyshm.AttachValueParts[float64](partsOf[pyshm.ValueParts](t, p, "number")))(t)
	defer number.Close()
	check(t, number.Store(ctx, 2.5))
	wantEqual(t, "number", must(p.Eval("number.value"))(t), 2.5)
	flag := must(pyshm.AttachValueParts[npy.Bool](partsOf[pyshm.ValueParts](t, p, "flag")))(t)
	defer flag.Close()
	wantEqual(t, "flag", must(flag.Load(ctx))(t), npy.Bool(1))

	testArraysOfPython(t, p)

	if _, err := pyshm.AttachValueParts[int64](partsOf[pyshm.ValueParts](t, p, "number")); !errors.Is(err, npy.ErrMismatch) {
		t.Errorf("a double as int64: %v", err)
	}
	if _, err := pyshm.AttachArrayParts[struct {
		N int16
		X float64
	}](partsOf[pyshm.ValueParts](t, p, "moved")); !errors.Is(err, npy.ErrMismatch) {
		t.Errorf("a packed structure: %v", err)
	}
	_, err := p.Eval("parts(nameless)")
	wantPythonError(t, err, "ValueError", "has no name")
	_, err = p.Eval("parts(spawn.RawValue(Bits))")
	wantPythonError(t, err, "TypeError", "Bits.n is a bit field")
	_, err = p.Eval("parts(spawn.RawValue(ctypes.c_void_p))")
	wantPythonError(t, err, "TypeError", "c_void_p means nothing to other programs")
	_, err = p.Eval("parts(5)")
	wantPythonError(t, err, "TypeError", "int has no parts")
	if _, err := pyshm.AttachValueParts[int32](partsOf[pyshm.ValueParts](t, p, "nameless.get_obj()")); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("a value without a lock: %v", err)
	}
}

func testArraysOfPython(t *testing.T, p *compat.Peer) {
	parts := partsOf[pyshm.ValueParts](t, p, "array")
	array := must(pyshm.AttachArrayParts[int16](parts))(t)
	defer array.Close()
	lock := must(pyshm.AttachLock(parts.Lock))(t)
	defer lock.Close()
	check(t, lock.With(soon(t), func() error {
		return array.Guard(func(all []int16) error {
			wantEqual(t, "array", all, []int16{1, -2, 3})
			all[1] = 300
			return nil
		})
	}))
	wantEqual(t, "array in Python", must(p.Eval("array[:]"))(t), []any{int64(1), int64(300), int64(3)})
	three := must(pyshm.AttachValueParts[[3]int16](parts))(t)
	defer three.Close()
	wantEqual(t, "as a value", must(three.Load(soon(t)))(t), [3]int16{1, 300, 3})
	if _, err := pyshm.AttachValueParts[int16](parts); !errors.Is(err, npy.ErrMismatch) {
		t.Errorf("an array as a value: %v", err)
	}

	raw := must(pyshm.AttachArrayParts[float32](partsOf[pyshm.ValueParts](t, p, "raw")))(t)
	defer raw.Close()
	check(t, raw.Set(0.5, 3))
	text := must(pyshm.AttachArrayParts[uint8](partsOf[pyshm.ValueParts](t, p, "text")))(t)
	defer text.Close()
	check(t, text.Set('T', 0))
	wide := must(pyshm.AttachArrayParts[int32](partsOf[pyshm.ValueParts](t, p, "wide")))(t)
	defer wide.Close()
	wantEqual(t, "é", must(wide.At(1))(t), 'é')
	grid := must(pyshm.AttachArrayParts[int64](partsOf[pyshm.ValueParts](t, p, "grid")))(t)
	defer grid.Close()
	check(t, grid.Set(6, 1, 2))
	swapped := must(pyshm.AttachArrayParts[int32](partsOf[pyshm.ValueParts](t, p, "swapped")))(t)
	defer swapped.Close()
	wantEqual(t, "big-endian", must(swapped.At())(t), int32(77))
	check(t, swapped.Set(78)) // PyPy reads a negative one as unsigned
	wantEqual(t, "in Python", must(p.Eval("[raw[3], text.value, grid[1][2], swapped.value]"))(t), []any{0.5, []byte("Text"), int64(6), int64(78)})
}

func testValuesOfGo(t *testing.T, p *compat.Peer) {
	ctx := soon(t)
	number := keepHandle(t, must(pyshm.CreateValue[int32](newName(t)))(t))
	check(t, number.Store(ctx, -5))
	check(t, p.Exec(fmt.Sprintf("number = attach_value(%q)\nnumber.value += 1\nraw = attach_value(%q, lock=False)", number.Name(), number.Name())))
	wantEqual(t, "number", must(number.Load(ctx))(t), int32(-4))
	wantEqual(t, "its types", must(p.Eval("[kind_of(number), kind_of(number.get_lock()), is_raw(raw), raw.value, parts(number) != parts(raw)]"))(t),
		[]any{"multiprocessing.sharedctypes.Synchronized", "multiprocessing.synchronize.RLock", true, int64(-4), true})
	check(t, p.Exec("number.get_lock().acquire()"))
	wantTimeout(t, number.Store(briefly(t), 1))
	check(t, p.Exec("number.value = 6; number.get_lock().release()"))
	wantEqual(t, "number", must(number.Load(ctx))(t), int32(6))

	point := keepHandle(t, must(pyshm.CreateValue[cPoint](newName(t)))(t))
	check(t, p.Exec(fmt.Sprintf("point = attach_value(%q, Point)\nwith point.get_lock():\n point.x, point.name, point.tail[1], point.inner.b = 2.5, b'xy', -1, -9", point.Name())))
	want := cPoint{X: 2.5, Name: [5]byte{'x', 'y'}, Tail: [2]int32{0, -1}}
	want.Inner.B = -9
	wantEqual(t, "point", must(point.Load(ctx))(t), want)
	_, err := p.Eval(fmt.Sprintf("attach_value(%q)", point.Name()))
	wantPythonError(t, err, "ValueError", "give their ctypes type")
	_, err = p.Eval(fmt.Sprintf("attach_value(%q, Inner)", point.Name()))
	wantPythonError(t, err, "ValueError", "has elements of dtype")
	_, err = p.Eval(fmt.Sprintf("attach_value(%q, 'q')", number.Name()))
	wantPythonError(t, err, "ValueError", "has elements of dtype "+dtypeOf[int32](t)+", not "+dtypeOf[int64](t))
	_, err = p.Eval("attach_value('" + newName(t) + "')")
	wantPythonError(t, err, "FileNotFoundError", "")

	name := newName(t)
	array := keepHandle(t, must(pyshm.CreateArray[uint16](name, []int{3}))(t))
	keepHandle(t, must(pyshm.CreateLock(name+".lock"))(t))
	check(t, p.Exec(fmt.Sprintf("array = attach_value(%q)\narray[:] = [1, 2, 65535]", name)))
	wantEqual(t, "array", must(array.At(2))(t), uint16(65535))
	wantEqual(t, "its type", must(p.Eval("[kind_of(array), len(array)]"))(t), []any{"multiprocessing.sharedctypes.SynchronizedArray", int64(3)})
	if py := p.Interpreter(); py.Implementation == "CPython" {
		// The object's end ends its memory and its descriptor.
		check(t, p.Exec("gc.collect()"))
		before := eval[int64](t, p, "len(os.listdir('/proc/self/fd'))")
		check(t, p.Exec(fmt.Sprintf("for _ in range(5): attach_value(%q)\ngc.collect()", name)))
		wantEqual(t, "descriptors", must(p.Eval("len(os.listdir('/proc/self/fd'))"))(t), before)
	}
	check(t, p.Exec("array = number = raw = point = None; gc.collect()"))
}

// testRefusedByPython has Python attach to what is no value and no barrier. It keeps no
// descriptor, and no process dies.
func testRefusedByPython(t *testing.T, p *compat.Peer) {
	head := "\x93NUMPY\x01\x00\x76\x00"
	header := func(text string) []byte { return fmt.Appendf(nil, "%s%-117s\n", head, text) }
	check(t, p.Exec("gc.collect()"))
	before := eval[int64](t, p, "len(os.listdir('/proc/self/fd'))")
	for what, content := range map[string][]byte{
		"a block":          []byte("12345678"),
		"no data":          header("{'descr': '<i4', 'fortran_order': False, 'shape': (), }"),
		"a part of it":     header("{'descr': '<i4', 'fortran_order': False, 'shape': (), }")[:50],
		"a huge shape":     header("{'descr': '<i4', 'fortran_order': False, 'shape': (9223372036854775807,), }"),
		"a negative shape": header("{'descr': '<i4', 'fortran_order': False, 'shape': (-1,), }"),
		"no elements":      header("{'descr': '<i4', 'fortran_order': False, 'shape': (0,), }"),
		"two axes":         append(header("{'descr': '<i4', 'fortran_order': False, 'shape': (1, 1), }"), 0, 0, 0, 0),
		"no dict":          header("[]"),
		"code":             header("{'descr': exit(), 'fortran_order': False, 'shape': (), }"),
		"an object":        append(header("{'descr': '|O', 'fortran_order': False, 'shape': (), }"), make([]byte, 8)...),
		"a wrong dtype":    append(header("{'descr': 5, 'fortran_order': False, 'shape': (), }"), make([]byte, 8)...),
		"a wrong record":   append(header("{'descr': [('a',), 'b'], 'fortran_order': False, 'shape': (), }"), make([]byte, 8)...),
		"a huge text":      append(header("{'descr': '|S99999999999', 'fortran_order': False, 'shape': (), }"), make([]byte, 8)...),
		"no number":        append(header("{'descr': '|Sx', 'fortran_order': False, 'shape': (), }"), make([]byte, 8)...),
		"deep brackets":    header(strings.Repeat("[", 117)),
	} {
		name := newName(t)
		check(t, os.WriteFile(fileOf(name), content, 0o600))
		for _, function := range []string{"attach_value", "attach_barrier"} {
			if _, err := p.Eval(fmt.Sprintf("%s(%q)", function, name)); err == nil {
				t.Errorf("%s of %s returns", function, what)
			} else {
				wantPythonError(t, err, "ValueError", "")
			}
		}
	}
	check(t, p.Exec("gc.collect()"))
	wantEqual(t, "descriptors", eval[int64](t, p, "len(os.listdir('/proc/self/fd'))"), before)
}

// keepHandle closes and unlinks what Go has made when the test ends.
func keepHandle[H shared](t testing.TB, h H) H {
	t.Helper()
	t.Cleanup(func() {
		check(t, h.Close())
		check(t, h.Unlink())
	})
	return h
}

// testCounters has Go, Python and a child of Python add to one value at the same time.
func testCounters(t *testing.T, py compat.Interpreter, p *compat.Peer) {
	additions := soak.Length(100, 20_000)
	add := func(v *pyshm.Value[int64]) {
		for range additions {
			if err := v.Update(soon(t), func(n *int64) error { *n++; return nil }); err != nil {
				t.Error(err)
				return
			}
		}
	}
	run := func(v *pyshm.Value[int64], method string) {
		t.Helper()
		before := must(v.Load(soon(t)))(t)
		done := later(p, fmt.Sprintf("process = child(%q, count, counter, %d)\ncount(counter, %d)\nend(process)", method, additions, additions))
		var adding sync.WaitGroup
		adding.Go(func() { add(v) })
		adding.Go(func() { add(v) })
		adding.Wait()
		check(t, <-done)
		wantEqual(t, "the sum after "+method, must(v.Load(soon(t)))(t)-before, 4*int64(additions))
	}
	check(t, p.Exec("counter = spawn.Value('q', 0)"))
	v := must(pyshm.AttachValueParts[int64](partsOf[pyshm.ValueParts](t, p, "counter")))(t)
	defer v.Close()
	methods := testkit.Share(t, py, testkit.StartMethods)
	run(v, methods[0])
	made := keepHandle(t, must(pyshm.CreateValue[int64](newName(t)))(t))
	check(t, p.Exec(fmt.Sprintf("counter = attach_value(%q)", made.Name())))
	for _, method := range methods {
		run(made, method)
	}
	check(t, p.Exec("counter = None; gc.collect()"))
}

// dtypeOf returns a dtype as Python writes it on this machine.
func dtypeOf[T any](t testing.TB) string { return must(npy.DtypeOf[T]())(t).String() }
