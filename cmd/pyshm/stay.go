package main

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/pyshm-go/pyshm/pyshm"
)

// endsWithProcess reports that a segment ends with the last process that has it open, as
// on Windows.
const endsWithProcess = runtime.GOOS == "windows"

// addHold gives a command that makes a segment the flag --hold.
func addHold(cmd *cobra.Command) {
	cmd.Flags().Bool("hold", endsWithProcess, "stay until Ctrl-C, and then remove the segment; on Windows always so unless --hold=false")
}

// stay waits until a signal asks this process to end, and then removes the segment, if
// the command has the flag --hold.
func stay(cmd *cobra.Command, m *pyshm.SharedMemory) error {
	if hold, err := cmd.Flags().GetBool("hold"); err != nil || !hold {
		return nil
	}
	why := "removes the segment"
	if endsWithProcess {
		why = "ends the segment unless another process has it open: Windows keeps none without a process"
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "Ctrl-C %s\n", why)
	ctx, stop := untilStopped(cmd.Context())
	defer stop()
	<-ctx.Done()
	return m.Unlink()
}
