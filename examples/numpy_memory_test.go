package examples

import (
	"errors"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"github.com/pyshm-go/pyshm/format/npy"
	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm"
)

// TestNumpyMemory holds docs/numpy.md against numpy.
func TestNumpyMemory(t *testing.T) {
	testkit.NeedLinux(t)
	python := numpyPython(t)
	if !python.AtLeast(3, 11) {
		t.Skipf("the numpy of %v may be older than 1.23, in which np.frombuffer holds nothing", python)
	}
	run := func(args ...string) (string, error) {
		// A crash on purpose leaves no file behind.
		script := append([]string{"-c", `ulimit -c 0; exec "$0" "$@"`, python.Path}, args...)
		command := exec.CommandContext(t.Context(), "sh", script...)
		testkit.Check(t, pyshm.WorkerEnv(command))
		out, err := command.CombinedOutput()
		return string(out), err
	}
	t.Run("lifetime", func(t *testing.T) { testLifetime(t, run) })
	t.Run("views", func(t *testing.T) { testViews(t, run) })
}

func testLifetime(t *testing.T, run func(args ...string) (string, error)) {
	block := testkit.Must(pyshm.Create(testkit.Name(t), 8000))(t)
	defer block.Unlink()
	defer block.Close()
	samples := testkit.Must(pyshm.View[float64](block, 0, 1000))(t)
	samples[999] = 0.5
	out, err := run("numpy-memory/lifetime.py", block.Name())
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGSEGV {
		t.Errorf("np.ndarray over a closed block: %v", err)
	}
	if out != "mapped 0.5\nheld 0.5\n" {
		t.Errorf("before it, Python has printed %q", out)
	}
}

func testViews(t *testing.T, run func(args ...string) (string, error)) {
	a := testkit.Must(pyshm.CreateArray[float64](testkit.Name(t), []int{3, 4}))(t)
	defer a.Unlink()
	defer a.Close()
	packed, aligned := testkit.Name(t)+".npy", testkit.Name(t)+".npy"
	testkit.RemoveAfter(t, packed)
	testkit.RemoveAfter(t, aligned)
	cut := filepath.Join(t.TempDir(), "cut.npy")
	out, err := run("numpy-memory/views.py", a.Name(), testkit.Path(packed), testkit.Path(aligned), cut)
	if err != nil || out != "" {
		t.Fatalf("%v, %q", err, out)
	}
	// Python has added 2 to the first row, 2 to the second, and 1 to the third.
	want := []float64{2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1}
	if got := testkit.Must(a.Slice())(t); !slices.Equal(got, want) {
		t.Errorf("the array is %v, not %v", got, want)
	}
	type trade struct {
		Kind  int8
		Price float64
	}
	if _, err := pyshm.AttachArray[trade](packed); !errors.Is(err, npy.ErrMismatch) {
		t.Errorf("packed: %v", err)
	}
	trades := testkit.Must(pyshm.AttachArray[trade](aligned))(t)
	testkit.Check(t, trades.Close())
}
