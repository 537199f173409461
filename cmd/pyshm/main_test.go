package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/pyshm-go/pyshm/compat"
	"github.com/pyshm-go/pyshm/internal/testkit"
)

func TestMain(m *testing.M) {
	testkit.PlayRole()
	testkit.ManyAtATime()
	testscript.Main(leakless{m}, map[string]func(){"pyshm": main, "printable": printable})
}

// printable is a program that fails, and prints its input, if the input could harm a
// terminal.
func printable() {
	text, err := io.ReadAll(os.Stdin)
	if err != nil || strings.ContainsFunc(string(text), func(r rune) bool { return r != '\n' && !harmless(r) }) || !utf8.Valid(text) {
		fmt.Printf("%q %v\n", text, err)
		os.Exit(1)
	}
}

// leakless is a test run that fails if it leaves anything behind.
type leakless struct{ m *testing.M }

func (l leakless) Run() int { return testkit.Run(l.m) }

// TestScripts runs the scripts that need no Python.
func TestScripts(t *testing.T) {
	runScripts(t, "testdata/script", false, nil)
}

// TestPythonScripts runs the others under every interpreter, $PYTHON.
func TestPythonScripts(t *testing.T) {
	found, _ := compat.Find(t.Context()) // ForEach reports an error
	compat.ForEach(t, func(t *testing.T, py compat.Interpreter) {
		t.Parallel()
		runScripts(t, "testdata/script/python", py == found[0], func(env *testscript.Env) {
			env.Setenv("PYTHON", py.Path)
			commands := filepath.SplitList(env.Getenv("PATH"))[0]
			env.Setenv("PATH", commands+":/usr/bin:/bin") // as few other Pythons as possible
			env.Setenv("LC_ALL", "C.UTF-8")
			env.Setenv("LAYOUT", layoutName(py.Layout()))
		})
	})
}

// runScripts runs the scripts in dir. Each script names its segments with a prefix of
// its own, $NAME, and must have removed them when it ends. The conditions are [first],
// under the first interpreter; [namespaces], where a user may hide files from a
// process; and [root], where the test is the superuser, which may hide files from other
// users and hide processes as well.
func runScripts(t *testing.T, dir string, first bool, setup func(*testscript.Env)) {
	if runtime.GOOS != "linux" {
		t.Skip("no shared memory on " + runtime.GOOS + " yet")
	}
	testscript.Run(t, testscript.Params{
		Dir:                 dir,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Condition: func(condition string) (bool, error) {
			switch condition {
			case "first":
				return first, nil
			case "namespaces":
				return exec.Command("unshare", "--user", "--map-root-user", "--mount", "true").Run() == nil, nil
			case "root":
				return os.Geteuid() == 0 && exec.Command("unshare", "--fork", "--pid", "--mount-proc", "true").Run() == nil, nil
			}
			return false, fmt.Errorf("unknown condition %q", condition)
		},
		Setup: func(env *testscript.Env) error {
			name := testkit.Name(env.T().(testing.TB))
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
