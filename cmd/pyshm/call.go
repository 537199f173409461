package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os/exec"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/pyshm-go/pyshm/format/pickle"
	"github.com/pyshm-go/pyshm/pyshm/worker"
)

func newCall() *cobra.Command {
	var python string
	var deadline time.Duration
	cmd := &cobra.Command{
		Use:   "call --python COMMAND FUNCTION [LITERAL]",
		Short: "Call a function of a Python worker",
		Long: `Starts COMMAND, a Python program that ends with serve() of pyshm_attach, or
with a loop of its own (see package worker), calls FUNCTION and prints the
result as a Python literal. The shell runs COMMAND. LITERAL is a list of the
arguments, as Python's repr prints it; if it is -, it is read from standard
input. Without it there are none.

What the worker prints goes to standard error, as does the traceback of an
exception. At most 1 MiB of the result is printed.`,
		Example: `  pyshm call --python 'python3 worker.py' add '[1, 2.5]'`,
		Args: func(_ *cobra.Command, args []string) error {
			switch {
			case python == "":
				return errors.New("--python COMMAND is missing")
			case len(args) == 0:
				return errors.New("FUNCTION is missing")
			case len(args) > 2:
				return fmt.Errorf("unexpected argument %q", args[2])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			var literal any = []any{}
			if len(args) == 2 {
				var err error
				if literal, err = parseAnyLiteral(cmd, args[1]); err != nil {
					return err
				}
			}
			list, ok := literal.([]any)
			if !ok {
				return usagef("LITERAL: %s is not a list of arguments", visible(pickle.Repr(literal, 100)))
			}
			ctx, stop := untilStopped(cmd.Context())
			defer stop()
			if deadline > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, deadline)
				defer cancel()
			}
			return callFunction(ctx, python, args[0], list, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.Flags().StringVar(&python, "python", "", "the `COMMAND` of the worker")
	cmd.Flags().DurationVar(&deadline, "wait", 0, "give up after `DURATION` (default: no limit)")
	return cmd
}

// callFunction starts a worker, prints the result of a call, and ends the worker.
func callFunction(ctx context.Context, python, function string, args []any, out, stderr io.Writer) (err error) {
	pool, err := worker.Start(ctx, func() *exec.Cmd {
		cmd := exec.Command("sh", "-c", "exec "+python)
		cmd.Stdout, cmd.Stderr = stderr, stderr
		return cmd
	}, worker.Options{Workers: 1, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, pool.Close(context.WithoutCancel(ctx))) }()
	v, err := pool.Call(ctx, function, args...)
	var raised *worker.PythonError
	if errors.As(err, &raised) {
		for line := range strings.Lines(raised.Traceback) {
			fmt.Fprintln(stderr, visible(strings.TrimSuffix(line, "\n")))
		}
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(out, visible(shownResult(v)))
	return err
}

// shownResult returns a result as a Python literal, or the description of an array.
func shownResult(v any) string {
	if array, ok := v.(*worker.NDArray); ok {
		return array.String()
	}
	return pickle.Repr(v, longestShown)
}
