package compat

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"sync/atomic"
	"time"
)

// A Peer is a Python process that executes requests of a test: single ones with the
// methods named after Python's, anything else with [Peer.Eval] and [Peer.Exec], and
// many at once with [Peer.Do].
//
// Requests of concurrent callers are executed one after the other.
type Peer struct {
	process *process
	address []int // the worker's number in its parent, after the parent's address; empty for the process itself
	pid     int

	variables atomic.Int64 // how many variables bind has made
}

// A PeerOption changes how [Interpreter.Start] starts a peer.
type PeerOption func(*peerOptions)

type peerOptions struct {
	timeout time.Duration
	command []func(*exec.Cmd)
}

// Timeout limits how long a request may take; the default is 30 seconds. A peer that
// exceeds the limit executes no more requests.
func Timeout(d time.Duration) PeerOption {
	return func(o *peerOptions) { o.timeout = d }
}

// Env adds "key=value" strings to the environment.
func Env(entries ...string) PeerOption {
	return Command(func(cmd *exec.Cmd) { cmd.Env = append(cmd.Environ(), entries...) })
}

// Dir sets the working directory, from which the peer also imports modules, unless
// PYTHONSAFEPATH is set.
func Dir(path string) PeerOption {
	return Command(func(cmd *exec.Cmd) { cmd.Dir = path })
}

// Command lets f change the command before it starts, for instance to add flags of the
// interpreter or another user's credentials. Start sets the input, the outputs,
// ExtraFiles and the process group after f.
func Command(f func(*exec.Cmd)) PeerOption {
	return func(o *peerOptions) { o.command = append(o.command, f) }
}

// Start starts a peer. The context limits Start and every later request. It does not
// end the process: the caller must call [Peer.Close].
//
// The process does what any Python does. In particular, when the process ends its
// resource tracker unlinks every segment that it has attached to.
func (py Interpreter) Start(ctx context.Context, options ...PeerOption) (*Peer, error) {
	o := peerOptions{timeout: 30 * time.Second}
	for _, option := range options {
		option(&o)
	}
	process, err := startProcess(ctx, py, o)
	if err != nil {
		return nil, fmt.Errorf("compat: start %s: %w", py.Path, err)
	}
	p := &Peer{process: process}
	pid, err := call[int64](p, "", "eval", "os.getpid()")
	if err != nil {
		p.Close()
		return nil, fmt.Errorf("compat: start %s: %w", py.Path, err)
	}
	p.pid = int(pid)
	return p, nil
}

// Interpreter returns the interpreter that the peer runs.
func (p *Peer) Interpreter() Interpreter { return p.process.python }

// Pid returns the process ID.
func (p *Peer) Pid() int { return p.pid }

// Stderr returns all text that the peer, its workers and its resource tracker have
// written to their standard error and standard output so far. Standard output comes
// line by line. The text is complete after [Peer.Exit] and [Peer.Close]. Stderr of a
// worker returns the text of the whole tree of processes.
func (p *Peer) Stderr() string { return p.process.output.String() }

// StartWorker starts a child process with a start method of multiprocessing: "fork",
// "spawn" or "forkserver". The worker is a peer like its parent, and its requests go
// through the parent. Close ends the worker. It also ends when its parent does, after
// the request that it is executing.
func (p *Peer) StartWorker(method string) (*Peer, error) {
	started, err := call[[]any](p, "", "start_worker", method)
	if err != nil {
		return nil, err
	}
	number, pid := started[0].(int64), started[1].(int64)
	return &Peer{
		process: p.process,
		address: append(slices.Clone(p.address), int(number)),
		pid:     int(pid),
	}, nil
}

// Eval returns the value of a Python expression. The expression sees the variables of
// Exec and of [List.Var], ShareableList, SharedMemory and the modules multiprocessing,
// os, resource_tracker, signal, struct and sys. The package documentation lists the
// kinds of values that Eval returns; a tuple arrives as a list. [Peer.EvalInto] takes
// more kinds.
func (p *Peer) Eval(expression string) (any, error) {
	return call[any](p, "", "eval", expression)
}

// Exec executes Python statements; see [Peer.Eval] and, for exceptions, [Peer.Do].
func (p *Peer) Exec(statements string) error {
	return run(p, "", "exec", statements)
}

func (p *Peer) error(op string, err error) error {
	peer := p.process.python.String()
	if len(p.address) > 0 {
		peer = fmt.Sprintf("worker %v of %s", p.address, peer)
	}
	return fmt.Errorf("compat: %s: %s: %w", peer, op, err)
}

// Close ends the peer as if its script had come to an end, waits for all processes that
// it has started, and frees all resources. If a process does not end in time, Close
// kills it and returns an error. Closing again does nothing.
func (p *Peer) Close() error {
	if len(p.address) == 0 {
		if err := p.process.close(); err != nil {
			return p.error("close", err)
		}
		return nil
	}
	_, err := p.exit(context.WithoutCancel(p.process.ctx), ExitNormal)
	if _, ended := errors.AsType[*ExitError](err); ended || errors.Is(err, os.ErrClosed) {
		return nil // with its parent
	}
	return err
}
