package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"gonum.org/v1/gonum/mat"

	"github.com/pyshm-go/pyshm/compat"
	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// A matrix over an array, in either order, is the memory that another handle changes.
func TestDense(t *testing.T) {
	testkit.NeedLinux(t)
	made := testkit.Must(pyshm.CreateArray[float64](testkit.Name(t), []int{2, 3}))(t)
	defer made.Unlink()
	defer made.Close()
	other := testkit.Must(pyshm.AttachArray[float64](made.Name()))(t)
	defer other.Close()

	m := mat.NewDense(2, 3, testkit.Must(made.Slice())(t))
	if err := other.Set(2.5, 1, 2); err != nil || m.At(1, 2) != 2.5 {
		t.Errorf("%v: %v", err, mat.Formatted(m))
	}
	m.Set(0, 1, 7.5)
	if v, err := other.At(0, 1); v != 7.5 || err != nil {
		t.Errorf("%v, %v", v, err)
	}

	info := made.Info()
	info.Shape, info.Strides = []int{3, 2}, []int{8, 24} // what numpy calls a.T
	transposed := testkit.Must(pyshm.ViewArray[float64](made.SharedMemory(), info))(t)
	all := testkit.Must(transposed.Slice())(t)
	if !transposed.Fortran() || !slices.Equal(all, m.RawMatrix().Data) {
		t.Errorf("Fortran %v: %v", transposed.Fortran(), all)
	}
	f := mat.NewDense(2, 3, all).T()
	if err := other.Set(-1, 1, 0); err != nil || f.At(0, 1) != -1 || f.At(2, 1) != 2.5 {
		t.Errorf("%v: %v", err, mat.Formatted(f))
	}
}

// TestPython runs the program with every numpy of this machine.
func TestPython(t *testing.T) {
	testkit.NeedLinux(t)
	dir := t.TempDir()
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", dir+"/gonum", ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	tested := false
	for _, py := range testkit.Must(compat.Find(t.Context()))(t) {
		testkit.Check(t, os.WriteFile(filepath.Join(dir, "python3"), []byte("#!/bin/sh\nexec '"+py.Path+"' \"$@\"\n"), 0o755))
		for _, path := range testkit.Numpys(t, py) {
			tested = true
			testkit.CoversModule(t, py, "gonum", "gonum.org/v1/gonum")
			program := exec.CommandContext(t.Context(), filepath.Join(dir, "gonum"))
			program.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"), "PYTHONPATH="+path)
			out, err := program.CombinedOutput()
			const want = "Python: numpy finds the same solution\nGo: numpy's inverse gives the same solution\n"
			if err != nil || string(out) != want {
				t.Errorf("%v, %q: %v, %q; want %q", py, path, err, out, want)
			}
		}
	}
	if !tested {
		testkit.Missing(t, "no interpreter here has numpy: scripts/interpreters.sh brings some")
	}
}
