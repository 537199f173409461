// Tiers writes the README's table of the systems and Pythons with which pyshm is tested,
// from what the tests of a run of .ci/run reported and from the workflow for hosted
// machines. It is a command of .ci/run:
//
//	tiers [-check] REPORT README WORKFLOW
//
// With -check it changes nothing, and fails if the README has another table.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"

	"github.com/pyshm-go/pyshm/internal/covered"
)

func main() {
	check := flag.Bool("check", false, "fail if the table is not current, and change nothing")
	flag.Parse()
	if flag.NArg() != 3 {
		fmt.Fprintln(os.Stderr, "usage: tiers [-check] REPORT README WORKFLOW")
		os.Exit(2)
	}
	if err := run(flag.Arg(0), flag.Arg(1), flag.Arg(2), *check); err != nil {
		fmt.Fprintln(os.Stderr, "tiers:", err)
		os.Exit(1)
	}
}

func run(reportPath, readmePath, workflowPath string, check bool) error {
	lines, err := readReport(reportPath)
	if err != nil {
		return err
	}
	workflow, err := os.ReadFile(workflowPath)
	if err != nil {
		return err
	}
	hosted, err := hostedRuns(workflow)
	if err != nil {
		return fmt.Errorf("%s: %w", workflowPath, err)
	}
	readme, err := os.ReadFile(readmePath)
	if err != nil {
		return err
	}
	want, err := replaceTable(string(readme), table(lines, hosted))
	switch {
	case err != nil:
		return fmt.Errorf("%s: %w", readmePath, err)
	case want == string(readme):
		return nil
	case check:
		return fmt.Errorf("%s has another table than the tests reported (-README +tests):\n%s", readmePath,
			difference(string(readme), want))
	}
	return os.WriteFile(readmePath, []byte(want), 0o644)
}

// difference lists the lines that only one of two texts has.
func difference(old, current string) string {
	var text strings.Builder
	for _, side := range []struct{ mark, text, other string }{{"-", old, current}, {"+", current, old}} {
		for line := range strings.Lines(side.text) {
			if !strings.Contains(side.other, line) {
				text.WriteString(side.mark + line)
			}
		}
	}
	return text.String()
}

func readReport(path string) ([]covered.Line, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return covered.Read(f)
}

// The table is between these lines of the README.
const (
	begin = "<!-- begin of the table that internal/tiers writes -->\n"
	end   = "<!-- end of the table that internal/tiers writes -->\n"
)

func replaceTable(readme, table string) (string, error) {
	before, rest, found := strings.Cut(readme, begin)
	_, after, closed := strings.Cut(rest, end)
	if !found || !closed {
		return "", errors.New("it has no place for the table")
	}
	return before + begin + table + end + after, nil
}
