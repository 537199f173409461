package conformance

import (
	"fmt"
	"os"
	"testing"

	"github.com/pyshm-go/pyshm/compat"
	"github.com/pyshm-go/pyshm/format/npy"
	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm"
)

// forEachArrayPython is forEachSharedNumpy with pyshm_attach.
func forEachArrayPython(t *testing.T, f func(t *testing.T, p *compat.Peer)) {
	forEachSharedNumpy(t, func(t *testing.T, p *compat.Peer) {
		importAttach(t, p)
		f(t, p)
	})
}

func importAttach(t *testing.T, p *compat.Peer) {
	t.Helper()
	check(t, p.Exec("import sys; sys.path.insert(0, "+pyRepr(testkit.HelperDir(t))+")\nimport copy, gc, os, pickle, numpy, pyshm_attach\nfrom pyshm_attach import *"))
}

// TestCreateArray makes arrays in Python of many dtypes and shapes, which Go reads.
func TestCreateArray(t *testing.T) {
	testkit.NeedLinux(t)
	t.Parallel()
	forEachArrayPython(t, func(t *testing.T, p *compat.Peer) {
		for _, a := range []struct{ shape, dtype, descr, wantShape string }{
			{"(3, 4)", "'f8'", "<f8", "[3 4]"},
			{"5", "'u1'", "|u1", "[5]"},
			{"()", "'c16'", "<c16", "[]"},
			{"(0, 3)", "'M8[ns]'", "<M8[ns]", "[0 3]"},
			{"[2]", "('f4', (2, 3))", "<f4", "[2 2 3]"},
			{"2", "numpy.dtype([('a', 'u1'), ('b', '<f8')], align=True)", "[('a', '|u1'), ('', '|V7'), ('b', '<f8')]", "[2]"},
			{"2", "[('a', 'u1'), ('b', '>U3')]", "[('a', '|u1'), ('b', '>U3')]", "[2]"},
		} {
			name := newName(t)
			check(t, p.Exec(fmt.Sprintf("made = create_array(%q, %s, %s)\nassert made.size == 0 or not any(made.tobytes())", name, a.shape, a.dtype)))
			m := must(pyshm.Attach(name))(t)
			h, offset, err := npy.ParseHeader(m.Bytes())
			check(t, err)
			wantEqual(t, "descr", h.Dtype.String(), a.descr)
			wantEqual(t, "shape", fmt.Sprint(h.Shape), a.wantShape)
			wantEqual(t, "size", m.Size(), offset+must(h.Size())(t))
			wantEqual(t, "mode", must(os.Stat(fileOf(name)))(t).Mode().Perm(), os.FileMode(0o600))
			_, err = p.Eval(fmt.Sprintf("create_array(%q, 3, 'f8')", name))
			testkit.WantPythonError(t, err, "FileExistsError", name)
			check(t, p.Exec("made.unlink()"))
			check(t, m.Close())
		}
		for call, kind := range map[string]string{
			"create_array('%s', 3, object)":           "ValueError",
			"create_array('%s', 3, 'S0')":             "ValueError",
			"create_array('%s', (3, -1), 'f8')":       "ValueError",
			"create_array('%s', (2**62, 4, 0), 'f8')": "ValueError",
			"create_array('%s', (1,) * 33, 'f8')":     "ValueError",
			"create_array('%s', 2**45, 'f8')":         "OSError",
			"create_ring('%s', 1, 3, 'f8')":           "ValueError",
			"create_ring('%s', 3, (2, 0), 'f8')":      "ValueError",
			"attach_array('%s')":                      "FileNotFoundError",
			"attach_ring('%s')":                       "FileNotFoundError",
		} {
			name := testkit.Name(t)
			_, err := p.Eval(fmt.Sprintf(call, name))
			testkit.WantPythonError(t, err, kind, "")
			testkit.WantEqual(t, "what is left", testkit.NamesWith(name), []string(nil))
		}
		check(t, p.Exec("assert not [n for n in os.listdir('/dev/shm') if n.startswith('.pyshm-new-')]"))
	})
}

// TestAttachArrayKeepsMemory closes, deletes and collects in any order what attach_array
// returns, and views of it, and pickles them.
func TestAttachArrayKeepsMemory(t *testing.T) {
	testkit.NeedLinux(t)
	t.Parallel()
	forEachNumpy(t, func(t *testing.T, p *compat.Peer) {
		importAttach(t, p)
		ring := must(pyshm.CreateRing[float64](newName(t), 4, []int{100, 1000}))(t)
		defer ring.Close()
		must(ring.Publish(func(frame []float64) error { frame[1000] = 1.5; return nil }))(t)
		check(t, p.Exec(fmt.Sprintf(`
name = %q
slots = attach_array(name)
frame = slots["frame"][1]
assert slots.name == name and slots["end"].max() == 1 and frame[1, 0] == 1.5
base = slots
while not isinstance(base, memoryview):
    base = base.base
if sys.implementation.name != "pypy":  # PyPy closes any mapping
    try:
        base.obj.close()
    except BufferError:
        pass
    else:
        raise SystemExit("the mapping can be closed while there is an array")
del base, slots
gc.collect()
frame[1, 0] += 1
row = frame[1]
del frame
gc.collect()
row[0] += 1
assert row.sum() == 3.5 and type(row + 1) is numpy.ndarray and isinstance(row.sum(), float)

ring = attach_ring(name)
n, picture = ring.newest()
again = pickle.loads(pickle.dumps(ring))
del ring
gc.collect()
assert again.newest()[0] == n == 1 and picture[1, 0] == 3.5

for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
    array = attach_array(name)
    other = pickle.loads(pickle.dumps(array, protocol))
    other["frame"][1, 1, 1] = protocol
    assert array["frame"][1, 1, 1] == protocol and other.name == name
    for copied in pickle.loads(pickle.dumps(array[1:2], protocol)), copy.deepcopy(array), array.copy():
        copied["frame"][...] = -1
    assert array["frame"][1, 1, 1] == protocol and type(pickle.loads(pickle.dumps(array[1:2], protocol))) is numpy.ndarray
del array, other, copied

fixed = attach_array(name, readonly=True)
assert not fixed.flags.writeable and not pickle.loads(pickle.dumps(fixed)).flags.writeable
`, ring.Name())))
		_, err := p.Eval("attach_ring(name, readonly=True).publish(0)")
		testkit.WantPythonError(t, err, "ValueError", "read-only")

		check(t, p.Exec(`
import multiprocessing
context = multiprocessing.get_context("spawn")
array = attach_array(name)
with context.Pool(1) as pool:
    pool.apply(numpy.copyto, (array, numpy.zeros_like(array)))
assert array["end"].max() == 0`))
	})
}

// TestAttachArrayRefuses attaches to what is no array, or not all of one. The segment stays
// as it was, unlike with numpy.load and "r+".
func TestAttachArrayRefuses(t *testing.T) {
	testkit.NeedLinux(t)
	t.Parallel()
	forEachArrayPython(t, func(t *testing.T, p *compat.Peer) {
		header := func(text string) string {
			return "\x93NUMPY\x01\x00" + string([]byte{byte(len(text)), byte(len(text) >> 8)}) + text
		}
		for what, content := range map[string]string{
			"nothing":    "",
			"no header":  "no header of numpy's, but long enough to have one",
			"cut short":  header("{'descr': '<f8', 'fortran_order': False, 'shape': (2,), }\n") + "12345678",
			"huge":       header("{'descr': '<f8', 'fortran_order': False, 'shape': (4611686018427387904, 4), }\n"),
			"objects":    header("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }\n") + "12345678",
			"sub-arrays": header("{'descr': ('<f4', (2,)), 'fortran_order': False, 'shape': (1,), }\n") + "12345678",
			"nested":     header("{'descr': [[[[[[[[[[[[[[(((((((((((((((((((((((((((((((((((((((((\n"),
			"long":       "\x93NUMPY\x02\x00\xff\xff\xff\x7f{",
			"version 3":  "\x93NUMPY\x03\x00\x10\x00\x00\x00{'descr': '<f8'}\n",
		} {
			name := newName(t)
			check(t, os.WriteFile(fileOf(name), []byte(content), 0o600))
			for _, attach := range []string{"attach_array", "attach_ring"} {
				_, err := p.Eval(fmt.Sprintf("%s(%q)", attach, name))
				testkit.WantPythonError(t, err, "ValueError", name)
			}
			wantEqual(t, what, string(fileBytes(t, name)), content)
		}
		name := newName(t)
		check(t, p.Exec(fmt.Sprintf("create_array(%q, (3, 4), 'f8')", name)))
		_, err := p.Eval(fmt.Sprintf("attach_ring(%q)", name))
		testkit.WantPythonError(t, err, "ValueError", "no ring")
	})
}

// TestAttachArrayWithoutNumpy says what is missing, and the module works without.
func TestAttachArrayWithoutNumpy(t *testing.T) {
	t.Parallel()
	compat.ForEach(t, func(t *testing.T, py compat.Interpreter) {
		if py.HasNumpy {
			t.Skip("this interpreter has numpy")
		}
		t.Parallel()
		p := start(t, py, testkit.AttachHelper(t))
		for _, call := range []string{"attach_array('x')", "create_array('x', 3, 'f8')", "attach_ring('x')", "create_ring('x', 3, 3, 'f8')"} {
			_, err := p.Eval("__import__('pyshm_attach')." + call)
			testkit.WantPythonError(t, err, "ImportError", "arrays and rings need numpy")
		}
	})
}
