package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

const stopsEnv = "PYSHM_TEST_STOPS"

func init() {
	if os.Getenv(stopsEnv) == "" {
		return
	}
	unstopped(func() {
		syscall.Kill(os.Getpid(), syscall.SIGTSTP)
		time.Sleep(50 * time.Millisecond)
		fmt.Println("not stopped")
	})
	unstopped(func() {})
	time.Sleep(time.Minute) // the test ends it earlier
	os.Exit(0)
}

// A Ctrl-Z stops a process, but not while it may have a lease.
func TestStopsAreDeferred(t *testing.T) {
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), stopsEnv+"=1")
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
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		_, state, _ := bytes.Cut(stat, []byte(") "))
		if err == nil && bytes.HasPrefix(state, []byte(want)) {
			return
		}
		if err != nil || time.Now().After(end) {
			t.Fatalf("not in state %s: %s, %v", want, stat, err)
		}
	}
}
