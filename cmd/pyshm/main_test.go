package main

import (
	"crypto/rand"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/pyshm-go/pyshm/compat"
	"github.com/pyshm-go/pyshm/compat/leaktest"
)

func TestMain(m *testing.M) {
	testscript.Main(leakless{m}, map[string]func(){"pyshm": main})
}

// leakless is a test run that fails if it leaves anything behind.
type leakless struct{ m *testing.M }

func (l leakless) Run() int { return leaktest.Run(l.m, prefix) }

// prefix begins the names of this run alone.
var prefix = "pyshm_t" + rand.Text()[:8]

// TestScripts runs the scripts that need no Python.
func TestScripts(t *testing.T) {
	runScripts(t, "testdata/script", nil)
}

// TestPythonScripts runs the others under every interpreter, $PYTHON.
func TestPythonScripts(t *testing.T) {
	compat.ForEach(t, func(t *testing.T, py compat.Interpreter) {
		runScripts(t, "testdata/script/python", func(env *testscript.Env) {
			env.Setenv("PYTHON", py.Path)
			env.Setenv("LC_ALL", "C.UTF-8")
			env.Setenv("LAYOUT", layoutName(py.Layout()))
		})
	})
}

// runScripts runs the scripts in dir. What one makes in shared memory has a
// name that begins with $NAME, which is another in each, and must be gone when
// it ends.
func runScripts(t *testing.T, dir string, setup func(*testscript.Env)) {
	if runtime.GOOS != "linux" {
		t.Skip("no shared memory on " + runtime.GOOS + " yet")
	}
	testscript.Run(t, testscript.Params{
		Dir:                 dir,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			name := prefix + rand.Text()[:8]
			env.Setenv("NAME", name)
			env.Setenv("USER", userName(uint32(os.Geteuid())))
			env.Defer(func() { checkGone(env.T().(testing.TB), name) })
			if setup != nil {
				setup(env)
			}
			return nil
		},
	})
}

// checkGone fails the test if a name with the prefix remains, and removes it.
// Python's resource trackers get some time: they outlive their processes.
func checkGone(t testing.TB, prefix string) {
	var left []string
	for end := time.Now().Add(3 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		left, _ = filepath.Glob("/dev/shm/*" + prefix + "*")
		if len(left) == 0 || t.Failed() || time.Now().After(end) {
			break
		}
	}
	for _, path := range left {
		t.Errorf("left behind: %s", path)
		os.Remove(path)
	}
}
