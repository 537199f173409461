package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/pyshm-go/pyshm/pyshm"
)

// checkQueue reports whether a queue goes on, or mends it.
func checkQueue(ctx context.Context, out io.Writer, arg string, maxsize int, reset bool) error {
	q, err := attachQueue(arg, maxsize)
	if err != nil {
		return err
	}
	defer q.Close()
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
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
	_, err = fmt.Fprintf(out, "%s: %s\n", shown(q.Name()), state)
	return err
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
