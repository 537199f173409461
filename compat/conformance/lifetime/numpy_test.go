package lifetime

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/pyshm-go/pyshm/compat"
	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm"
	"github.com/pyshm-go/pyshm/scripts"
)

// TestNumpyArraysSurvive: the arrays over shared memory that the documentation shows do
// not crash Python when the block is closed or collected first. They do not remove the
// segment to which they have attached, either.
func TestNumpyArraysSurvive(t *testing.T) {
	t.Parallel()
	tested := false
	compat.ForEach(t, func(t *testing.T, py compat.Interpreter) {
		if !py.HasNumpy {
			t.Skip("this interpreter has no numpy")
		}
		tested = true
		for _, attach := range []string{"SharedMemory", "attach_block"} {
			for how, ending := range map[string]string{
				"closed first": `
try:
    shm.close()
except BufferError:
    pass
else:
    raise SystemExit("close succeeded while there is an array")
use()
del array
shm.close()
`,
				"collected first": "del shm; gc.collect(); use()\n",
				"array first":     "use(); del array; gc.collect(); shm.close()\n",
				"memmap": `
del array; shm.close()
array = numpy.memmap("/dev/shm/" + sys.argv[1], "d", "r+")
use()
`,
			} {
				t.Run(attach+" "+how, func(t *testing.T) {
					t.Parallel()
					block := must(pyshm.Create(testkit.Name(t), 4*8))(t)
					t.Cleanup(func() { check(t, block.Close()); check(t, block.Unlink()) })
					runNumpy(t, py, block.Name(), fmt.Sprintf(`
import gc, sys, numpy
from multiprocessing.shared_memory import SharedMemory
from pyshm_attach import attach_block
shm = %s(sys.argv[1])
array = numpy.frombuffer(shm.buf, "d")
def use():
    array[3] += 1.5
    array.sum()
use()
%s`, attach, ending))
					view := must(pyshm.View[float64](block, 0, 4))(t)
					wantEqual(t, "what Go sees", view[3], 3.0)
				})
			}
		}
	})
	if !tested {
		testkit.Missing(t, "no interpreter here has numpy: scripts/interpreters.sh brings one")
	}
}

// runNumpy runs a program with WorkerEnv and with pyshm_attach beside it.
func runNumpy(t *testing.T, py compat.Interpreter, name, program string) {
	t.Helper()
	dir := t.TempDir()
	check(t, os.WriteFile(filepath.Join(dir, "pyshm_attach.py"), []byte(scripts.AttachHelper()), 0o600))
	check(t, os.WriteFile(filepath.Join(dir, "program.py"), []byte(program), 0o600))
	cmd := exec.CommandContext(t.Context(), py.Path, filepath.Join(dir, "program.py"), name)
	check(t, pyshm.WorkerEnv(cmd))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
