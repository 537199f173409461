//go:build !posixshm

package mappers

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pyshm-go/pyshm/compat"
	"github.com/pyshm-go/pyshm/pyshm/internal/shmfile"
)

func TestTakeFindsThisProcess(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "memory"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(1); err != nil {
		t.Fatal(err)
	}
	var st syscall.Stat_t
	if err := syscall.Fstat(int(f.Fd()), &st); err != nil {
		t.Fatal(err)
	}
	id := shmfile.ID{Dev: uint64(st.Dev), Ino: st.Ino}

	wantPids(t, id, nil)
	mem, err := syscall.Mmap(int(f.Fd()), 0, 1, syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Munmap(mem)
	wantPids(t, id, []int{os.Getpid()})
}

// withoutMain maps a file in a process whose main thread ends.
const withoutMain = `
import ctypes, mmap, sys, threading
with open(sys.argv[1], "r+b") as f:
    memory = mmap.mmap(f.fileno(), 0)
def work():
    print("mapped", flush=True)
    sys.stdin.read()
threading.Thread(target=work).start()
ctypes.CDLL(None).pthread_exit(None)
`

// A process whose main thread has ended keeps its mappings, although its /proc/PID/maps
// is empty.
func TestTakeFindsProcessWithoutMainThread(t *testing.T) {
	py, err := compat.First(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "memory")
	if err := os.WriteFile(path, []byte("memory"), 0o600); err != nil {
		t.Fatal(err)
	}
	var st syscall.Stat_t
	if err := syscall.Stat(path, &st); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(py.Path, "-c", withoutMain, path)
	cmd.Stderr = os.Stderr
	stdin, errIn := cmd.StdinPipe()
	stdout, errOut := cmd.StdoutPipe()
	if err := errors.Join(errIn, errOut, cmd.Start()); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer stdin.Close()
	if _, err := bufio.NewReader(stdout).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	pid := cmd.Process.Pid
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
		if err == nil && len(maps) == 0 || errors.Is(err, syscall.ESRCH) {
			break
		}
		if err != nil || time.Now().After(end) {
			t.Fatalf("the main thread has not ended: %d bytes, %v", len(maps), err)
		}
	}
	wantPids(t, shmfile.ID{Dev: uint64(st.Dev), Ino: st.Ino}, []int{pid})
}

func wantPids(t *testing.T, id shmfile.ID, want []int) {
	t.Helper()
	snapshot, err := Take()
	if err != nil && !errors.Is(err, fs.ErrPermission) {
		t.Fatal(err)
	}
	if got := snapshot[id]; !slices.Equal(got, want) {
		t.Errorf("mapped by %v, want %v", got, want)
	}
}

func TestParse(t *testing.T) {
	got := parse([]byte(`55d0a1a00000-55d0a1a28000 r--p 00000000 fe:00 131090                     /usr/bin/cat
7f0c4e1d4000-7f0c4e1d5000 rw-s 00000000 00:1a 1835009                    /dev/shm/psm_0a b (deleted)
7f0c4e1d5000-7f0c4e1d6000 rw-s 00001000 00:1a 1835009                    /dev/shm/psm_0a b (deleted)
7f0c4e1d6000-7f0c4e1d7000 rw-p 00000000 00:00 0
7ffd1b5c9000-7ffd1b5eb000 rw-p 00000000 00:00 0                          [stack]
7f00-7f01 rw-s
`))
	want := map[shmfile.ID]bool{
		{Dev: unix.Mkdev(0xfe, 0), Ino: 131090}:  true,
		{Dev: unix.Mkdev(0, 0x1a), Ino: 1835009}: true,
	}
	if !maps.Equal(got, want) {
		t.Errorf("parse = %v, want %v", got, want)
	}
}

func TestUnseen(t *testing.T) {
	for _, tc := range []struct {
		what   string
		census census
	}{
		{"refused", census{examined: map[int]bool{1: true, 2: true}, refused: 1, refusal: fs.ErrPermission}},
		{"hidden", census{examined: map[int]bool{2: true, 3: true}}},
		{"no processes", census{}},
	} {
		if err := tc.census.unseen(); !errors.Is(err, fs.ErrPermission) {
			t.Errorf("%s: %v", tc.what, err)
		}
	}
}
