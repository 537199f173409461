package pyshm_test

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"math/bits"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pyshm-go/pyshm/compat"
	"github.com/pyshm-go/pyshm/format"
	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm"
	"github.com/pyshm-go/pyshm/pyshm/internal/sem"
)

// segment returns the entry for a name.
func segment(t *testing.T, name string) pyshm.Segment {
	t.Helper()
	for s, err := range pyshm.Segments() {
		if err != nil {
			t.Fatal(err)
		}
		if s.Name == name {
			return s
		}
	}
	t.Fatalf("no segment %q", name)
	return pyshm.Segment{}
}

func TestSegments(t *testing.T) {
	testkit.NeedLinux(t)
	m := create(t, 5000, pyshm.Mode(0o640))
	alias, err := m.Alias()
	if err != nil {
		t.Fatal(err)
	}
	defer pyshm.Unlink(alias)

	s := segment(t, m.Name())
	if s.Size != 5000 || s.Allocated != 8192 || s.Mode != 0o640 || s.Links != 2 {
		t.Errorf("%+v", s)
	}
	if int(s.UID) != os.Geteuid() || int(s.GID) != os.Getegid() {
		t.Errorf("owner %d, group %d", s.UID, s.GID)
	}
	if age := time.Since(s.Modified); age < 0 || age > time.Minute || s.Changed.Before(s.Modified) {
		t.Errorf("modified %v, changed %v", s.Modified, s.Changed)
	}
}

func TestSegmentsInOrder(t *testing.T) {
	testkit.NeedLinux(t)
	if !testkit.InPrivateShm(t, 1<<20) {
		return
	}
	for _, name := range []string{"b", "a", "sem.c", ".d"} {
		if err := os.WriteFile(pathOf(name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.Mkdir(pathOf("dir"), 0o700), os.Symlink("a", pathOf("link"))); err != nil {
		t.Fatal(err)
	}
	var names []string
	for s, err := range pyshm.Segments() {
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, s.Name)
		os.Remove(pathOf("a")) // the iteration may have it or not, but must not fail
	}
	if got := strings.Join(names, " "); got != ".d b sem.c" && got != ".d a b sem.c" {
		t.Errorf("segments %q", got)
	}
	for range pyshm.Segments() {
		break
	}
}

func TestInspect(t *testing.T) {
	testkit.NeedLinux(t)
	encode := func(layout format.Layout, values ...any) []byte {
		b, err := format.Encode(values, &format.Options{Layout: layout})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	busy := encode(format.Offsets, 1, "two", nil)
	copy(busy[len(busy)-3*9:], " \x00") // what an interrupted Set leaves
	list := pyshm.Content{Kind: pyshm.KindList, Len: 3}
	sizes := pyshm.Content{Kind: pyshm.KindList, Len: 3, Layout: format.Sizes}
	block := pyshm.Content{Kind: pyshm.KindBlock}
	foreign := pyshm.Content{Kind: pyshm.KindForeign}
	for _, tc := range []struct {
		what, name string
		content    []byte
		want       pyshm.Content
	}{
		{"a list", "", encode(format.Offsets, 1, "two", nil), list},
		{"a list with an item that is being set", "", busy, list},
		{"a list of 3.8", "", encode(format.Sizes, 1, "two", nil), sizes},
		{"a list in whole pages", "", append(encode(format.Offsets, 1, "two", nil), make([]byte, 1000)...), list},
		{"zeros", "", make([]byte, 4096), block},
		{"bytes", "", []byte("pyshm"), block},
		{"a picture", "", slices.Repeat([]byte{255, 0, 127}, 1000), block},
		{"no bytes", "", nil, pyshm.Content{Kind: pyshm.KindIncomplete}},
		{"a semaphore", "sem.", sem.Bytes(3), pyshm.Content{Kind: pyshm.KindSemaphore, Value: 3}},
		{"a semaphore that is private", "sem.", make([]byte, 32), foreign},
		{"a semaphore of another word size", "sem.", make([]byte, 48-sem.Size), foreign},
		{"a semaphore by name only", "sem.", make([]byte, 33), block},
	} {
		name := tc.name + testkit.Name(t)
		if err := os.WriteFile(pathOf(name), tc.content, 0o400); err != nil {
			t.Fatal(err)
		}
		before := stat(t, name)
		got, err := segment(t, name).Inspect()
		if got != tc.want || err != nil {
			t.Errorf("%s: %+v, %v; want %+v", tc.what, got, err, tc.want)
		}
		after := stat(t, name)
		after.Atim = before.Atim
		if after != before {
			t.Errorf("%s: %+v became %+v", tc.what, before, after)
		}
		os.Remove(pathOf(name))
	}
}

// musl makes these files for a Lock of Python. Here the lock is held, with a waiter.
func TestInspectMusl(t *testing.T) {
	testkit.NeedLinux(t)
	name := fmt.Sprintf("mp-%08x", rand.Uint32())
	content := append([]byte("\x00\x00\x00\x80\x01\x00\x00\x00\x00\x00\x00\x00"), make([]byte, 20)...)
	if err := os.WriteFile(pathOf(name), content, 0o600); err != nil {
		t.Fatal(err)
	}
	defer os.Remove(pathOf(name))
	if c, err := segment(t, name).Inspect(); c != (pyshm.Content{Kind: pyshm.KindForeign}) || err != nil {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestInspectSparse(t *testing.T) {
	testkit.NeedLinux(t)
	m := create(t, 1<<30, pyshm.Sparse())
	if c, err := segment(t, m.Name()).Inspect(); c.Kind != pyshm.KindBlock || err != nil {
		t.Errorf("%+v, %v", c, err)
	}
}

// Inspecting segments again and again takes no address space, not even until the next
// garbage collection: 16 calls would use up 128 TiB.
func TestLooksTakeNoAddresses(t *testing.T) {
	testkit.NeedLinux(t)
	if bits.UintSize < 64 {
		t.Skip("no segment of terabytes fits into this address space")
	}
	name := testkit.Name(t)
	defer os.Remove(pathOf(name))
	if err := errors.Join(os.WriteFile(pathOf(name), nil, 0o600), os.Truncate(pathOf(name), 8<<40)); err != nil {
		t.Fatal(err)
	}
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	s := segment(t, name)
	for range 100 {
		if c, err := s.Inspect(); c.Kind != pyshm.KindBlock || err != nil {
			t.Fatalf("Inspect = %+v, %v", c, err)
		}
		if _, err := pyshm.AttachList(name); !errors.Is(err, format.ErrIncomplete) {
			t.Fatalf("AttachList: %v", err)
		}
	}
}

func TestInspectGone(t *testing.T) {
	testkit.NeedLinux(t)
	m := create(t, 64)
	s := segment(t, m.Name())
	other, err := pyshm.Create(m.Name(), 64, pyshm.Replace())
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if c, err := s.Inspect(); c.Kind != pyshm.KindUnreadable || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("replaced: %+v, %v", c, err)
	}
	other.Unlink()
	if c, err := s.Inspect(); c.Kind != pyshm.KindUnreadable || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("unlinked: %+v, %v", c, err)
	}
}

// Inspect returns a result whatever another process writes into the list meanwhile.
func TestInspectHostile(t *testing.T) {
	testkit.NeedLinux(t)
	list, err := format.Encode([]any{1, 2.5, "three", []byte("four"), nil, true}, nil)
	if err != nil {
		t.Fatal(err)
	}
	m := create(t, len(list))
	write(t, m, string(list), 0)
	path, s := pathOf(m.Name()), segment(t, m.Name())
	truncates := testkit.HasFaultAddress(t)
	stop, stopped := make(chan bool), make(chan bool)
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
			}
			m.WriteAt([]byte{byte(rand.Uint32())}, rand.Int64N(int64(len(list))))
			if rand.IntN(10) == 0 {
				if truncates {
					os.Truncate(path, rand.Int64N(int64(len(list))))
					os.Truncate(path, int64(len(list)))
				}
				m.WriteAt(list, 0)
			}
		}
	}()
	kinds := map[pyshm.ContentKind]int{}
	for kinds[pyshm.KindList] < 100 || kinds[pyshm.KindBlock] < 100 {
		c, err := s.Inspect()
		if err != nil && !errors.Is(err, pyshm.ErrFault) {
			t.Fatal(err)
		}
		kinds[c.Kind]++
	}
	close(stop)
	<-stopped
	t.Log(kinds)
}

func init() {
	testkit.Roles["attach"] = func(args []string, end <-chan string) error {
		m, err := pyshm.Attach(args[0])
		if err != nil {
			return err
		}
		<-end
		return m.Close()
	}
}

func TestPids(t *testing.T) {
	testkit.NeedLinux(t)
	m := create(t, 64)
	c := testkit.StartChild(t, "attach", m.Name())
	both := []int{os.Getpid(), c.Cmd.Process.Pid}
	slices.Sort(both)
	testkit.Eventually(t, "mapping in both processes", func() bool { return slices.Equal(pids(t, m.Name()), both) })
	c.End(t)
	if got := pids(t, m.Name()); !slices.Equal(got, []int{os.Getpid()}) {
		t.Errorf("mapped by %v", got)
	}
	m.Close()
	if got := pids(t, m.Name()); len(got) != 0 {
		t.Errorf("mapped by %v after Close", got)
	}
}

func pids(t *testing.T, name string) []int {
	t.Helper()
	pids, err := segment(t, name).Pids()
	if err != nil && !errors.Is(err, fs.ErrPermission) {
		t.Fatal(err)
	}
	return pids
}

// forks passes a mapping on from process to process until the name is gone, or for so
// long that the test must have ended. Each process lives only until it has started the
// next.
const forks = `
import ctypes, mmap, os, signal, sys, time
path = "/dev/shm/" + sys.argv[1]
PR_SET_CHILD_SUBREAPER = 36
ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
if os.fork() == 0:
    with open(path, "r+b") as f:
        memory = mmap.mmap(f.fileno(), 0)
    print("mapped", flush=True)
    end = time.monotonic() + 60
    while os.path.exists(path) and time.monotonic() < end:
        if os.fork():
            os._exit(0)
    os._exit(0)
try:
    while True:
        os.wait()
except ChildProcessError:
    pass
`

// Pids finds a mapping in constant use, however its processes come and go, or returns an
// error because it may have missed processes.
func TestPidsOfForks(t *testing.T) {
	testkit.NeedLinux(t)
	pythons, err := compat.Find(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	m := create(t, 64)
	m.Close()
	cmd := exec.Command(pythons[0].Path, "-c", forks, m.Name())
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	bufio.NewReader(out).ReadString('\n')
	missed := 0
	const looks = 20
	for range looks {
		pids, err := segment(t, m.Name()).Pids()
		switch {
		case len(pids) == 0 && err == nil:
			t.Fatal("no process maps the segment")
		case len(pids) == 0:
			missed++
		}
	}
	if missed > looks/2 {
		t.Errorf("not found in %d of %d looks", missed, looks)
	}
	m.Unlink()
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

func TestUnlinkUnused(t *testing.T) {
	testkit.NeedLinux(t)
	m := create(t, 64)
	s := segment(t, m.Name())
	if err := s.UnlinkUnused(); !errors.Is(err, syscall.EBUSY) {
		t.Errorf("mapped: %v", err)
	}
	m.Close()
	f, err := os.Open(pathOf(m.Name()))
	if err != nil {
		t.Fatal(err)
	}
	// No census shows the user, but the kernel grants no lease.
	if pids, err := s.Pids(); len(pids) > 0 || err == nil {
		t.Errorf("open: mapped by %v, %v", pids, err)
	}
	if err := s.UnlinkUnused(); !errors.Is(err, syscall.EBUSY) {
		t.Errorf("open: %v", err)
	}
	f.Close()
	other, err := pyshm.Create(m.Name(), 64, pyshm.Replace())
	if err != nil {
		t.Fatal(err)
	}
	other.Close()
	if err := s.UnlinkUnused(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("replaced: %v", err)
	}
	s = segment(t, m.Name())
	if err := s.UnlinkUnused(); err != nil {
		t.Error(err)
	}
	if err := s.UnlinkUnused(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("again: %v", err)
	}
}

func TestUnlisted(t *testing.T) {
	testkit.NeedLinux(t)
	var s pyshm.Segment
	if _, err := s.Pids(); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("Pids = %v", err)
	}
	if err := s.UnlinkUnused(); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("UnlinkUnused = %v", err)
	}
}
