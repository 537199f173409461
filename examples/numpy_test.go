package examples

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pyshm-go/pyshm/compat"
	"github.com/pyshm-go/pyshm/internal/testkit"
)

// TestNumpy runs the README's examples of arrays and rings, with each numpy of this
// machine, and its example of a dataframe, with each that has pandas beside it.
func TestNumpy(t *testing.T) {
	bin := build(t, "numpy-go", "numpy-python", "ring", "dataframe")
	tested := false
	compat.ForEach(t, func(t *testing.T, py compat.Interpreter) {
		for _, path := range testkit.Numpys(t, py) {
			tested = true
			name, _, _ := strings.Cut(path, string(filepath.ListSeparator))
			t.Run(filepath.Base(name), func(t *testing.T) { testNumpy(t, bin, py, path) })
		}
	})
	if !tested {
		testkit.Missing(t, "no interpreter here has numpy: scripts/interpreters.sh brings some")
	}
}

func testNumpy(t *testing.T, bin string, py compat.Interpreter, path string) {
	dir := t.TempDir()
	env := envWithPython(t, dir, py.Path, "")
	if path != "" {
		env = append(env, "PYTHONPATH="+path)
	}
	run := func(want, command string, args ...string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), command, args...)
		cmd.Dir, cmd.Env = "..", env
		if out, err := cmd.CombinedOutput(); err != nil || string(out) != want {
			t.Errorf("%s %v: %v, %q; want %q", command, args, err, out, want)
		}
	}
	run("Python: float32 (480, 640) 0.25\nGo: the pixel is now 0.5\n", filepath.Join(bin, "numpy-go"))
	run("Go: the last picture is of brightness 100\n", filepath.Join(bin, "ring"))
	name := testkit.Name(t)
	testkit.RemoveAfter(t, name)
	python := filepath.Join(dir, "python3")
	run("", python, "examples/numpy-python/maker.py", name)
	run("Go: 2026-01-02 03:04:05 +0000 UTC 101.5 200\n", filepath.Join(bin, "numpy-python"), name)
	run("150\n", python, "-c", "import numpy as np, sys; print(np.load('/dev/shm/' + sys.argv[1], mmap_mode='r')['qty'][0])", name)
	find := exec.CommandContext(t.Context(), python, "-c", "import importlib.util, sys; sys.exit(importlib.util.find_spec('pandas') is None)")
	find.Env = env
	if find.Run() == nil {
		run("Python: the highest ask is 101.5\nGo: the bid is now 101.375\n", filepath.Join(bin, "dataframe"))
	}
}
