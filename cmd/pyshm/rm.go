package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/pyshm-go/pyshm/pyshm"
)

func newRm() *cobra.Command {
	var (
		orphans bool
		flags   orphanFlags
	)
	cmd := &cobra.Command{
		Use:   "rm NAME... | rm --orphans",
		Short: "Remove names",
		Long: `Removes the names of lists and blocks, and of locks as sem.NAME. Processes that
are attached keep the memory; it is free when the last of them is gone.

With --orphans, removes what no process maps any more and nobody has made,
linked or resized for a minute (--older-than), after showing it and asking. Of
all names it takes only those that Python and pyshm choose: psm_ and 8 hex digits,
sem.mp-, pyshm_demo_, and the hidden .pyshm- that a killed pyshm manager or hold
leaves behind; and those that match a --pattern.

What is mapped is never removed, and neither is that of which it cannot be told,
because its users may be hidden: a segment of another user, unless root asks, or
one in a container that the kernel (before 5.3) says nothing about. That nobody
maps it is looked at again directly before. What cannot be seen is a name that a
program keeps to attach to it later; and who attaches in the microseconds between
look and removal keeps the memory, but not the name.`,
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
				errs = append(errs, pyshm.Unlink(name))
			}
			return errors.Join(errs...)
		},
	}
	cmd.Flags().BoolVar(&orphans, "orphans", false, "remove what no process maps any more")
	flags.add(cmd)
	return cmd
}
