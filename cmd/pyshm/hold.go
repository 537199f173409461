package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/pyshm-go/pyshm/pyshm/manager"
)

func newHold() *cobra.Command {
	return &cobra.Command{
		Use:   "hold NAME...",
		Short: "Keep names from vanishing",
		Long: `Restores the names when they vanish, with the same memory, until it gets a
SIGINT, SIGTERM or SIGHUP. Then it leaves the names as they are. So Python's
resource trackers can do no harm, but shm.unlink() and pyshm rm have no effect
either. Refuses a name that a manager or another hold keeps: each of the two
would restore the names that the other releases.

Prints each name as soon as it is held, and logs on standard error the names
that it restores. A killed hold leaves hidden names behind; rm --orphans
removes them.

On Windows hold keeps the segments alive after other processes have closed them.`,
		Example: `  pyshm hold prices frames`,
		Args:    names,
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, stop := untilStopped(cmd.Context())
			defer stop()
			log := slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), nil))
			return hold(ctx, args, log, cmd.OutOrStdout())
		},
	}
}

// hold restores names until ctx is done.
func hold(ctx context.Context, names []string, log *slog.Logger, out io.Writer) (err error) {
	m, err := manager.New(manager.Logger(log))
	if err != nil {
		return err
	}
	ending := context.Background()
	defer func() { err = errors.Join(err, m.Shutdown(ending)) }()
	for _, name := range names {
		if err := m.Track(ending, name); err != nil {
			return err
		}
		// Shutdown would unlink the segment.
		defer func() { err = errors.Join(err, m.Untrack(ending, name)) }()
		if _, err := fmt.Fprintln(out, shown(strings.TrimPrefix(name, "/"))); err != nil {
			return err
		}
	}
	<-ctx.Done()
	return nil
}

// untilStopped returns a context. It is done when a signal asks this process to end.
// From now on, writing to a closed pipe fails and does not end the process.
func untilStopped(ctx context.Context) (context.Context, context.CancelFunc) {
	signal.Ignore(syscall.SIGPIPE)
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // by nohup
		signals = append(signals, syscall.SIGHUP)
	}
	return signal.NotifyContext(ctx, signals...)
}
