package main

import (
	"bufio"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

func newDoctor() *cobra.Command {
	var reset, asJSON bool
	var maxsize int
	cmd := &cobra.Command{
		Use: `doctor [--json]
  pyshm doctor [--json] -- COMMAND [ARGUMENT...]
  pyshm doctor [--reset] [--maxsize N] QUEUE`,
		Short: "Find faults of this machine, a worker or a queue",
		Long: `On its own, looks at this machine: the Pythons, their layout, and whether they
share locks with Go; the size and the use of /dev/shm; limits of a container;
systemd's RemoveIPC; inotify; segments that no process uses; locks that
processes wait for. Each line is ok, or look, or wrong, and then has what to
do. doctor fails if something is wrong.

With -- COMMAND, finds out whether pyshm run (in Go, WorkerEnv) reaches the
first Python that COMMAND starts, and why not. It runs COMMAND with a probe in
place of the Python program; commands in front of Python, such as env, run as
they are.

With QUEUE, checks whether a queue goes on, and fails with the reason if it
does not: if a process that was killed, or is stopped, holds the lock for
reading or for writing. It looks for a second before it says so. A killed
process that waited for items shows only when there is an item. QUEUE is the
name of a queue that pyshm's CreateQueue has made, or what
pyshm_attach.parts(q) returns in Python, in quotes.

--reset mends the queue. Items that are whole stay. An item in the middle of
which a process was killed is dropped. --reset refuses a queue that goes on.`,
		Example: `  pyshm doctor
  pyshm doctor -- python3 worker.py prices
  pyshm doctor jobs
  pyshm doctor --reset --maxsize 10 jobs
  pyshm doctor '{"pid": 4711, "reader": 5, "writer": 6, ...}'`,
		DisableFlagsInUseLine: true,
		Args: func(cmd *cobra.Command, args []string) error {
			isQueue := len(args) > 0 && cmd.ArgsLenAtDash() < 0
			switch {
			case !isQueue && (reset || cmd.Flags().Changed("maxsize")):
				return errors.New("--reset and --maxsize are for a QUEUE")
			case isQueue && asJSON:
				return errors.New("--json is not for a QUEUE")
			case isQueue:
				return exactly("QUEUE")(cmd, args)
			case cmd.ArgsLenAtDash() > 0:
				return fmt.Errorf("unexpected argument %q before --", args[0])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 && cmd.ArgsLenAtDash() < 0 {
				return checkQueue(cmd.Context(), cmd.OutOrStdout(), args[0], maxsize, reset)
			}
			d := diagnosis{out: bufio.NewWriter(cmd.OutOrStdout()), width: widthOf(cmd.OutOrStdout()), asJSON: asJSON}
			if len(args) > 0 {
				d.worker(cmd.Context(), args)
			} else {
				d.machine(cmd.Context())
			}
			return d.end()
		},
	}
	cmd.Flags().BoolVar(&reset, "reset", false, "mend the queue after a process was killed")
	cmd.Flags().IntVar(&maxsize, "maxsize", 0, "the maxsize of a queue with a name")
	addJSON(cmd, &asJSON)
	return cmd
}

// A finding is a line of doctor, as JSON.
type finding struct {
	Level string `json:"level"` // ok, look or wrong
	About string `json:"about"`
	Text  string `json:"text"`
	Do    string `json:"do,omitempty"` // what to do next, unless it is ok
}

// A diagnosis prints findings as they come.
type diagnosis struct {
	out    *bufio.Writer
	width  int // of the terminal, or 0
	asJSON bool
	wrong  int
	all    []finding
}

func (d *diagnosis) ok(about, text string, args ...any) {
	d.add(finding{Level: "ok", About: about, Text: fmt.Sprintf(text, args...)})
}

// look adds a finding that may be on purpose.
func (d *diagnosis) look(about, do, text string, args ...any) {
	d.add(finding{"look", about, fmt.Sprintf(text, args...), do})
}

func (d *diagnosis) fail(about, do, text string, args ...any) {
	d.wrong++
	d.add(finding{"wrong", about, fmt.Sprintf(text, args...), do})
}

func (d *diagnosis) add(f finding) {
	f.Text, f.Do = visible(f.Text), visible(f.Do)
	d.all = append(d.all, f)
	if d.asJSON {
		return
	}
	const margin = 7 // of the text behind the level
	width := d.width
	if width == 0 {
		width = 80
	}
	text := fold(f.About+": "+f.Text, width-margin)
	if f.Do != "" {
		text = append(text, fold("-> "+f.Do, width-margin)...)
	}
	for i, line := range text {
		level := ""
		if i == 0 {
			level = f.Level
		}
		fmt.Fprintf(d.out, "%-*s%s\n", margin, level, line)
	}
	_ = d.out.Flush() // the next finding may take a while; an error stays until the end
}

// end prints the JSON, and fails if something is wrong.
func (d *diagnosis) end() error {
	if d.asJSON {
		if err := printJSON(d.out, d.all); err != nil {
			return err
		}
	}
	err := d.out.Flush()
	if err == nil && d.wrong > 0 {
		err = fmt.Errorf("doctor: wrong: %d", d.wrong)
	}
	return err
}

// fold breaks a text into lines at its spaces. A longer word stays whole.
func fold(text string, width int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && textWidth(line)+1+textWidth(word) > width {
			lines = append(lines, line)
			line = ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return append(lines, line)
}
