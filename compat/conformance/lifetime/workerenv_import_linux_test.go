//go:build !posixshm

package lifetime

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/pyshm-go/pyshm/compat"
	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm"
	"github.com/pyshm-go/pyshm/scripts"
)

// importing is a program that imports pyshm_attach, as its children do, and adds 1
// under the lock in each of five processes.
const importing = `
import multiprocessing, sys
import pyshm_attach
from pyshm_attach import attach_list, attach_lock

def add(list_name, lock_name):
    items, lock = attach_list(list_name), attach_lock(lock_name)
    with lock:
        items[0] += 1
    items.shm.close()

def add_to(items, lock):
    with lock:
        items[0] += 1
    items.shm.close()

if __name__ == "__main__":
    add(*sys.argv[1:])
    for method in "spawn", "forkserver", "fork":
        context = multiprocessing.get_context(method)
        child = context.Process(target=add, args=sys.argv[1:])
        child.start()
        child.join()
        assert child.exitcode == 0, (method, child.exitcode)
    items, lock = attach_list(sys.argv[1]), attach_lock(sys.argv[2])
    child = multiprocessing.get_context("spawn").Process(target=add_to, args=(items, lock))
    child.start()
    child.join()
    assert child.exitcode == 0, child.exitcode
    print(items[0])
`

// TestWorkerEnvProvidesHelper: every process of a worker can import pyshm_attach, and
// attach to a list and a lock of Go, without a copy of the file.
func TestWorkerEnvProvidesHelper(t *testing.T) {
	t.Parallel()
	compat.ForEach(t, func(t *testing.T, py compat.Interpreter) {
		t.Parallel()
		list := testkit.Must(pyshm.CreateList(testkit.Name(t), []any{0}, pyshm.Layout(py.Layout())))(t)
		t.Cleanup(func() { testkit.Check(t, errors.Join(list.Unlink(), list.Close())) })
		lock := testkit.Must(pyshm.CreateLock(testkit.Name(t)))(t)
		t.Cleanup(func() { testkit.Check(t, errors.Join(lock.Unlink(), lock.Close())) })
		dir := t.TempDir()
		testkit.Check(t, os.WriteFile(filepath.Join(dir, "worker.py"), []byte(importing), 0o600))

		cmd := exec.CommandContext(t.Context(), py.Path, filepath.Join(dir, "worker.py"), list.Name(), lock.Name())
		cmd.Dir = dir
		testkit.Check(t, pyshm.WorkerEnv(cmd))
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		testkit.WantEqual(t, "what the worker prints", string(out), "5\n")
		testkit.WantEqual(t, "what Go reads", testkit.Must(list.Int(0))(t), int64(5))
	})
}

// TestWorkerEnvHelperYieldsToProgram: a pyshm_attach beside the program is the program's
// own choice, and Python finds it first. Python does not take a pyshm_attach further down
// on PYTHONPATH, or an installed one.
func TestWorkerEnvHelperYieldsToProgram(t *testing.T) {
	t.Parallel()
	site := siteDir(t)
	behind := t.TempDir()
	testkit.Check(t, os.WriteFile(filepath.Join(behind, "pyshm_attach.py"), nil, 0o600))
	compat.ForEach(t, func(t *testing.T, py compat.Interpreter) {
		t.Parallel()
		beside := t.TempDir()
		testkit.Check(t, os.WriteFile(filepath.Join(beside, "pyshm_attach.py"), nil, 0o600))
		imported := func(dir string) string {
			program := filepath.Join(dir, "program.py")
			testkit.Check(t, os.WriteFile(program, []byte("import pyshm_attach; print(pyshm_attach.__file__)\n"), 0o600))
			cmd := exec.CommandContext(t.Context(), py.Path, program)
			cmd.Env = append(os.Environ(), "PYTHONPATH="+behind)
			testkit.Check(t, pyshm.WorkerEnv(cmd))
			return string(testkit.Must(cmd.Output())(t))
		}
		testkit.WantEqual(t, "imported, with one beside the program", imported(beside), beside+"/pyshm_attach.py\n")
		testkit.WantEqual(t, "imported, with one behind on PYTHONPATH", imported(t.TempDir()), site+"/pyshm_attach.py\n")
	})
}

// TestWorkerEnvHelperRemoved removes pyshm_attach.py, alone or with its directory,
// under a running worker: a Python that it starts afterwards can import it all the same.
func TestWorkerEnvHelperRemoved(t *testing.T) {
	t.Parallel()
	compat.ForEach(t, func(t *testing.T, py compat.Interpreter) {
		t.Parallel()
		for _, removed := range testkit.Share(t, py, []string{"pyshm_attach.py", ""}) {
			t.Run(fmt.Sprintf("%q", removed), func(t *testing.T) {
				site := copyOfSite(t)
				p := testkit.StartPeer(t, py, compat.Env("PYTHONPATH="+site))
				testkit.Check(t, os.RemoveAll(filepath.Join(site, removed)))
				worker := testkit.Must(p.StartWorker("spawn"))(t)
				testkit.Check(t, worker.Exec("import pyshm_attach"))
				testkit.Check(t, worker.Close())
				testkit.WantEqual(t, "the file restored", string(testkit.Must(os.ReadFile(filepath.Join(site, "pyshm_attach.py")))(t)), scripts.AttachHelper())
				testkit.Check(t, p.Close())
				testkit.WantEqual(t, "standard error", p.Stderr(), "")
			})
		}
	})
}
