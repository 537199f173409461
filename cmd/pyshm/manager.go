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
		Long: `Runs a manager: a server to which Python's SharedMemoryManager connects. It
tracks the segments that Python makes with the manager's SharedMemory and
ShareableList. Unlike Python's own server, it restores a name at once when the
name vanishes, because a resource tracker or another process has removed it. It
removes all segments itself when it ends: on SIGINT, SIGTERM, SIGHUP or manager
stop. A killed manager leaves everything behind, and the next manager does not
take it over. When no process maps the segments any more, rm --orphans removes
the hidden names and the names that Python and pyshm choose, psm_ and so on;
for other names it needs a --pattern.

The first line of the output is the address as Python takes it, printed as soon
as clients can connect; ast.literal_eval reads it. On standard error the
manager logs the names that it restored or lost and the clients that it
refused, but not the requests that it serves.

ADDRESS is /a/path of a unix socket, to which no other user may connect; or
host:port, where port 0 chooses one; or @name, an abstract unix socket; or one
of these as Python writes it. FILE holds the authkey: all its bytes, a final
newline included. Only its owner may have access to it.`,
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
	cmd.PersistentFlags().Var(&server.address, "address", "the address of the manager")
	cmd.PersistentFlags().StringVar(&server.keyFile, "authkey-file", "", "the `FILE` with the authkey")
	cmd.AddCommand(newManagerLs(&server), newManagerRelease(&server), newManagerStop(&server))
	return cmd
}

// serverFlags are the flags that choose a manager.
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
	return readAuthkey(s.keyFile)
}

// readAuthkey returns the content of a key file, to which only its owner may have access.
func readAuthkey(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 && runtime.GOOS != "windows" {
		return nil, fmt.Errorf("%s has mode %04o: only its owner may have access to an authkey, see chmod 600", file, mode)
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

// requestTimeout is how long the commands below wait for a manager's reply.
const requestTimeout = 30 * time.Second

// request calls f with a client of the manager.
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
		Long:    `Prints the names that a manager tracks, one of Python's or of pyshm's.`,
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
		Long: `Has a manager, one of Python's or of pyshm's, remove segments and end their
tracking. Processes that are attached keep the memory.`,
		Example: `  pyshm manager release prices --address /run/app/manager --authkey-file key`,
		Args:    names,
		ValidArgsFunction: func(cmd *cobra.Command, args []string, begin string) ([]string, cobra.ShellCompDirective) {
			if tracked, ok := server.tracked(cmd); ok {
				return unused(tracked, args, begin), cobra.ShellCompDirectiveNoFileComp
			}
			return completeNames(true, nameOf(memoryKinds))(cmd, args, begin)
		},
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

// completionTimeout is how long a shell waits for a completion.
const completionTimeout = time.Second

// tracked returns the names that a manager tracks if the command line says where it is.
func (s *serverFlags) tracked(cmd *cobra.Command) (names []string, ok bool) {
	ctx, cancel := context.WithTimeout(context.Background(), completionTimeout)
	defer cancel()
	cmd.SetContext(ctx)
	err := s.request(cmd, func(ctx context.Context, client *manager.Client) (err error) {
		names, err = client.Segments(ctx)
		return err
	})
	return names, err == nil
}

func newManagerStop(server *serverFlags) *cobra.Command {
	return &cobra.Command{
		Use:     "stop",
		Short:   "End a manager, and remove its segments",
		Long:    `Has a manager, one of Python's or of pyshm's, remove all its segments and end.`,
		Example: `  pyshm manager stop --address /run/app/manager --authkey-file key`,
		Args:    exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return server.request(cmd, func(ctx context.Context, client *manager.Client) error {
				return client.Shutdown(ctx)
			})
		},
	}
}
