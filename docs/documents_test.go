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
	"github.com/pyshm-go/pyshm/internal/testkit"
)

// documents are the README and the pages beside these tests. Their snippets are cut
// out of programs, and their commands are run.
func documents(t *testing.T) []string {
	t.Helper()
	pages, err := filepath.Glob("*.md")
	if err != nil {
		t.Fatal(err)
	}
	return append([]string{"../README.md"}, pages...)
}

// A block is a fenced code block of a document.
type block struct {
	at       string // the document and the line of the opening fence
	language string // the word behind the opening fence
	file     string // the file that the paragraph before it links to, if it names one
	text     string
}

var fileLink = regexp.MustCompile("^\\[`([^`]+)`\\]\\(([^)]+)\\):$")

// blocks returns the blocks of a document in a language, or in all of them.
func blocks(t *testing.T, document, language string) []block {
	t.Helper()
	text, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	var found []block
	var open *block
	before := ""
	for i, line := range strings.Split(string(text), "\n") {
		switch {
		case open != nil && line == "```":
			if language == "" || open.language == language {
				found = append(found, *open)
			}
			open = nil
		case open != nil:
			open.text += line + "\n"
		case strings.HasPrefix(line, "```"):
			open = &block{at: fmt.Sprintf("%s:%d", filepath.Base(document), i+1), language: line[3:]}
			if link := fileLink.FindStringSubmatch(before); link != nil {
				open.file = filepath.Join(filepath.Dir(document), link[2])
				if open.file != filepath.Join("..", link[1]) {
					t.Errorf("%s: %s is not %s", open.at, link[1], open.file)
				}
			}
		case line != "":
			before = line
		}
	}
	if open != nil {
		t.Fatalf("%s: a code block is not closed", open.at)
	}
	return found
}

// Snippets are cut out of programs that exist, compile and are run below.
func TestDocumentSnippets(t *testing.T) {
	for _, document := range documents(t) {
		for _, b := range blocks(t, document, "") {
			if b.language == "console" {
				continue
			}
			if b.file == "" {
				t.Errorf("%s: no link before the block says which file it is from", b.at)
				continue
			}
			source, err := os.ReadFile(b.file)
			if err != nil {
				t.Errorf("%s: %v", b.at, err)
				continue
			}
			text := b.text
			if b.language == "go" { // shown without the indentation of the function it is in
				text = regexp.MustCompile(`(?m)^(.)`).ReplaceAllString(text, "\t$1")
			}
			if !strings.Contains(string(source), text) {
				t.Errorf("%s: this is not in %s", b.at, b.file)
			}
		}
	}
}

func TestDocumentCommands(t *testing.T) {
	t.Parallel()
	env := readersEnv(t)
	t.Run("blocks", func(t *testing.T) { testBlocks(t, env) })
	t.Run("sentences", func(t *testing.T) { testSentences(t, env) })
}

// testBlocks runs the commands of the console blocks in order, in the module's root.
// They print what the document shows. A line "..." stands for any lines.
func testBlocks(t *testing.T, env []string) {
	for _, document := range documents(t) {
		for _, b := range blocks(t, document, "console") {
			for _, step := range strings.Split("\n"+b.text, "\n$ ")[1:] {
				command, want, _ := strings.Cut(step, "\n")
				if fromNetwork.MatchString(command) {
					continue
				}
				if want != "" && !strings.HasSuffix(want, "\n") {
					want += "\n" // Split took it for the next step
				}
				out, err := shell(t, "..", env, command)
				if err != nil {
					t.Errorf("%s: %s: %v\n%s", b.at, command, err, out)
					continue
				}
				if !matches(want, out) {
					t.Errorf("%s: %s (-document +output):\n%s", b.at, command, cmp.Diff(want, out))
				}
			}
		}
	}
}

func shell(t *testing.T, dir string, env []string, command string) (output string, err error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sh", "-c", command)
	cmd.Dir, cmd.Env = dir, env
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// readersEnv is the environment of a reader on whose $PATH python3 is an interpreter
// that was found, and pyshm the command that the README's line installed. Python is
// not CPython 3.8, because the README says that the examples do without it.
func readersEnv(t *testing.T) []string {
	t.Helper()
	pythons, err := compat.Find(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	pythons = slices.DeleteFunc(pythons, func(py compat.Interpreter) bool { return py.Layout() != format.Offsets })
	if len(pythons) == 0 {
		testkit.Missing(t, "the examples need Python 3.9 or later")
	}
	bin := t.TempDir()
	python := fmt.Sprintf("#!/bin/sh\nexec '%s' \"$@\"\n", pythons[0].Path)
	if err := os.WriteFile(filepath.Join(bin, "python3"), []byte(python), 0o755); err != nil {
		t.Fatal(err)
	}
	install(t, bin)
	return append(os.Environ(), "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"))
}

// changing finds the parts of an output that differ on every machine or in every run.
var changing = regexp.MustCompile(`psm_[0-9a-f]{8}|pyshm_demo_[a-z0-9]{6}|without the lock .*\n.* counted to +[0-9]+|(CPython|PyPy) [0-9.]+|/\S*/\S*python\S*|[0-9.]+ ?(µs|ms|s|seconds?)\b`)

// matches compares the output of a command with the document's.
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

// Links into the repository lead to a file, and to a heading if they name one.
func TestDocumentLinks(t *testing.T) {
	pages, err := filepath.Glob("../*.md")
	if err != nil {
		t.Fatal(err)
	}
	pages = append(pages, documents(t)[1:]...)
	pages = append(pages, "../format/LAYOUT.md", "../testdata/README.md")
	link := regexp.MustCompile(`\]\(([^)#:]*)(?:#([^)]*))?\)`)
	for _, page := range pages {
		for _, match := range link.FindAllStringSubmatch(withoutBlocks(t, page), -1) {
			target := page
			if match[1] != "" {
				target = filepath.Join(filepath.Dir(page), match[1])
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s links to %s: %v", page, match[1], err)
			} else if match[2] != "" && !slices.Contains(anchors(t, target), match[2]) {
				t.Errorf("%s links to #%s, which %s does not have", page, match[2], target)
			}
		}
	}
}

// TestContents: the README's contents list its sections, in their order.
func TestContents(t *testing.T) {
	text := withoutBlocks(t, "../README.md")
	_, contents, _ := strings.Cut(text, "**Contents:**")
	contents, _, _ = strings.Cut(contents, "\n\n")
	var listed []string
	for _, match := range regexp.MustCompile(`\[([^]]+)\]\(#`).FindAllStringSubmatch(contents, -1) {
		listed = append(listed, strings.ReplaceAll(match[1], "\n", " "))
	}
	var sections []string
	for _, match := range regexp.MustCompile(`(?m)^## (.+)$`).FindAllStringSubmatch(text, -1) {
		sections = append(sections, match[1])
	}
	if diff := cmp.Diff(sections, listed); diff != "" {
		t.Errorf("the contents of README.md (-sections +contents):\n%s", diff)
	}
}

func withoutBlocks(t *testing.T, document string) string {
	t.Helper()
	text, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	return regexp.MustCompile("(?s)```.*?```").ReplaceAllString(string(text), "")
}

// anchors returns what GitHub calls the headings of a document in links.
func anchors(t *testing.T, document string) (names []string) {
	t.Helper()
	for _, match := range regexp.MustCompile(`(?m)^#+ (.+)$`).FindAllStringSubmatch(withoutBlocks(t, document), -1) {
		name := regexp.MustCompile(`[^\w -]`).ReplaceAllString(strings.ToLower(match[1]), "")
		names = append(names, strings.ReplaceAll(name, " ", "-"))
	}
	return names
}
