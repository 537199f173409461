package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/spf13/cobra"

	"github.com/pyshm-go/pyshm/format/pickle"
	"github.com/pyshm-go/pyshm/pyshm/connection"
)

// longestShown is how much of a value listen prints, in bytes.
const longestShown = 1 << 20

func newSend() *cobra.Command {
	var keyFile string
	cmd := &cobra.Command{
		Use:   "send ADDRESS LITERAL",
		Short: "Send a value to a Listener of multiprocessing.connection",
		Long: `Connects to ADDRESS, where Python has a multiprocessing.connection.Listener or
pyshm listen runs, and sends LITERAL: conn.recv() returns it there. LITERAL is
plain data as Python's repr prints it: numbers, text, bytes, lists, tuples,
dicts and sets. If it is -, it is read from standard input. Write -- before a
negative number. Gives up after 30 seconds.

ADDRESS is /a/path of a unix socket; or host:port; or @name, an abstract unix
socket; or one of these as Python writes it. For a Listener without an authkey,
leave out --authkey-file: then there is no handshake.`,
		Example: `  pyshm send /run/app/socket '{"job": 7, "size": (480, 640)}' --authkey-file key`,
		Args:    exactly("ADDRESS", "LITERAL"),
		RunE: func(cmd *cobra.Command, args []string) error {
			address, o, err := connectionArgs(args[0], keyFile)
			if err != nil {
				return err
			}
			v, err := parseAnyLiteral(cmd, args[1])
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), requestTimeout)
			defer cancel()
			conn, err := connection.Dial(ctx, address, o)
			if err != nil {
				return err
			}
			return errors.Join(conn.Send(ctx, v), conn.Close())
		},
	}
	cmd.Flags().StringVar(&keyFile, "authkey-file", "", "the `FILE` with the authkey")
	return cmd
}

func newListen() *cobra.Command {
	var keyFile string
	var count uint
	cmd := &cobra.Command{
		Use:   "listen ADDRESS",
		Short: "Print what clients of multiprocessing.connection send",
		Long: `Listens at ADDRESS, to which Python connects by
multiprocessing.connection.Client, and prints each value that a client sends on
a line, as a Python literal. Instances of Python's classes are printed as
<module.Class(arguments)>; nothing is imported or called. At most 1 MiB of a
value is printed. Ends on SIGINT, SIGTERM or SIGHUP, or after --count values.

The first line of the output is the address as Python takes it, printed as soon
as clients can connect; ast.literal_eval reads it.

ADDRESS is /a/path of a unix socket, to which only this user can connect; or
host:port, where port 0 chooses one; or @name, an abstract unix socket; or one
of these as Python writes it. With --authkey-file clients must prove that they
know the authkey. Without it, host:port and @name are open to all users of the
machine.`,
		Example: `  pyshm listen /run/app/socket --count 1 &
  python3 -c 'from multiprocessing.connection import Client
  Client("/run/app/socket").send({"name": "Ada"})'`,
		Args: exactly("ADDRESS"),
		RunE: func(cmd *cobra.Command, args []string) error {
			address, o, err := connectionArgs(args[0], keyFile)
			if err != nil {
				return err
			}
			ctx, stop := untilStopped(cmd.Context())
			defer stop()
			return listen(ctx, address, o, count, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.Flags().StringVar(&keyFile, "authkey-file", "", "the `FILE` with the authkey")
	cmd.Flags().UintVar(&count, "count", 0, "end after `N` values")
	return cmd
}

// connectionArgs reads the arguments that send and listen have in common.
func connectionArgs(arg, keyFile string) (address string, o *connection.Options, err error) {
	var a addressFlag
	if err := a.Set(arg); err != nil {
		return "", nil, usagef("ADDRESS %q: %w", arg, err)
	}
	o = &connection.Options{}
	if keyFile != "" {
		o.Authkey, err = readAuthkey(keyFile)
	}
	return string(a), o, err
}

// listen prints what clients send until ctx is done, or count values have come.
func listen(ctx context.Context, address string, o *connection.Options, count uint, out, stderr io.Writer) (err error) {
	l, err := connection.Listen(address, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	if _, err := fmt.Fprintln(out, l.PythonAddress()); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	p := &printer{out: out, left: count, limited: count > 0, end: cancel}
	var clients sync.WaitGroup
	defer clients.Wait()
	for {
		conn, err := l.Accept(ctx)
		if ctx.Err() != nil {
			p.mu.Lock()
			defer p.mu.Unlock()
			return p.err
		}
		if err != nil {
			cancel(err)
			return err
		}
		clients.Go(func() {
			defer conn.Close()
			if err := p.printAll(ctx, conn); err != nil && ctx.Err() == nil {
				complain(stderr, err.Error())
			}
		})
	}
}

// A printer prints the values of several clients.
type printer struct {
	mu      sync.Mutex
	out     io.Writer
	limited bool
	left    uint // of the values to print, if limited
	end     context.CancelCauseFunc
	err     error // of the output; nothing more is printed
}

// printAll prints what a client sends until it ends, which is no error.
func (p *printer) printAll(ctx context.Context, conn *connection.Conn) error {
	for {
		v, err := conn.Recv(ctx)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		p.print(v)
	}
}

// print prints a value on a line, unless all have been printed.
func (p *printer) print(v any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil || p.limited && p.left == 0 {
		return
	}
	_, p.err = fmt.Fprintln(p.out, visible(pickle.Repr(v, longestShown)))
	p.left--
	if p.err != nil || p.limited && p.left == 0 {
		p.end(p.err)
	}
}
