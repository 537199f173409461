package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/pyshm-go/pyshm/pyshm"
)

func newLock() *cobra.Command {
	flags := lockFlags{wait: forever}
	cmd := &cobra.Command{
		Use: `lock [--create] [--wait DURATION] NAME -- COMMAND [ARGUMENT...]
  pyshm lock --reset NAME`,
		Short: "Run a program while holding a lock",
		Long: `Acquires the lock NAME, a multiprocessing.Lock made by Python or Go, runs
COMMAND, and releases the lock when COMMAND has ended or cannot be started. The
exit status is the status of COMMAND; 128+n if signal n has ended COMMAND; 126
if COMMAND cannot be started and 127 if it cannot be found; 1 if the lock could
not be acquired.

The signals HUP, INT, QUIT, TERM, USR1 and USR2 are passed on to COMMAND.
Before COMMAND is started they end pyshm, with status 128+n. In the foreground
of a terminal INT and QUIT are not passed on: COMMAND gets the signals of the
keys itself.

A killed process does not release its lock. If pyshm is killed (KILL), the lock
stays held, and COMMAND may run on. A lock does not know which process holds
it. If it is certain that none does, --reset frees the lock. It refuses a free
lock.

A lock made by --create stays until it is removed: pyshm rm sem.NAME.`,
		Example: `  pyshm lock --create prices -- python3 update.py
  pyshm lock --wait 10s prices -- sh -c 'pyshm get prices 0'
  pyshm lock --reset prices`,
		Args:                  flags.args,
		DisableFlagsInUseLine: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			if flags.reset {
				return resetLock(args[0])
			}
			command := exec.Command(args[1], args[2:]...)
			if command.Err != nil {
				return startError{command.Err}
			}
			command.Stdin, command.Stdout, command.Stderr = cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr()
			return runLocked(args[0], flags, command)
		},
	}
	cmd.Flags().BoolVar(&flags.create, "create", false, "make the lock if it is missing")
	cmd.Flags().Var(&flags.wait, "wait", "how long to wait for the lock, such as 500ms, 10s or 2m; 0 tries once")
	cmd.Flags().BoolVar(&flags.reset, "reset", false, "free a lock whose holder has died")
	return cmd
}

type lockFlags struct {
	create, reset bool
	wait          waitTime
}

// args checks the arguments.
func (f *lockFlags) args(cmd *cobra.Command, args []string) error {
	if f.reset {
		if f.create || f.wait != forever {
			return errors.New("--reset goes together with no other flag")
		}
		return exactly("NAME")(cmd, args)
	}
	before := cmd.ArgsLenAtDash() // the number of arguments before the --
	if before < 0 {
		if len(args) > 1 {
			return fmt.Errorf("-- is missing before %q", args[1])
		}
		before = len(args)
	}
	if err := exactly("NAME")(cmd, args[:before]); err != nil {
		return err
	}
	if len(args) == before {
		return errors.New("-- COMMAND is missing")
	}
	return nil
}

// A waitTime is the value of a flag: how long to wait.
type waitTime time.Duration

const forever waitTime = math.MaxInt64

func (w waitTime) String() string {
	if w == forever {
		return "forever"
	}
	return time.Duration(w).String()
}

func (*waitTime) Type() string { return "DURATION" }

func (w *waitTime) Set(text string) error {
	if text == forever.String() {
		*w = forever
		return nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return errors.New("a duration is a number with a unit, such as 500ms, 10s or 2m, or 0")
	}
	*w = waitTime(d)
	return nil
}

// openLock attaches to a lock, or creates it if it is missing.
func openLock(name string, create bool) (*pyshm.Lock, error) {
	open := pyshm.AttachLock
	if create {
		open = func(name string) (*pyshm.Lock, error) { return pyshm.OpenLock(name) }
	}
	l, err := open(name)
	if err != nil {
		return nil, err
	}
	// A value above 1 is not a lock's: Acquire would take a token, but Release would
	// refuse to put it back.
	value, err := l.Value()
	if err == nil && value > 1 {
		err = fmt.Errorf("%q is a semaphore and no lock: its value is %d", l.Name(), value)
	}
	if err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

func resetLock(name string) error {
	l, err := openLock(name, false)
	if err != nil {
		return err
	}
	defer l.Close()
	return l.Reset()
}

// runLocked runs the command while it holds the lock.
func runLocked(name string, flags lockFlags, command *exec.Cmd) (err error) {
	l, err := openLock(name, flags.create)
	if err != nil {
		return err
	}
	defer l.Close()
	signals := make(chan os.Signal, 16)
	for _, sig := range passedOn {
		if !signal.Ignored(sig) { // COMMAND inherits that a signal is ignored
			signal.Notify(signals, sig)
		}
	}
	// No signal.Stop: a late signal must not replace COMMAND's status.
	if err := acquire(l, flags.wait, signals); err != nil {
		return err
	}
	defer func() {
		// If another process has released the lock meanwhile, that matters more than
		// the status.
		if failed := l.Release(); failed != nil {
			err = failed
		}
	}()
	if err := start(command, signals); err != nil {
		return err
	}
	return attend(command, signals)
}

// start starts the command, unless a signal has come first.
func start(command *exec.Cmd, signals <-chan os.Signal) error {
	select {
	case sig := <-signals:
		return endedBy(sig)
	default:
	}
	if err := command.Start(); err != nil {
		return startError{err}
	}
	return nil
}

// acquire waits for the lock, until a signal comes.
func acquire(l *pyshm.Lock, wait waitTime, signals <-chan os.Signal) error {
	if taken, err := l.TryAcquire(); taken || err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(wait))
	defer cancel()
	acquired := make(chan error)
	go func() { acquired <- l.Acquire(ctx) }()
	select {
	case err := <-acquired:
		if errors.Is(err, context.DeadlineExceeded) {
			return fmt.Errorf("lock %q: still held after %v; if its holder has died, --reset frees it", l.Name(), wait)
		}
		return err
	case sig := <-signals:
		cancel()
		if <-acquired == nil { // in the same moment
			if err := l.Release(); err != nil {
				return err
			}
		}
		return endedBy(sig)
	}
}

// onTheWay is how long a signal may take from the kernel to a channel. A signal that
// arrives within this time after the start may have been sent before COMMAND was there
// to get it from the terminal, so it is passed on. COMMAND may get such a signal twice
// in its first moments. Only time can decide this: os/signal passes on neither when a
// signal was sent nor by which process. On two processors with thirty busy programs,
// 147 signals took up to 21 ms.
const onTheWay = 100 * time.Millisecond

// attend passes signals on to the command, which has just been started, until it
// ends.
func attend(command *exec.Cmd, signals <-chan os.Signal) error {
	began := time.Now()
	ended := make(chan error)
	go func() { ended <- command.Wait() }()
	for {
		select {
		case sig := <-signals:
			if time.Since(began) < onTheWay || !fromTerminal(sig) {
				command.Process.Signal(sig) // fails only if the command has ended
			}
		case err := <-ended:
			return statusOf(err)
		}
	}
}

// fromTerminal reports whether the command has got the signal as well: a signal of a
// key goes to all processes in the foreground of the terminal.
func fromTerminal(sig os.Signal) bool {
	return (sig == syscall.SIGINT || sig == syscall.SIGQUIT) && inForeground()
}

// inForeground reports whether this process is in the foreground of a terminal.
func inForeground() bool {
	stat, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		return false
	}
	// PID (NAME) STATE PPID PGRP SESSION TTY TPGID ...; proc_pid_stat(5)
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	const pgrp, tpgid = 2, 5
	return len(fields) > tpgid && fields[pgrp] == fields[tpgid]
}

// statusOf returns the exit status of a command that has ended.
func statusOf(err error) error {
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return err
	}
	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return endedBy(status.Signal())
	}
	return exitStatus(exit.ExitCode())
}

// endedBy returns the exit status that shells report for a process ended by a signal.
func endedBy(sig os.Signal) error {
	n, _ := sig.(syscall.Signal)
	return exitStatus(128 + int(n))
}
