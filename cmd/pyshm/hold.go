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
		Long: `Restores the names when they vanish, with the same memory, until it gets a SIGINT,
SIGTERM or SIGHUP. Then it leaves them as they are. Python's resource trackers
can thus do no harm, but shm.unlink() and pyshm rm have no effect either. A name
that a manager or another hold keeps is refused: each would restore what the other
releases.

Prints each name as soon as it is held, and logs on standard error what it has
to do. A hold that is killed leaves hidden names behind, for rm --orphans.`,
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

// hold keeps names alive until ctx is done.
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
		// Shutdown would remove it.
		defer func() { err = errors.Join(err, m.Untrack(ending, name)) }()
		if _, err := fmt.Fprintln(out, shown(strings.TrimPrefix(name, "/"))); err != nil {
			return err
		}
	}
	<-ctx.Done()
	return nil
}

// untilStopped returns a context that is done when this process is asked to end.
// From then on, writing to a closed pipe is an error and does not end it.
func untilStopped(ctx context.Context) (context.Context, context.CancelFunc) {
	signal.Ignore(syscall.SIGPIPE)
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // by nohup
		signals = append(signals, syscall.SIGHUP)
	}
	return signal.NotifyContext(ctx, signals...)
}
