package pyshm_test

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"os/exec"
	"testing"
)

// A child is the test binary in a role, see roles.
type child struct {
	cmd    *exec.Cmd
	stdin  io.Closer
	lines  *bufio.Scanner // of its standard output
	stderr bytes.Buffer
}

// startChild starts a child, which the test ends, with end or kill.
func startChild(t testing.TB, role string, args ...string) *child {
	t.Helper()
	c := &child{cmd: exec.Command("/proc/self/exe", args...)}
	c.cmd.Env = append(os.Environ(), roleEnv+"="+role)
	c.cmd.Stderr = &c.stderr
	stdin, err := c.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.stdin, c.lines = stdin, bufio.NewScanner(stdout)
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if c.cmd.ProcessState == nil { // the test has given up
			c.cmd.Process.Kill()
			c.cmd.Wait()
		}
	})
	return c
}

// line waits for the next line that the child prints.
func (c *child) line(t testing.TB) string {
	t.Helper()
	if !c.lines.Scan() {
		err := c.cmd.Wait()
		t.Fatalf("%v, %v: it said nothing more, and on its standard error\n%s", c.cmd.Args, err, c.stderr.Bytes())
	}
	return c.lines.Text()
}

// end tells the child to end, and returns the last line that it prints.
func (c *child) end(t testing.TB) (last string) {
	t.Helper()
	c.stdin.Close()
	for c.lines.Scan() {
		last = c.lines.Text()
	}
	if err := c.cmd.Wait(); err != nil {
		t.Errorf("%v: %v\n%s", c.cmd.Args, err, c.stderr.Bytes())
	}
	return last
}

// kill ends the child with SIGKILL, unless it has ended itself, which is an error.
func (c *child) kill(t testing.TB) {
	t.Helper()
	err := c.cmd.Process.Kill()
	c.cmd.Wait()
	c.stdin.Close()
	if err != nil || c.cmd.ProcessState.Exited() {
		t.Errorf("%v has ended before it was killed: %v, %v\n%s", c.cmd.Args, err, c.cmd.ProcessState, c.stderr.Bytes())
	}
}
