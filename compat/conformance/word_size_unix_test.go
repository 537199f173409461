//go:build unix

package conformance

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/pyshm-go/pyshm/compat"
	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm"
)

// TestOtherWordSize shares memory between a 64-bit program and a 32-bit one on one machine.
// Lists, blocks and arrays have the same bytes in both. glibc's semaphores do not: each
// side refuses the other's, with the reason, and leaves them as they are.
func TestOtherWordSize(t *testing.T) {
	testkit.NeedLinux(t)
	t.Parallel()
	p := start(t, otherWordSize(t), testkit.AttachHelper(t))
	check(t, p.Exec("import json, mmap, pyshm_attach\nfrom multiprocessing import get_context\nspawn = get_context('spawn')"))
	t.Run("Lists", func(t *testing.T) { testListsOfOthers(t, p) })
	t.Run("LargeBlocks", func(t *testing.T) { testLargeBlocksOfOthers(t, p) })
	t.Run("Arrays", func(t *testing.T) { testArraysOfOthers(t, p) })
	t.Run("LocksOfGo", func(t *testing.T) { testLocksOfGo(t, p) })
	t.Run("LocksOfPython", func(t *testing.T) { testLocksOfPython(t, p) })
}

// otherWordSize returns a Python whose words have another size than this program's: the one
// for 386 that scripts/emulated.sh has brought, or this machine's own.
func otherWordSize(t *testing.T) compat.Interpreter {
	t.Helper()
	var commands []string
	switch runtime.GOARCH {
	case "amd64":
		commands, _ = filepath.Glob("../../.interpreters/emulated/386/usr/bin/python3.*[0-9]")
	case "386":
		if found, err := exec.LookPath("python3"); err == nil {
			commands = []string{found}
		}
	}
	for _, command := range commands {
		command, err := filepath.Abs(command)
		check(t, err)
		py, err := compat.Probe(t.Context(), command)
		if err != nil {
			t.Log(err)
			continue
		}
		if bits := must(start(t, py).Eval("sys.maxsize.bit_length() + 1"))(t); bits != int64(strconv.IntSize) {
			return py
		}
	}
	t.Skip("no Python here has words of another size: scripts/emulated.sh brings one for 386, which runs on amd64")
	return compat.Interpreter{}
}

var listOfOthers = []any{int64(-1 << 63), 2.5, true, nil, "größer", []byte("\xff\x00\xfe"), int64(1 << 40)}

func testListsOfOthers(t *testing.T, p *compat.Peer) {
	ours := createList(t, p, listOfOthers...)
	theirs := must(p.AttachList(ours.Name()))(t)
	if got := must(theirs.Values())(t); !identical(got, listOfOthers) {
		t.Errorf("Python reads %v", got)
	}
	check(t, theirs.Set(6, int64(1<<62)))
	wantEqual(t, "in Go", must(ours.Int(6))(t), int64(1<<62))

	theirs = must(p.CreateList(newName(t), listOfOthers))(t)
	if got := goItems(attachList(t, theirs.Name())); !identical(got, listOfOthers) {
		t.Errorf("Go reads %v", got)
	}
	check(t, theirs.Unlink())
}

// A 32-bit program has no addresses for the block that the 64-bit one makes.
func testLargeBlocksOfOthers(t *testing.T, p *compat.Peer) {
	name := newName(t)
	if strconv.IntSize == 32 {
		check(t, p.Exec(fmt.Sprintf("large = SharedMemory(%q, True, 2**33 + 8)", name)))
		large := must(p.Block("large"))(t)
		if n, err := large.Size(); err == nil || !strings.Contains(err.Error(), "8589934600 does not fit an int") {
			t.Errorf("Size returns %d, %v", n, err)
		}
		_, err := pyshm.Attach(name)
		if !errors.Is(err, syscall.ENOMEM) || !strings.Contains(err.Error(), "it has 8589934600 bytes") {
			t.Errorf("Go attaches: %v", err)
		}
		check(t, large.Unlink())
		return
	}
	size := int64(1<<33 + 8)
	m := must(pyshm.Create(name, int(size), pyshm.Sparse()))(t)
	defer m.Close()
	if got := outcome(p.Eval(fmt.Sprintf("pyshm_attach.attach_block(%q)", name)))(t); got != raised("OverflowError") && got != raised("OSError") {
		t.Errorf("Python attaches: %v", got)
	}
	if current, err := m.Current(); !current || err != nil {
		t.Errorf("after Python's attempt: %t, %v", current, err)
	}
}

func testArraysOfOthers(t *testing.T, p *compat.Peer) {
	a := must(pyshm.CreateArray[int64](newName(t), []int{3}))(t)
	defer a.Close()
	check(t, a.Set(1<<40, 1))
	check(t, p.Exec(fmt.Sprintf("with open(%q, 'r+b') as f: memory = mmap.mmap(f.fileno(), 0)", fileOf(a.Name()))))
	wantEqual(t, "in Python", must(p.Eval("struct.unpack_from('=q', memory, len(memory) - 16)[0]"))(t), any(int64(1<<40)))
	check(t, p.Exec("struct.pack_into('=q', memory, len(memory) - 8, -(1 << 50))"))
	wantEqual(t, "in Go", must(a.At(2))(t), int64(-1<<50))
}

// wordsOfBoth returns how messages call the words of this program and of the other.
func wordsOfBoth() (own, others string) {
	if strconv.IntSize == 64 {
		return "64-bit", "32-bit"
	}
	return "32-bit", "64-bit"
}

func testLocksOfGo(t *testing.T, p *compat.Peer) {
	own, _ := wordsOfBoth()
	for _, row := range []struct {
		attach string
		create func(name string) (interface{ Unlink() error }, error)
		file   string // of the semaphore that is looked at first
	}{
		{"attach_lock", func(name string) (interface{ Unlink() error }, error) { return pyshm.CreateLock(name) }, ""},
		{"attach_rlock", func(name string) (interface{ Unlink() error }, error) { return pyshm.CreateLock(name) }, ""},
		{"attach_semaphore", func(name string) (interface{ Unlink() error }, error) { return pyshm.CreateSemaphore(name, 2) }, ""},
		{"attach_condition", func(name string) (interface{ Unlink() error }, error) { return pyshm.CreateCondition(name) }, ".lock"},
		{"attach_event", func(name string) (interface{ Unlink() error }, error) { return pyshm.CreateEvent(name) }, ".lock"},
		{"attach_queue", func(name string) (interface{ Unlink() error }, error) { return pyshm.CreateQueue(name, 3) }, ".rlock"},
		{"attach_barrier", func(name string) (interface{ Unlink() error }, error) { return pyshm.CreateBarrier(name, 2) }, ".lock"},
		{"attach_value", func(name string) (interface{ Unlink() error }, error) { return pyshm.CreateValue[int64](name) }, ".lock"},
	} {
		t.Run(row.attach, func(t *testing.T) {
			name := testkit.Name(t)
			made := must(row.create(name))(t)
			defer func() { check(t, made.Unlink()) }()
			file := fileOf("sem." + name + row.file)
			before := must(os.ReadFile(file))(t)
			wantPythonError(t, p.Exec(fmt.Sprintf("pyshm_attach.%s(%q)", row.attach, name)), "ValueError",
				fmt.Sprintf("'%s%s' is a semaphore of a %s program", name, row.file, own))
			if after := must(os.ReadFile(file))(t); !bytes.Equal(before, after) {
				t.Errorf("Python has refused it, but\n%s", hexDiff(after, before))
			}
		})
	}
}

func testLocksOfPython(t *testing.T, p *compat.Peer) {
	_, others := wordsOfBoth()
	for _, row := range []struct {
		made   string
		name   string // an expression for the name of the first semaphore
		attach func(t *testing.T, p *compat.Peer, name string) error
	}{
		{"spawn.Lock()", "found['lock']", func(t *testing.T, _ *compat.Peer, name string) error {
			_, err := pyshm.AttachLock(name)
			return err
		}},
		{"spawn.Semaphore(3)", "found['semaphore']", func(t *testing.T, _ *compat.Peer, name string) error {
			_, err := pyshm.AttachSemaphore(name)
			return err
		}},
		{"spawn.Condition()", "found['lock']", func(t *testing.T, p *compat.Peer, _ string) error {
			var parts pyshm.ConditionParts
			check(t, json.Unmarshal([]byte(eval[string](t, p, "text")), &parts))
			_, err := pyshm.AttachConditionParts(parts)
			return err
		}},
		{"spawn.Event()", "found['lock']", func(t *testing.T, p *compat.Peer, _ string) error {
			var parts pyshm.EventParts
			check(t, json.Unmarshal([]byte(eval[string](t, p, "text")), &parts))
			_, err := pyshm.AttachEventParts(parts)
			return err
		}},
	} {
		t.Run(row.made, func(t *testing.T) {
			check(t, p.Exec("made = "+row.made+"\ntext = pyshm_attach.parts(made); found = json.loads(text)"))
			name := must(p.Eval(row.name))(t).(string)
			file := fileOf("sem." + name)
			before := must(os.ReadFile(file))(t)
			err := row.attach(t, p, name)
			text := fmt.Sprintf(": it is one of a %s program", others)
			if !errors.Is(err, pyshm.ErrNotSemaphore) || !strings.Contains(err.Error(), text) || !strings.Contains(err.Error(), name) {
				t.Errorf("%v; want %q of %q", err, text, name)
			}
			if after := must(os.ReadFile(file))(t); !bytes.Equal(before, after) {
				t.Errorf("Go has refused it, but\n%s", hexDiff(after, before))
			}
			for s, err := range pyshm.Segments() {
				if check(t, err); s.Name == "sem."+name {
					wantEqual(t, "kind", must(s.Inspect())(t).Kind, pyshm.KindForeign)
				}
			}
		})
	}
}
