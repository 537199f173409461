package pyshm_test

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"testing"

	"github.com/pyshm-go/pyshm/compat"
	"github.com/pyshm-go/pyshm/internal/covered"
	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm"
)

// sharing is the Python side of TestWithPython: it attaches to one segment,
// makes another, and prints a line for each step.
const sharing = `
import sys
from multiprocessing import resource_tracker, shared_memory

def say(*words):
    print(*words, flush=True)
    sys.stdin.readline()

register, resource_tracker.register = resource_tracker.register, lambda *args: None
theirs = shared_memory.SharedMemory(sys.argv[1])
resource_tracker.register = register
read = bytes(theirs.buf[4993:5000]).decode()
theirs.buf[:6] = b'python'
say(theirs.name, theirs.size, read)
theirs.close()

mine = shared_memory.SharedMemory(sys.argv[2], create=True, size=5000)
mine.buf[4994:] = b'python'
say(mine.name, mine.size)
say(bytes(mine.buf[:7]).decode())
mine.close()
mine.unlink()
`

func TestWithPython(t *testing.T) {
	testkit.NeedLinux(t)
	compat.ForEach(t, func(t *testing.T, py compat.Interpreter) {
		testkit.Covers(t, py, covered.Blocks)
		ours, theirs := create(t, 5000), testkit.Name(t)
		write(t, ours, "from Go", 4993)

		cmd := exec.Command(py.Path, "-c", sharing, ours.Name(), theirs)
		cmd.Stderr = os.Stderr
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		defer cmd.Wait()
		defer in.Close()
		lines := bufio.NewScanner(out)
		// said checks the next line that Python prints, and lets Python go on.
		said := func(text string, meanwhile func()) {
			t.Helper()
			if !lines.Scan() || lines.Text() != text {
				t.Fatalf("Python said %q, %v; want %q", lines.Text(), lines.Err(), text)
			}
			meanwhile()
			fmt.Fprintln(in)
		}

		said(ours.Name()+" 5000 from Go", func() { want(t, ours, "python", 0) })
		m, err := pyshm.AttachContext(t.Context(), theirs)
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		said(theirs+" 5000", func() {
			want(t, m, "python", 4994)
			write(t, m, "from Go", 0)
		})
		said("from Go", func() {})
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}

		// Python has unlinked its own segment, and left the segment of Go alone.
		want(t, m, "from Go", 0)
		if _, err := pyshm.Attach(theirs); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("attach to what Python unlinked: %v", err)
		}
		attach(t, ours.Name())
	})
}
