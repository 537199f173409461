// Package picture has reports of the benchmarks drawn.
package picture

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Draw runs the command internal/bench/plot, which draws a report into a file, or into a
// folder if the report has several pictures. The command is in a module of its own, because
// nothing else needs gonum/plot.
func Draw(report any, path string) error {
	input, err := json.Marshal(report)
	if err != nil {
		return err
	}
	if path, err = filepath.Abs(path); err != nil { // the command runs in its own folder
		return err
	}
	module := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/pyshm-go/pyshm")
	module.Stderr = os.Stderr
	root, err := module.Output()
	if err != nil {
		return fmt.Errorf("%s: %w", module, err)
	}
	plot := exec.Command("go", "-C", filepath.Join(strings.TrimSpace(string(root)), "internal/bench/plot"), "run", ".", path)
	plot.Stdin, plot.Stderr = bytes.NewReader(input), os.Stderr
	if err := plot.Run(); err != nil {
		return fmt.Errorf("%s: %w", plot, err)
	}
	return nil
}
