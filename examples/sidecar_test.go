package examples

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/pyshm-go/pyshm/internal/testkit"
)

// right is the camera's line after it has compared Go's statistics with numpy's.
const right = "Python: with the exposure 4.0 the mean is 0.50"

// TestSidecar lets the camera end by itself, kills it, and ends the sidecar.
func TestSidecar(t *testing.T) {
	dir := build(t, "sidecar")
	env := envWithPython(t, dir, numpyPython(t).Path, "")
	sidecar := func(last string) *exec.Cmd {
		command := exec.CommandContext(t.Context(), filepath.Join(dir, "sidecar"), last)
		command.Dir, command.Env = "..", env
		return command
	}
	t.Run("the camera ends", func(t *testing.T) {
		out, err := sidecar("100").CombinedOutput()
		if err != nil || !regexp.MustCompile(`^Go: process \d+ writes from frame 1 on\n`+right+`\nGo: measured \d+ of \d{3,} frames; the last is from 0.00 to 1.00\n$`).Match(out) {
			t.Errorf("%v\n%s", err, out)
		}
	})
	t.Run("it is killed", func(t *testing.T) { testKilledCamera(t, sidecar("1000000000000")) })
}

func testKilledCamera(t *testing.T, sidecar *exec.Cmd) {
	out := testkit.Must(sidecar.StdoutPipe())(t)
	sidecar.Stderr = os.Stderr
	testkit.Check(t, sidecar.Start())
	defer func() { sidecar.Process.Kill(); sidecar.Wait() }() // if the test fails
	lines := bufio.NewScanner(out)
	writes := func() (pid, from int) {
		t.Helper()
		lines.Scan()
		if _, err := fmt.Sscanf(lines.Text(), "Go: process %d writes from frame %d on", &pid, &from); err != nil {
			t.Fatalf("%q: %v", lines.Text(), err)
		}
		return pid, from
	}
	expect := func(pattern string) {
		t.Helper()
		if !lines.Scan() || !regexp.MustCompile("^"+pattern+"$").MatchString(lines.Text()) {
			t.Fatalf("%q is not %s", lines.Text(), pattern)
		}
	}
	pid, _ := writes()
	expect(right)
	camera := testkit.Must(os.FindProcess(pid))(t)
	testkit.Check(t, camera.Kill())
	expect("Go: Python has ended: signal: killed")
	pid, from := writes()
	expect(right)
	if from <= 1 {
		t.Errorf("the second camera began with frame %d", from)
	}
	arguments := strings.Split(string(testkit.Must(os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)))(t)), "\x00")
	testkit.Check(t, sidecar.Process.Signal(syscall.SIGTERM))
	expect(`Go: measured \d+ of \d+ frames; the last is from 0.00 to 1.00`)
	testkit.Check(t, sidecar.Wait())
	testkit.WaitForEnd(t, pid)
	for _, name := range arguments[2:4] {
		if _, err := os.Stat(testkit.Path(name)); !os.IsNotExist(err) {
			t.Errorf("%q was left: %v", name, err)
		}
	}
}
