package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os/exec"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/pyshm-go/pyshm/format"
	"github.com/pyshm-go/pyshm/pyshm"
	"github.com/pyshm-go/pyshm/pyshm/manager"
	"github.com/pyshm-go/pyshm/pyshm/worker"
)

// Exit statuses.
const (
	exitFailed = 1
	exitUsage  = 2
)

// newRoot returns the command with all its subcommands.
func newRoot(stdin io.Reader, stdout, stderr io.Writer) *cobra.Command {
	root := &cobra.Command{
		Use:   "pyshm",
		Short: "Share memory with Python",
		Long: `pyshm looks into, makes and changes the shared memory that Python programs
know as multiprocessing.shared_memory: ShareableList and SharedMemory, by name.
It also runs programs under the locks that such programs share.

Exit status: 0; 1 if a command fails; 2 if the command line is wrong. run and
lock have the exit status of the program that they run.`,
		Example: `  pyshm demo
  pyshm create prices '[1, 2.5, None, "abc"]'
  pyshm set prices 0 -7
  pyshm show prices
  pyshm rm prices`,
		Version:            version(),
		SilenceUsage:       true,
		SilenceErrors:      true,
		DisableSuggestions: true, // suggestions take several lines
	}
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	for _, group := range []struct {
		title    string
		commands []*cobra.Command
	}{
		{"Look:", []*cobra.Command{newLs(), newShow(), newGet(), newWatch(), newTop(), newLayout(), newCheck(), newDoctor()}},
		{"Make and change:", []*cobra.Command{newCreate(), newSet(), newRead(), newWrite(), newDump(), newLoad(), newRm()}},
		{"Run programs:", []*cobra.Command{newRun(), newLock(), newHold(), newHelper(), newDemo()}},
		{"Speak to Python:", []*cobra.Command{newManager(), newSend(), newListen(), newCall()}},
	} {
		root.AddGroup(&cobra.Group{ID: group.title, Title: group.title})
		for _, cmd := range group.commands {
			cmd.GroupID = group.title
			root.AddCommand(cmd)
		}
	}
	root.AddCommand(newMan())
	fitHelp(root)
	root.AddCommand(&cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "pyshm version %s\n", version())
			return err
		},
	})
	addCompletion(root)

	root.InitDefaultHelpCmd()
	help, _, _ := root.Find([]string{"help"})
	help.Args = func(_ *cobra.Command, topic []string) error {
		_, _, err := root.Find(topic)
		return err
	}
	return root
}

// fitHelp breaks the descriptions of flags into lines that fit a terminal, and shows the
// commands of a group in their own order.
func fitHelp(root *cobra.Command) {
	cobra.EnableCommandSorting = false
	root.SetUsageTemplate(strings.NewReplacer(
		".LocalFlags.FlagUsages", fmt.Sprintf("(.LocalFlags.FlagUsagesWrapped %d)", helpWidth),
		".InheritedFlags.FlagUsages", fmt.Sprintf("(.InheritedFlags.FlagUsagesWrapped %d)", helpWidth),
		"Additional Commands:", "Other:",
	).Replace(root.UsageTemplate()))
}

// helpWidth is the width of a usual terminal.
const helpWidth = 80

// suggestion returns the beginning of a question if the unknown command resembles one.
func suggestion(cmd *cobra.Command, args []string, err error) string {
	if cmd.HasParent() || len(args) == 0 || !strings.HasPrefix(err.Error(), "unknown command ") {
		return ""
	}
	cmd.SuggestionsMinimumDistance = 2
	if similar := cmd.SuggestionsFor(args[0]); len(similar) > 0 {
		return fmt.Sprintf("; did you mean %q?", similar[0])
	}
	return ""
}

// version returns the module's version, as the go command recorded it.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(unknown)"
}

// run executes the command and returns its exit status.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	root := newRoot(stdin, stdout, stderr)
	root.SetArgs(flagsFirst(root, args))
	understood := false // earlier errors are about the command line
	root.PersistentPreRun = func(*cobra.Command, []string) { understood = true }
	cmd, err := root.ExecuteC()
	if err == nil {
		return 0
	}
	var usage usageError
	if !understood || errors.As(err, &usage) {
		complain(stderr, fmt.Sprintf("%v%s (see %s --help)", err, suggestion(cmd, args, err), cmd.CommandPath()))
		return exitUsage
	}
	var status exitStatus
	if errors.As(err, &status) {
		return int(status)
	}
	if errors.Is(err, syscall.EPIPE) { // the reader has seen enough
		return exitFailed
	}
	var complaints []string
	for _, err := range errorsIn(err) {
		complaints = append(complaints, explain(err))
	}
	for _, complaint := range slices.Compact(complaints) { // a write and the last flush may fail alike
		complain(stderr, complaint)
	}
	var notStarted startError
	if errors.As(err, &notStarted) {
		return notStarted.status()
	}
	return exitFailed
}

// complain prints an error as one line. Everything on standard error goes through it,
// except logs, which quote names and values themselves.
func complain(stderr io.Writer, text string) {
	fmt.Fprintf(stderr, "pyshm: %s\n", visible(text))
}

// errorsIn returns the errors that errors.Join has joined, or err alone.
func errorsIn(err error) []error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var all []error
	for _, part := range joined.Unwrap() {
		all = append(all, errorsIn(part)...)
	}
	return all
}

// A usageError is about an argument that is wrong regardless of the segments that
// exist.
type usageError struct{ error }

func usagef(format string, args ...any) error {
	return usageError{fmt.Errorf(format, args...)}
}

// An exitStatus is the status of a failed command that pyshm ran. pyshm prints
// nothing about it.
type exitStatus int

func (s exitStatus) Error() string { return fmt.Sprintf("exit status %d", int(s)) }

// A startError is about a command that could not be started.
type startError struct{ error }

func (e startError) Unwrap() error { return e.error }

// status returns the exit status that shells report.
func (e startError) status() int {
	if errors.Is(e, exec.ErrNotFound) || errors.Is(e, fs.ErrNotExist) {
		return 127
	}
	return 126
}

// explain returns the text of an error. Where the library's text is about Go, explain
// puts it in terms of the command, and adds what to do.
func explain(err error) string {
	text := strings.TrimPrefix(err.Error(), "pyshm: ")
	op, name := subject(err)
	var notStarted *worker.StartError
	switch {
	case errors.As(err, &notStarted):
		return text + "; run the command by itself to see why: it has to call pyshm_attach.serve"
	case name == "":
		return text
	case errors.Is(err, errors.ErrUnsupported): // also of a lock that exists, but is musl's
	case endsWithProcess: // there is no pyshm ls, rm or --replace
	case errors.Is(err, syscall.ENOENT) && op == "attach lock":
		return fmt.Sprintf("no lock is named %q: pyshm ls shows all locks as sem.NAME, --create makes one", name)
	case errors.Is(err, syscall.ENOENT) && op == "attach queue":
		return fmt.Sprintf("no queue is named %q: pyshm ls shows the pipes of queues as NAME.pipe", name)
	case errors.Is(err, pyshm.ErrStuck):
		return text + "; --reset mends the queue"
	case errors.Is(err, syscall.ENOENT):
		return fmt.Sprintf("no segment is named %q: pyshm ls shows all segments", name)
	case errors.Is(err, syscall.EACCES) && strings.Contains(text, "ReadOnly"):
		return fmt.Sprintf("%q can be read by this user, but not written: pyshm ls shows its owner and mode", name)
	case errors.Is(err, fs.ErrExist):
		return fmt.Sprintf("%q exists already: --replace takes its place (pyshm create --help has what Python does then), pyshm rm removes it", name)
	case errors.Is(err, manager.ErrNotTracked):
		return fmt.Sprintf("%q is not tracked by the manager: pyshm manager ls shows the tracked names", name)
	case errors.Is(err, manager.ErrOwned):
		return fmt.Sprintf("%q is kept by another manager or pyshm hold, which alone can release it", name)
	}
	return text + advice(err)
}

// advice returns what to do next about an error that does not say so itself.
func advice(err error) string {
	switch {
	case errors.Is(err, format.ErrTooLong):
		return "; a slot keeps its size: pyshm create --replace makes a list with room for longer items"
	case errors.Is(err, format.ErrBusy):
		return "; try again: another process was writing it"
	case errors.Is(err, format.ErrIncomplete) && strings.Contains(err.Error(), "no size"):
		return "; pyshm rm removes it"
	case errors.Is(err, pyshm.ErrFault):
		return "; pyshm ls shows its size"
	}
	return ""
}

// subject returns the operation and the segment of an error, if it is about one.
func subject(err error) (op, name string) {
	var segment *pyshm.Error
	var tracked *manager.Error
	switch {
	case errors.As(err, &segment):
		return segment.Op, segment.Name
	case errors.As(err, &tracked):
		return tracked.Op, tracked.Name
	}
	return "", ""
}

// takesNumbers marks commands whose arguments may be negative numbers.
const takesNumbers = "takes numbers"

var negative = regexp.MustCompile(`^-(\.?[0-9]|inf$)`)

// flagsFirst lets negative numbers be arguments of the commands that take them. The
// flag parser takes them for flags, unless they follow a --:
//
//	get NAME -1 --json    becomes    get --json -- NAME -1
//
// The commands that take numbers have no flag with a value of its own.
func flagsFirst(root *cobra.Command, args []string) []string {
	cmd, rest, err := root.Find(args)
	if err != nil || cmd.Annotations[takesNumbers] == "" {
		return args
	}
	flags, others := []string{cmd.Name()}, []string{"--"}
	for i, arg := range rest {
		if arg == "--" {
			others = append(others, rest[i+1:]...)
			break
		}
		if len(arg) > 1 && arg[0] == '-' && !negative.MatchString(arg) {
			flags = append(flags, arg)
		} else {
			others = append(others, arg)
		}
	}
	return append(flags, others...)
}
