package main

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/spf13/cobra"

	"github.com/pyshm-go/pyshm/pyshm"
)

func newRm() *cobra.Command {
	var (
		orphans bool
		flags   orphanFlags
	)
	cmd := &cobra.Command{
		Use: `rm NAME...
  pyshm rm --orphans`,
		Short: "Remove names",
		Long: `Removes the names of lists and blocks, of locks as sem.NAME, and all names of a
queue as NAME. A value has NAME and sem.NAME.lock, a barrier also sem.NAME with
.sleeping, .woken and .wait. Processes that are attached keep the memory; it is
freed when the last of them is gone. A name that a manager of pyshm or a pyshm
hold keeps comes back at once.

With --orphans, removes the segments that no process maps and that were not
made, linked or resized for a minute (--older-than), after listing them and
asking. It takes only names that Python and pyshm choose: psm_ and 8 hex
digits, sem.mp-, pyshm_demo_, and the hidden .pyshm- of a killed pyshm manager
or hold; and names that match a --pattern.

A mapped segment is never removed. Neither is a segment whose users may be
hidden: one of another user, unless root runs pyshm, or one in a container if
the kernel (before 5.3) does not report its users. pyshm checks once more,
right before removing, that no process maps the segment. It cannot see that a
program keeps a name to attach later. A process that attaches in the
microseconds between check and removal keeps the memory, but not the name.`,
		Example: `  pyshm rm prices frames
  pyshm rm --orphans
  pyshm rm --orphans --yes --older-than 1h --pattern 'frames_*'`,
		DisableFlagsInUseLine: true,
		Args: func(cmd *cobra.Command, args []string) error {
			switch {
			case orphans:
				return exactly()(cmd, args)
			case flags.given(cmd) != "":
				return fmt.Errorf("%s is for rm --orphans", flags.given(cmd))
			}
			return names(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if orphans {
				return rmOrphans(cmd, &flags)
			}
			var errs []error
			for _, name := range args {
				errs = append(errs, unlink(name))
			}
			return errors.Join(errs...)
		},
	}
	cmd.Flags().BoolVar(&orphans, "orphans", false, "remove segments that no process maps")
	flags.add(cmd)
	return cmd
}

// unlink removes the name of a segment, or if there is none the names of a queue.
func unlink(name string) error {
	if endsWithProcess {
		return fmt.Errorf("rm %q: %w: on Windows a segment ends when the last process has closed it", name, errors.ErrUnsupported)
	}
	err := pyshm.Unlink(name)
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if errQueue := pyshm.UnlinkQueue(name); !errors.Is(errQueue, fs.ErrNotExist) {
		return errQueue
	}
	return err
}
