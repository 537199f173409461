//go:build linux

// Command alternatives passes data from Go to a Python and back, in shared memory and in
// the ways that a program would choose instead: JSON, msgpack and raw bytes over a Unix
// socket, multiprocessing.connection, pipes and files.
//
//	go run . [-python python3.13] [-venv DIR] [-run REGEXP] [-json] [-svg FILE]
//
// The Python needs numpy and msgpack. With -venv, a virtual environment that has both is
// made in the folder, unless it is there.
//
// Each round measures all ways for one kind and size of data. One of the two sides sends,
// the other changes the first item and sends all of it back. The table has the medians of
// the rounds, and in brackets how far the middle half of the rounds spreads. A rate counts
// the bytes in both directions.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"regexp"
	"time"

	"github.com/pyshm-go/pyshm/internal/bench/picture"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "alternatives:", err)
		os.Exit(1)
	}
}

func run() error {
	python := flag.String("python", "python3", "the Python `command` on the other side")
	venv := flag.String("venv", "", "use a virtual environment of that Python in the `folder`, and make it if it is missing")
	only := flag.String("run", "", "measure only what matches the `regexp`")
	count := flag.Int("rounds", 9, "how many `rounds` count, after one that does not")
	budget := flag.Duration("time", 20*time.Millisecond, "how long a round of one way takes at least")
	asJSON := flag.Bool("json", false, "print JSON")
	svg := flag.String("svg", "", "also draw the times for a frame into the `file`")
	flag.Parse()

	match, err := regexp.Compile(*only)
	if err != nil {
		return err
	}
	ctx := context.Background()
	b := bench{budget: *budget, rounds: *count, match: match}
	if b.python, err = findPython(ctx, *python, *venv); err != nil {
		return err
	}
	r := report{Python: b.python.String(), Rounds: *count}
	for _, t := range tables() {
		result, err := b.measure(ctx, t)
		if err != nil {
			return fmt.Errorf("%s: %w", t.name, err)
		}
		if len(result.Ways) == 0 {
			continue
		}
		r.Tables = append(r.Tables, result)
		if !*asJSON {
			result.print(os.Stdout)
		}
	}
	r.judge()
	if *asJSON {
		e := json.NewEncoder(os.Stdout)
		e.SetIndent("", "  ")
		if err := e.Encode(r); err != nil {
			return err
		}
	} else {
		fmt.Println()
		r.printGoals(os.Stdout)
	}
	if *svg != "" {
		return picture.Draw(r, *svg)
	}
	return nil
}
