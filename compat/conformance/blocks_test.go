package conformance

import (
	"bytes"
	"errors"
	"io/fs"
	"math"
	"os"
	"slices"
	"strconv"
	"syscall"
	"testing"

	"github.com/pyshm-go/pyshm/compat"
	"github.com/pyshm-go/pyshm/format"
	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm"
)

// A sizeRow is a size for a block.
type sizeRow struct {
	python string // as Python spells it
	size   int64  // of the block that Python makes
	raises raised // the exception that Python raises instead,
	left   error  // and the error that Go then finds

	// From CPython 3.10 on, and in PyPy, a float is refused, too late.
	float bool
}

var sizeRows = []sizeRow{
	{python: "1", size: 1},
	{python: "7", size: 7},
	{python: "4095", size: 4095},
	{python: "4096", size: 4096},
	{python: "4097", size: 4097},
	{python: "2**40", size: 1 << 40}, // Python reserves nothing
	{python: "True", size: 1},
	{python: "1.5", size: 1, float: true},
	{python: "0", raises: "ValueError", left: fs.ErrNotExist},
	{python: "-1", raises: "ValueError", left: fs.ErrNotExist},
	{python: "float('nan')", raises: "ValueError", left: fs.ErrNotExist},
	{python: "'8'", raises: "TypeError", left: fs.ErrNotExist},
	{python: "2**62", raises: "OSError", left: fs.ErrNotExist}, // no address space has room for it
	{python: "2**63", raises: "OverflowError", left: format.ErrIncomplete},
}

// testSizes: on Linux the size of a block is exact on both sides.
func testSizes(t *testing.T, p *compat.Peer) {
	testkit.NeedLinux(t)
	for _, row := range sizeRows {
		t.Run(row.python, func(t *testing.T) {
			if py := p.Interpreter(); row.float && (py.AtLeast(3, 10) || py.Implementation == "PyPy") {
				row = sizeRow{raises: "TypeError", left: format.ErrIncomplete, python: row.python}
			}
			if row.size == 1<<40 && strconv.IntSize == 64 && testkit.IsEmulated() {
				row.python, row.size = "2**33", 1<<33 // qemu has no addresses for more
			}
			if row.size > math.MaxInt || row.raises == "OSError" && strconv.IntSize == 32 {
				row = sizeRow{raises: "OverflowError", left: syscall.ENOMEM, python: row.python} // only after ftruncate
			}
			name := newName(t)
			got := execute(t, p, "made = SharedMemory(%q, True, %s)", name, row.python)
			if got != exception(row.raises) {
				t.Fatalf("Python: %v, want %v", got, exception(row.raises))
			}
			ours, err := pyshm.Attach(name)
			if row.raises != "" {
				if !errors.Is(err, row.left) {
					t.Errorf("Attach after Python's exception: %v, want %v", err, row.left)
				}
				return
			}
			check(t, err)
			defer ours.Close()
			check(t, p.Exec("made.unlink()"))
			if int64(ours.Size()) != row.size {
				t.Errorf("Go sees %d bytes, want %d", ours.Size(), row.size)
			}
			made := must(pyshm.Create(name, ours.Size(), pyshm.Sparse()))(t)
			defer made.Close()
			theirs := must(p.AttachBlock(name))(t)
			defer theirs.Unlink()
			if size := must(theirs.Size())(t); int64(size) != row.size {
				t.Errorf("Python sees %d bytes, want %d", size, row.size)
			}
		})
	}
}

// testModes: Python opens for reading and writing, and needs the right to both.
func testModes(t *testing.T, p *compat.Peer) {
	testkit.NeedLinux(t)
	made := must(p.CreateBlock(newName(t), 8))(t)
	defer made.Unlink()
	if info := must(os.Stat(fileOf(made.Name())))(t); info.Mode() != 0o600 {
		t.Errorf("Python makes blocks of mode %v", info.Mode())
	}
	for _, row := range []struct {
		mode    fs.FileMode
		options []pyshm.CreateOption
		others  any // the outcome of another user's attempt to attach
	}{
		{0o600, nil, raised("PermissionError")},
		{0o644, []pyshm.CreateOption{pyshm.Mode(0o644)}, raised("PermissionError")},
		{0o666, []pyshm.CreateOption{pyshm.Mode(0o666)}, nil}, // the umask would take a part of it away
	} {
		t.Run(row.mode.String(), func(t *testing.T) {
			ours := must(pyshm.Create(newName(t), 8, row.options...))(t)
			defer ours.Close()
			if info := must(os.Stat(fileOf(ours.Name())))(t); info.Mode() != row.mode {
				t.Errorf("the mode is %v", info.Mode())
			}
			theirs := must(p.AttachBlock(ours.Name()))(t)
			defer theirs.Unlink()
			if os.Geteuid() != 0 {
				return // only root can become another user
			}
			check(t, p.Exec("os.seteuid(65534)"))
			_, err := p.AttachBlock(ours.Name())
			check(t, p.Exec("os.seteuid(0)"))
			if got := outcome(nil, err)(t); got != row.others {
				t.Errorf("another user attaches: %v, want %v", got, row.others)
			}
		})
	}
}

// testBytes: each side reads the bytes that the other writes, in a block of either.
func testBytes(t *testing.T, p *compat.Peer) {
	testkit.NeedKeptNames(t)
	const size = 5000
	byGo := must(pyshm.Create(newName(t), size))(t)
	defer byGo.Close()
	byPython := must(p.CreateBlock(newName(t), size))(t)
	defer byPython.Unlink()
	inPython := must(p.AttachBlock(byGo.Name()))(t)
	defer inPython.Unlink()
	inGo := must(pyshm.Attach(byPython.Name()))(t)
	defer inGo.Close()
	for _, pair := range []struct {
		ours   *pyshm.SharedMemory
		theirs *compat.Block
	}{{byGo, inPython}, {inGo, byPython}} {
		if got := must(pair.theirs.Bytes())(t); !sameContent(got, make([]byte, size)) {
			t.Error("a new block is not zero")
		}
		wrote, got := bytes.Repeat([]byte("from Go "), size/8), make([]byte, size)
		must(pair.ours.WriteAt(wrote, 0))(t)
		if got := must(pair.theirs.Bytes())(t); !sameContent(got, wrote) {
			t.Errorf("Python reads\n%s", hexDiff(got, wrote))
		}
		wrote = bytes.Repeat([]byte("Python's"), size/8)
		check(t, pair.theirs.Write(0, wrote))
		must(pair.ours.ReadAt(got, 0))(t)
		if !bytes.Equal(got, wrote) {
			t.Errorf("Go reads\n%s", hexDiff(got, wrote))
		}
	}
}

// testGrown: a block that grows stays as it was for attached processes.
func testGrown(t *testing.T, p *compat.Peer) {
	testkit.NeedLinux(t)
	theirs := must(p.CreateBlock(newName(t), 100))(t)
	defer theirs.Unlink()
	ours := must(pyshm.Attach(theirs.Name()))(t)
	defer ours.Close()
	check(t, os.Truncate(fileOf(theirs.Name()), 9000))
	oursAnew := must(pyshm.Attach(theirs.Name()))(t)
	defer oursAnew.Close()
	theirsAnew := must(p.AttachBlock(theirs.Name()))(t)
	inGo := []int{ours.Size(), oursAnew.Size()}
	inPython := []int{must(theirs.Size())(t), must(theirsAnew.Size())(t)}
	if want := []int{100, 9000}; !slices.Equal(inGo, want) || !slices.Equal(inPython, want) {
		t.Errorf("sizes before and after: in Go %v, in Python %v, want %v", inGo, inPython, want)
	}
}

// Python dies where a block has been cut short. Go returns ErrFault.
func TestTruncatedBlock(t *testing.T) {
	testkit.NeedLinux(t)
	t.Parallel()
	compat.ForEach(t, func(t *testing.T, py compat.Interpreter) {
		t.Parallel()
		p := start(t, py)
		check(t, p.Exec("import resource; resource.setrlimit(resource.RLIMIT_CORE, (0, 0))"))
		theirs := must(p.CreateBlock(newName(t), 3*os.Getpagesize()))(t)
		check(t, theirs.Write(0, bytes.Repeat([]byte("x"), 3*os.Getpagesize())))
		ours := must(pyshm.Attach(theirs.Name()))(t)
		defer ours.Close()
		check(t, os.Truncate(fileOf(theirs.Name()), 100))

		// The page with the end stays, with zeros behind the end.
		want := append(bytes.Repeat([]byte("x"), 100), make([]byte, os.Getpagesize()-100)...)
		got := make([]byte, len(want))
		must(ours.ReadAt(got, 0))(t)
		if inPython := must(theirs.Read(0, len(want)))(t); !bytes.Equal(got, want) || !bytes.Equal(inPython, want) {
			t.Error("the page with the end is not as expected")
		}
		if testkit.HasFaultAddress(t) {
			if _, err := ours.ReadAt(got, int64(len(want))); !errors.Is(err, pyshm.ErrFault) {
				t.Errorf("ReadAt of the next page: %v", err)
			}
		}
		_, err := theirs.Read(len(want), 1)
		if died, ok := errors.AsType[*compat.ExitError](err); !ok || died.Code != -int(syscall.SIGBUS) {
			t.Errorf("Python reads the next page: %v", err)
		}
	})
}
