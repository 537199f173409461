// Package covered has the lines in which tests report what they ran, and with which Python.
// A run of CI collects them in a file, and internal/tiers makes the README's table of
// systems from it.
package covered

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
)

// FileEnv is the variable of the environment with the name of the file. If it is not set,
// tests report nothing.
const FileEnv = "PYSHM_REPORT"

// RunByEnv is the variable with the name of the program that runs the tests, if the machine
// does not run them itself: scripts/qemu.sh and scripts/wine.sh set it.
const RunByEnv = "PYSHM_RUN_BY"

// A Line says that a test has passed, or, if it has neither a part nor a package, that
// everything compiles for a system.
type Line struct {
	System    string `json:"system"`           // GOOS
	Processor string `json:"processor"`        // GOARCH
	RunBy     string `json:"run_by,omitempty"` // "qemu" or "Wine"

	Python  string `json:"python,omitempty"` // implementation and minor version, "CPython 3.13"
	Bits    int    `json:"bits,omitempty"`   // of a pointer in Python
	Library string `json:"libc,omitempty"`   // the C library of Python, if it is musl

	Part    Part   `json:"part,omitempty"`
	Package string `json:"package,omitempty"` // with its minor version, "numpy 2.4"
}

// A Part is a part of pyshm that a Python and this program used together.
type Part string

// The parts, in the order of the README.
const (
	Blocks      Part = "blocks"
	Lists       Part = "lists"
	Arrays      Part = "arrays"
	Rings       Part = "rings"
	Locks       Part = "locks"
	Values      Part = "values"
	Queues      Part = "queues"
	Managers    Part = "managers"
	Connections Part = "connections"
	Pickles     Part = "pickles"
	Calls       Part = "calls"
)

// Parts has all parts in their order.
var Parts = []Part{Blocks, Lists, Arrays, Rings, Locks, Values, Queues, Managers, Connections, Pickles, Calls}

// Append adds a line to a file, or makes the file. Several processes may do so at a time.
func (l Line) Append(file string) error {
	text, err := json.Marshal(l)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(append(text, '\n'))
	return errors.Join(err, f.Close())
}

// Read reads the lines of a report.
func Read(r io.Reader) ([]Line, error) {
	var lines []Line
	for n, text := 1, bufio.NewScanner(r); ; n++ {
		if !text.Scan() {
			return lines, text.Err()
		}
		var l Line
		if err := json.Unmarshal(text.Bytes(), &l); err != nil {
			return nil, fmt.Errorf("line %d of the report: %w", n, err)
		}
		lines = append(lines, l)
	}
}
