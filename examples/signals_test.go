package examples

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/pyshm-go/pyshm/internal/testkit"
)

// holding stands for the worker of examples/go-lock. It takes the lock and keeps it.
const holding = `
import sys, time
from pyshm_attach import attach_list, attach_lock
sl, lock = attach_list(sys.argv[2]), attach_lock(sys.argv[3])
lock.acquire()
print(sys.argv[2], "sem." + sys.argv[3], file=sys.stderr, flush=True)
time.sleep(600)
`

// A signal that the README's example catches leaves no name, even while Python holds the
// lock.
func TestSignalsLeaveNothing(t *testing.T) {
	dir := build(t, "go-lock")
	env := envWithPython(t, dir, testkit.Python(t).Path, "-c '"+holding+"'")
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		t.Run(sig.String(), func(t *testing.T) { testSignal(t, dir, env, sig) })
	}
}

func testSignal(t *testing.T, dir string, env []string, sig syscall.Signal) {
	example := exec.CommandContext(t.Context(), filepath.Join(dir, "go-lock"))
	example.Dir, example.Env = "..", env
	stderr, err := example.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := example.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(stderr)
	lines.Scan() // until Python holds the lock
	names := strings.Fields(lines.Text())
	if len(names) != 2 {
		t.Errorf("the names are %q", names)
	}
	for _, name := range names {
		if _, err := os.Stat("/dev/shm/" + name); err != nil {
			t.Error(err)
		}
	}
	example.Process.Signal(sig)
	for lines.Scan() {
		t.Log(lines.Text())
	}
	example.Wait() // its error is the exit status
	if example.ProcessState.ExitCode() != 1 {
		t.Errorf("the example has ended with %v", example.ProcessState)
	}
	for _, name := range names {
		if _, err := os.Stat("/dev/shm/" + name); err == nil {
			t.Errorf("%s was left behind", name)
			os.Remove("/dev/shm/" + name)
		}
	}
}
