package compat

import (
	"bufio"
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

//go:embed peer.py
var peerSource string

// bootstrap executes the text on standard input. The script is no file, so that no file
// remains when the test is killed. It is no argument either, because an argument would
// fill the list of processes.
const bootstrap = "import marshal, sys; code = marshal.dumps(compile(sys.stdin.read(), '<peer>', 'exec')); exec(marshal.loads(code))"

// endTimeout is how long processes may take to end. On a busy machine they take
// seconds.
const endTimeout = 15 * time.Second

// A process is a Python that runs peer.py, and the conversation with it.
//
// All processes that it starts inherit its standard error, also the resource tracker
// (which closes the other descriptors). When the pipe behind standard error has no
// writer left, all of them have ended.
type process struct {
	python  Interpreter
	ctx     context.Context // limits requests
	timeout time.Duration
	cmd     *exec.Cmd

	late     *time.Timer // kills the process at the deadline, if the pipes have none
	isLate   atomic.Bool
	mu       sync.Mutex // held for a message and its answer
	requests *os.File
	replies  *os.File
	reader   *bufio.Reader
	broken   error // why there can be no further message

	stderr   *os.File
	output   output        // the text read from stderr
	exited   chan struct{} // closed when the process has been waited for
	finished chan struct{} // closed at the end of stderr

	close func() error // end, once
}

func startProcess(ctx context.Context, py Interpreter, options peerOptions) (*process, error) {
	cmd := exec.Command(py.Path, "-c", bootstrap)
	for _, change := range options.command {
		change(cmd)
	}
	if err := prepare(cmd); err != nil {
		return nil, err
	}
	requests, replies, stderr, err := openPipes()
	if err != nil {
		return nil, err
	}
	cmd.Stdin = strings.NewReader(peerSource)
	cmd.Stdout, cmd.Stderr = stderr.w, stderr.w
	pass(cmd, requests.r, replies.w)
	p := &process{
		python: py, ctx: ctx, timeout: options.timeout, cmd: cmd,
		requests: requests.w, replies: replies.r, reader: bufio.NewReader(replies.r),
		stderr: stderr.r, exited: make(chan struct{}), finished: make(chan struct{}),
	}
	p.late = time.AfterFunc(math.MaxInt64, p.endLate)
	p.close = sync.OnceValue(p.end)
	started := make(chan error)
	go p.run(started)
	err = <-started
	closeFiles(requests.r, replies.w, stderr.w)
	if err != nil {
		closeFiles(requests.w, replies.r, stderr.r)
		return nil, err
	}
	go func() {
		defer close(p.finished)
		_, _ = io.Copy(&p.output, p.stderr) // until the end or an error, which does not matter
	}()
	return p, nil
}

// run starts the process and waits for its end. It keeps its thread for so long,
// because Linux takes the end of the thread for the end of the parent.
func (p *process) run(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(p.exited)
	err := p.cmd.Start()
	started <- err
	if err == nil {
		p.cmd.Wait() // the result is in ProcessState
	}
}

// converse sends a message and returns the answer. After an error it sends no further
// message, because the next line would be the answer to this message.
func (p *process) converse(ctx context.Context, message []byte) (answer, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.broken != nil {
		return answer{}, p.broken
	}
	if err := ctx.Err(); err != nil {
		return answer{}, err // before anything is sent: the peer stays usable
	}
	a, err := p.exchange(ctx, message)
	if err != nil {
		p.broken = p.diagnose(ctx, err)
	}
	return a, p.broken
}

func (p *process) exchange(ctx context.Context, message []byte) (a answer, err error) {
	p.setDeadline(time.Now().Add(p.timeout))
	defer p.late.Stop()
	defer context.AfterFunc(ctx, func() { p.setDeadline(time.Unix(1, 0)) })()
	defer func() {
		if err != nil && p.isLate.Load() {
			err = os.ErrDeadlineExceeded
		}
	}()
	if _, err := p.requests.Write(message); err != nil {
		return a, err
	}
	line, err := p.reader.ReadBytes('\n')
	if err != nil {
		return a, err
	}
	return a, json.Unmarshal(line, &a)
}

func (p *process) setDeadline(t time.Time) {
	p.replies.SetReadDeadline(t)
	if err := p.requests.SetWriteDeadline(t); errors.Is(err, os.ErrNoDeadline) {
		p.late.Reset(time.Until(t))
	}
}

// endLate kills a process that has not answered in time: its end closes its pipes.
func (p *process) endLate() {
	p.isLate.Store(true)
	p.cmd.Process.Kill()
}

// diagnose returns the reason why the conversation has failed. If the process is stuck,
// diagnose kills it, but not its resource tracker, which can still clean up.
func (p *process) diagnose(ctx context.Context, err error) error {
	switch {
	case errors.Is(err, os.ErrClosed):
		return fmt.Errorf("the peer is closed: %w", os.ErrClosed)
	case errors.Is(err, os.ErrDeadlineExceeded):
		p.cmd.Process.Kill()
		if ctx.Err() != nil {
			return fmt.Errorf("no answer: %w", ctx.Err())
		}
		return fmt.Errorf("no answer within %v: %w; its standard error:\n%s", p.timeout, err, p.output.String())
	case !errors.Is(err, io.EOF) && !isBroken(err):
		return err
	case !within(endTimeout, p.exited):
		return fmt.Errorf("it has closed its pipes (%w) but not ended", err)
	}
	within(endTimeout, p.finished) // so that standard error is complete
	return &ExitError{Code: exitCode(p.cmd.ProcessState), Stderr: p.output.String()}
}

// waitForAll waits until the process and all processes that it has started have ended.
func (p *process) waitForAll() error {
	if !within(endTimeout, p.exited) {
		return fmt.Errorf("the process has not ended within %v", endTimeout)
	}
	if !within(endTimeout, p.finished) {
		return fmt.Errorf("something that the process has started has not ended within %v", endTimeout)
	}
	return nil
}

// end closes the request pipe, so that the process ends in the normal way, and kills
// the processes that do not end then.
func (p *process) end() error {
	p.requests.Close()
	err := p.waitForAll()
	if err != nil {
		p.kill()
		err = fmt.Errorf("%w and was killed; standard error:\n%s", err, p.output.String())
	}
	closeFiles(p.replies, p.stderr)
	return err
}

// kill kills the process, if it still runs, and gives its resource tracker time to
// clean up. Then it kills the rest of the process group.
func (p *process) kill() {
	if !closed(p.exited) {
		p.cmd.Process.Kill()
		if p.waitForAll() == nil {
			return
		}
	}
	killGroup(p.cmd.Process)
	_ = p.waitForAll() // the reason for killing is the error to report
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func within(d time.Duration, done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	case <-time.After(d):
		return false
	}
}

// output collects the text that a process writes.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

type pipe struct{ r, w *os.File }

// openPipes opens three pipes, or none if it fails.
func openPipes() (a, b, c pipe, err error) {
	for _, p := range []*pipe{&a, &b, &c} {
		if p.r, p.w, err = os.Pipe(); err != nil {
			closeFiles(a.r, a.w, b.r, b.w, c.r, c.w)
			return pipe{}, pipe{}, pipe{}, err
		}
	}
	return a, b, c, nil
}

// closeFiles closes files. Some of them may be nil.
func closeFiles(files ...*os.File) {
	for _, f := range files {
		f.Close()
	}
}
