package main

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/pyshm-go/pyshm/pyshm"
)

func newRm() *cobra.Command {
	return &cobra.Command{
		Use:   "rm NAME...",
		Short: "Remove names",
		Long: `Removes the names of lists and blocks, and of locks as sem.NAME. Processes that
are attached keep the memory; it is free when the last of them is gone.`,
		Example: `  pyshm rm prices frames`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("NAME is missing")
			}
			return nil
		},
		RunE: func(_ *cobra.Command, names []string) error {
			var errs []error
			for _, name := range names {
				errs = append(errs, pyshm.Unlink(name))
			}
			return errors.Join(errs...)
		},
	}
}
