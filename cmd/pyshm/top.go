package main

import (
	"time"

	"github.com/spf13/cobra"
)

func newTop() *cobra.Command {
	var once bool
	interval := 2 * time.Second
	cmd := &cobra.Command{
		Use:   "top",
		Short: "Watch all segments and locks, and the processes that use them",
		Long: `Shows all segments as ls does, with the names of the processes that map them,
again and again: first the locks and semaphores that processes wait for, then
the others. A segment that has appeared or changed since the last look is bold,
and a lock that processes wait for is marked. A lock does not know its holder:
it is one of the processes that map the lock and do not wait.

Keys: q ends; arrows, PgUp, PgDn, Home and End scroll; s sorts by size, n by
name. With --once, or without a terminal, prints everything once.`,
		Example: `  pyshm top
  pyshm top --once`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if interval < 10*time.Millisecond {
				return usagef("--interval %v is shorter than 10ms", interval)
			}
			m := &topModel{interval: interval}
			if err := m.refresh(time.Now()); err != nil {
				return err
			}
			in, out := cmd.InOrStdin(), cmd.OutOrStdout()
			if once || !isScreen(out) {
				return m.print(out)
			}
			ctx, stop := untilStopped(cmd.Context())
			defer stop()
			m.screen = newScreen(in, out)
			return m.screen.show(ctx, interval, m)
		},
	}
	cmd.Flags().BoolVar(&once, "once", false, "print once, and end")
	cmd.Flags().DurationVar(&interval, "interval", interval, "how often to look")
	return cmd
}
