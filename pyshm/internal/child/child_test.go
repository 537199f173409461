//go:build linux || darwin || freebsd

package child

import (
	"os/exec"
	"syscall"
	"testing"
	"time"
)

func start(t *testing.T, script string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("sh", "-c", script)
	Prepare(cmd)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd
}

// AwaitEnd leaves the exit status to the caller, also of a child that has ended before.
func TestAwaitEnd(t *testing.T) {
	for _, pause := range []time.Duration{0, 100 * time.Millisecond} {
		cmd := start(t, "exit 3")
		time.Sleep(pause)
		if err := AwaitEnd(cmd.Process.Pid); err != nil {
			t.Error(err)
		}
		if group, err := syscall.Getpgid(cmd.Process.Pid); err == nil && group != cmd.Process.Pid {
			t.Errorf("the group is %d", group)
		}
		cmd.Wait()
		if code := cmd.ProcessState.ExitCode(); code != 3 {
			t.Errorf("exit status %d", code)
		}
	}
	if err := AwaitEnd(1 << 22); err == nil {
		t.Error("a process that is no child has ended")
	}
}

// A child that is stopped has not ended.
func TestAwaitEndOfStopped(t *testing.T) {
	cmd := start(t, "sleep 60")
	ended := make(chan error, 1)
	go func() { ended <- AwaitEnd(cmd.Process.Pid) }()
	SignalGroup(cmd.Process.Pid, syscall.SIGSTOP)
	select {
	case err := <-ended:
		t.Errorf("stopped: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	SignalGroup(cmd.Process.Pid, syscall.SIGKILL)
	if err := <-ended; err != nil {
		t.Error(err)
	}
	cmd.Wait()
}
