package testkit

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"runtime/debug"
	"sync"
	"testing"

	"github.com/pyshm-go/pyshm/compat"
	"github.com/pyshm-go/pyshm/internal/covered"
)

// Covers reports, when the test has passed, that it used a part of pyshm together with a
// Python. internal/tiers makes the README's table of systems from the reports.
func Covers(t testing.TB, py compat.Interpreter, part covered.Part) {
	t.Helper()
	whenPassed(t, func(file string) error {
		facts, err := factsOf(py, "")
		if err != nil {
			return err
		}
		l := facts.line(py)
		l.Part = part
		return l.Append(file)
	})
}

// CoversPackages is Covers for the Python packages among names that the Python finds with
// a value of PYTHONPATH.
func CoversPackages(t testing.TB, py compat.Interpreter, pythonPath string, names ...string) {
	t.Helper()
	whenPassed(t, func(file string) error {
		facts, err := factsOf(py, pythonPath)
		if err != nil {
			return err
		}
		for _, name := range names {
			if version, ok := facts.Packages[name]; ok {
				l := facts.line(py)
				l.Package = name + " " + minor(version)
				if err := l.Append(file); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// CoversModule is Covers for a Go module, which the table calls by name.
func CoversModule(t testing.TB, py compat.Interpreter, name, path string) {
	t.Helper()
	whenPassed(t, func(file string) error {
		facts, err := factsOf(py, "")
		if err != nil {
			return err
		}
		info, _ := debug.ReadBuildInfo()
		for _, module := range info.Deps {
			if module.Path == path {
				l := facts.line(py)
				l.Package = name + " " + minor(module.Version)
				return l.Append(file)
			}
		}
		return fmt.Errorf("the test is not linked with %s", path)
	})
}

// whenPassed calls f after the test, if it has passed and there is a file for reports.
func whenPassed(t testing.TB, f func(file string) error) {
	t.Helper()
	file := os.Getenv(covered.FileEnv)
	if file == "" {
		return
	}
	t.Cleanup(func() {
		if t.Failed() || t.Skipped() {
			return
		}
		if err := f(file); err != nil {
			t.Errorf("report to %s: %v", file, err)
		}
	})
}

// pythonFacts are what a report says of a Python, besides its version.
type pythonFacts struct {
	Bits     int
	Library  string
	Packages map[string]string // versions
}

func (f pythonFacts) line(py compat.Interpreter) covered.Line {
	return covered.Line{
		System: runtime.GOOS, Processor: runtime.GOARCH, RunBy: os.Getenv(covered.RunByEnv),
		Python: fmt.Sprintf("%s %d.%d", py.Implementation, py.Version[0], py.Version[1]), Bits: f.Bits, Library: f.Library,
	}
}

const printFacts = `
import json, importlib.metadata, struct, sysconfig
library = "musl" if any("musl" in str(sysconfig.get_config_var(name)) for name in ("MULTIARCH", "SOABI", "HOST_GNU_TYPE")) else ""
packages = {str(d.metadata["Name"]).lower(): d.version for d in reversed(list(importlib.metadata.distributions()))}
print(json.dumps({"Bits": 8 * struct.calcsize("P"), "Library": library, "Packages": packages}))
`

var knownFacts struct {
	mu sync.Mutex
	of map[[2]string]pythonFacts // by the interpreter's path and PYTHONPATH
}

// factsOf asks each Python once.
func factsOf(py compat.Interpreter, pythonPath string) (pythonFacts, error) {
	knownFacts.mu.Lock()
	defer knownFacts.mu.Unlock()
	key := [2]string{py.Path, pythonPath}
	if facts, ok := knownFacts.of[key]; ok {
		return facts, nil
	}
	cmd := exec.Command(py.Path, "-c", printFacts)
	cmd.Env = append(os.Environ(), "PYTHONPATH="+pythonPath)
	out, err := cmd.Output()
	if err != nil {
		return pythonFacts{}, fmt.Errorf("%v: %w", py, err)
	}
	var facts pythonFacts
	if err := json.Unmarshal(out, &facts); err != nil {
		return pythonFacts{}, fmt.Errorf("%v: %w", py, err)
	}
	if knownFacts.of == nil {
		knownFacts.of = make(map[[2]string]pythonFacts)
	}
	knownFacts.of[key] = facts
	return facts, nil
}

var minorVersion = regexp.MustCompile(`[0-9]+\.[0-9]+`)

// minor returns 1.26 of v1.26.4: a newer patch does not change the README's table.
func minor(version string) string { return minorVersion.FindString(version) }
