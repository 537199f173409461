package worker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/pyshm-go/pyshm/pyshm"
	"github.com/pyshm-go/pyshm/pyshm/connection"
	"github.com/pyshm-go/pyshm/pyshm/internal/child"
)

// fdVariable is the variable of the environment with the number of the worker's descriptor.
const fdVariable = "PYSHM_WORKER"

// outputDelay is how long output is waited for after a worker's end: children that it has
// left may keep its standard output and error open.
const outputDelay = 300 * time.Millisecond

// A process is the process of a worker.
type process struct {
	cmd     *exec.Cmd
	started chan struct{} // closed when log is there
	log     *slog.Logger
	tail    tail
	asked   atomic.Bool   // to end, by a SIGTERM
	ended   chan struct{} // closed when the process has been reaped
	state   error         // how it ended; valid when ended is closed
}

// startProcess starts a worker, and returns the connection to it.
func startProcess(cmd *exec.Cmd, log *slog.Logger, start func(func() error) error) (*process, *connection.Conn, error) {
	if cmd == nil {
		return nil, nil, invalid("the command is nil")
	}
	if err := pyshm.WorkerEnv(cmd); err != nil {
		return nil, nil, err
	}
	conn, file, err := connection.Pipe()
	if err != nil {
		return nil, nil, err
	}
	defer file.Close() // or the end of the worker would not end the connection
	cmd.ExtraFiles = append(slices.Clip(cmd.ExtraFiles), file)
	cmd.Env = append(cmd.Environ(), fdVariable+"="+strconv.Itoa(2+len(cmd.ExtraFiles)))
	if !slices.ContainsFunc(cmd.Env, isUnbuffered) {
		cmd.Env = append(cmd.Env, unbuffered+"1") // print reaches the log at once
	}
	if cmd.WaitDelay == 0 {
		cmd.WaitDelay = outputDelay
	}
	child.Prepare(cmd)
	p := &process{cmd: cmd, started: make(chan struct{}), ended: make(chan struct{})}
	flush := p.logOutput()
	if err := start(cmd.Start); err != nil {
		conn.Close()
		return nil, nil, err
	}
	p.log = log.With("pid", cmd.Process.Pid)
	close(p.started)
	go p.await(flush)
	return p, conn, nil
}

const unbuffered = "PYTHONUNBUFFERED="

func isUnbuffered(entry string) bool {
	return len(entry) > len(unbuffered) && entry[:len(unbuffered)] == unbuffered
}

// logOutput sends the output that the command does not send elsewhere to the log.
func (p *process) logOutput() (flush func()) {
	printed := func(level slog.Level, line string) {
		<-p.started
		p.log.Log(context.Background(), level, "worker printed", "line", line)
	}
	out := &lineWriter{line: func(line string) { printed(slog.LevelInfo, line) }}
	errs := &lineWriter{line: func(line string) {
		p.tail.add(line)
		printed(slog.LevelWarn, line)
	}}
	if p.cmd.Stdout == nil {
		p.cmd.Stdout = out
	}
	switch {
	case p.cmd.Stderr == nil:
		p.cmd.Stderr = errs
	case p.cmd.Stderr != p.cmd.Stdout: // that one would be written to by two goroutines
		if _, isFile := p.cmd.Stderr.(*os.File); !isFile {
			p.cmd.Stderr = io.MultiWriter(p.cmd.Stderr, &lineWriter{line: p.tail.add})
		}
	}
	return func() { out.flush(); errs.flush() }
}

// await reaps the process when it has ended. Children that it has left get a SIGTERM.
func (p *process) await(flush func()) {
	if child.AwaitEnd(p.pid()) == nil {
		child.SignalGroup(p.pid(), syscall.SIGTERM)
	}
	err := p.cmd.Wait()
	flush()
	switch {
	case err == nil:
		err = errors.New("exit status 0")
	case errors.Is(err, exec.ErrWaitDelay):
		err = errors.New(p.cmd.ProcessState.String())
	}
	p.state = err
	close(p.ended)
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// stop makes sure that the process ends: by itself within the grace, by SIGTERM within
// another, by SIGKILL then. It returns when the process has been reaped.
func (p *process) stop(grace time.Duration) {
	if !p.asked.Load() {
		if p.endsWithin(grace) {
			return
		}
		p.terminate()
	}
	if p.endsWithin(grace) {
		return
	}
	p.log.Warn("worker does not end: SIGKILL")
	p.kill()
	<-p.ended
}

// terminate asks the process to end.
func (p *process) terminate() {
	p.log.Warn("worker does not end: SIGTERM")
	p.asked.Store(true)
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // fails if it has ended
}

func (p *process) kill() { _ = p.cmd.Process.Kill() }

func (p *process) endsWithin(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-p.ended:
		return true
	case <-timer.C:
		return false
	}
}

// A starter starts processes from one thread, with which the kernel ends them: a goroutine
// keeps the thread until close.
type starter chan func()

func newStarter() starter {
	s := make(starter)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		for start := range s {
			start()
		}
	}()
	return s
}

// run runs f on the thread.
func (s starter) run(f func() error) (err error) {
	done := make(chan struct{})
	s <- func() {
		defer close(done)
		err = f()
	}
	<-done
	return err
}

func (s starter) close() { close(s) }

// describeEnd returns how a worker ended, from the end of its process and the end of its
// connection. The process explains more, unless it was the connection that was at fault.
func describeEnd(state, received error) error {
	switch {
	case state == nil:
		return received
	case received == nil || received == io.EOF || errors.Is(received, io.ErrUnexpectedEOF) ||
		errors.Is(received, syscall.ECONNRESET) || errors.Is(received, os.ErrClosed):
		return state
	}
	return fmt.Errorf("%w; %w", received, state)
}
