// Command plot draws a report that one of the benchmarks printed with -json:
//
//	go -C internal/bench/plot run . PATH <REPORT
//
// PATH is a file, and is a folder for a report of internal/bench/scale, which has a picture
// for each series. The benchmarks run this command themselves if they have the flag -svg.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: plot PATH <REPORT")
		os.Exit(2)
	}
	if err := run(os.Stdin, os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "plot:", err)
		os.Exit(1)
	}
}

func run(in io.Reader, path string) error {
	input, err := io.ReadAll(in)
	if err != nil {
		return err
	}
	var r report
	if err := json.Unmarshal(input, &r); err != nil {
		return fmt.Errorf("the report: %w", err)
	}
	pictures, err := r.pictures()
	if err != nil {
		return fmt.Errorf("the report: %w", err)
	}
	if len(pictures) == 0 {
		return errors.New("the report has no figures")
	}
	for _, p := range pictures {
		file := path
		if p.name != "" {
			file = filepath.Join(path, p.name+".svg")
		}
		var svg bytes.Buffer
		if err := p.write(&svg); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		if err := os.WriteFile(file, svg.Bytes(), 0o666); err != nil {
			return err
		}
	}
	return nil
}
