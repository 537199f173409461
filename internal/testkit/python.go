package testkit

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pyshm-go/pyshm/compat"
	"github.com/pyshm-go/pyshm/format"
	"github.com/pyshm-go/pyshm/scripts"
)

// Python returns the interpreter that compat.Find prefers.
func Python(t testing.TB) compat.Interpreter {
	t.Helper()
	return Must(compat.First(t.Context()))(t)
}

// StartPeer starts a peer that must end in an orderly way at the end of the test.
func StartPeer(t testing.TB, py compat.Interpreter, options ...compat.PeerOption) *compat.Peer {
	t.Helper()
	p, err := py.Start(t.Context(), options...)
	wantStarted(t, err)
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		logStderr(t, p)
	})
	return p
}

func wantStarted(t testing.TB, err error) {
	t.Helper()
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip("peers need Unix: ", err)
	}
	Check(t, err)
}

func logStderr(t testing.TB, p *compat.Peer) {
	if t.Failed() {
		t.Logf("standard error of %v:\n%s", p.Interpreter(), p.Stderr())
	}
}

// A sharedPeer belongs to the test that holds the lock.
type sharedPeer struct {
	sync.Mutex
	peer *compat.Peer // nil until the first test starts it
}

var sharedPeers sync.Map // of *sharedPeer, by name

// SharePeer returns a peer that all tests with this name use, one after the other: a test
// waits for its turn. The first test starts the peer, and Run closes it. It is for tests
// for which a start takes longer than the test, and that leave nothing in the process that
// another test could notice, except variables.
func SharePeer(t testing.TB, name string, py compat.Interpreter, options ...compat.PeerOption) *compat.Peer {
	t.Helper()
	existing, _ := sharedPeers.LoadOrStore(name, new(sharedPeer))
	shared := existing.(*sharedPeer)
	shared.Lock()
	t.Cleanup(shared.Unlock)
	if shared.peer == nil {
		p, err := py.Start(context.Background(), options...)
		wantStarted(t, err)
		shared.peer = p
	}
	t.Cleanup(func() { logStderr(t, shared.peer) })
	return shared.peer
}

// closeSharedPeers fails unless all shared peers end in an orderly way.
func closeSharedPeers() (err error) {
	sharedPeers.Range(func(_, shared any) bool {
		if p := shared.(*sharedPeer).peer; p != nil {
			err = errors.Join(err, p.Close())
		}
		return true
	})
	return err
}

// AttachHelper lets a peer import pyshm_attach. Its working directory has the file, and
// its bytecode, which the first peer of each version keeps for the others: Python would
// need a quarter of the time of a start for compiling it. Peers must not write other files
// there.
func AttachHelper(t testing.TB) compat.PeerOption {
	t.Helper()
	dir := HelperDir(t)
	return compat.Command(func(cmd *exec.Cmd) {
		cmd.Dir = dir
		cmd.Env = append(cmd.Environ(), "PYTHONDONTWRITEBYTECODE=")
	})
}

// HelperDir returns the directory of [AttachHelper], for other entries of Python's path.
func HelperDir(t testing.TB) string {
	t.Helper()
	return Must(helperDir())(t)
}

// helperDir makes the directory, which Run removes.
var helperDir = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "pyshm-helper-")
	if err == nil {
		afterRun = append(afterRun, func() error { return os.RemoveAll(dir) })
		err = os.WriteFile(filepath.Join(dir, "pyshm_attach.py"), []byte(scripts.AttachHelper()), 0o600)
	}
	return dir, err
})

// StartMethods are multiprocessing's start methods.
var StartMethods = []string{"fork", "spawn", "forkserver"}

// WantPythonError checks the type and the message of a Python exception.
func WantPythonError(t testing.TB, err error, kind, message string) {
	t.Helper()
	var raised *compat.PythonError
	if !errors.As(err, &raised) {
		t.Errorf("error %v, want Python's %s", err, kind)
	} else if raised.Type != kind || !strings.Contains(raised.Message, message) || !strings.Contains(raised.Traceback, "Traceback") {
		t.Errorf("Python raised %q: %q, want %s: %s\n%s", raised.Type, raised.Message, kind, message, raised.Traceback)
	}
}

// WantEqual compares values, floats by their bits.
func WantEqual(t testing.TB, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got, SameValue); diff != "" {
		t.Errorf("%s: (-want +got)\n%s", what, diff)
	}
}

// SameValue compares values from pyvalue.Decode: floats by their bits.
var SameValue = cmp.Options{
	cmp.Comparer(func(a, b float64) bool { return math.Float64bits(a) == math.Float64bits(b) }),
	cmp.Comparer(func(a, b *big.Int) bool { return a.Cmp(b) == 0 }),
}

// WaitForEnd waits until a process is gone, or is a zombie that waits for its parent.
// The system has closed its descriptors a little earlier.
func WaitForEnd(t testing.TB, pid int) {
	t.Helper()
	Eventually(t, fmt.Sprintf("the end of process %d", pid), func() bool {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		return err != nil || strings.Contains(string(stat), ") Z ")
	})
}

// WantLeaks compares the segments that the resource tracker has reported and removed at
// the end with the number that it should have. It must not have printed anything else.
func WantLeaks(t testing.TB, p *compat.Peer, want int) {
	t.Helper()
	stderr := p.Stderr()
	WantEqual(t, "the tracker warns", strings.Contains(stderr, "leaked shared_memory"), want > 0)
	if want > 0 && !strings.Contains(stderr, fmt.Sprintf("There appear to be %d leaked shared_memory", want)) {
		t.Errorf("standard error does not speak of %d leaked segments:\n%s", want, stderr)
	}
	for _, complaint := range []string{"KeyError", "No such file"} {
		if strings.Contains(stderr, complaint) {
			t.Errorf("the tracker complains:\n%s", stderr)
		}
	}
}

// GoAddress returns Python's address as Go writes it.
func GoAddress(t testing.TB, p *compat.Peer, expression string) string {
	t.Helper()
	switch a := Must(p.Eval(expression))(t).(type) {
	case string:
		return a
	case []byte:
		return "@" + string(a[1:])
	case []any:
		return a[0].(string) + ":" + format.Repr(a[1])
	default:
		t.Fatalf("address %v", a)
		return ""
	}
}
