package compat_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pyshm-go/pyshm/compat"
	"github.com/pyshm-go/pyshm/internal/testkit"
)

// onlyPath hides every interpreter of this machine except in dirs.
func onlyPath(t *testing.T, dirs ...string) {
	t.Helper()
	t.Setenv("PYSHM_PYTHONS", "")
	t.Setenv("PATH", strings.Join(dirs, string(os.PathListSeparator)))
	t.Setenv("PYENV_ROOT", t.TempDir())
	t.Chdir(t.TempDir())
	t.Cleanup(compat.SetSystemPython(filepath.Join(t.TempDir(), "python3")))
}

// command writes an executable script.
func command(t *testing.T, path, script string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func symlink(t *testing.T, target, path string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, path); err != nil {
		t.Fatal(err)
	}
	return path
}

// version returns the name of an interpreter without a number.
func version(py compat.Interpreter) string { return compat.Unnumbered(py).String() }

// TestInterpreterFacts asks each interpreter for the same facts in another way.
func TestInterpreterFacts(t *testing.T) {
	pythonBool := map[bool]string{true: "True", false: "False"}
	compat.ForEach(t, func(t *testing.T, py compat.Interpreter) {
		facts := []struct{ expression, want string }{
			{"os.path.realpath(sys.executable)", compat.Executable(py)},
			{"sys.prefix", compat.Prefix(py)},
			{"sys.implementation.name + ' ' + sys.version.split()[0]", strings.ToLower(version(py))},
			{"'track' in inspect.signature(SharedMemory).parameters", pythonBool[py.HasTrack]},
			{"numpy is not None", pythonBool[py.HasNumpy]},
		}
		script := "import inspect, os, sys\n" +
			"from multiprocessing.shared_memory import SharedMemory\n" +
			"try: import numpy\n" +
			"except ImportError: numpy = None\n"
		for _, fact := range facts {
			script += "print(" + fact.expression + ")\n"
		}
		out, err := exec.CommandContext(t.Context(), py.Path, "-c", script).CombinedOutput()
		answers := strings.Split(strings.TrimSpace(strings.ReplaceAll(string(out), "\r\n", "\n")), "\n")
		if err != nil || len(answers) != len(facts) {
			t.Fatalf("%v\n%s", err, out)
		}
		for i, fact := range facts {
			if answers[i] != fact.want {
				t.Errorf("%s: %s, want %s", fact.expression, answers[i], fact.want)
			}
		}
	})
}

func TestFindReturnsEachOnce(t *testing.T) {
	found, err := compat.Find(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i, py := range found {
		if !py.AtLeast(3, 8) || py.AtLeast(4, 0) {
			t.Errorf("%s counts as Python 3.8 or later", py)
		}
		if slices.ContainsFunc(found[:i], func(p compat.Interpreter) bool {
			return compat.Executable(p) == compat.Executable(py) && compat.Prefix(p) == compat.Prefix(py)
		}) {
			t.Errorf("%s (%s) twice", py, compat.Executable(py))
		}
	}
}

func TestFindPassesOverWhatDoesNotRun(t *testing.T) {
	testkit.NeedLinux(t)
	py := testkit.Python(t)
	shims, real := t.TempDir(), t.TempDir()
	command(t, filepath.Join(shims, "python3"), "echo no such version >&2; exit 127")
	command(t, filepath.Join(shims, "python3.11"), "echo hello")
	command(t, filepath.Join(shims, "pypy3"), `echo '{"Version": [2, 7, 18]}'`)
	symlink(t, compat.Executable(py), filepath.Join(real, "python3.11"))
	onlyPath(t, shims, real)
	found, err := compat.Find(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(found) != 1 || found[0].Version != py.Version {
		t.Errorf("found %+v, want %v alone", found, py)
	}
}

// TestFindRunsNoVersionedShim: each of pyenv's shims costs a start of pyenv.
func TestFindRunsNoVersionedShim(t *testing.T) {
	testkit.NeedLinux(t)
	pyenv := t.TempDir()
	shims, ran := filepath.Join(pyenv, "shims"), filepath.Join(pyenv, "ran")
	check(t, os.Mkdir(shims, 0o755))
	for _, name := range []string{"python3", "python3.11", "python3.12", "pypy3"} {
		command(t, filepath.Join(shims, name), "echo "+name+" >>"+ran+"; exit 127")
	}
	onlyPath(t, shims)
	t.Setenv("PYENV_ROOT", pyenv)
	if _, err := compat.Find(t.Context()); !errors.Is(err, compat.ErrNoPython) {
		t.Errorf("find: %v", err)
	}
	wantEqual(t, "the shims that ran", string(must(os.ReadFile(ran))(t)), "python3\n")
}

func TestFindOrder(t *testing.T) {
	testkit.NeedLinux(t)
	all, err := compat.Find(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 2 {
		testkit.Missing(t, "one interpreter on this machine: ", all)
	}
	path, pyenv := t.TempDir(), t.TempDir()
	last := len(all) - 1
	// Each of them comes first if it is in the earlier place.
	symlink(t, compat.Executable(all[last]), filepath.Join(path, "python3"))
	symlink(t, compat.Executable(all[0]), filepath.Join(pyenv, "versions", "3.8.1", "bin", "python3"))
	onlyPath(t, path)
	t.Setenv("PYENV_ROOT", pyenv)
	checkOrder(t, all[last], all[0])
	t.Setenv("PYSHM_PYTHONS", all[0].Path)
	checkOrder(t, all[0], all[last])
}

func checkOrder(t *testing.T, want ...compat.Interpreter) {
	t.Helper()
	found, err := compat.Find(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !slices.EqualFunc(found, want, func(a, b compat.Interpreter) bool { return compat.Executable(a) == compat.Executable(b) }) {
		t.Errorf("found %v, want %v", found, want)
	}
}

func TestFindReadsTheListOfThisModuleOnly(t *testing.T) {
	testkit.NeedLinux(t)
	py := testkit.Python(t)
	for _, test := range []struct {
		goMod string
		found bool
	}{
		{"module github.com/pyshm-go/pyshm\n\ngo 1.26\n", true},
		{"module example.com/user\n\nrequire github.com/pyshm-go/pyshm v1.0.0\n", false},
	} {
		onlyPath(t)
		top := t.TempDir()
		dir := filepath.Join(top, "a", "b")
		list := symlink(t, compat.Executable(py), filepath.Join(top, ".interpreters", "with space", "python")) + "\n"
		if err := errors.Join(
			os.MkdirAll(dir, 0o755),
			os.WriteFile(filepath.Join(top, "go.mod"), []byte(test.goMod), 0o644),
			os.WriteFile(filepath.Join(top, ".interpreters", "list"), []byte(list), 0o644),
		); err != nil {
			t.Fatal(err)
		}
		t.Chdir(dir)
		if found, err := compat.Find(t.Context()); (len(found) == 1) != test.found {
			t.Errorf("%s\nfound %v, %v", test.goMod, found, err)
		}
	}
}

func TestFindKeepsVirtualEnvironmentsApart(t *testing.T) {
	testkit.NeedLinux(t)
	py := testkit.Python(t)
	env := filepath.Join(t.TempDir(), "env")
	if out, err := exec.CommandContext(t.Context(), py.Path, "-m", "venv", "--without-pip", env).CombinedOutput(); err != nil {
		t.Fatalf("venv: %v\n%s", err, out)
	}
	python := filepath.Join(env, "bin", "python")
	t.Setenv("PYSHM_PYTHONS", python+string(os.PathListSeparator)+py.Path)
	found, err := compat.Find(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if found[0].Path != python || compat.Executable(found[0]) != compat.Executable(py) {
		t.Errorf("first is %+v, want %s", found[0], python)
	}
	if compat.Executable(found[1]) != compat.Executable(py) {
		t.Errorf("second is %+v, want %+v", found[1], py)
	}
}

// TestNamesDiffer: all interpreters that Find returns have different names, and each
// has the same name the next time.
func TestNamesDiffer(t *testing.T) {
	testkit.NeedLinux(t)
	py := testkit.Python(t)
	listed := []string{py.Path}
	for range 2 {
		env := filepath.Join(t.TempDir(), "env")
		if out, err := exec.CommandContext(t.Context(), py.Path, "-m", "venv", "--without-pip", env).CombinedOutput(); err != nil {
			t.Fatalf("venv: %v\n%s", err, out)
		}
		listed = append(listed, filepath.Join(env, "bin", "python"))
	}
	t.Setenv("PYSHM_PYTHONS", strings.Join(listed, string(os.PathListSeparator)))
	for range 2 {
		found, err := compat.Find(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for i, name := range []string{version(py), version(py) + " #2", version(py) + " #3"} {
			if found[i].String() != name || found[i].Path != listed[i] {
				t.Errorf("%s is %q, want %s, %q", found[i].Path, found[i], listed[i], name)
			}
		}
		for i, one := range found {
			if slices.ContainsFunc(found[:i], func(p compat.Interpreter) bool { return p.String() == one.String() }) {
				t.Errorf("%q twice", one)
			}
		}
	}
}

// TestForEachRunsEach: a subtest has the name of its interpreter.
func TestForEachRunsEach(t *testing.T) {
	found, err := compat.Find(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var got, want []string
	for _, py := range found {
		want = append(want, t.Name()+"/"+strings.ReplaceAll(py.String(), " ", "_"))
	}
	compat.ForEach(t, func(t *testing.T, py compat.Interpreter) { got = append(got, t.Name()) })
	if !slices.Equal(got, want) {
		t.Errorf("subtests %q, want %q", got, want)
	}
}

func TestFindListedMustRun(t *testing.T) {
	testkit.NeedLinux(t)
	dir := t.TempDir()
	for _, broken := range []string{
		filepath.Join(dir, "missing"),
		command(t, filepath.Join(dir, "fails"), "exit 1"),
		command(t, filepath.Join(dir, "prints"), "echo hello"),
		command(t, filepath.Join(dir, "old"), `echo '{"Version": [3, 7, 16]}'`),
	} {
		t.Setenv("PYSHM_PYTHONS", testkit.Python(t).Path+string(os.PathListSeparator)+broken)
		found, err := compat.Find(t.Context())
		if err == nil || !strings.Contains(err.Error(), broken) {
			t.Errorf("found %v, error %v; want an error that names %s", found, err, broken)
		}
		t.Setenv("PYSHM_PYTHONS", "")
	}
}

// TestFindOnly: with "only:" there is no interpreter besides the listed ones.
func TestFindOnly(t *testing.T) {
	testkit.NeedLinux(t)
	t.Setenv("PYSHM_PYTHONS", "")
	all, err := compat.Find(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	last, first := all[len(all)-1], all[0]
	for _, test := range []struct {
		listed string
		want   []compat.Interpreter
	}{
		{"only:" + last.Path, []compat.Interpreter{last}},
		{"only:" + last.Path + string(os.PathListSeparator) + first.Path, []compat.Interpreter{last, first}[:min(2, len(all))]},
	} {
		t.Setenv("PYSHM_PYTHONS", test.listed)
		checkOrder(t, test.want...)
		found, err := compat.First(t.Context())
		if err != nil || compat.Executable(found) != compat.Executable(last) {
			t.Errorf("%s: First() = %v, %v, want %v", test.listed, found, err, last)
		}
	}
	for _, listed := range []string{"only:", "only:" + string(os.PathListSeparator)} {
		t.Setenv("PYSHM_PYTHONS", listed)
		if found, err := compat.Find(t.Context()); !errors.Is(err, compat.ErrNoPython) || !strings.Contains(err.Error(), listed) {
			t.Errorf("%s: found %v, error %v", listed, found, err)
		}
	}
	missing := filepath.Join(t.TempDir(), "missing")
	t.Setenv("PYSHM_PYTHONS", "only:"+missing)
	if found, err := compat.Find(t.Context()); err == nil || !strings.Contains(err.Error(), missing) {
		t.Errorf("a missing one: found %v, error %v", found, err)
	}
}

// TestFindListedMayBeRelative: the path that Find returns works from any folder.
func TestFindListedMayBeRelative(t *testing.T) {
	testkit.NeedLinux(t)
	dir := t.TempDir()
	path := command(t, filepath.Join(dir, "listed"), "exec '"+compat.Executable(testkit.Python(t))+`' "$@"`)
	t.Chdir(dir)
	t.Setenv("PATH", dir)
	for _, listed := range []string{"./listed", "listed"} {
		t.Setenv("PYSHM_PYTHONS", listed)
		first, err := compat.First(t.Context())
		if err != nil || first.Path != path {
			t.Errorf("%s: First() = %+v, %v, want the path %s", listed, first, err, path)
		}
	}
}

func TestFindNone(t *testing.T) {
	testkit.NeedLinux(t)
	dir := t.TempDir()
	command(t, filepath.Join(dir, "python3"), "echo wrong architecture >&2; exit 1")
	onlyPath(t, dir)
	found, err := compat.Find(t.Context())
	if !errors.Is(err, compat.ErrNoPython) {
		t.Fatalf("found %v, error %v", found, err)
	}
	for _, want := range []string{"apt install python3", "PYSHM_PYTHONS", dir, "wrong architecture"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in: %v", want, err)
		}
	}
}

func TestFindHonoursTheContext(t *testing.T) {
	testkit.NeedLinux(t)
	slow := command(t, filepath.Join(t.TempDir(), "slow"), "sleep 60")
	t.Setenv("PYSHM_PYTHONS", slow)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	start := time.Now()
	if found, err := compat.Find(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("found %v, error %v", found, err)
	}
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("it took %v", took)
	}
}

// The interpreters that scripts/interpreters.sh has brought to this source tree take
// part in the tests.
func TestFindReturnsWhatWasBrought(t *testing.T) {
	testkit.NeedLinux(t)
	list, err := os.ReadFile("../.interpreters/list")
	if errors.Is(err, fs.ErrNotExist) {
		testkit.Missing(t, "scripts/interpreters.sh has not been run here")
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("PYSHM_PYTHONS", "") // it could exclude all other interpreters
	found, err := compat.Find(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for path := range strings.Lines(string(list)) {
		executable, err := filepath.EvalSymlinks(strings.TrimSuffix(path, "\n"))
		if err != nil {
			t.Error(err)
			continue
		}
		if !slices.ContainsFunc(found, func(py compat.Interpreter) bool { return compat.Executable(py) == executable }) {
			t.Errorf("%s was brought, but Find does not return it", executable)
		}
	}
}

func TestFirstIsFindsFirst(t *testing.T) {
	found, err := compat.Find(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	first, err := compat.First(t.Context())
	if err != nil || first != found[0] {
		t.Errorf("First() = %v, %v, want %v", first, err, found[0])
	}
	for _, py := range found {
		if probed, err := compat.Probe(t.Context(), py.Path); err != nil || probed != compat.Unnumbered(py) {
			t.Errorf("Probe(%s) = %v, %v", py.Path, probed, err)
		}
	}
}
