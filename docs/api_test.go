package docs

import (
	"errors"
	"flag"
	"fmt"
	"go/importer"
	"go/token"
	"go/types"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the golden files in docs/api")

// TestAPI compares the API that a user of each importable package can reach with the
// golden files in docs/api. After a change of the API on purpose, run the test with
// -update and describe the change in CHANGELOG.md.
func TestAPI(t *testing.T) {
	t.Parallel()
	packages := goList(t, "-export", "-deps", "./...")
	exports := map[string]string{} // files with export data, by import path
	for _, pkg := range packages {
		exports[pkg.ImportPath] = pkg.Export
	}
	load := importer.ForCompiler(token.NewFileSet(), "gc", func(path string) (io.ReadCloser, error) {
		return os.Open(exports[path])
	})
	unused := goldens(t)
	for _, listed := range packages {
		name, inModule := strings.CutPrefix(listed.ImportPath, module+"/")
		if !inModule || listed.Name == "main" || strings.HasPrefix(name, "examples/") || strings.Contains("/"+name+"/", "/internal/") {
			continue
		}
		pkg, err := load.Import(listed.ImportPath)
		if err != nil {
			t.Fatal(err)
		}
		if got := api(pkg); got != "" {
			golden := filepath.Join("api", name+".txt")
			delete(unused, golden)
			compareAPI(t, golden, got)
		}
	}
	for golden := range unused {
		t.Errorf("%s describes no package that can be imported", golden)
	}
}

func goldens(t *testing.T) map[string]bool {
	t.Helper()
	files := map[string]bool{}
	err := filepath.WalkDir("api", func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			files[path] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func compareAPI(t *testing.T, golden, got string) {
	t.Helper()
	if *update {
		if err := errors.Join(os.MkdirAll(filepath.Dir(golden), 0o777), os.WriteFile(golden, []byte(got), 0o644)); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("the API has changed (-%s +code); see TestAPI:\n%s", golden, diff)
	}
}

// api lists the exported names of a package, in order: a type with its exported fields
// and with its methods, also the methods of embedded types.
func api(pkg *types.Package) string {
	var b strings.Builder
	local := func(other *types.Package) string {
		if other == pkg {
			return ""
		}
		return other.Name()
	}
	for _, name := range pkg.Scope().Names() {
		object := pkg.Scope().Lookup(name)
		if !object.Exported() {
			continue
		}
		switch object := object.(type) {
		case *types.Const:
			fmt.Fprintf(&b, "%s = %s\n", types.ObjectString(object, local), object.Val().ExactString())
		case *types.TypeName:
			writeType(&b, object, local)
		default:
			fmt.Fprintln(&b, types.ObjectString(object, local))
		}
	}
	return b.String()
}

func writeType(b *strings.Builder, object *types.TypeName, local types.Qualifier) {
	underlying, isStruct := object.Type().Underlying().(*types.Struct)
	if !isStruct || object.IsAlias() {
		fmt.Fprintln(b, types.ObjectString(object, local))
	} else {
		fmt.Fprintf(b, "type %s struct\n", types.TypeString(object.Type(), local))
		for field := range underlying.Fields() {
			if field.Exported() {
				fmt.Fprintf(b, "\t%s\n", strings.TrimPrefix(types.ObjectString(field, local), "field "))
			}
		}
	}
	if types.IsInterface(object.Type()) || object.IsAlias() {
		return // the line above has everything
	}
	ofValue := types.NewMethodSet(object.Type())
	for method := range types.NewMethodSet(types.NewPointer(object.Type())).Methods() {
		if !method.Obj().Exported() {
			continue
		}
		star := "*"
		if ofValue.Lookup(object.Pkg(), method.Obj().Name()) != nil {
			star = ""
		}
		signature := strings.TrimPrefix(types.TypeString(method.Obj().Type(), local), "func")
		fmt.Fprintf(b, "\tfunc (%s%s) %s%s\n", star, object.Name(), method.Obj().Name(), signature)
	}
}
