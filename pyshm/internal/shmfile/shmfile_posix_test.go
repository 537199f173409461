//go:build darwin || freebsd || (linux && posixshm)

package shmfile

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/pyshm-go/pyshm/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// publish makes a segment, which is closed and unlinked when the test ends.
func publish(t *testing.T, size int64) (f *File, name string) {
	t.Helper()
	f, name = testkit.Must(New(0o600))(t), testkit.Name(t)
	testkit.Check(t, f.Truncate(size))
	testkit.Check(t, f.Publish(name, false))
	t.Cleanup(func() {
		testkit.Check(t, f.Close())
		if err := Unlink(name); !errors.Is(err, fs.ErrNotExist) {
			testkit.Check(t, err)
		}
	})
	return f, name
}

func wantGone(t *testing.T, name string) {
	t.Helper()
	if info, err := Lookup(name); err != unix.ENOENT {
		t.Errorf("there is still %+v, %v", info, err)
	}
}

// rounded returns the size that other processes see.
func rounded(size int64) int64 {
	if !testkit.WholePages {
		return size
	}
	page := int64(os.Getpagesize())
	return (size + page - 1) / page * page
}

func TestObject(t *testing.T) {
	f, name := publish(t, 100)
	text := []byte("content")
	if n, err := f.WriteAt(text, 90); n != 7 || err != nil {
		t.Errorf("WriteAt = %d, %v", n, err)
	}
	for _, off := range []int64{-1, 94, 1 << 62} {
		if n, err := f.WriteAt(text, off); n != 0 || err != io.ErrShortWrite {
			t.Errorf("WriteAt %d = %d, %v", off, n, err)
		}
	}
	own := testkit.Must(f.Stat())(t)
	if own.Size != 100 || own.Mode != 0o600 || own.UID != uint32(os.Geteuid()) {
		t.Errorf("%+v", own)
	}
	other := testkit.Must(Open(name, true))(t)
	info := testkit.Must(other.Stat())(t)
	if info.Size != rounded(100) || info.ID != own.ID || (info.ID != ID{}) != testkit.HasIDs {
		t.Errorf("as another process sees it: %+v", info)
	}
	mem := testkit.Must(unix.Mmap(other.Fd(), 0, 100, unix.PROT_READ, unix.MAP_SHARED))(t)
	if !bytes.Equal(mem[:90], make([]byte, 90)) || string(mem[90:97]) != "content" {
		t.Errorf("%q", mem)
	}
	testkit.Check(t, unix.Munmap(mem))
	testkit.Check(t, other.Close())
	if err := testkit.Must(New(0o600))(t).Publish(name, false); !errors.Is(err, fs.ErrExist) {
		t.Errorf("the name is taken: %v", err)
	}
	if err := testkit.Must(New(0o600))(t).Publish(name, true); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("replace: %v", err)
	}
	testkit.Check(t, Unlink(name))
	wantGone(t, name)
	if err := Unlink(name); err != unix.ENOENT {
		t.Errorf("unlink what is gone: %v", err)
	}
}

// A refused segment leaves no name.
func TestRefusedObjects(t *testing.T) {
	long := strings.Repeat("x", LongestName+1)
	_, errOpen := Open(long, true)
	_, errLookup := Lookup(long)
	for what, err := range map[string]error{
		"publish": testkit.Must(New(0o600))(t).Publish(long, false), "open": errOpen, "lookup": errLookup, "unlink": Unlink(long),
	} {
		if !errors.Is(err, unix.ENAMETOOLONG) {
			t.Errorf("%s of a long name: %v", what, err)
		}
	}
	name := testkit.Name(t)
	longest := name + strings.Repeat("x", LongestName-len(name))
	f := testkit.Must(New(0o600))(t)
	testkit.Check(t, f.Truncate(1))
	testkit.Check(t, f.Publish(longest, false))
	testkit.Check(t, errors.Join(f.Close(), Unlink(longest)))

	huge := testkit.Must(New(0o600))(t)
	testkit.Check(t, huge.Truncate(1<<62))
	if err := huge.Publish(name, false); err != unix.ENOMEM {
		t.Errorf("more bytes than addresses: %v", err)
	}
	wantGone(t, name)
}

// The mode of a segment is the one that was asked for, or there is no segment.
func TestModeOfObject(t *testing.T) {
	defer unix.Umask(unix.Umask(0o027))
	for _, mode := range []fs.FileMode{0o600, 0o640, 0o666} {
		name := testkit.Name(t)
		f := testkit.Must(New(mode))(t)
		testkit.Check(t, f.Truncate(1))
		err := f.Publish(name, false)
		if errors.Is(err, errors.ErrUnsupported) && mode == 0o666 && !testkit.HasIDs {
			wantGone(t, name)
		} else if info, errStat := f.Stat(); err != nil || errStat != nil || info.Mode != mode {
			t.Errorf("mode %o: %o, %v, %v", mode, info.Mode, err, errStat)
		}
		testkit.Check(t, f.Close())
		Unlink(name)
	}
}

// The size of macOS's segments is set once.
func TestSizeIsSetOnce(t *testing.T) {
	if !testkit.WholePages {
		t.Skip("the size can change on " + testkit.System)
	}
	f, name := publish(t, 100)
	for _, size := range []int64{1, 100, 1 << 20} {
		if err := truncateObject(f.Fd(), size); err != unix.EINVAL {
			t.Errorf("a second size of %d: %v", size, err)
		}
	}
	if info, err := Lookup(name); info.Size != rounded(100) || err != nil {
		t.Errorf("%+v, %v", info, err)
	}
}

// A process that attaches too early may remove the name. A new segment gets it then.
func TestPublishAgain(t *testing.T) {
	for _, removals := range []int{0, 1, publishTries - 1, publishTries} {
		name := testkit.Name(t)
		f := testkit.Must(New(0o600))(t)
		testkit.Check(t, f.Truncate(100))
		calls := 0
		err := f.publish(name, func(name string) error {
			err := f.create(name)
			if calls++; calls <= removals {
				err = errors.Join(err, Unlink(name))
			}
			return err
		})
		if removals == publishTries {
			if !errors.Is(err, unix.EBUSY) {
				t.Errorf("removed each time: %v", err)
			}
			wantGone(t, name)
		} else {
			testkit.Check(t, err)
			info := testkit.Must(Lookup(name))(t)
			if own := testkit.Must(f.Stat())(t); info.ID != own.ID || info.Size != rounded(100) {
				t.Errorf("after %d removals: %+v", removals, info)
			}
			testkit.Check(t, Unlink(name))
		}
		testkit.Check(t, f.Close())
	}
}

// Several goroutines write to a segment whose memory is not mapped yet.
func TestWriteTogether(t *testing.T) {
	const goroutines, size = 8, 1 << 12
	f, name := publish(t, goroutines*size)
	var all sync.WaitGroup
	for i := range goroutines {
		all.Go(func() {
			if n, err := f.WriteAt(bytes.Repeat([]byte{byte(i + 1)}, size), int64(i*size)); n != size || err != nil {
				t.Errorf("WriteAt = %d, %v", n, err)
			}
		})
	}
	all.Wait()
	other := testkit.Must(Open(name, true))(t)
	defer other.Close()
	mem := testkit.Must(unix.Mmap(other.Fd(), 0, goroutines*size, unix.PROT_READ, unix.MAP_SHARED))(t)
	defer unix.Munmap(mem)
	for i := range goroutines {
		if part := mem[i*size : (i+1)*size]; bytes.Count(part, []byte{byte(i + 1)}) != size {
			t.Errorf("part %d differs", i)
		}
	}
}

// A segment that another process cuts short while its content is written is an error.
func TestWriteToTruncated(t *testing.T) {
	testkit.NeedFaultAddress(t)
	f, _ := publish(t, 1<<16)
	if err := unix.Ftruncate(f.Fd(), 0); err != nil {
		t.Skip("no process can cut a segment short: ", err)
	}
	if n, err := f.WriteAt([]byte("x"), 1<<15); n != 0 || err != unix.EFAULT {
		t.Errorf("WriteAt = %d, %v", n, err)
	}
	mem := testkit.Must(unix.Mmap(-1, 0, 4096, unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANON))(t)
	defer unix.Munmap(mem)
	defer func() {
		if recover() == nil {
			t.Error("a fault in the caller's own memory is not passed on")
		}
	}()
	other, _ := publish(t, 1<<16)
	other.WriteAt(mem, 0)
}
