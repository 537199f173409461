package docs

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pyshm-go/pyshm/compat"
	"github.com/pyshm-go/pyshm/format"
)

// A block is a fenced code block of the README.
type block struct {
	line     int    // of the opening fence
	language string // the word behind the opening fence
	file     string // the file to which the paragraph before it links, or ""
	text     string
}

var fileLink = regexp.MustCompile("^\\[`([^`]+)`\\]\\(([^)]+)\\):$")

func readmeBlocks(t *testing.T) []block {
	t.Helper()
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	var blocks []block
	var open *block
	before := ""
	for i, line := range strings.Split(string(readme), "\n") {
		switch {
		case open != nil && line == "```":
			blocks = append(blocks, *open)
			open = nil
		case open != nil:
			open.text += line + "\n"
		case strings.HasPrefix(line, "```"):
			open = &block{line: i + 1, language: line[3:]}
			if link := fileLink.FindStringSubmatch(before); link != nil && link[1] == link[2] {
				open.file = link[1]
			}
		case line != "":
			before = line
		}
	}
	if open != nil {
		t.Fatalf("README.md:%d: a code block is not closed", open.line)
	}
	return blocks
}

// Snippets are cut out of existing programs, which compile and are run below.
func TestReadmeSnippets(t *testing.T) {
	for _, b := range readmeBlocks(t) {
		if b.language == "console" {
			continue
		}
		if b.file == "" {
			t.Errorf("README.md:%d: no link before the block says which file it is from", b.line)
			continue
		}
		source, err := os.ReadFile(filepath.Join("..", b.file))
		if err != nil {
			t.Errorf("README.md:%d: %v", b.line, err)
			continue
		}
		text := b.text
		if b.language == "go" { // shown without the indentation of its function
			text = regexp.MustCompile(`(?m)^(.)`).ReplaceAllString(text, "\t$1")
		}
		if !strings.Contains(string(source), text) {
			t.Errorf("README.md:%d: this is not in %s", b.line, b.file)
		}
	}
}

// The commands of the console blocks are run in order, in the module's root, and print
// the output that the README shows. A line "..." stands for any lines.
func TestReadmeCommands(t *testing.T) {
	path := commandPath(t)
	for _, b := range readmeBlocks(t) {
		if b.language != "console" {
			continue
		}
		for _, step := range strings.Split("\n"+b.text, "\n$ ")[1:] {
			command, want, _ := strings.Cut(step, "\n")
			if want != "" && !strings.HasSuffix(want, "\n") {
				want += "\n" // Split has cut it off
			}
			cmd := exec.CommandContext(t.Context(), "sh", "-c", command)
			cmd.Dir = ".."
			cmd.Env = append(os.Environ(), "PATH="+path)
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Errorf("README.md:%d: %s: %v\n%s", b.line, command, err, out)
				continue
			}
			if !matches(want, string(out)) {
				t.Errorf("README.md:%d: %s (-README +output):\n%s", b.line, command, cmp.Diff(want, string(out)))
			}
		}
	}
}

// commandPath returns a $PATH on which pyshm is the command of this module and python3
// is an interpreter that was found. It is not CPython 3.8: the examples of the README do
// not support it.
func commandPath(t *testing.T) string {
	t.Helper()
	pythons, err := compat.Find(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	pythons = slices.DeleteFunc(pythons, func(py compat.Interpreter) bool { return py.Layout() != format.Offsets })
	if len(pythons) == 0 {
		t.Skip("the examples need Python 3.9 or later")
	}
	bin := t.TempDir()
	build := exec.CommandContext(t.Context(), "go", "build", "-o", bin, "./cmd/pyshm")
	build.Dir = ".."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	python := fmt.Sprintf("#!/bin/sh\nexec '%s' \"$@\"\n", pythons[0].Path)
	if err := os.WriteFile(filepath.Join(bin, "python3"), []byte(python), 0o755); err != nil {
		t.Fatal(err)
	}
	return bin + string(os.PathListSeparator) + os.Getenv("PATH")
}

// changing matches output that differs between machines or runs.
var changing = regexp.MustCompile(`psm_[0-9a-f]{8}|pyshm_demo_[a-z0-9]{6}|without the lock .*\n.* counted to +[0-9]+|(CPython|PyPy) [0-9.]+|/\S*/\S*python\S*|[0-9.]+ ?(µs|ms|s|seconds?)\b`)

// matches compares the output of a command with the README's.
func matches(want, got string) bool {
	pattern := "(?s)^"
	for i, part := range strings.Split(changing.ReplaceAllString(want, "*"), "...\n") {
		if i > 0 {
			pattern += ".*"
		}
		pattern += regexp.QuoteMeta(part)
	}
	return regexp.MustCompile(pattern + "$").MatchString(changing.ReplaceAllString(got, "*"))
}

// CI runs the same test command as the README.
func TestReadmeTestCommand(t *testing.T) {
	for file, want := range map[string]string{"../README.md": "`go test ./...`", "../.ci/run": "\ngo test ./...\n"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(text), want) {
			t.Errorf("%s does not have %q", file, want)
		}
	}
}

// Links into the repository lead somewhere.
func TestDocumentLinks(t *testing.T) {
	documents, err := filepath.Glob("../*.md")
	if err != nil {
		t.Fatal(err)
	}
	documents = append(documents, "../format/LAYOUT.md", "../testdata/README.md")
	code := regexp.MustCompile("(?s)```.*?```")
	link := regexp.MustCompile(`\]\(([^)#:]+)(#[^)]*)?\)`)
	for _, document := range documents {
		text, err := os.ReadFile(document)
		if err != nil {
			t.Error(err)
			continue
		}
		for _, match := range link.FindAllSubmatch(code.ReplaceAll(text, nil), -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(document), string(match[1]))); err != nil {
				t.Errorf("%s links to %s: %v", document, match[1], err)
			}
		}
	}
}
