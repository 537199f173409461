// Tests prints a pattern for go test -run with the tests of some folders that take a
// length, a seed or a choice of interpreters from package soak:
//
//	go test -run "$(go run ./internal/soak/tests ./pyshm ./compat)" ./pyshm ./compat
//
// A test takes it if it, or a function that it mentions, does. Names count, not types: a
// test too many is in the pattern rather than one too few.
package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

func main() {
	pattern, err := pattern(".", os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "tests:", err)
		os.Exit(1)
	}
	fmt.Println(pattern)
}

// pattern returns the pattern for folders below the top of the repository.
func pattern(top string, folders []string) (string, error) {
	helpers, err := mentions(filepath.Join(top, "internal", "testkit"), "*.go")
	if err != nil {
		return "", err
	}
	qualified := map[string]bool{"soak.Length": true, "soak.Seed": true, "soak.Rand": true}
	for helper := range reach(helpers, qualified) {
		qualified["testkit."+helper] = true
	}
	tests := map[string]bool{}
	for _, folder := range folders {
		functions, err := mentions(filepath.Join(top, folder), "*_test.go")
		if err != nil {
			return "", err
		}
		for name := range reach(functions, qualified) {
			if strings.HasPrefix(name, "Test") {
				tests[name] = true
			}
		}
	}
	if len(tests) == 0 {
		return "", fmt.Errorf("no test in %v takes anything from package soak", folders)
	}
	return "^(" + strings.Join(slices.Sorted(maps.Keys(tests)), "|") + ")$", nil
}

// mentions returns the names that each function, method and variable of a folder mentions:
// x, and also pkg.x.
func mentions(folder, files string) (map[string]map[string]bool, error) {
	paths, err := filepath.Glob(filepath.Join(folder, files))
	if err == nil && len(paths) == 0 {
		err = &fs.PathError{Op: "read", Path: filepath.Join(folder, files), Err: fs.ErrNotExist}
	}
	if err != nil {
		return nil, err
	}
	all := map[string]map[string]bool{}
	add := func(name string, node ast.Node) {
		if all[name] == nil {
			all[name] = map[string]bool{}
		}
		ast.Inspect(node, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.Ident:
				all[name][n.Name] = true
			case *ast.SelectorExpr:
				if pkg, ok := n.X.(*ast.Ident); ok {
					all[name][pkg.Name+"."+n.Sel.Name] = true
				}
			}
			return true
		})
	}
	for _, path := range paths {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		for _, declaration := range file.Decls {
			switch d := declaration.(type) {
			case *ast.FuncDecl:
				add(d.Name.Name, d)
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					if values, ok := spec.(*ast.ValueSpec); ok {
						for _, name := range values.Names {
							add(name.Name, spec)
						}
					}
				}
			}
		}
	}
	return all, nil
}

// reach returns the names that mention one of the targets, or mention such a name.
func reach(mentions map[string]map[string]bool, targets map[string]bool) map[string]bool {
	reached := map[string]bool{}
	for again := true; again; {
		again = false
		for name, mentioned := range mentions {
			for other := range mentioned {
				if !reached[name] && (targets[other] || reached[other]) {
					reached[name], again = true, true
				}
			}
		}
	}
	return reached
}
