package conformance

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/pyshm-go/pyshm/compat"
	"github.com/pyshm-go/pyshm/format"
	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm"
)

// A nameRow is a name for a block. NAME in it stands for an ordinary name.
type nameRow struct {
	name   string
	length int // if not 0, an x is appended until the name is so long

	file   string // the file that Python makes of it; "" for none
	raises raised // the exception that Python raises, whether or not there is a file then
	create error  // why Go refuses to make such a block,
	attach error  // and to attach to it
}

var nameRows = []nameRow{
	{name: "NAME", file: "NAME"},
	{name: "/NAME", file: "NAME"}, // Python's own spelling at times
	{name: "NAME b", file: "NAME b"},
	{name: "-NAME", file: "-NAME"},
	{name: "sem.NAME", file: "sem.NAME"}, // as if it were a lock
	{name: "NAME", length: 254, file: "NAME"},
	{name: "NAME", length: 256, raises: "OSError", create: syscall.ENAMETOOLONG, attach: syscall.ENAMETOOLONG},
	{name: "NAME", length: 5000, raises: "OSError", create: syscall.ENAMETOOLONG, attach: syscall.ENAMETOOLONG},

	{name: "", raises: "OSError", attach: fs.ErrInvalid}, // for Go's Create see testGeneratedName
	{name: "/", raises: "OSError", create: fs.ErrInvalid, attach: fs.ErrInvalid},
	{name: "NAME/b", raises: "OSError", create: fs.ErrInvalid, attach: fs.ErrInvalid},
	{name: "NAME/", raises: "OSError", create: fs.ErrInvalid, attach: fs.ErrInvalid},
	{name: ".", raises: "FileExistsError", create: fs.ErrInvalid, attach: fs.ErrInvalid},
	{name: "..", raises: "FileExistsError", create: fs.ErrInvalid, attach: fs.ErrInvalid},

	// The C library drops all slashes in front. Python's resource tracker does not,
	// and takes one segment for several.
	{name: "//NAME", file: "NAME", create: fs.ErrInvalid, attach: fs.ErrInvalid},
	// Names that cannot be sent to the tracker, or that it cannot read. There is a segment
	// all the same.
	{name: "NAME:b", file: "NAME:b", create: fs.ErrInvalid},
	{name: "NAME\nb", file: "NAME\nb", create: fs.ErrInvalid},
}

// versionRows are about names that Pythons treat in different ways.
func versionRows(py compat.Interpreter) []nameRow {
	// Older Pythons silently cut a name at a NUL.
	nul := nameRow{name: "NAME\x00b", create: fs.ErrInvalid, attach: fs.ErrInvalid}
	if py.AtLeast(3, 13) || py.Implementation == "PyPy" && py.AtLeast(3, 11) {
		nul.raises = "ValueError"
	} else {
		nul.file = "NAME"
	}
	// The tracker of 3.15 gets any name in JSON, but checks its length. When it refuses a
	// name, there is a segment already.
	long := nameRow{name: "NAME", length: 255, file: "NAME", create: syscall.ENAMETOOLONG}
	foreign := nameRow{name: "éNAME", file: "éNAME", create: fs.ErrInvalid}
	if py.AtLeast(3, 15) {
		long.raises = "ValueError"
	} else {
		foreign.raises = "UnicodeEncodeError"
	}
	return []nameRow{nul, long, foreign}
}

func testNames(t *testing.T, p *compat.Peer) {
	testkit.NeedLinux(t)
	for _, row := range slices.Concat(nameRows, versionRows(p.Interpreter())) {
		t.Run(fmt.Sprintf("%q %d", strings.ReplaceAll(row.name, "/", "|"), row.length), func(t *testing.T) {
			ordinary := newName(t)
			row.name, row.file = row.expand(row.name, ordinary), row.expand(row.file, ordinary)
			if row.file != "" {
				t.Cleanup(func() { os.Remove(fileOf(row.file)) })
			}
			row.testPythonToGo(t, p)
			row.testGoToPython(t, p)
		})
	}
}

func (row nameRow) expand(text, ordinary string) string {
	text = strings.ReplaceAll(text, "NAME", ordinary)
	if text != "" && row.length > 0 {
		text += times(row.length-len(text), "x")
	}
	return text
}

// testPythonToGo lets Python make the block, and Go attach to it.
func (row nameRow) testPythonToGo(t *testing.T, p *compat.Peer) {
	got := execute(t, p, "made = SharedMemory(%s, True, 8); made.buf[0] = 42", format.Repr(row.name))
	if got != exception(row.raises) {
		t.Errorf("Python: %v, want %v", got, exception(row.raises))
	}
	if row.file != "" {
		must(os.Stat(fileOf(row.file)))(t)
		defer os.Remove(fileOf(row.file))
	}
	ours, err := pyshm.Attach(row.name)
	if !errors.Is(err, row.attach) {
		t.Errorf("Attach: %v, want %v", err, row.attach)
	}
	if err != nil {
		return
	}
	defer ours.Close()
	if want := strings.TrimPrefix(row.name, "/"); ours.Name() != want || ours.Size() != 8 {
		t.Errorf("Go has attached to %q of %d bytes", ours.Name(), ours.Size())
	}
	if got == nil {
		if ours.Bytes()[0] != 42 {
			t.Error("Go has attached to another block")
		}
		check(t, p.Exec("made.unlink()"))
	}
}

// testGoToPython lets Go make the block, and Python attach to it.
func (row nameRow) testGoToPython(t *testing.T, p *compat.Peer) {
	if row.name == "" {
		return
	}
	ours, err := pyshm.Create(row.name, 8)
	if !errors.Is(err, row.create) {
		t.Errorf("Create: %v, want %v", err, row.create)
	}
	if err != nil {
		if _, err := os.Stat(fileOf(row.file)); row.file != "" && !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Create has refused, yet there is a file: %v", err)
		}
		return
	}
	defer ours.Close()
	ours.Bytes()[0] = 42
	must(os.Stat(fileOf(row.file)))(t)
	theirs := must(p.AttachBlock(row.name))(t)
	if got := must(theirs.Read(0, 1))(t); got[0] != 42 {
		t.Error("Python has attached to another block")
	}
	check(t, theirs.Unlink())
}

// testGeneratedName: without a name, Go chooses one as Python does.
func testGeneratedName(t *testing.T, p *compat.Peer) {
	testkit.NeedKeptNames(t)
	ours := must(pyshm.Create("", 8))(t)
	defer ours.Close()
	theirs := must(p.AttachBlock(ours.Name()))(t)
	defer theirs.Unlink()
	like := regexp.MustCompile("^psm_[0-9a-f]{8}$")
	made := must(p.CreateBlock("", 8))(t)
	defer made.Unlink()
	if !like.MatchString(ours.Name()) || !like.MatchString(made.Name()) {
		t.Errorf("Go has chosen the name %q, Python %q", ours.Name(), made.Name())
	}
}

// A taken name is one error in Python and one in Go, and so is a missing name. Nothing
// happens to the segment that has the name.
func testTakenAndMissing(t *testing.T, p *compat.Peer) {
	testkit.NeedKeptNames(t)
	list, missing := createList(t, p, 1, "a", nil), newName(t)
	taken, before := list.Name(), fileBytes(t, list.Name())
	_, createBlock := pyshm.Create(taken, 8)
	_, createList := pyshm.CreateList(taken, nil)
	_, attachBlock := pyshm.Attach(missing)
	_, attachList := pyshm.AttachList(missing)
	for _, row := range []struct {
		python string
		raises raised
		err    error // Go's error for the same
		want   error
	}{
		{"SharedMemory(" + format.Repr(taken) + ", True, 8)", "FileExistsError", createBlock, fs.ErrExist},
		{"ShareableList([], name=" + format.Repr(taken) + ")", "FileExistsError", createList, fs.ErrExist},
		{"SharedMemory(" + format.Repr(missing) + ")", "FileNotFoundError", attachBlock, fs.ErrNotExist},
		{"ShareableList(name=" + format.Repr(missing) + ")", "FileNotFoundError", attachList, fs.ErrNotExist},
	} {
		if got := execute(t, p, "%s", row.python); got != row.raises {
			t.Errorf("%s: %v, want %v", row.python, got, row.raises)
		}
		if !errors.Is(row.err, row.want) {
			t.Errorf("Go, instead of %s: %v, want %v", row.python, row.err, row.want)
		}
	}
	if after := fileBytes(t, taken); !bytes.Equal(before, after) {
		t.Errorf("what has the name is another\n%s", hexDiff(after, before))
	}
}

// testUnlink: the memory outlives the name, and the name may pass to another
// segment. Python's unlink then takes the wrong one, Go's refuses.
func testUnlink(t *testing.T, p *compat.Peer) {
	testkit.NeedKeptNames(t)
	name := newName(t)
	theirs := must(p.CreateBlock(name, 8))(t)
	ours := must(pyshm.Attach(name))(t)
	defer ours.Close()
	check(t, ours.Unlink())
	if err := ours.Unlink(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Go unlinks what is gone: %v", err)
	}
	if got := outcome(nil, theirs.Unlink())(t); got != raised("FileNotFoundError") {
		t.Errorf("Python unlinks what is gone: %v", got)
	}
	check(t, theirs.Write(0, []byte("shared")))
	if got := string(ours.Bytes()[:6]); got != "shared" {
		t.Errorf("Go reads %q of the unlinked block", got)
	}

	other := must(pyshm.Create(name, 8))(t)
	defer other.Close()
	if testkit.HasIDs {
		if err := ours.Unlink(); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Go unlinks a name that belongs to another block: %v", err)
		}
		check(t, must(pyshm.Attach(name))(t).Close())
		check(t, theirs.Unlink())
	} else {
		check(t, ours.Unlink()) // as Python does
	}
	if _, err := pyshm.Attach(name); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the other block has not been unlinked: %v", err)
	}
}
