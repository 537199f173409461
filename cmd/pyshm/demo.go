package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/pyshm-go/pyshm/compat"
	"github.com/pyshm-go/pyshm/format"
	"github.com/pyshm-go/pyshm/pyshm"
)

func newDemo() *cobra.Command {
	var python string
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "See Go and Python share lists and a lock",
		Long: `Lets Go and a real Python process read and change each other's lists, and
checks the values that each of them reads. Then they count together in one item
of a list: first under a lock, where no count may be lost, then without it.
Removes everything in the end.`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			// SIGPIPE, too, must leave nothing behind. Once it is handled, writing fails.
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE)
			defer stop()
			err := runDemo(ctx, cmd.OutOrStdout(), python)
			if ctx.Err() != nil && !errors.Is(err, syscall.EPIPE) && !errors.Is(err, errLeftBehind) {
				return errors.New("demo: interrupted")
			}
			return err
		},
	}
	cmd.Flags().StringVar(&python, "python", "", "the Python to use, a `PATH` or command (default: the first one found)")
	return cmd
}

// A demo holds the values that all parts of the demo use.
type demo struct {
	out    io.Writer
	python *compat.Peer
	stem   string // begins the names of all segments
}

var errLeftBehind = errors.New("left behind")

func runDemo(ctx context.Context, out io.Writer, command string) (err error) {
	interpreter, err := findPython(ctx, command)
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	start := time.Now()
	python, err := interpreter.Start(ctx)
	if err != nil {
		return err
	}
	started := time.Now()
	d := demo{out, python, "pyshm_demo_" + strings.ToLower(rand.Text()[:6])}
	defer func() { err = errors.Join(err, d.end()) }()

	if _, err := fmt.Fprintf(out, "Go and %v (%s) share lists and a lock by name. Python has its standard library only.\n\n",
		interpreter, shown(interpreter.Path)); err != nil {
		return err
	}
	for _, part := range []func() error{d.goToPython, d.pythonToGo} {
		if err := part(); err != nil {
			return err
		}
	}
	shared := time.Now()
	fmt.Fprintln(out)
	if err := d.count(ctx); err != nil {
		return err
	}
	counted := time.Now()
	if err := d.end(); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "\nEverything is removed. Starting Python took %v, the lists %v, the counting %v.\n",
		started.Sub(start).Round(time.Millisecond), shared.Sub(started).Round(time.Millisecond),
		counted.Sub(shared).Round(time.Millisecond))
	return err
}

// findPython returns the interpreter behind a command, or the one that compat
// prefers.
func findPython(ctx context.Context, command string) (compat.Interpreter, error) {
	if command != "" {
		python, err := compat.Probe(ctx, command)
		if err != nil {
			err = fmt.Errorf("--python %s: %w", command, errors.Unwrap(err))
		}
		return python, err
	}
	python, err := compat.First(ctx)
	if errors.Is(err, compat.ErrNoPython) {
		// The first line is the error; the others list the Pythons that were tried.
		text, _, _ := strings.Cut(strings.TrimPrefix(err.Error(), "compat: find: "), "\n")
		err = errors.New(text)
	}
	return python, err
}

// goToPython has Go create a list, and Python read and change it.
func (d *demo) goToPython() (err error) {
	values := []any{int64(-2), 1.5, true, nil, "héllo", []byte("\x00\xff")}
	layout := pyshm.Layout(d.python.Interpreter().Layout())
	list, err := pyshm.CreateList(d.stem+"_go", values, layout)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, list.Unlink(), list.Close()) }()
	if err := d.say("Go", "creates "+list.Name(), format.Repr(values)); err != nil {
		return err
	}

	theirs, err := d.python.AttachList(list.Name())
	if err != nil {
		return err
	}
	if err := d.pythonReads(theirs, "attaches and reads", values); err != nil {
		return err
	}

	changed := []any{int64(40), -0.25, nil, "text", "wörld", false}
	for i, v := range changed {
		if err := theirs.Set(i, v); err != nil {
			return err
		}
	}
	return d.goReads(list, "reads what Python set", changed)
}

// pythonToGo has Python create a list, and Go read and change it. Python's resource
// tracker removes the list when the process ends, if it is still there.
func (d *demo) pythonToGo() error {
	values := []any{int64(1) << 62, 1e-9, false, "snake", []byte("abc"), nil}
	theirs, err := d.python.CreateList(d.stem+"_py", values)
	if err != nil {
		return err
	}
	if err := d.pythonReads(theirs, "creates "+theirs.Name(), values); err != nil {
		return err
	}

	list, err := pyshm.AttachList(theirs.Name())
	if err != nil {
		return err
	}
	defer list.Close()
	if err := d.goReads(list, "attaches and reads", values); err != nil {
		return err
	}

	changed := []any{"Go was", "here", int64(-1), 0.5, true, []byte{0x80}}
	for i, v := range changed {
		if err := list.Set(i, v); err != nil {
			return err
		}
	}
	if err := d.pythonReads(theirs, "reads what Go set", changed); err != nil {
		return err
	}
	return theirs.Unlink()
}

// pythonReads prints and checks Python's repr of a list.
func (d *demo) pythonReads(list *compat.List, what string, want []any) error {
	read, err := d.python.Eval("repr(list(" + list.Var() + "))")
	if err != nil {
		return err
	}
	return d.check("Python", what, fmt.Sprint(read), want)
}

func (d *demo) goReads(list *pyshm.ShareableList, what string, want []any) error {
	read, err := list.Values()
	if err != nil {
		return err
	}
	return d.check("Go", what, format.Repr(read), want)
}

// check prints the values that a side has read, and fails if they are not the right
// ones.
func (d *demo) check(side, what, read string, want []any) error {
	if err := d.say(side, what, read); err != nil {
		return err
	}
	if read != format.Repr(want) {
		return fmt.Errorf("demo: %s should have read %s", side, format.Repr(want))
	}
	return nil
}

func (d *demo) say(side, what, values string) error {
	_, err := fmt.Fprintf(d.out, sayFormat, side, what, values)
	return err
}

const sayFormat = "%-7s %-29s %s\n"

// end ends Python and makes sure that nothing remains in shared memory.
func (d *demo) end() error {
	errs := []error{d.python.Close()}
	for segment, err := range pyshm.Segments() {
		if errors.Is(err, errors.ErrUnsupported) {
			break // segments end with their processes here
		}
		if err != nil {
			errs = append(errs, err)
		} else if strings.HasPrefix(strings.TrimPrefix(segment.Name, "sem."), d.stem) {
			errs = append(errs, fmt.Errorf("demo: %w: pyshm rm %s removes it", errLeftBehind, segment.Name))
		}
	}
	return errors.Join(errs...)
}
