//go:build linux

package main

import (
	"bufio"
	_ "embed"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

//go:embed limit/limit.c
var limitC string

// A cProgram is the running program of limit/limit.c, if there is a compiler.
type cProgram struct {
	why    string // how it was built, or why it is not running
	dir    string
	cmd    *exec.Cmd
	input  io.WriteCloser
	output *bufio.Reader
}

func startC(clock clock) *cProgram {
	p := &cProgram{why: "C: gcc -O2"}
	if err := p.start(clock); err != nil {
		p.why = fmt.Sprintf("C was not measured: %v", err)
		p.cmd = nil
	}
	return p
}

func (p *cProgram) start(clock clock) (err error) {
	if p.dir, err = os.MkdirTemp("", "pyshm-bench-"); err != nil {
		return err
	}
	program := filepath.Join(p.dir, "limit")
	compile := exec.Command("gcc", "-O2", "-o", program, "-x", "c", "-", "-lpthread", "-lrt")
	compile.Stdin = strings.NewReader(limitC)
	if out, err := compile.CombinedOutput(); err != nil {
		return fmt.Errorf("%w %s", err, out)
	}
	argument := "clock"
	if clock.cpu {
		argument = "cpu"
	}
	cmd := exec.Command(program, argument)
	if p.input, err = cmd.StdinPipe(); err != nil {
		return err
	}
	output, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	p.output = bufio.NewReader(output)
	p.cmd = cmd
	return cmd.Start()
}

func (p *cProgram) running() bool { return p.cmd != nil }

// measure has the program do an operation n times.
func (p *cProgram) measure(operation string, n int) (time.Duration, error) {
	if _, err := fmt.Fprintln(p.input, n, operation); err != nil {
		return 0, err
	}
	line, err := p.output.ReadString('\n')
	if err != nil {
		return 0, err
	}
	took, err := strconv.ParseInt(strings.TrimSpace(line), 10, 64)
	if err == nil && took == 0 {
		err = fmt.Errorf("the C program failed to do %q", operation)
	}
	return time.Duration(took), err
}

func (p *cProgram) close() {
	if p.running() {
		p.input.Close()
		p.cmd.Wait()
	}
	_ = os.RemoveAll(p.dir)
}
