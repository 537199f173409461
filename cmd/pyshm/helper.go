package main

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/pyshm-go/pyshm/scripts"
)

func newHelper() *cobra.Command {
	return &cobra.Command{
		Use:   "helper",
		Short: "Print pyshm_attach.py, with which Python only attaches",
		Long: `Prints pyshm_attach.py, a module for Python programs (3.8 and later, standard
library only). They attach with it without Python's resource tracker removing
the name when they end, and to locks. A program that cannot be changed can be
started with pyshm run instead. What is started so can import pyshm_attach, too,
without a copy. Elsewhere, pip installs it:

  pip install "git+https://github.com/pyshm-go/pyshm#subdirectory=scripts"`,
		Example: `  pyshm helper >pyshm_attach.py
  python3 -c 'from pyshm_attach import attach_list; print(attach_list("prices")[0])'`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := io.WriteString(cmd.OutOrStdout(), scripts.AttachHelper())
			return err
		},
	}
}
