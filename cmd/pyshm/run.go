package main

import (
	"errors"
	"os/exec"

	"github.com/spf13/cobra"

	"github.com/pyshm-go/pyshm/pyshm"
)

func newRun() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "run [--] COMMAND [ARGUMENT...]",
		Short: "Run a Python program that does not remove what it attaches to",
		Long: `Runs COMMAND with an environment in which Python's resource tracker does not
remove segments to which a process only attached. The program need not be
changed, and its child processes inherit the environment. All of them can
import pyshm_attach (see pyshm helper), whose functions attach to locks by
name. A pyshm_attach.py beside the program comes before this one; an installed
one does not.

The environment does not reach a Python that ignores PYTHONPATH or
sitecustomize (python3 -E, -I or -S: refused if COMMAND is one), or in which
another sitecustomize comes first on PYTHONPATH and does not run the next ones.
So put pyshm run directly in front of Python, behind tools that bring their own
sitecustomize.

With PYSHM_VERBOSE=1 in the environment, every Python process that it reaches
prints a line to standard error when it imports multiprocessing.shared_memory.

The program takes the place of pyshm: it gets all signals, and pyshm has its
exit status. If the program cannot be started, the status is 126, or 127 if
there is no such program, as in a shell.`,
		Example: `  pyshm run -- python3 worker.py prices
  opentelemetry-instrument pyshm run -- python3 worker.py prices
  PYSHM_VERBOSE=1 pyshm run -- python3 worker.py prices`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("COMMAND is missing")
			}
			return nil
		},
		DisableFlagsInUseLine: true,
		RunE: func(_ *cobra.Command, args []string) error {
			command := exec.Command(args[0], args[1:]...)
			if command.Err != nil {
				return startError{command.Err}
			}
			if err := pyshm.WorkerEnv(command); err != nil {
				return err
			}
			return startError{become(command)}
		},
	}
	cmd.Flags().SetInterspersed(false) // the flags of COMMAND are its own
	return cmd
}
