package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime"
	"time"

	"github.com/spf13/cobra"

	"github.com/pyshm-go/pyshm/pyshm/manager"
)

func newManager() *cobra.Command {
	var server serverFlags
	cmd := &cobra.Command{
		Use:   "manager",
		Short: "Own segments, for Python's SharedMemoryManager",
		Long: `Runs a manager: the server to which Python's SharedMemoryManager connects, and
its SharedMemory and ShareableList hand over what they make. Unlike Python's own
server it keeps the segments alive: when a name vanishes, because a resource
tracker or somebody else has removed it, the manager restores it at once. It
removes all of them itself when it ends: on SIGINT, SIGTERM, SIGHUP or manager
stop. One that is killed leaves everything behind, and the next one takes on none
of it. When no process maps it any more, rm --orphans removes the hidden names
and those that Python and pyshm chose, psm_ and so on; to remove names of your
own it needs a --pattern.

The first line of the output is the address as Python takes it, as soon as it can
be connected to; ast.literal_eval reads it. On standard error it logs what names
it restored or lost and whom it refused, but not the requests that it serves.

ADDRESS is /a/path of a unix socket, which nobody else may connect to; or
host:port, where port 0 chooses one; or @name, an abstract unix socket; or one
of these as Python writes it. FILE holds the authkey: all its bytes, a final
newline too. Nobody but its owner may have access to it.`,
		Example: `  head -c 32 /dev/urandom >key && chmod 600 key
  pyshm manager --address /run/app/manager --authkey-file key
  python3 -c 'from multiprocessing.managers import SharedMemoryManager
  manager = SharedMemoryManager("/run/app/manager", open("key", "rb").read())
  manager.connect()
  print(manager.ShareableList([1, 2, 3]).shm.name)'`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			authkey, err := server.authkey()
			if err != nil {
				return err
			}
			ctx, stop := untilStopped(cmd.Context())
			defer stop()
			log := slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), nil))
			return serve(ctx, server.address, authkey, log, cmd.OutOrStdout())
		},
	}
	cmd.PersistentFlags().Var(&server.address, "address", "where the manager is")
	cmd.PersistentFlags().StringVar(&server.keyFile, "authkey-file", "", "the `FILE` with the authkey")
	cmd.AddCommand(newManagerLs(&server), newManagerRelease(&server), newManagerStop(&server))
	return cmd
}

// serverFlags tell which manager is meant.
type serverFlags struct {
	address addressFlag
	keyFile string
}

// authkey returns the content of the key file.
func (s *serverFlags) authkey() ([]byte, error) {
	if s.address == "" {
		return nil, usagef("--address is missing")
	}
	if s.keyFile == "" {
		return nil, usagef("--authkey-file is missing")
	}
	f, err := os.Open(s.keyFile)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 && runtime.GOOS != "windows" {
		return nil, fmt.Errorf("%s has mode %04o: nobody but its owner may have access to an authkey, see chmod 600", s.keyFile, mode)
	}
	return io.ReadAll(f)
}

// serve runs a manager until ctx is done or a client ends it.
func serve(ctx context.Context, address addressFlag, authkey []byte, log *slog.Logger, out io.Writer) (err error) {
	m, err := manager.Start(string(address), authkey, manager.Logger(log))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.Shutdown(context.Background())) }()
	if _, err := fmt.Fprintln(out, m.PythonAddress()); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
	case <-m.Done():
	}
	return nil
}

// requestTimeout is how long the commands below wait for a manager's answer.
const requestTimeout = 30 * time.Second

// request lets f ask the manager for something.
func (s *serverFlags) request(cmd *cobra.Command, f func(ctx context.Context, client *manager.Client) error) error {
	authkey, err := s.authkey()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), requestTimeout)
	defer cancel()
	return f(ctx, manager.NewClient(string(s.address), authkey))
}

func newManagerLs(server *serverFlags) *cobra.Command {
	return &cobra.Command{
		Use:     "ls",
		Short:   "List the segments of a manager",
		Long:    `Prints the names that a manager tracks, be it Python's or pyshm's.`,
		Example: `  pyshm manager ls --address /run/app/manager --authkey-file key`,
		Args:    exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return server.request(cmd, func(ctx context.Context, client *manager.Client) error {
				names, err := client.Segments(ctx)
				for _, name := range names {
					if _, err := fmt.Fprintln(cmd.OutOrStdout(), shown(name)); err != nil {
						return err
					}
				}
				return err
			})
		},
	}
}

func newManagerRelease(server *serverFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "release NAME...",
		Short: "Remove segments of a manager",
		Long: `Has a manager, be it Python's or pyshm's, remove segments and track them no more.
Processes that are attached keep the memory.`,
		Example: `  pyshm manager release psm_0a1b2c3d --address /run/app/manager --authkey-file key`,
		Args:    names,
		RunE: func(cmd *cobra.Command, args []string) error {
			return server.request(cmd, func(ctx context.Context, client *manager.Client) error {
				var errs []error
				for _, name := range args {
					errs = append(errs, client.Release(ctx, name))
				}
				return errors.Join(errs...)
			})
		},
	}
}

func newManagerStop(server *serverFlags) *cobra.Command {
	return &cobra.Command{
		Use:     "stop",
		Short:   "End a manager, and remove its segments",
		Long:    `Has a manager, be it Python's or pyshm's, remove all its segments and end.`,
		Example: `  pyshm manager stop --address /run/app/manager --authkey-file key`,
		Args:    exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return server.request(cmd, func(ctx context.Context, client *manager.Client) error {
				return client.Shutdown(ctx)
			})
		},
	}
}
