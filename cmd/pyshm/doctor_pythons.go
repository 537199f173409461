package main

import (
	"bufio"
	"context"
	"crypto/rand"
	_ "embed"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"

	"github.com/pyshm-go/pyshm/compat"
	"github.com/pyshm-go/pyshm/pyshm"
)

// pythons adds a finding for each Python of the machine.
func (d *diagnosis) pythons(ctx context.Context) {
	found, err := compat.Find(ctx)
	if err != nil {
		text, _, _ := strings.Cut(err.Error(), "\n")
		d.look("Python", "nothing, if Python runs in other containers only", "%s", text)
		return
	}
	for _, py := range found {
		about := fmt.Sprintf("%v, %s", py, py.Path)
		layout := "layout of lists " + layoutName(py.Layout())
		ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
		if err := sharesLocks(ctx, py.Path); err != nil {
			d.look(about, "share lists, blocks and arrays with it, and no locks; a Python of the same libc as this machine's glibc, and of its word size, shares locks, too",
				"%s; its locks cannot be shared: %v", layout, err)
		} else {
			d.ok(about, "%s; it shares locks with Go", layout)
		}
		cancel()
	}
}

//go:embed doctor_locks.py
var locksProbe string

// sharesLocks makes a semaphore in Python, and acquires it in Go.
func sharesLocks(ctx context.Context, python string) (err error) {
	name := "pyshm_doctor_" + strings.ToLower(rand.Text()[:8])
	defer func() { _ = pyshm.Unlink("sem." + name) }() // if Python has not come to it
	cmd := exec.CommandContext(ctx, python, "-c", locksProbe, "/"+name)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	var complaint strings.Builder
	cmd.Stderr = &complaint
	if err := cmd.Start(); err != nil {
		return err
	}
	defer cmd.Wait()
	defer stdin.Close()
	lines := bufio.NewScanner(stdout)
	if !lines.Scan() || lines.Text() != "made" {
		return errors.New(lastLine(complaint.String(), "it makes no semaphore"))
	}
	l, err := pyshm.AttachLock(name)
	if err != nil {
		return err
	}
	defer l.Close()
	taken, err := l.TryAcquire()
	if err != nil {
		return err
	}
	fmt.Fprintln(stdin)
	if !lines.Scan() || !taken || lines.Text() != "held" {
		return errors.New("a lock that Go holds is free in Python")
	}
	return nil
}

// lastLine returns the last line of a text, or another text if it has none.
func lastLine(text, otherwise string) string {
	text = strings.TrimSpace(text)
	if text == "" {
		return otherwise
	}
	return text[strings.LastIndexByte(text, '\n')+1:]
}
