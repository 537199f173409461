package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/pyshm-go/pyshm/pyshm"
)

func newDoctor() *cobra.Command {
	var reset bool
	var maxsize int
	cmd := &cobra.Command{
		Use:   "doctor [--reset] [--maxsize N] QUEUE",
		Short: "Check whether a queue goes on, and mend it",
		Long: `Checks whether a queue goes on, and fails with the reason if it does not: if a process
that was killed, or is stopped, holds the lock for reading or for writing. It looks for
a second before it says so. A killed process that waited for items shows only when
there is an item.

QUEUE is the name of a queue that pyshm's CreateQueue has made, or what
pyshm_attach.parts(q) returns in Python, in quotes.

--reset mends the queue. Items that are whole stay. An item in the middle of which a
process was killed is dropped. --reset refuses a queue that goes on.`,
		Example: `  pyshm doctor jobs
  pyshm doctor --reset --maxsize 10 jobs
  pyshm doctor '{"pid": 4711, "reader": 5, "writer": 6, ...}'`,
		Args: exactly("QUEUE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			q, err := attachQueue(args[0], maxsize)
			if err != nil {
				return err
			}
			defer q.Close()
			ctx, cancel := context.WithTimeout(cmd.Context(), 10*time.Second)
			defer cancel()
			state := "goes on"
			if reset {
				state, err = "was reset", q.Reset(ctx)
			} else {
				err = q.Check(ctx)
			}
			if err != nil {
				return err
			}
			if n, err := q.Len(); err == nil { // a SimpleQueue has no length
				state += fmt.Sprintf(", items: %d", n)
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: %s\n", shown(q.Name()), state)
			return err
		},
	}
	cmd.Flags().BoolVar(&reset, "reset", false, "mend the queue after a process was killed")
	cmd.Flags().IntVar(&maxsize, "maxsize", 0, "the maxsize of a queue with a name")
	return cmd
}

// attachQueue attaches to a queue by its name, or by the JSON of its parts.
func attachQueue(arg string, maxsize int) (*pyshm.Queue, error) {
	if !strings.HasPrefix(arg, "{") {
		return pyshm.AttachQueue(arg, maxsize)
	}
	var parts pyshm.QueueParts
	if err := json.Unmarshal([]byte(arg), &parts); err != nil {
		return nil, usagef("QUEUE: %w", err)
	}
	if parts.PID == 0 { // pyshm has inherited no queue, and would close what has these numbers
		return nil, usagef("QUEUE: %w", errors.New("the pid is missing"))
	}
	return pyshm.AttachQueueParts(parts)
}
