package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// aCommand finds the spans of code in a sentence that a reader could type into a shell.
var aCommand = regexp.MustCompile("`((?:[A-Z_]+=\\S+ )?(?:go|bash|sh|git|pip|python3|pyshm|opentelemetry-instrument) [^`]+)`")

// testSentences looks at the commands that are part of a sentence: CI runs them, or
// a probe shows that what they name exists.
func testSentences(t *testing.T, env []string) {
	ci, err := os.ReadFile("../.ci/run")
	check(t, err)
	for _, document := range documents(t) {
		for _, match := range aCommand.FindAllStringSubmatch(withoutBlocks(t, document), -1) {
			command := strings.Join(strings.Fields(match[1]), " ") // a span may go over two lines
			probe, known := probeOf(command)
			switch {
			case strings.Contains(string(ci), "\n"+command+"\n"):
			case !known:
				t.Errorf("%s: no rule to test %s", filepath.Base(document), command)
			default:
				if out, err := shell(t, "..", env, probe); err != nil {
					t.Errorf("%s: %s: %s: %v\n%s", filepath.Base(document), command, probe, err, out)
				}
			}
		}
	}
}

// probeOf returns a command that fails if the given one cannot work, and does less: it
// does not run benchmarks, for example.
func probeOf(command string) (probe string, known bool) {
	words := strings.Fields(command)
	switch {
	case command == "go env GOPATH":
		return command, true
	case strings.HasPrefix(command, "go test -v ./examples/"):
		return command + " -list . | grep ^Test", true
	case strings.Contains(command, "go test "):
		_, benchmarks, found := strings.Cut(command, " -bench ")
		if !found {
			benchmarks = "Soak|Hostile|Kill"
		}
		return command + " -list '" + benchmarks + "' | grep -E '^(Test|Benchmark)'", true
	case strings.HasPrefix(command, "go run ./internal/bench"): // CI runs it without a particular Python
		return "go vet " + words[2], true
	case strings.HasPrefix(command, "go run ./examples/"): // TestNumpy runs those that need numpy
		return "go vet " + words[2], true
	case strings.HasPrefix(command, "go -C "): // modules of their own, which CI runs
		return "test -f " + words[2] + "/main.go", true
	case strings.HasPrefix(command, "go mod "): // TestReadmeReplace runs them
		return "go help mod " + words[2], true
	case strings.HasPrefix(command, "python3 -m "):
		return "python3 -c 'import " + words[2] + "'", true
	case strings.HasPrefix(command, "python3 examples/"): // tests of the examples run them
		return "test -f " + words[1], true
	case strings.HasPrefix(command, "go install ./"):
		return "go build -o /dev/null " + words[2], true
	case words[0] == "bash":
		return "bash -n " + words[1], true
	case words[0] == "python3":
		return command + " -c 'import sys'", true
	case command == "pip install numpy":
		return "true", true
	case words[0] == "pip": // the check of scripts builds and installs the wheel
		return "grep -qF '" + strings.TrimPrefix(command, "pip install ") + "' scripts/pyproject.toml", true
	}
	if _, subcommand, found := strings.Cut(" "+command, " pyshm "); found {
		return probeOfPyshm(strings.Fields(subcommand)), true
	}
	return "", false
}

// probeOfPyshm looks into the help of a subcommand for the flags.
func probeOfPyshm(words []string) string {
	probe := "pyshm help " + words[0] + " | grep -q '^  pyshm " + words[0] + "'"
	for _, word := range words[1:] {
		if word == "--" {
			break
		}
		if strings.HasPrefix(word, "-") {
			probe += " && pyshm " + words[0] + " --help | grep -qE '^ +(-., )?" + word + "\\b'"
		}
	}
	return probe
}
