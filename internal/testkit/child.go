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

// StartChild starts a child, which the test ends, with [Child.End] or [Child.Kill].
func StartChild(t testing.TB, role string, args ...string) *Child {
	t.Helper()
	c := &Child{Cmd: Command(t, role, args...)}
	c.Cmd.Stderr = &c.Stderr
	c.Stdin = Must(c.Cmd.StdinPipe())(t)
	c.Lines = bufio.NewScanner(Must(c.Cmd.StdoutPipe())(t))
	Check(t, c.Cmd.Start())
	t.Cleanup(func() {
		if c.Cmd.ProcessState == nil { // the test has given up
			c.Cmd.Process.Kill()
			c.Cmd.Wait()
		}
	})
	return c
}

// Line waits for the next line that the child prints.
func (c *Child) Line(t testing.TB) string {
	t.Helper()
	if !c.Lines.Scan() {
		err := c.Cmd.Wait()
		t.Fatalf("%v, %v: it printed nothing more, and on its standard error\n%s", c.Cmd.Args, err, c.Stderr.Bytes())
	}
	return c.Lines.Text()
}

// End ends the child by the end of its input, and returns the last line that it
// prints.
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

// Kill ends the child with SIGKILL, unless it has ended itself, which is an error.
func (c *Child) Kill(t testing.TB) {
	t.Helper()
	err := c.Cmd.Process.Kill()
	c.Cmd.Wait()
	c.Stdin.Close()
	if err != nil || c.Cmd.ProcessState.Exited() {
		t.Errorf("%v has ended before it was killed: %v, %v\n%s", c.Cmd.Args, err, c.Cmd.ProcessState, c.Stderr.Bytes())
	}
}
