//go:build linux

// Command bench measures Go and a Python on the same segments in one run, and a C program
// with the same system calls and checks if there is a C compiler:
//
//	go run ./internal/bench [-python python3.13] [-run REGEXP] [-json] [-svg FILE]
//
// Each round measures Go, Python and C one after the other, so that what else the machine
// does disturbs all of them. The table has the medians of the rounds, in brackets how far
// the middle half of the rounds spreads, and medians of the ratios of each round.
//
// A second table compares pairs of another kind: readers, elements of shared memory and of
// Go's, handovers between processes at the same places, a lock that Go keeps busy, and
// managers. The ratio is the time of the first by the time of the second.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"regexp"
	"time"

	"github.com/pyshm-go/pyshm/compat"
	"github.com/pyshm-go/pyshm/internal/bench/picture"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run() error {
	python := flag.String("python", "python3", "the Python `command` to compare with")
	only := flag.String("run", "", "measure only operations that match the `regexp`")
	rounds := flag.Int("rounds", 9, "how many `rounds` count, after one that does not")
	budget := flag.Duration("time", 20*time.Millisecond, "how long a round of one operation takes at least, in each language")
	useCPU := flag.Bool("cpu", false, "measure the CPU time of the processes instead of the time of the clock, for busy machines")
	asJSON := flag.Bool("json", false, "print JSON")
	svg := flag.String("svg", "", "also draw the ratios into the `file`")
	tokens := flag.String("exchange", "", "exchange tokens by two semaphores: how the command runs itself, with their `names`")
	server := flag.String("serve", "", "serve as a manager: how the command runs itself, with an `address and key`")
	flag.Parse()
	switch {
	case *tokens != "":
		return exchanges(*tokens, os.Stdin, os.Stdout)
	case *server != "":
		return serve(*server, os.Stdin, os.Stdout)
	}

	match, err := regexp.Compile(*only)
	if err != nil {
		return err
	}
	py, err := compat.Probe(context.Background(), *python)
	if err != nil {
		return err
	}
	b, err := newBench(py, clock{*useCPU}, *budget, *rounds)
	if err != nil {
		return err
	}
	defer b.close()
	r := report{Python: py.String(), CPUTime: *useCPU, Rounds: *rounds, C: b.c.why}
	for _, o := range operations() {
		if !match.MatchString(o.name) {
			continue
		}
		result, err := b.measure(o)
		if err != nil {
			return fmt.Errorf("%s: %w", o.name, err)
		}
		r.Results = append(r.Results, result)
		if !*asJSON {
			r.printLast(os.Stdout)
		}
	}
	for _, c := range comparisons(b.clock) {
		if !match.MatchString(c.name+": "+c.first) || c.needsC && !b.c.running() {
			continue
		}
		result, err := b.compare(c)
		if err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		r.Comparisons = append(r.Comparisons, result)
		if !*asJSON {
			result.print(os.Stdout)
		}
	}
	if *asJSON {
		e := json.NewEncoder(os.Stdout)
		e.SetIndent("", "  ")
		if err := e.Encode(r); err != nil {
			return err
		}
	} else {
		fmt.Println(r.C)
	}
	if *svg != "" {
		return picture.Draw(r, *svg)
	}
	return nil
}
