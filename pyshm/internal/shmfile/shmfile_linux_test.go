//go:build !posixshm

package shmfile

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pyshm-go/pyshm/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// eachWay runs a test with both ways of making a segment. New would take the second
// way only if O_TMPFILE or /proc is missing.
func eachWay(t *testing.T, test func(t *testing.T, build func() (*File, error))) {
	t.Run("unnamed", func(t *testing.T) { test(t, newUnnamed) })
	t.Run("hidden", func(t *testing.T) { test(t, newHidden) })
}

func built(t *testing.T, build func() (*File, error), content string) *File {
	t.Helper()
	f, err := build()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte(content), 0); err != nil {
		t.Fatal(err)
	}
	return f
}

func published(t *testing.T, build func() (*File, error), content, name string) {
	t.Helper()
	f := built(t, build, content)
	if err := f.Publish(name, false); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { Unlink(name) })
}

// wantOnly fails unless the segment has exactly one name, with the content.
func wantOnly(t *testing.T, name, content string) {
	t.Helper()
	got, err := os.ReadFile(pathOf(name))
	if err != nil || string(got) != content {
		t.Errorf("%s holds %q, %v; want %q", name, got, err, content)
	}
	if info, err := Lookup(name); err != nil || info.Links != 1 {
		t.Errorf("%s has %d names, %v", name, info.Links, err)
	}
}

func TestPublish(t *testing.T) {
	eachWay(t, func(t *testing.T, build func() (*File, error)) {
		name := testkit.Name(t)
		published(t, build, "complete", name)
		wantOnly(t, name, "complete")
	})
}

func TestPublishTakenName(t *testing.T) {
	eachWay(t, func(t *testing.T, build func() (*File, error)) {
		name := testkit.Name(t)
		published(t, build, "first", name)
		f := built(t, build, "second")
		if err := f.Publish(name, false); !errors.Is(err, fs.ErrExist) {
			t.Errorf("Publish = %v", err)
		}
		wantGoneAfterClose(t, f)
		wantOnly(t, name, "first")
	})
}

func TestPublishReplaces(t *testing.T) {
	eachWay(t, func(t *testing.T, build func() (*File, error)) {
		name := testkit.Name(t)
		published(t, build, "first", name)
		f := built(t, build, "second")
		if err := f.Publish(name, true); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		wantOnly(t, name, "second")
	})
}

// A process that died while it replaced a segment has left a temporary name. The next
// process that replaces a segment removes it. The temporary name of a process at work
// stays.
func TestPublishSweeps(t *testing.T) {
	name, left := testkit.Name(t), temporaryPrefix+rand.Text()
	published(t, newUnnamed, "first", name)
	published(t, newUnnamed, "left", left)
	working := built(t, newUnnamed, "at work")
	if err := working.linkTemporary(); err != nil {
		t.Fatal(err)
	}
	f := built(t, newUnnamed, "second")
	if err := f.Publish(name, true); err != nil {
		t.Fatal(err)
	}
	wantOnly(t, name, "second")
	if _, err := Lookup(left); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the name that was left: %v", err)
	}
	wantOnly(t, working.hidden, "at work")
	if err := f.lock(); err != nil {
		t.Errorf("the object is still locked: %v", err)
	}
	f.Close()
	wantGoneAfterClose(t, working)
}

// A file cannot replace a directory: the rename fails after the segment has got its
// temporary name.
func TestPublishFailsToReplace(t *testing.T) {
	eachWay(t, func(t *testing.T, build func() (*File, error)) {
		name := testkit.Name(t)
		if err := os.Mkdir(pathOf(name), 0o700); err != nil {
			t.Fatal(err)
		}
		defer os.Remove(pathOf(name))
		f := built(t, build, "second")
		if err := f.Publish(name, true); err != syscall.EISDIR {
			t.Errorf("Publish = %v", err)
		}
		if f.hidden == "" {
			t.Error("no temporary name: the test tests nothing")
		}
		wantGoneAfterClose(t, f)
	})
}

func TestGivenUp(t *testing.T) {
	eachWay(t, func(t *testing.T, build func() (*File, error)) {
		wantGoneAfterClose(t, built(t, build, "given up"))
	})
}

// wantGoneAfterClose closes f and fails if a name of it remains.
func wantGoneAfterClose(t *testing.T, f *File) {
	t.Helper()
	keep, err := syscall.Dup(f.fd)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(keep)
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	if info, err := (&File{fd: keep}).Stat(); err != nil || info.Links != 0 {
		t.Errorf("%d names remain, %v", info.Links, err)
	}
}

func TestHiddenName(t *testing.T) {
	f := built(t, newHidden, "")
	defer f.Close()
	if !strings.HasPrefix(f.hidden, HiddenPrefix) {
		t.Errorf("hidden name %q", f.hidden)
	}
	if _, err := Lookup(f.hidden); err != nil {
		t.Error(err)
	}
}

func TestReserve(t *testing.T) {
	for _, size := range []int64{1, 4096, 4097, reserveStep, reserveStep + 1} {
		f := built(t, newUnnamed, "")
		if err := f.Reserve(size); err != nil {
			t.Fatal(err)
		}
		wantSpace(t, f, size)
		f.Close()
	}
}

// Kernels differ in when a signal interrupts fallocate. In this test every long call is
// interrupted.
func TestReserveInterrupted(t *testing.T) {
	const size, short = 20 << 20, 1 << 20
	f := built(t, newUnnamed, "")
	defer f.Close()
	interrupted := 0
	err := f.reserve(size, func(fd int, mode uint32, off, n int64) error {
		if n > short {
			interrupted++
			return unix.EINTR
		}
		return unix.Fallocate(fd, mode, off, n)
	})
	if err != nil || interrupted == 0 {
		t.Errorf("%v after %d interruptions", err, interrupted)
	}
	wantSpace(t, f, size)
}

func TestReserveWithoutFallocate(t *testing.T) {
	for _, unsupported := range []error{unix.EOPNOTSUPP, unix.ENOSYS} {
		const size = 300<<10 + 1
		f := built(t, newUnnamed, "")
		err := f.reserve(size, func(int, uint32, int64, int64) error { return unsupported })
		if err != nil {
			t.Error(err)
		}
		wantSpace(t, f, size)
		f.Close()
	}
}

// What a Filler has written has its memory. It is an error if the memory is gone.
func TestFiller(t *testing.T) {
	if !testkit.InPrivateShm(t, 1<<20) {
		return
	}
	const size, first = 700 << 10, 100<<10 + 1
	f := built(t, newUnnamed, "")
	w, err := f.Filler(size)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Filler(2 << 20); err != unix.ENOSPC {
		t.Errorf("Filler for more than there is: %v", err)
	}
	if n, err := w.WriteAt(make([]byte, first), 0); n != first || err != nil {
		t.Fatal(n, err)
	}
	wantSpace(t, f, first)
	other := built(t, newUnnamed, "")
	if err := other.Reserve(500 << 10); err != nil {
		t.Fatal(err)
	}
	if _, err := w.WriteAt(make([]byte, size-first), first); err != unix.ENOSPC {
		t.Errorf("WriteAt when another segment has the memory: %v", err)
	}
	other.Close()
	if n, err := w.WriteAt(make([]byte, size-first), first); n != size-first || err != nil {
		t.Errorf("WriteAt when the memory is free: %d, %v", n, err)
	}
	wantSpace(t, f, size)
	f.Close()
}

// Without a limit, the memory is checked before each step.
func TestFillerChecks(t *testing.T) {
	f := built(t, newUnnamed, "")
	defer f.Close()
	w := filler{f: f, room: room{unlimited: true}, size: 1 << 60}
	if n, err := w.WriteAt([]byte("x"), 0); n != 0 || err != unix.ENOSPC {
		t.Errorf("WriteAt = %d, %v", n, err)
	}
}

func wantSpace(t *testing.T, f *File, size int64) {
	t.Helper()
	info, err := f.Stat()
	if err != nil || info.Size != size || info.Allocated < size {
		t.Errorf("size %d, allocated %d, %v; want %d", info.Size, info.Allocated, err, size)
	}
}

// A size that can never fit fails before it fills the memory of the machine.
func TestReserveTooMuch(t *testing.T) {
	f := built(t, newUnnamed, "")
	defer f.Close()
	err := f.reserve(1<<60, func(int, uint32, int64, int64) error {
		t.Error("reserves")
		return unix.EFBIG
	})
	if err != unix.ENOSPC {
		t.Errorf("reserve = %v", err)
	}
}

func TestParseAvailable(t *testing.T) {
	for _, test := range []struct {
		meminfo string
		want    uint64
	}{
		{"MemTotal:  9 kB\nMemAvailable:    4000 kB\nSwapTotal: 5 kB\nSwapFree:          24 kB\nDirty: 1 kB\n", 4024 << 10},
		{"MemTotal:  9 kB\nMemAvailable: 1 kB\nSwapFree: 0 kB", 1 << 10},
		{"MemTotal:  9 kB\nMemFree: 4000 kB\nSwapFree: 24 kB\n", 0}, // before Linux 3.14
		{"MemTotal:  9 kB\nMemAvailable:", 0},
		{"", 0},
	} {
		got, err := parseAvailable([]byte(test.meminfo))
		if got != test.want || (err == nil) != (test.want > 0) {
			t.Errorf("%q: %d, %v", test.meminfo, got, err)
		}
	}
	if _, err := availableMemory(); err != nil {
		t.Error(err)
	}
}

func TestTruncateTakesNoMemory(t *testing.T) {
	f := built(t, newUnnamed, "")
	defer f.Close()
	if err := f.Truncate(1 << 40); err != nil {
		t.Fatal(err)
	}
	if info, err := f.Stat(); err != nil || info.Size != 1<<40 || info.Allocated != 0 {
		t.Errorf("size %d, allocated %d, %v", info.Size, info.Allocated, err)
	}
}

func TestModeIsExact(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0o277))
	for _, mode := range []fs.FileMode{0, 0o400, 0o600, 0o666, 0o777} {
		f, err := New(mode)
		if err != nil {
			t.Fatal(err)
		}
		if info, err := f.Stat(); err != nil || info.Mode != mode {
			t.Errorf("mode %v, %v; want %v", info.Mode, err, mode)
		}
		f.Close()
	}
}

func TestOpenedFileStays(t *testing.T) {
	name := testkit.Name(t)
	published(t, newUnnamed, "content", name)
	f, err := Open(name, true)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte("x"), 0); err != syscall.EBADF {
		t.Errorf("write to a file opened read-only: %v", err)
	}
	f.Close()
	wantOnly(t, name, "content")
	if names, err := Names(); err != nil || !slices.Contains(names, name) {
		t.Errorf("%s is not among %v, %v", name, names, err)
	}
}

func opened(t *testing.T, name string) *File {
	t.Helper()
	f, err := Open(name, true)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestLease(t *testing.T) {
	name := testkit.Name(t)
	published(t, newUnnamed, "content", name)
	for _, use := range []struct {
		what   string
		flags  int
		mapped bool
	}{
		{"open for reading", unix.O_RDONLY, false},
		{"open for writing", unix.O_RDWR, false},
		{"mapped for reading", unix.O_RDONLY, true},
		{"mapped for writing", unix.O_RDWR, true},
	} {
		fd, err := open(pathOf(name), use.flags, 0)
		if err != nil {
			t.Fatal(err)
		}
		end := func() { unix.Close(fd) }
		if use.mapped {
			mem, err := unix.Mmap(fd, 0, 1, unix.PROT_READ, unix.MAP_SHARED)
			if err != nil {
				t.Fatal(err)
			}
			unix.Close(fd)
			end = func() { unix.Munmap(mem) }
		}
		f := opened(t, name)
		if err := f.Lease(); err != unix.EAGAIN {
			t.Errorf("%s: %v", use.what, err)
		}
		end()
		if err := f.Lease(); err != nil {
			t.Fatalf("no more %s: %v", use.what, err)
		}
		f.Close()
	}
}

// While there is a lease on a segment, a process that wants this segment waits.
func TestLeaseIsWaitedFor(t *testing.T) {
	name := testkit.Name(t)
	published(t, newUnnamed, "content", name)
	f := opened(t, name)
	if err := f.Lease(); err != nil {
		t.Fatal(err)
	}
	if other, err := Open(name, true); err != unix.EAGAIN {
		t.Errorf("Open without patience = %v, %v", other, err)
	}
	var closed atomic.Bool
	time.AfterFunc(20*time.Millisecond, func() {
		closed.Store(true)
		f.Close()
	})
	other, err := OpenPatiently(name, true)
	if err != nil {
		t.Fatal(err)
	}
	if !closed.Load() {
		t.Error("opened in spite of the lease")
	}
	other.Close()
}

func TestHasLeases(t *testing.T) {
	name := testkit.Name(t)
	published(t, newUnnamed, "content", name)
	f := opened(t, name)
	defer f.Close()
	want := f.Lease() == nil
	if got, err := HasLeases(); got != want || err != nil {
		t.Errorf("HasLeases = %v, %v, but an object that is not in use: %v", got, err, want)
	}
}

// Data in a FIFO stays for its reader, although other calls look at the FIFO meanwhile.
func TestFIFOIsNotOpened(t *testing.T) {
	name := temporaryPrefix + rand.Text() // which a sweep looks at, too
	if err := unix.Mkfifo(pathOf(name), 0o600); err != nil {
		t.Fatal(err)
	}
	defer Unlink(name)
	var written atomic.Bool
	go func() {
		f, err := os.OpenFile(pathOf(name), os.O_WRONLY, 0) // waits for a reader
		if err != nil {
			t.Error(err)
			return
		}
		written.Store(true)
		f.WriteString("precious")
		f.Close()
	}()
	for range 20 {
		for _, readOnly := range []bool{true, false} {
			if f, err := Open(name, readOnly); err != ErrSpecial {
				t.Errorf("Open = %v, %v", f, err)
			}
		}
		sweep()
		time.Sleep(time.Millisecond)
	}
	if written.Load() {
		t.Error("the writer has found a reader")
	}
	if content, err := os.ReadFile(pathOf(name)); string(content) != "precious" {
		t.Errorf("read %q, %v", content, err)
	}
}
