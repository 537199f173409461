package testkit

import (
	"bufio"
	"bytes"
	"io"
	"os/exec"
	"testing"
)

// A Child is the test binary in a [Role].
type Child struct {
	Cmd    *exec.Cmd
	Stdin  io.WriteCloser
	Lines  *bufio.Scanner // of its standard output
	Stderr bytes.Buffer   // complete when the child has ended
}

// StartChild starts a child. The test has to end it with [Child.End] or [Child.Kill].
func StartChild(t testing.TB, role string, args ...string) *Child {
	t.Helper()
	c := &Child{Cmd: Command(t, role, args...)}
	c.Cmd.Stderr = &c.Stderr
	c.Stdin = Must(c.Cmd.StdinPipe())(t)
	c.Lines = bufio.NewScanner(Must(c.Cmd.StdoutPipe())(t))
	Check(t, c.Cmd.Start())
	t.Cleanup(func() {
		if c.Cmd.ProcessState == nil { // the test has failed before it ended the child
			c.Cmd.Process.Kill()
			c.Cmd.Wait()
		}
	})
	return c
}

// Line waits for the child's next line of output, and returns it.
func (c *Child) Line(t testing.TB) string {
	t.Helper()
	if !c.Lines.Scan() {
		err := c.Cmd.Wait()
		t.Fatalf("%v, %v: it printed nothing more, and on its standard error\n%s", c.Cmd.Args, err, c.Stderr.Bytes())
	}
	return c.Lines.Text()
}

// End closes the child's input, waits until the child has ended, and returns its last
// line of output.
func (c *Child) End(t testing.TB) (last string) {
	t.Helper()
	c.Stdin.Close()
	for c.Lines.Scan() {
		last = c.Lines.Text()
	}
	if err := c.Cmd.Wait(); err != nil {
		t.Errorf("%v: %v\n%s", c.Cmd.Args, err, c.Stderr.Bytes())
	}
	return last
}

// Kill ends the child with SIGKILL. It is an error if the child has ended before.
func (c *Child) Kill(t testing.TB) {
	t.Helper()
	err := c.Cmd.Process.Kill()
	c.Cmd.Wait()
	c.Stdin.Close()
	if err != nil || c.Cmd.ProcessState.Exited() {
		t.Errorf("%v has ended before it was killed: %v, %v\n%s", c.Cmd.Args, err, c.Cmd.ProcessState, c.Stderr.Bytes())
	}
}
