//go:build unix

package lifetime

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/pyshm-go/pyshm/compat"
	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm"
)

// TestWorkerEnvFolderRemoved removes the directory under a running worker. A Python that
// the worker starts afterwards is protected all the same. If the worker cannot restore
// the directory safely, it prints that the Python is not protected.
func TestWorkerEnvFolderRemoved(t *testing.T) {
	t.Parallel()
	type way struct {
		method string
		safe   bool
	}
	ways := []way{{"spawn", true}, {"forkserver", true}, {"spawn", false}, {"forkserver", false}}
	compat.ForEach(t, func(t *testing.T, py compat.Interpreter) {
		t.Parallel()
		for _, way := range testkit.Share(t, py, ways) {
			method, safe := way.method, way.safe
			t.Run(fmt.Sprintf("%s/safe=%v", method, safe), func(t *testing.T) {
				site := copyOfSite(t)
				p := start(t, py, compat.Env("PYTHONPATH="+site))
				check(t, os.RemoveAll(site))
				if !safe {
					check(t, os.Chmod(filepath.Dir(site), 0o777|os.ModeSticky))
				}
				name := goList(t, py.Layout()).Name()
				worker := must(p.StartWorker(method))(t)
				must(worker.AttachList(name))(t)
				check(t, worker.Close())
				check(t, p.Close())
				wantEqual(t, "what was attached to is there", exists(name), safe)
				wantEqual(t, "the worker complains", strings.Contains(p.Stderr(), "pyshm: "+site+"/sitecustomize.py is gone"), !safe)
				if !safe {
					return
				}
				for path, want := range map[string]os.FileMode{"": 0o755, "__pycache__": 0o755, "sitecustomize.py": 0o644} {
					info := must(os.Stat(filepath.Join(site, path)))(t)
					wantEqual(t, "the mode of "+path, info.Mode().Perm(), want)
				}
				wantEqual(t, "standard error", p.Stderr(), "")
			})
		}
	})
}

// TestWorkerEnvHoldsFolder: in a place with a cleaner, the worker holds the lock that
// systemd-tmpfiles respects.
func TestWorkerEnvHoldsFolder(t *testing.T) {
	t.Parallel()
	site := filepath.Join(t.TempDir(), "pyshm-0-test")
	copySite(t, site)
	compat.ForEach(t, func(t *testing.T, py compat.Interpreter) {
		p := start(t, py, compat.Env("PYTHONPATH="+site))
		wantEqual(t, "a cleaner is kept out while Python runs", lockFolder(t, site), error(syscall.EWOULDBLOCK))
		check(t, p.Close())
		wantEqual(t, "a cleaner is kept out afterwards", lockFolder(t, site), nil)
	})
}

// lockFolder locks a directory as systemd-tmpfiles does before it looks into one.
func lockFolder(t *testing.T, dir string) error {
	t.Helper()
	f := must(os.Open(dir))(t)
	defer f.Close()
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return err
	}
	return nil
}

// TestWorkerEnvForAnotherUser: root's workers that run as another user can read the
// directory.
func TestWorkerEnvForAnotherUser(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can start a process as another user")
	}
	compat.ForEach(t, func(t *testing.T, py compat.Interpreter) {
		t.Parallel()
		cmd := exec.CommandContext(t.Context(), py.Path, "-c", "import sys; print(hasattr(sys, '_pyshm_ran'))")
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		cmd.Dir = "/"
		check(t, pyshm.WorkerEnv(cmd))
		out, err := cmd.Output()
		if errors.Is(err, os.ErrPermission) {
			t.Skipf("the other user cannot run %s", py.Path)
		}
		check(t, err)
		wantEqual(t, "the other user's Python is reached", string(out), "True\n")
	})
}

// instrument stands for a tool like opentelemetry-instrument, which puts a directory with
// a sitecustomize of its own in front of PYTHONPATH and becomes COMMAND. The tool's
// sitecustomize does not run another one.
const instrument = `#!/bin/sh
PYTHONPATH=%[1]s${PYTHONPATH:+:$PYTHONPATH} exec "$@"
`

// TestWorkerEnvWithInstrument: after such a tool, WorkerEnv reaches a Python, and the
// tool's sitecustomize runs, too. Before such a tool, WorkerEnv does not reach the
// Python, which PYSHM_VERBOSE shows.
func TestWorkerEnvWithInstrument(t *testing.T) {
	t.Parallel()
	site := siteDir(t)
	tool := foreignSite(t, "import sys; sys.instrumented = True\n")
	program := filepath.Join(t.TempDir(), "instrument")
	check(t, os.WriteFile(program, fmt.Appendf(nil, instrument, tool), 0o700))
	compat.ForEach(t, func(t *testing.T, py compat.Interpreter) {
		t.Parallel()
		const statements = `
import multiprocessing.shared_memory, sys
print(getattr(sys, 'instrumented', False), hasattr(sys, '_pyshm_ran'))
`
		const message = "leaves alone the shared memory that it attaches to\n"
		run := func(environment, want string, reached bool, command ...string) {
			t.Helper()
			cmd := exec.CommandContext(t.Context(), command[0], append(command[1:], py.Path, "-c", statements)...)
			cmd.Env = append(os.Environ(), "PYSHM_VERBOSE=1", "PYTHONPATH="+environment)
			var stderr strings.Builder
			cmd.Stderr = &stderr
			wantEqual(t, "instrumented, and reached", string(must(cmd.Output())(t)), want)
			wantEqual(t, "PYSHM_VERBOSE shows it", strings.Contains(stderr.String(), message), reached)
		}
		innermost := []string{program, "env", "PYTHONPATH=" + site + ":" + tool} // as pyshm run does
		run("", "True True\n", true, innermost...)
		run(site, "True False\n", false, program)
	})
}

// TestWorkerEnvWithPython2: a Python 2 that a worker starts runs the sitecustomize that
// WorkerEnv's sitecustomize hides.
func TestWorkerEnvWithPython2(t *testing.T) {
	t.Parallel()
	python := findPython2(t)
	site := copyOfSite(t)
	hidden := foreignSite(t, "import sys; sys.hidden = __file__, __name__\n")
	for _, path := range []string{site + ":" + hidden, site + ":" + hidden + "/missing:" + hidden, site} {
		cmd := exec.CommandContext(t.Context(), python, "-c",
			"import sys, sitecustomize; print(getattr(sys, 'hidden', None)); print(sitecustomize.__name__)")
		cmd.Env = append(os.Environ(), "PYTHONPATH="+path)
		out, err := cmd.CombinedOutput()
		check(t, err)
		want := fmt.Sprintf("('%s/sitecustomize.py', 'sitecustomize')\nsitecustomize\n", hidden)
		if path == site {
			want = "None\nsitecustomize\n"
		}
		wantEqual(t, path, string(out), want)
	}
}

func findPython2(t *testing.T) string {
	t.Helper()
	candidates := []string{"python2.7", "python2"}
	home, _ := os.UserHomeDir()
	versions, _ := filepath.Glob(filepath.Join(home, ".pyenv", "versions", "2.7*", "bin", "python2.7"))
	for _, candidate := range append(versions, candidates...) {
		out, err := exec.Command(candidate, "-c", "import sys; print(sys.version_info[0])").Output()
		if err == nil && string(out) == "2\n" {
			return candidate
		}
	}
	t.Skip("no Python 2.7 here")
	return ""
}
