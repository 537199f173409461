package compat

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"syscall"
)

// An Exit is a way in which a Python process can end.
type Exit string

const (
	ExitNormal    Exit = "normal"      // the end of the script
	ExitStatus3   Exit = "sys.exit(3)" // SystemExit
	ExitException Exit = "exception"   // an uncaught RuntimeError
	ExitImmediate Exit = "os._exit(0)" // no clean-up by the interpreter
	ExitSIGTERM   Exit = "SIGTERM"     // signals that the process sends to itself
	ExitSIGINT    Exit = "SIGINT"
	ExitSIGABRT   Exit = "SIGABRT"
	ExitSIGKILL   Exit = "SIGKILL"
	ExitKillGroup Exit = "kill group" // SIGKILL for the whole process group, resource tracker included
)

// Exits returns all the ways.
func Exits() []Exit {
	return []Exit{
		ExitNormal, ExitStatus3, ExitException, ExitImmediate,
		ExitSIGTERM, ExitSIGINT, ExitSIGABRT, ExitSIGKILL, ExitKillGroup,
	}
}

// isSignal reports whether a signal ends the process.
func (e Exit) isSignal() bool { return e == ExitKillGroup || strings.HasPrefix(string(e), "SIG") }

// An ExitError is the error of a request during which the process has ended, and of
// every later request.
type ExitError struct {
	Code   int    // as in Python's multiprocessing: the exit status, or minus the signal's number
	Stderr string // see [Peer.Stderr]
}

func (e *ExitError) Error() string {
	how := fmt.Sprintf("with exit status %d", e.Code)
	if e.Code < 0 {
		how = fmt.Sprintf("by a signal (%v)", syscall.Signal(-e.Code))
	}
	if e.Stderr == "" {
		return "the process has ended " + how
	}
	return fmt.Sprintf("the process has ended %s; its standard error:\n%s", how, e.Stderr)
}

// Exit ends the process in the given way and returns its exit code, negative for a
// signal as in [ExitError]. It does not close lists and blocks. A test of an orderly
// program closes them first.
//
// Exit returns when everything that the process has started has ended, too: workers,
// which end with their parent, and the resource tracker, which has then unlinked its
// segments. Exit of a worker does not wait for processes that the worker has started.
func (p *Peer) Exit(how Exit) (code int, err error) {
	return p.exit(p.process.ctx, how)
}

func (p *Peer) exit(ctx context.Context, how Exit) (code int, err error) {
	if !slices.Contains(Exits(), how) {
		return 0, p.error("exit", fmt.Errorf("unknown way %q", how))
	}
	if how.isSignal() && runtime.GOOS == "windows" {
		return 0, p.error("exit", fmt.Errorf("Windows has no signals: %w", errors.ErrUnsupported))
	}
	message := fmt.Appendf(p.appendAddress(nil), `"exit":%q}`+"\n", string(how))
	answer, err := p.process.converse(ctx, message)
	var ended *ExitError
	switch {
	case errors.As(err, &ended):
		code = ended.Code
	case err != nil:
		return 0, p.error("exit", err)
	case answer.Exited == nil:
		return 0, p.error("exit", fmt.Errorf("the process has not ended"))
	default:
		return *answer.Exited, nil
	}
	if err := p.process.waitForAll(); err != nil {
		return code, p.error("exit", err)
	}
	return code, nil
}
