package main

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pyshm-go/pyshm/compat"
	"github.com/pyshm-go/pyshm/internal/testkit"
)

func init() {
	testkit.Roles["pyshm"] = func(args []string, _ <-chan string) error {
		os.Args = append([]string{"pyshm"}, args...)
		main()
		return nil
	}
}

// A started is a pyshm that stays.
type started struct {
	*exec.Cmd
	lines *bufio.Reader
	log   bytes.Buffer
}

// startStaying runs pyshm and waits until it has printed the name.
func startStaying(t *testing.T, name string, args ...string) *started {
	t.Helper()
	s := &started{Cmd: testkit.Command(t, "pyshm", args...)}
	out := testkit.Must(s.StdoutPipe())(t)
	s.Stderr = &s.log
	testkit.Check(t, s.Start())
	s.lines = bufio.NewReader(out)
	if line, err := s.lines.ReadString('\n'); strings.TrimSpace(line) != name {
		t.Fatalf("pyshm %q printed %q, %v", args, line, err)
	}
	return s
}

// end kills a pyshm.
func (s *started) end() string {
	s.Process.Kill()
	io.Copy(io.Discard, s.lines)
	s.Wait()
	return s.log.String()
}

// runCommand runs pyshm and returns what it prints on both streams.
func runCommand(t *testing.T, args ...string) string {
	t.Helper()
	out, err := testkit.Command(t, "pyshm", args...).CombinedOutput()
	if err != nil {
		return string(out) + err.Error()
	}
	return string(out)
}

// A segment lives as long as the create that has made it, or a hold, if the system ends
// it with the last process.
func TestSegmentEndsWithProcesses(t *testing.T) {
	if !endsWithProcess {
		t.Skip("segments stay here")
	}
	name := testkit.Name(t)
	create := startStaying(t, name, "create", name, "[1, 'two', 2.5]")
	if got := runCommand(t, "get", name, "1"); got != "'two'\n" {
		t.Errorf("get: %s", got)
	}
	if got := runCommand(t, "set", name, "0", "5"); got != "" {
		t.Errorf("set: %s", got)
	}
	if got := runCommand(t, "show", name); !strings.Contains(got, "'two'") {
		t.Errorf("show: %s", got)
	}
	hold := startStaying(t, name, "hold", name)
	if log := create.end(); !strings.Contains(log, "Windows keeps none without a process") {
		t.Errorf("create says %q", log)
	}
	if got := runCommand(t, "get", name, "0"); got != "5\n" {
		t.Errorf("get while it is held: %s", got)
	}
	hold.end()
	for _, args := range [][]string{{"get", name, "0"}, {"rm", name}, {"ls"}, {"create", name, "[1]", "--replace"}} {
		if got := runCommand(t, args...); !strings.Contains(got, "process") && !strings.Contains(got, "Windows") || !strings.Contains(got, "exit status 1") {
			t.Errorf("%q: %s", args, got)
		}
	}
	if got := runCommand(t, "create", name, "[1]", "--hold=false"); got != name+"\n" {
		t.Errorf("create without hold: %s", got)
	}
}

// The segment of create --hold is there until a signal ends it.
func TestCreateHolds(t *testing.T) {
	testkit.NeedLinux(t)
	name := testkit.Name(t)
	create := startStaying(t, name, "create", name, "[1]", "--hold")
	if got := runCommand(t, "get", name, "0"); got != "1\n" {
		t.Errorf("get: %s", got)
	}
	testkit.Check(t, create.Process.Signal(os.Interrupt))
	testkit.Check(t, create.Wait())
	if _, err := os.Stat(filepath.Join("/dev/shm", name)); !os.IsNotExist(err) {
		t.Errorf("after Ctrl-C: %v", err)
	}
}

// The demo needs no locks.
func TestDemoWithoutLocks(t *testing.T) {
	if !endsWithProcess {
		t.Skip("locks have names here")
	}
	compat.ForEach(t, func(t *testing.T, py compat.Interpreter) {
		got := runCommand(t, "demo", "--python", py.Path)
		if !strings.Contains(got, "locks have no names") || !strings.Contains(got, "Everything is removed") {
			t.Error(got)
		}
	})
}
