package main

import (
	"bytes"
	"cmp"
	"context"
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
	if runtime.GOOS != "linux" { // the scripts need it
		testkit.Main(m)
	}
	testscript.Main(leakless{m}, map[string]func(){"pyshm": main, "tries": tries})
}

// tries is a program that runs pyshm with each command line that it reads, and prints what
// is wrong with the output. Each argument ends with a null byte, and each command line with
// one more. In the end tries writes the number of command lines to standard error.
func tries() {
	input, err := io.ReadAll(os.Stdin)
	lines := strings.SplitAfter(string(input), "\x00\x00")
	for _, line := range lines[:len(lines)-1] {
		args := strings.Split(strings.TrimSuffix(line, "\x00\x00"), "\x00")
		if wrong := try(args); wrong != "" {
			fmt.Printf("%s of: %q\n", wrong, args)
		}
	}
	if last := lines[len(lines)-1]; err != nil || last != "" {
		fmt.Printf("%q is no command line, %v\n", last, err)
	}
	fmt.Fprintln(os.Stderr, len(lines)-1)
}

// try runs pyshm, and returns what is wrong with its output: something in it could harm a
// terminal, or an error is not one line.
func try(args []string) (wrong string) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "pyshm", args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	lines := bytes.Count(stderr.Bytes(), []byte("\n"))
	switch {
	case !printable(stdout.String()):
		return fmt.Sprintf("standard output %q", stdout.Bytes())
	case !printable(stderr.String()):
		return fmt.Sprintf("standard error %q", stderr.Bytes())
	case err == nil && lines != 0, err != nil && lines != 1:
		return fmt.Sprintf("%v, and %d lines: %q", err, lines, stderr.Bytes())
	}
	return ""
}

// printable reports whether no terminal obeys a text.
func printable(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsFunc(text, func(r rune) bool { return r != '\n' && !harmless(r) })
}

// leakless is a test run that fails if it leaves anything behind.
type leakless struct{ m *testing.M }

func (l leakless) Run() int { return testkit.Run(l.m) }

// TestScripts runs the scripts that need no Python.
func TestScripts(t *testing.T) {
	t.Parallel()
	runScripts(t, scriptsIn(t, "testdata/script"), nil, nil)
}

// TestPythonScripts runs the others under every interpreter, $PYTHON. The condition [first]
// is for the first interpreter, and [numpy] for the last one that has numpy, in $NUMPY. These
// two run all scripts, as the oldest and the newest do. The interpreters between share them.
func TestPythonScripts(t *testing.T) {
	t.Parallel()
	found, _ := compat.Find(t.Context()) // ForEach reports an error
	var numpy compat.Interpreter
	var numpys []string
	for _, py := range found {
		if paths := testkit.Numpys(t, py); len(paths) > 0 {
			numpy, numpys = py, paths
		}
	}
	compat.ForEach(t, func(t *testing.T, py compat.Interpreter) {
		t.Parallel()
		scripts := scriptsIn(t, "testdata/script/python")
		if py != found[0] && py != numpy {
			scripts = testkit.Share(t, py, scripts)
		}
		only := map[string]bool{"first": py == found[0], "numpy": py == numpy}
		runScripts(t, scripts, only, func(env *testscript.Env) {
			env.Setenv("PYTHON", py.Path)
			commands := filepath.SplitList(env.Getenv("PATH"))[0]
			env.Setenv("PATH", commands+":/usr/bin:/bin") // as few other Pythons as possible
			env.Setenv("LC_ALL", "C.UTF-8")
			env.Setenv("LAYOUT", layoutName(py.Layout()))
			if py == numpy {
				env.Setenv("NUMPY", cmp.Or(numpys[0], ".")) // for PYTHONPATH
			}
		})
	})
}

// scriptsIn returns the files of the scripts in a folder.
func scriptsIn(t *testing.T, dir string) []string {
	t.Helper()
	return testkit.Must(filepath.Glob(filepath.Join(dir, "*.txtar")))(t)
}

// runScripts runs scripts. Each script names its segments with a prefix of its own, $NAME,
// and must have removed them when it ends. The conditions are [first] and [numpy], as in
// only; [namespaces], where a user may hide files from a process; and [root],
// where the test is the superuser, which may hide files from other users and hide
// processes as well.
func runScripts(t *testing.T, files []string, only map[string]bool, setup func(*testscript.Env)) {
	if runtime.GOOS != "linux" {
		t.Skip("the scripts need a shell and /dev/shm, which " + runtime.GOOS + " lacks")
	}
	testscript.Run(t, testscript.Params{
		Files:               files,
		Cmds:                map[string]func(*testscript.TestScript, bool, []string){"settled": settled},
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Condition: func(condition string) (bool, error) {
			switch condition {
			case "first", "numpy":
				return only[condition], nil
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
			env.Defer(func() { endTmux(filepath.Join(env.WorkDir, "socket")) })
			if setup != nil {
				setup(env)
			}
			return nil
		},
	})
}

// settled is exec for a command that lists segments. It repeats the command while it knows
// nothing of the use of a segment: a pyshm of another script may be looking at it, too.
func settled(ts *testscript.TestScript, _ bool, args []string) {
	for end := time.Now().Add(testkit.Patience); ; time.Sleep(20 * time.Millisecond) {
		ts.Check(ts.Exec(args[0], args[1:]...))
		unknown := false
		for line := range strings.Lines(ts.ReadFile("stdout")) {
			unknown = unknown || strings.Contains(line, ts.Getenv("NAME")) && strings.HasSuffix(line, "  unknown\n")
		}
		if !unknown || time.Now().After(end) {
			return
		}
	}
}

// endTmux ends the server of a script that has not come to its end: tmux leaves its
// parent.
func endTmux(socket string) {
	if _, err := os.Stat(socket); err == nil {
		_ = exec.Command("tmux", "-S", socket, "kill-server").Run() // fails if the server has ended
	}
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
