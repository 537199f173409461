package conformance

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"testing"

	"github.com/pyshm-go/pyshm/compat"
	"github.com/pyshm-go/pyshm/format"
	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm"
)

// TestShmObjects compares Go with Python where segments are objects of shm_open(2), and no files.
// The parts of TestConformance say what is as on Linux.
func TestShmObjects(t *testing.T) {
	testkit.NeedKeptNames(t)
	testkit.NeedNamesFirst(t)
	t.Parallel()
	compat.ForEach(t, func(t *testing.T, py compat.Interpreter) {
		t.Parallel()
		p := startPython(t, py)
		for _, part := range []struct {
			name string
			test func(*testing.T, *compat.Peer)
		}{
			{"Sizes", testObjectSizes},
			{"Names", testObjectNames},
			{"Early", testObjectEarly},
			{"Late", testObjectLate},
			{"Together", testTogether},
			{"Arrays", testArraysByHand},
			{"Ring", testRingByHand},
		} {
			t.Run(part.name, func(t *testing.T) { part.test(t, p) })
		}
	})
}

// sizeOfObject returns the size that attachers see. A Python that creates sees it, too.
func sizeOfObject(size int) int {
	if !testkit.WholePages {
		return size
	}
	page := os.Getpagesize()
	return (size + page - 1) / page * page
}

func testObjectSizes(t *testing.T, p *compat.Peer) {
	page := os.Getpagesize()
	for _, size := range []int{1, page - 1, page, page + 1, 1 << 20} {
		ours := must(pyshm.Create(newName(t), size))(t)
		must(ours.WriteAt([]byte{42}, int64(size-1)))(t)
		theirs := must(p.AttachBlock(ours.Name()))(t)
		wantEqual(t, "size in Go", ours.Size(), size)
		wantEqual(t, "size in Python", must(theirs.Size())(t), sizeOfObject(size))
		wantEqual(t, "last byte in Python", must(theirs.Read(size-1, 1))(t), []byte{42})
		check(t, theirs.Unlink())
		check(t, ours.Close())

		made := must(p.CreateBlock(newName(t), size))(t)
		attached := must(pyshm.Attach(made.Name()))(t)
		wantEqual(t, "size of Python's in Go", attached.Size(), sizeOfObject(size))
		must(attached.WriteAt([]byte{43}, int64(size-1)))(t)
		wantEqual(t, "last byte in Python", must(made.Read(size-1, 1))(t), []byte{43})
		check(t, attached.Close())
		check(t, made.Unlink())
	}
}

// The longest name of the system, or of pyshm, is one for both.
func testObjectNames(t *testing.T, p *compat.Peer) {
	name := newName(t)
	longest := name + strings.Repeat("x", min(testkit.LongestName(), 254)-len(name))
	ours := must(pyshm.Create(longest, 8))(t)
	defer ours.Close()
	theirs := must(p.AttachBlock(longest))(t)
	check(t, theirs.Unlink())
	made := must(p.CreateBlock(longest, 8))(t)
	check(t, must(pyshm.Attach(longest))(t).Close())
	check(t, made.Unlink())
	if _, err := pyshm.Attach(longest); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after Python's unlink: %v", err)
	}
}

// Python has made a name, and not yet given the segment its size.
func testObjectEarly(t *testing.T, p *compat.Peer) {
	name := newName(t)
	check(t, p.Exec(fmt.Sprintf("import _posixshmem\nfd = _posixshmem.shm_open('/' + %q, os.O_CREAT | os.O_EXCL | os.O_RDWR, mode=0o600)", name)))
	_, errBlock := pyshm.Attach(name)
	_, errList := pyshm.AttachList(name)
	for _, err := range []error{errBlock, errList} {
		if !errors.Is(err, format.ErrIncomplete) {
			t.Errorf("attach before there is a size: %v", err)
		}
	}
	attached := make(chan *pyshm.SharedMemory, 1)
	go func() {
		m, err := pyshm.Open(name, 100)
		if err != nil {
			t.Error(err)
		}
		attached <- m
	}()
	check(t, p.Exec("os.ftruncate(fd, 100); os.close(fd)"))
	if m := <-attached; m != nil {
		defer m.Close()
		wantEqual(t, "size", m.Size(), sizeOfObject(100))
	}
	check(t, pyshm.Unlink(name))
}

// Python attaches to a list before Go has written the first word, and after.
func testObjectLate(t *testing.T, p *compat.Peer) {
	name := newName(t)
	list := must(format.Encode(appearing, &format.Options{Layout: p.Interpreter().Layout()}))(t)
	ours := must(pyshm.CreateFrom(name, len(list), func(w io.WriterAt) error {
		if _, err := w.WriteAt(list, 0); err != nil {
			return err
		}
		if err := p.Exec(fmt.Sprintf("early = ShareableList(name=%q); items = list(early), early._list_len", name)); err != nil {
			return err
		}
		if _, err := pyshm.AttachList(name); !errors.Is(err, format.ErrIncomplete) {
			t.Errorf("Go attaches to %v", err)
		}
		return nil
	}))(t)
	defer ours.Close()
	wantEqual(t, "what Python finds early", must(p.Eval("list(items)"))(t), any([]any{[]any{}, int64(0)}))
	check(t, p.Exec(fmt.Sprintf("late = ShareableList(name=%q)", name)))
	wantEqual(t, "what Python finds late", must(p.Eval("list(late) == "+appearingInPython))(t), any(true))
	check(t, p.Exec("early.shm.close(); late.shm.close(); late.shm.unlink()"))
}

// A ring is an array of slots, in which Python finds the frames.
func testRingByHand(t *testing.T, p *compat.Peer) {
	ring := must(pyshm.CreateRing[float64](newName(t), 2, []int{3}))(t)
	defer ring.Close()
	reader := must(pyshm.AttachRing[float64](ring.Name(), pyshm.ReadOnly()))(t)
	defer reader.Close()
	for n := range uint64(5) {
		must(ring.Publish(func(frame []float64) error { frame[2] = float64(n); return nil }))(t)
		frame := make([]float64, 3)
		newest := must(reader.Newest(frame))(t)
		wantEqual(t, "newest frame", fmt.Sprint(newest, frame), fmt.Sprint(n+1, []float64{0, 0, float64(n)}))
	}
	theirs := must(p.AttachBlock(ring.Name()))(t)
	got := must(p.Eval(fmt.Sprintf("sorted(struct.unpack('<QQ3d', bytes(%[1]s.buf[end - 80 + 40 * i:][:40])) for end in [%[2]d] for i in range(2))",
		theirs.Var(), ring.SharedMemory().Size())))(t)
	wantEqual(t, "slots in Python", fmt.Sprint(got), "[[4 4 0 0 3] [5 5 0 0 4]]")
	check(t, theirs.Unlink())
}
