package docs

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// habits are the ways of writing that make a text hard to read. CONTRIBUTING.md has
// the rules, and what to write instead.
var habits = []struct {
	name string
	re   *regexp.Regexp
}{
	{"who, nobody, somebody", regexp.MustCompile(`(?i)\b(?:who|whom|whoever|nobody|somebody|someone)\b`)},
	{"that of, those of, what is", regexp.MustCompile(`(?i)\b(?:that of|those of|that is|what is)\b`)},
}

// A prose is the text of one file that a person reads, by line.
type prose map[int]string

// TestPlainEnglish counts the habits in comments and documents: fewer than 1 in 1,000
// words of each, in every folder. A folder with few words may have one all the same.
func TestPlainEnglish(t *testing.T) {
	type tally struct {
		words int
		found [][]string
	}
	folders := map[string]*tally{}
	err := filepath.WalkDir("..", func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if name := entry.Name(); name == "testdata" || len(name) > 2 && name[0] == '.' {
				return fs.SkipDir
			}
			return nil
		}
		folder := path.Dir(filepath.ToSlash(file))
		if folders[folder] == nil {
			folders[folder] = &tally{found: make([][]string, len(habits))}
		}
		count := folders[folder]
		for line, text := range readProse(t, file) {
			count.words += len(strings.Fields(text))
			for i, habit := range habits {
				for range habit.re.FindAllString(text, -1) {
					count.found[i] = append(count.found[i], at(file, line)+": "+strings.TrimSpace(text))
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	all := 0
	for folder, count := range folders {
		all += count.words
		for i, found := range count.found {
			if allowed := max(1, (count.words-1)/1000); len(found) > allowed {
				t.Errorf("%s: %d times %s in %d words, %d allowed:\n\t%s", strings.TrimPrefix(folder, "../"),
					len(found), habits[i].name, count.words, allowed, strings.Join(found, "\n\t"))
			}
		}
	}
	if all < 50_000 {
		t.Errorf("only %d words were looked at", all)
	}
}

func at(file string, line int) string {
	return strings.TrimPrefix(filepath.ToSlash(file), "../") + ":" + strconv.Itoa(line)
}

// readProse returns the comments of a program and the paragraphs of a document,
// without the code in them.
func readProse(t *testing.T, file string) prose {
	t.Helper()
	read := map[string]func(*testing.T, string, []byte) prose{
		".go": goComments, ".md": paragraphs, ".py": pythonComments, ".sh": shellComments,
	}[path.Ext(file)]
	if read == nil {
		return nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return read(t, file, text)
}

func goComments(t *testing.T, file string, text []byte) prose {
	t.Helper()
	set := token.NewFileSet()
	parsed, err := parser.ParseFile(set, file, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	found := prose{}
	for _, group := range parsed.Comments {
		for _, comment := range group.List {
			first := set.Position(comment.Pos()).Line
			for i, line := range strings.Split(comment.Text, "\n") {
				line = strings.TrimLeft(line, "/*")
				if !isDirective(comment) && !strings.HasPrefix(line, "\t") {
					found[first+i] += line
				}
			}
		}
	}
	if !strings.HasSuffix(file, "_test.go") {
		addMessages(found, set, parsed)
	}
	return found
}

// addMessages adds what a program prints: the string literals that have words.
func addMessages(found prose, set *token.FileSet, parsed *ast.File) {
	ast.Inspect(parsed, func(n ast.Node) bool {
		literal, ok := n.(*ast.BasicLit)
		if !ok || literal.Kind != token.STRING {
			return true
		}
		text, err := strconv.Unquote(literal.Value)
		if err != nil || !strings.Contains(text, " ") {
			return true
		}
		for i, line := range strings.Split(text, "\n") {
			found[set.Position(literal.Pos()).Line+i] += " " + line
		}
		return true
	})
}

func isDirective(comment *ast.Comment) bool {
	return strings.HasPrefix(comment.Text, "//go:") || strings.HasPrefix(comment.Text, "//nolint")
}

var inlineCode = regexp.MustCompile("`[^`]*`")

func paragraphs(_ *testing.T, _ string, text []byte) prose {
	found, fenced := prose{}, false
	for i, line := range strings.Split(string(text), "\n") {
		if strings.HasPrefix(strings.TrimSpace(line), "```") {
			fenced = !fenced
		} else if !fenced {
			found[i+1] = inlineCode.ReplaceAllString(line, "")
		}
	}
	return found
}

var tripleQuoted = regexp.MustCompile(`(?s)""".*?"""`)

func pythonComments(t *testing.T, file string, text []byte) prose {
	t.Helper()
	found := shellComments(t, file, text)
	for _, span := range tripleQuoted.FindAllIndex(text, -1) {
		first := 1 + bytes.Count(text[:span[0]], []byte("\n"))
		for i, line := range strings.Split(strings.Trim(string(text[span[0]:span[1]]), `"`), "\n") {
			found[first+i] = line
		}
	}
	return found
}

var hashComment = regexp.MustCompile(`(?:^|\s)#\s(.*)$`)

func shellComments(_ *testing.T, _ string, text []byte) prose {
	found := prose{}
	for i, line := range strings.Split(string(text), "\n") {
		if comment := hashComment.FindStringSubmatch(line); comment != nil {
			found[i+1] = comment[1]
		}
	}
	return found
}
