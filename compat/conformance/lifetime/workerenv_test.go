package lifetime

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pyshm-go/pyshm/compat"
	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm"
)

// TestWorkerEnvRunsHiddenSiteCustomize: a sitecustomize further down on PYTHONPATH, and
// the one of a virtual environment, work as if WorkerEnv's were not there.
func TestWorkerEnvRunsHiddenSiteCustomize(t *testing.T) {
	t.Parallel()
	const hidden = "import sys; sys.hidden = __file__\n"
	compat.ForEach(t, func(t *testing.T, py compat.Interpreter) {
		t.Parallel()
		dir := t.TempDir()
		writeSiteCustomize(t, dir, hidden)
		checkHidden(t, py, compat.Env("PYTHONPATH="+dir))

		venv := filepath.Join(dir, "venv")
		if out, err := exec.CommandContext(t.Context(), py.Path, "-m", "venv", "--without-pip", venv).CombinedOutput(); err != nil {
			t.Skipf("%v makes no virtual environments: %s", py, out)
		}
		py.Path = filepath.Join(venv, "bin", "python")
		for _, site := range must(filepath.Glob(filepath.Join(venv, "lib", "*", "site-packages")))(t) {
			writeSiteCustomize(t, site, hidden)
		}
		checkHidden(t, py, compat.Env())
	})
}

func writeSiteCustomize(t *testing.T, dir, text string) {
	t.Helper()
	check(t, os.WriteFile(filepath.Join(dir, "sitecustomize.py"), []byte(text), 0o600))
}

// checkHidden compares a Python that WorkerEnv has prepared with an unprepared one. (In a
// virtual environment Debian's own sitecustomize goes before ours.)
func checkHidden(t *testing.T, py compat.Interpreter, env compat.PeerOption) {
	t.Helper()
	const state = "getattr(sys, 'hidden', None), sys.modules['sitecustomize'].__file__"
	want := must(start(t, py, env).Eval(state))(t)
	p := start(t, py, env, workerEnv(t))
	wantEqual(t, "the hidden file, and the module", must(p.Eval(state))(t), want)
	checkProtected(t, p)
	wantEqual(t, "standard error", p.Stderr(), "")
}

func checkProtected(t *testing.T, p *compat.Peer) {
	t.Helper()
	name := foreignFile(t, 64)
	must(p.AttachBlock(name))(t)
	check(t, p.Close())
	wantEqual(t, "what was attached to is there", exists(name), true)
}

// TestWorkerEnvWithBrokenSiteCustomize: a broken sitecustomize fails as it would alone.
func TestWorkerEnvWithBrokenSiteCustomize(t *testing.T) {
	t.Parallel()
	compat.ForEach(t, func(t *testing.T, py compat.Interpreter) {
		t.Parallel()
		dir := t.TempDir()
		writeSiteCustomize(t, dir, "raise RuntimeError('broken')\n")
		p := start(t, py, compat.Env("PYTHONPATH="+dir), workerEnv(t))
		checkProtected(t, p)
		if !strings.Contains(p.Stderr(), "RuntimeError: broken") {
			t.Errorf("standard error is %q", p.Stderr())
		}
	})
}

// Sitecustomizes of monitoring tools. Each runs the sitecustomize that it hides: the first
// foreign one on sys.path.
const (
	// As New Relic's sitecustomize does.
	chainByPath = `import os, sys
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
sys.ran = getattr(sys, "ran", []) + ["by path"]
here = os.path.dirname(__file__)
spec = PathFinder.find_spec("sitecustomize", [entry for entry in sys.path if entry != here])
if spec is not None and hasattr(spec.loader, "load_module"):  # up to CPython 3.14
    spec.loader.load_module("sitecustomize")
elif spec is not None:
    sys.modules["sitecustomize"] = module = module_from_spec(spec)
    spec.loader.exec_module(module)
`
	// As ddtrace's sitecustomize does.
	chainByImport = `import os, sys
sys.ran = getattr(sys, "ran", []) + ["by import"]
here = os.path.dirname(__file__)
index = sys.path.index(here)
del sys.path[index]
own = sys.modules.pop("sitecustomize")
try:
    import sitecustomize
except ImportError:
    sys.modules["sitecustomize"] = own
finally:
    sys.path.insert(index, here)
`
	// A sitecustomize that has imported the modules that WorkerEnv's changes.
	chainImporter = "import multiprocessing.shared_memory\n" + chainByPath
	chainEnd      = `import sys; sys.ran = getattr(sys, "ran", []) + ["end"]
`
)

// TestWorkerEnvInChain: two sitecustomizes of WorkerEnv, as under two values of TMPDIR,
// and others before, between and behind them. Each runs once, and in the same order as
// without WorkerEnv's.
func TestWorkerEnvInChain(t *testing.T) {
	t.Parallel()
	dirs := map[string]string{
		"first":     siteDir(t),
		"second":    copyOfSite(t),
		"link":      filepath.Join(t.TempDir(), "link"),
		"by path":   foreignSite(t, chainByPath),
		"by import": foreignSite(t, chainByImport),
		"importer":  foreignSite(t, chainImporter),
		"end":       foreignSite(t, chainEnd),
	}
	check(t, os.Symlink(dirs["first"], dirs["link"]))
	compat.ForEach(t, func(t *testing.T, py compat.Interpreter) {
		t.Parallel()
		for _, chain := range testkit.Share(t, py, [][]string{
			{"first", "second"},
			{"first", "link", "end"},
			{"first", "by path"},
			{"by path", "first", "end"},
			{"first", "by path", "second", "end"},
			{"first", "by import", "end"},
			{"by import", "first", "end"},
			{"importer", "first", "end"},
			{"second", "by import", "first", "by path", "end"},
		}) {
			var path []string
			foreign := []any{}
			for _, site := range chain {
				path = append(path, dirs[site])
				switch site {
				case "by path", "by import", "end":
					foreign = append(foreign, site)
				case "importer":
					foreign = append(foreign, "by path")
				}
			}
			p := start(t, py, compat.Env("PYTHONPATH="+strings.Join(path, ":")))
			wantEqual(t, fmt.Sprintf("the others that ran in %q", chain), must(p.Eval("getattr(sys, 'ran', [])"))(t), any(foreign))
			checkProtected(t, p)
			if strings.Contains(p.Stderr(), "Error") {
				t.Errorf("%q: standard error is %q", chain, p.Stderr())
			}
		}
	})
}

// siteDir returns WorkerEnv's directory.
func siteDir(t *testing.T) string {
	t.Helper()
	cmd := exec.Command("python3")
	cmd.Env = []string{}
	check(t, pyshm.WorkerEnv(cmd))
	return strings.TrimPrefix(cmd.Env[0], "PYTHONPATH=")
}

// copyOfSite returns a copy of WorkerEnv's directory in one that belongs to this user.
func copyOfSite(t *testing.T) string {
	t.Helper()
	parent := t.TempDir()
	check(t, os.Chmod(parent, 0o755))
	site := filepath.Join(parent, "site")
	copySite(t, site)
	return site
}

// copySite copies WorkerEnv's directory without the bytecode, which Pythons of other tests
// may be writing.
func copySite(t *testing.T, to string) {
	t.Helper()
	check(t, os.MkdirAll(filepath.Join(to, "__pycache__"), 0o755))
	from := siteDir(t)
	for _, entry := range must(os.ReadDir(from))(t) {
		if entry.Type().IsRegular() {
			text := must(os.ReadFile(filepath.Join(from, entry.Name())))(t)
			check(t, os.WriteFile(filepath.Join(to, entry.Name()), text, 0o644))
		}
	}
}

// foreignSite returns a directory with another sitecustomize.
func foreignSite(t *testing.T, text string) string {
	dir := t.TempDir()
	writeSiteCustomize(t, dir, text)
	return dir
}

// TestWorkerEnvKeepsLoaders: the modules that WorkerEnv changes can be found, loaded,
// reloaded and run as without WorkerEnv.
func TestWorkerEnvKeepsLoaders(t *testing.T) {
	t.Parallel()
	compat.ForEach(t, func(t *testing.T, py compat.Interpreter) {
		t.Parallel()
		p := start(t, py, workerEnv(t))
		check(t, p.Exec(`
import importlib
importlib.reload(resource_tracker)
`))
		checkProtected(t, p)

		run := exec.CommandContext(t.Context(), py.Path, "-c", `
import importlib.util, sys
name = "multiprocessing.shared_memory"
filename = importlib.util.find_spec(name).loader.get_filename()
import multiprocessing.shared_memory
assert filename == sys.modules[name].__file__, filename
import runpy
runpy.run_module("multiprocessing.resource_tracker")
`)
		check(t, pyshm.WorkerEnv(run))
		if out, err := run.CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
	})
}

// TestWorkerEnvWithZip imports multiprocessing from a zip file. WorkerEnv's sitecustomize
// cannot change a module that the zipimporter of 3.8 and 3.9 loads. The module works all
// the same.
func TestWorkerEnvWithZip(t *testing.T) {
	t.Parallel()
	compat.ForEach(t, func(t *testing.T, py compat.Interpreter) {
		t.Parallel()
		library := filepath.Join(t.TempDir(), "library")
		out, err := exec.CommandContext(t.Context(), py.Path, "-c", `
import multiprocessing, os, shutil, sys
package = os.path.dirname(multiprocessing.__file__)
shutil.make_archive(sys.argv[1], "zip", os.path.dirname(package), os.path.basename(package))
`, library).CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		p := start(t, py, compat.Env("PYTHONPATH="+library+".zip"), workerEnv(t))
		from := must(p.Eval("sys.modules['multiprocessing.shared_memory'].__file__"))(t).(string)
		if !strings.HasPrefix(from, library) {
			t.Fatalf("shared_memory comes from %s", from)
		}
		if !py.AtLeast(3, 10) {
			check(t, p.Exec("ShareableList([1]).shm.unlink()"))
			return
		}
		checkProtected(t, p)
	})
}

// TestWorkerEnvDuringAttach makes a lock while an attach is on its way, as a signal
// handler or a finalizer may: the lock is registered, and removed when Python is killed.
func TestWorkerEnvDuringAttach(t *testing.T) {
	t.Parallel()
	compat.ForEach(t, func(t *testing.T, py compat.Interpreter) {
		t.Parallel()
		p := start(t, py, workerEnv(t))
		foreign := foreignFile(t, 64)
		check(t, p.Exec(fmt.Sprintf(`
def fstat(fd, fstat=os.fstat):
    global lock
    lock = multiprocessing.get_context("spawn").Lock()
    return fstat(fd)
os.fstat, fstat = fstat, os.fstat
block = SharedMemory(%q)
os.fstat = fstat
`, foreign)))
		lock := "sem." + must(p.Eval("lock._semlock.name[1:]"))(t).(string)
		wantEqual(t, "the lock is there", exists(lock), true)
		must(p.Exit(compat.ExitSIGKILL))(t)
		wantEqual(t, "the lock is there at the end", exists(lock), false)
		wantEqual(t, "what was attached to is there", exists(foreign), true)
		os.Remove(testkit.Path(lock))
	})
}

// TestHelperDirectoryHasNoSiteCustomize: a program with the repository's scripts on
// PYTHONPATH can import pyshm_attach, and nothing else changes.
func TestHelperDirectoryHasNoSiteCustomize(t *testing.T) {
	t.Parallel()
	compat.ForEach(t, func(t *testing.T, py compat.Interpreter) {
		t.Parallel()
		const state = "getattr(sys.modules.get('sitecustomize'), '__file__', None)"
		want := must(start(t, py, compat.Env("PYTHONPATH=")).Eval(state))(t)
		scripts := must(filepath.Abs("../../../scripts"))(t)
		p := start(t, py, compat.Env("PYTHONPATH="+scripts))
		wantEqual(t, "the sitecustomize", must(p.Eval(state))(t), want)
		check(t, p.Exec("import pyshm_attach"))
	})
}
