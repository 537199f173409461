package examples

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pyshm-go/pyshm/compat"
	"github.com/pyshm-go/pyshm/internal/testkit"
)

// build builds examples into a folder, which it returns.
func build(t *testing.T, names ...string) (dir string) {
	t.Helper()
	testkit.NeedLinux(t)
	dir = t.TempDir()
	args := []string{"build", "-o", dir}
	for _, name := range names {
		args = append(args, "./examples/"+name)
	}
	command := exec.CommandContext(t.Context(), "go", args...)
	command.Dir = ".."
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return dir
}

// envWithPython returns an environment in which python3 is a script in dir that runs an
// interpreter with these arguments, in quotes of the shell, before its own.
func envWithPython(t *testing.T, dir, path, arguments string) []string {
	t.Helper()
	script := fmt.Sprintf("#!/bin/sh\nexec '%s' %s \"$@\"\n", path, arguments)
	testkit.Check(t, os.WriteFile(filepath.Join(dir, "python3"), []byte(script), 0o755))
	return append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"))
}

// A program that Python starts, or that a name is passed to, says so when it is run alone.
func TestWithoutArguments(t *testing.T) {
	names := []string{"block", "numpy-python", "python-lock", "python-manager", "python-to-go", "python-value"}
	bin := build(t, names...)
	for _, name := range names {
		out, err := exec.CommandContext(t.Context(), filepath.Join(bin, name)).CombinedOutput()
		_, file, found := strings.Cut(string(out), "examples/"+name+"/")
		if err == nil || !found || strings.Count(string(out), "\n") != 1 {
			t.Errorf("%s: %v, %q", name, err, out)
			continue
		}
		file, _, _ = strings.Cut(file, ".py")
		if _, err := os.Stat(filepath.Join(name, file+".py")); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// numpyPython returns an interpreter that has numpy.
func numpyPython(t *testing.T) compat.Interpreter {
	t.Helper()
	for _, py := range testkit.Must(compat.Find(t.Context()))(t) {
		if py.HasNumpy {
			return py
		}
	}
	testkit.Missing(t, "no interpreter here has numpy: scripts/interpreters.sh brings some")
	return compat.Interpreter{}
}
