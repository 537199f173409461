package docs

import (
	"bytes"
	"crypto/sha256"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/printer"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the golden files in docs/api")

// apiPackages are those whose exported API users rely on.
var apiPackages = []string{"format", "pyshm", "pyshm/manager", "compat"}

// goldenAPI is the file that describes the API of a package.
func goldenAPI(pkg string) string { return filepath.Join("api", path.Base(pkg)+".txt") }

// TestAPI compares the exported declarations with docs/api. To change them on
// purpose, run the test with -update and tell users in CHANGELOG.md, whose
// first section ends in the line that TestChangelog asks for.
func TestAPI(t *testing.T) {
	for _, pkg := range apiPackages {
		got := exportedAPI(t, pkg)
		golden := goldenAPI(pkg)
		if *update {
			if err := os.WriteFile(golden, got, 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("the API of %s has changed (-docs/api +code); see TestAPI:\n%s", pkg, diff)
		}
	}
}

// TestChangelog makes a change of the API come with a change of CHANGELOG.md:
// its newest section names the state of docs/api.
func TestChangelog(t *testing.T) {
	state := sha256.New()
	for _, pkg := range apiPackages {
		api, err := os.ReadFile(goldenAPI(pkg))
		if err != nil {
			t.Fatal(err)
		}
		state.Write(api)
	}
	line := fmt.Sprintf("API state: %.6x", state.Sum(nil))
	changelog, err := os.ReadFile("../CHANGELOG.md")
	if err != nil {
		t.Fatal(err)
	}
	sections := strings.Split(string(changelog), "\n## ")
	if len(sections) < 2 || !strings.Contains(sections[1], line) {
		t.Errorf("the first section of CHANGELOG.md does not say %q: describe the change of the API there", line)
	}
}

// exportedAPI prints the exported declarations of a package, sorted, without
// comments and bodies.
func exportedAPI(t *testing.T, pkg string) []byte {
	t.Helper()
	var decls []string
	files := token.NewFileSet()
	for _, listed := range goList(t, "./"+pkg) {
		for _, name := range listed.GoFiles {
			file, err := parser.ParseFile(files, filepath.Join(listed.Dir, name), nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			ast.FileExports(file)
			for _, decl := range file.Decls {
				if text := declText(t, files, decl); text != "" {
					decls = append(decls, text)
				}
			}
		}
	}
	slices.Sort(decls)
	return []byte(strings.Join(decls, "\n\n") + "\n")
}

func declText(t *testing.T, files *token.FileSet, decl ast.Decl) string {
	t.Helper()
	switch decl := decl.(type) {
	case *ast.FuncDecl:
		decl.Body = nil
	case *ast.GenDecl:
		if decl.Tok == token.IMPORT {
			return ""
		}
		decl.Specs = slices.DeleteFunc(decl.Specs, func(spec ast.Spec) bool {
			value, ok := spec.(*ast.ValueSpec)
			return ok && value.Names[0].Name == "_"
		})
		if len(decl.Specs) == 0 {
			return ""
		}
		for _, spec := range decl.Specs {
			if value, ok := spec.(*ast.ValueSpec); ok && decl.Tok == token.VAR {
				value.Values = nil // how a sentinel is made does not matter
			}
		}
	}
	var b bytes.Buffer
	if err := printer.Fprint(&b, files, decl); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
