package main

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/pyshm-go/pyshm/scripts"
)

func newHelper() *cobra.Command {
	return &cobra.Command{
		Use:   "helper",
		Short: "Print pyshm_attach.py, a Python module to attach with",
		Long: `Prints pyshm_attach.py, a module for Python programs (3.8 and later, standard
library only). Programs that attach with it keep Python's resource tracker from
removing the name when they end. They can also attach to locks. A program that
cannot be changed can be started with pyshm run instead. A program under pyshm
run can import pyshm_attach without a copy. For other programs, pip installs
it:

  pip install "git+https://github.com/pyshm-go/pyshm#subdirectory=scripts"`,
		Example: `  pyshm helper >pyshm_attach.py
  python3 -c 'import pyshm_attach; print(pyshm_attach.attach_list("prices"))'`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := io.WriteString(cmd.OutOrStdout(), scripts.AttachHelper())
			return err
		},
	}
}
