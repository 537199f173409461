package docs

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	codeSpan = regexp.MustCompile("`([^`]+)`")
	aPath    = regexp.MustCompile(`^[\w.]+(?:/[\w.-]+)+/?$|^\w+\.(?:go|md|py|sh)$`)
	aTest    = regexp.MustCompile(`\b(?:Test|Fuzz)[A-Z]\w+`)
	aHop     = regexp.MustCompile("^\\| `([^`]+)` \\| (\\w+) \\|")
)

// TestArchitecture checks that everything named in the map exists: every path, the
// function of every hop in its file, and every test. It also checks that the map names
// every package.
func TestArchitecture(t *testing.T) {
	text, err := os.ReadFile("architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	tests := testFunctions(t)
	paths, hops, promises := 0, 0, 0
	for i, line := range strings.Split(string(text), "\n") {
		for _, span := range codeSpan.FindAllStringSubmatch(line, -1) {
			if name := span[1]; aPath.MatchString(name) {
				paths++
				if _, err := os.Stat(filepath.Join("..", name)); err != nil {
					t.Errorf("architecture.md:%d: %v", i+1, err)
				}
			}
		}
		if hop := aHop.FindStringSubmatch(line); hop != nil {
			hops++
			if !declares(t, hop[1], hop[2]) {
				t.Errorf("architecture.md:%d: %s has no function %s", i+1, hop[1], hop[2])
			}
		}
		for _, name := range aTest.FindAllString(line, -1) {
			promises++
			if !tests[name] {
				t.Errorf("architecture.md:%d: there is no %s", i+1, name)
			}
		}
	}
	for _, pkg := range goList(t, "./...") {
		name := strings.TrimPrefix(pkg.ImportPath, module+"/")
		if !strings.HasPrefix(name, "examples") && name != "docs" && !strings.Contains(string(text), "`"+name+"`") {
			t.Errorf("architecture.md does not name the package %s", name)
		}
	}
	if paths < 60 || hops < 30 || promises < 30 {
		t.Errorf("found %d paths, %d hops of the walks and %d tests: too few to have looked at all", paths, hops, promises)
	}
}

// declares reports whether a file declares a function or method with the name.
func declares(t *testing.T, file, name string) bool {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", file))
	if err != nil {
		return false // reported as a path
	}
	return regexp.MustCompile(`(?m)^(?:func (?:\([^)]*\) )?|def )` + name + `[\[(]`).Match(text)
}

// testFunctions returns the names of all tests and fuzz targets.
func testFunctions(t *testing.T) map[string]bool {
	t.Helper()
	declared := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`)
	found := map[string]bool{}
	err := filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, match := range declared.FindAllSubmatch(text, -1) {
			found[string(match[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
