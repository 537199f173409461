//go:build unix

package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/pyshm-go/pyshm/internal/testkit"
)

func init() {
	testkit.Roles["stop"] = func([]string, <-chan string) error {
		unstopped(func() {
			syscall.Kill(os.Getpid(), syscall.SIGTSTP)
			time.Sleep(50 * time.Millisecond)
			fmt.Println("not stopped")
		})
		unstopped(func() {})
		time.Sleep(time.Minute) // the test ends this process earlier
		return nil
	}
}

// A Ctrl-Z stops a process, but not while it may have a lease.
func TestStopsAreDeferred(t *testing.T) {
	testkit.NeedLinux(t)
	cmd := testkit.Command(t, "stop")
	cmd.Stderr = os.Stderr
	// A group whose parent is in the same session, as a shell's job is.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "not stopped\n" {
		t.Fatalf("%q, %v", line, err)
	}
	waitForState(t, cmd.Process.Pid, "T")
	if err := cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	waitForState(t, cmd.Process.Pid, "S")
	if err := cmd.Process.Signal(syscall.SIGTSTP); err != nil {
		t.Fatal(err)
	}
	waitForState(t, cmd.Process.Pid, "T")
}

// waitForState waits until the process is stopped, T, or sleeps, S.
func waitForState(t *testing.T, pid int, want string) {
	t.Helper()
	testkit.Eventually(t, "state "+want, func() bool {
		stat := testkit.Must(os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)))(t)
		_, state, _ := bytes.Cut(stat, []byte(") "))
		return bytes.HasPrefix(state, []byte(want))
	})
}
