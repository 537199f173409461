package pyshm_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/pyshm-go/pyshm/format"
	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm"
)

// These tests are about systems on which a segment has its name before its content.

// sizeForOthers returns the size that attachers see of a segment of size bytes.
func sizeForOthers(size int) int {
	if !testkit.WholePages {
		return size
	}
	page := os.Getpagesize()
	return (size + page - 1) / page * page
}

func TestSizesOfOthers(t *testing.T) {
	page := os.Getpagesize()
	for _, size := range []int{1, page - 1, page, page + 1, 1 << 20} {
		m := create(t, size)
		other := attach(t, m.Name(), pyshm.ReadOnly())
		if m.Size() != size || other.Size() != sizeForOthers(size) {
			t.Errorf("the creator sees %d bytes of %d, another %d", m.Size(), size, other.Size())
		}
		write(t, m, "x", int64(size-1))
		want(t, other, "x", int64(size-1))
		if n, err := m.WriteAt([]byte("x"), int64(size)); n != 0 || !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("beyond the size: %d, %v", n, err)
		}
		again := keep[*pyshm.SharedMemory](t)(pyshm.Open(m.Name(), size))
		if again.Size() != sizeForOthers(size) {
			t.Errorf("opened with %d bytes", again.Size())
		}
		if _, err := pyshm.Open(m.Name(), sizeForOthers(size)+1); !errors.Is(err, fs.ErrExist) {
			t.Errorf("opened as a larger segment: %v", err)
		}
	}
}

// A process that attaches to a list while another creates it finds no list, until the list
// is whole. One that opens it waits.
func TestListWhileItIsCreated(t *testing.T) {
	testkit.NeedNamesFirst(t)
	var list bytes.Buffer
	encoder, err := format.NewEncoder(everyKind, nil)
	noError(t, err)
	_, err = encoder.WriteTo(&list)
	noError(t, err)
	name := testkit.Name(t)
	opened := make(chan *pyshm.ShareableList, 1)
	wantIncomplete := func(when string) {
		t.Helper()
		_, errList := pyshm.AttachList(name)
		_, errArray := pyshm.AttachArray[int64](name)
		for _, err := range []error{errList, errArray} {
			if !errors.Is(err, format.ErrIncomplete) {
				t.Errorf("%s: %v", when, err)
			}
		}
	}
	keep[*pyshm.SharedMemory](t)(pyshm.CreateFrom(name, list.Len(), func(w io.WriterAt) error {
		wantIncomplete("without content")
		go func() {
			l, err := pyshm.OpenList(name, []any{"another"})
			if err != nil {
				t.Error(err)
			}
			opened <- l
		}()
		for off, b := range list.Bytes() {
			if _, err := w.WriteAt([]byte{b}, int64(off)); err != nil {
				return err
			}
			if off%32 == 0 {
				wantIncomplete(fmt.Sprint("after byte ", off))
			}
		}
		wantIncomplete("without the first word")
		time.Sleep(5 * time.Millisecond) // let OpenList try
		return nil
	}))
	l := <-opened
	if l == nil {
		t.FailNow()
	}
	defer l.Close()
	if got, err := l.Values(); err != nil || format.Repr(got) != format.Repr(everyKind) {
		t.Errorf("opened a list of %v, %v", got, err)
	}
	noError(t, keep[*pyshm.ShareableList](t)(pyshm.AttachList(name)).Check())
}

// A name whose content could not be written is removed again, however the function ends.
func TestRefusedContentLeavesNoName(t *testing.T) {
	testkit.NeedShm(t)
	name := testkit.Name(t)
	for how, fill := range map[string]func(io.WriterAt) error{
		"error":   func(io.WriterAt) error { return io.EOF },
		"panic":   func(io.WriterAt) error { panic(mine(name)) },
		"exit":    func(io.WriterAt) error { runtime.Goexit(); return nil },
		"removed": func(io.WriterAt) error { return errors.Join(io.EOF, removeKept(name)) },
	} {
		ended := make(chan error)
		go func() {
			defer close(ended)
			defer func() {
				if r := recover(); r != nil && r != any(mine(name)) {
					t.Error(r)
				}
			}()
			_, err := pyshm.CreateFrom(name, 100, fill)
			ended <- err
		}()
		if err := <-ended; err != nil && !errors.Is(err, io.EOF) {
			t.Errorf("%s: %v", how, err)
		}
		<-ended
		if _, err := pyshm.Attach(name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: something is left: %v", how, err)
		}
	}
}

// A mine is the value of a panic of this test.
type mine string

// removeKept removes a name that appears before its content and stays.
func removeKept(name string) error {
	if !testkit.NamesFirst || !testkit.KeepsNames {
		return nil
	}
	return pyshm.Unlink(name)
}

func init() {
	testkit.Roles["creates for ever"] = func(args []string, end <-chan string) error {
		_, err := pyshm.CreateFrom(args[0], 1<<16, func(w io.WriterAt) error {
			if _, err := w.WriteAt([]byte("content"), 0); err != nil { // kept back: the first word
				return err
			}
			if _, err := w.WriteAt([]byte("content"), 100); err != nil {
				return err
			}
			fmt.Println("at work")
			<-end
			return io.EOF
		})
		return err
	}
}

// A process killed while it creates a segment leaves the name of an incomplete
// segment, or nothing.
func TestCreatorKilledInTheMiddle(t *testing.T) {
	testkit.NeedKeptNames(t)
	name := testkit.Name(t)
	c := testkit.StartChild(t, "creates for ever", name)
	c.Line(t)
	c.Kill(t)
	m, err := pyshm.Attach(name)
	if !testkit.NamesFirst {
		if !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("a segment is left: %v", err)
		}
		return
	}
	noError(t, err)
	want(t, m, "\x00\x00\x00\x00\x00\x00\x00\x00", 0)
	want(t, m, "content", 100)
	noError(t, m.Close())
	if _, err := pyshm.AttachList(name); !errors.Is(err, format.ErrIncomplete) {
		t.Errorf("as a list: %v", err)
	}
	begun := time.Now()
	_, err = pyshm.OpenList(name, []any{1})
	if took := time.Since(begun); !errors.Is(err, format.ErrIncomplete) || took > 5*time.Second {
		t.Errorf("OpenList = %v, after %v", err, took)
	}
	noError(t, pyshm.Unlink(name))
	keep[*pyshm.ShareableList](t)(pyshm.OpenList(name, []any{1}))
}

// What a system does not have is refused, with a reason.
func TestRefusedWithNamesFirst(t *testing.T) {
	testkit.NeedNamesFirst(t)
	m := create(t, 8)
	_, errAlias := m.Alias()
	_, errReplace := pyshm.Create(m.Name(), 8, pyshm.Replace())
	_, errDescriptor := pyshm.AttachArrayParts[int8](pyshm.ValueParts{MemoryParts: pyshm.MemoryParts{PID: os.Getpid(), Size: 1}})
	var errSegments error
	for _, err := range pyshm.Segments() {
		errSegments = err
	}
	for what, err := range map[string]error{
		"Alias": errAlias, "Replace": errReplace, "Segments": errSegments, "AttachArrayParts": errDescriptor,
	} {
		var e *pyshm.Error
		if !errors.Is(err, errors.ErrUnsupported) || !errors.As(err, &e) || err.Error() == errors.ErrUnsupported.Error() {
			t.Errorf("%s: %v", what, err)
		}
	}
	want(t, attach(t, m.Name()), "\x00", 0)
	wantCurrent(t, m)
	if testkit.KeepsNames {
		noError(t, m.Unlink())
		if current, err := m.Current(); current || err != nil {
			t.Errorf("Current without the name: %v, %v", current, err)
		}
		if err := m.Unlink(); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Unlink without the name: %v", err)
		}
	}
}
