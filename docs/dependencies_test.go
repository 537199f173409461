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
)

// ranks order the packages of the module: a package imports only packages of a lower
// rank, or its own internal ones.
var ranks = []struct {
	path string
	rank int
}{
	{"internal/testkit", 7},
	{"cmd", 6},
	{"compat", 5},
	{"pyshm/worker", 4},
	{"pyshm/manager", 3},
	{"pyshm/connection", 2},
	{"pyshm/internal", 1},
	{"pyshm", 2},
	{"scripts", 0},
	{"format", 0},
	{"internal/covered", -1},
	{"internal/pyvalue", -1},
	{"internal/words", -1},
	{"internal/soak", -1},
}

// rankOf returns the rank of a package of the module, and the tree it is in.
func rankOf(path string) (rank int, tree string, ok bool) {
	rest, ok := strings.CutPrefix(path, module+"/")
	if !ok {
		return 0, "", false
	}
	for _, r := range ranks {
		if rest == r.path || strings.HasPrefix(rest, r.path+"/") {
			return r.rank, r.path, true
		}
	}
	return 0, "", false
}

func TestImportsGoOneWay(t *testing.T) {
	for _, pkg := range goList(t, "./...") {
		rank, tree, ok := rankOf(pkg.ImportPath)
		if !ok {
			continue // docs, examples: no package imports them
		}
		if len(pkg.CgoFiles) > 0 {
			t.Errorf("%s uses cgo: %v", pkg.ImportPath, pkg.CgoFiles)
		}
		for _, imported := range pkg.Imports {
			other, otherTree, ok := rankOf(imported)
			if ok && otherTree != tree && other >= rank {
				t.Errorf("%s imports %s", pkg.ImportPath, imported)
			}
			if strings.HasPrefix(imported, "golang.org/x/sys") && !strings.Contains(pkg.ImportPath, "/pyshm/internal/") {
				t.Errorf("%s imports %s, which is for pyshm/internal alone", pkg.ImportPath, imported)
			}
			for _, terminals := range []string{"charm.land/", "github.com/charmbracelet/", "golang.org/x/term"} {
				if strings.HasPrefix(imported, terminals) && pkg.ImportPath != module+"/cmd/pyshm" {
					t.Errorf("%s imports %s, which is for the command alone", pkg.ImportPath, imported)
				}
			}
			if tree == "compat" && (imported == "testing" || strings.HasPrefix(imported, "testing/")) {
				t.Errorf("%s imports %s, but is not for tests alone", pkg.ImportPath, imported)
			}
		}
	}
}

// internals are the packages under pyshm/internal, and the packages of this module that
// each of them imports. Package wait knows nothing of files and names, so that its tests
// run on plain memory.
var internals = map[string][]string{
	"address":    {"format", "pyshm/internal/unixsocket"},
	"admission":  nil,
	"child":      nil,
	"descriptor": nil,
	"futex":      {"internal/words"},
	"mappers":    {"pyshm/internal/shmfile"},
	"mapping":    nil,
	"sem":        {"internal/words", "pyshm/internal/futex"},
	"namedsem":   nil, // "pyshm/internal/sem" with the tag pyshm_posix
	"shmfile":    nil,
	"unixsocket": nil,
	"wire":       nil,
	"wait":       {"pyshm/internal/futex", "pyshm/internal/sem"},
}

func TestInternalImports(t *testing.T) {
	for _, pkg := range goList(t, "./pyshm/internal/...") {
		name := strings.TrimPrefix(pkg.ImportPath, module+"/pyshm/internal/")
		want, ok := internals[name]
		if !ok {
			t.Errorf("%s is not in the table", pkg.ImportPath)
		}
		var imports []string
		for _, imported := range pkg.Imports {
			if rest, ok := strings.CutPrefix(imported, module+"/"); ok {
				imports = append(imports, rest)
			}
		}
		if !slices.Equal(imports, want) {
			t.Errorf("%s imports %v, want %v", pkg.ImportPath, imports, want)
		}
	}
}

// A user of a package links these modules, besides the standard library and the packages
// of this module below it.
func TestDependencies(t *testing.T) {
	for _, test := range []struct {
		pkg   string
		links []string
	}{
		{"format", []string{module + "/internal/words"}},
		{"format/npy", nil},
		{"format/pickle", nil},
		// It imports format/pickle for queues. A program that uses lists alone is 0.6 MB
		// larger for that, of 3.5, because the linker drops most of it.
		{"pyshm", []string{"golang.org/x/sys/unix"}},
		{"pyshm/connection", []string{"golang.org/x/sys/unix"}},
		{"pyshm/worker", []string{"golang.org/x/sys/unix"}},
		{"pyshm/manager", []string{
			"golang.org/x/sys/unix",
			"github.com/fsnotify/fsnotify/internal", "github.com/fsnotify/fsnotify",
		}},
	} {
		var links []string
		for _, dep := range goList(t, "-deps", "./"+test.pkg) {
			own := dep.ImportPath == module+"/"+test.pkg
			if _, _, inModule := rankOf(dep.ImportPath); !dep.Standard && !own && (!inModule || strings.HasPrefix(test.pkg, "format")) {
				links = append(links, dep.ImportPath)
			}
		}
		if !slices.Equal(links, test.links) {
			t.Errorf("%s links %v, want %v", test.pkg, links, test.links)
		}
	}
}

// A program that uses a package gets the modules of that package into its go.mod, and none
// of the command's.
func TestModulesOfUser(t *testing.T) {
	for pkg, want := range map[string][]string{
		"format":        {module},
		"pyshm":         {module, "golang.org/x/sys"},
		"compat":        {module},
		"pyshm/manager": {"github.com/fsnotify/fsnotify", module, "golang.org/x/sys"},
	} {
		mod, sum := tidied(t, module+"/"+pkg)
		var got []string
		for _, m := range requirement.FindAllStringSubmatch(mod, -1) {
			got = append(got, m[1])
		}
		if slices.Sort(got); !slices.Equal(got, want) {
			t.Errorf("a user of %s requires %v, want %v", pkg, got, want)
		}
		if strings.Contains(mod+sum, "charm") {
			t.Errorf("a user of %s has modules for terminals:\n%s%s", pkg, mod, sum)
		}
	}
}

var requirement = regexp.MustCompile(`(?m)^(?:require )?\s*(\S+/\S+) v\S+(?: // indirect)?$`)

// tidied returns the go.mod and go.sum of a module that imports a package of this one.
func tidied(t *testing.T, pkg string) (mod, sum string) {
	t.Helper()
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, text := range map[string]string{
		"main.go": fmt.Sprintf("package main\n\nimport _ %q\n\nfunc main() {}\n", pkg),
		"go.mod":  fmt.Sprintf("module user\n\ngo 1.26.0\n\nrequire %s v0.0.0\n\nreplace %s => %s\n", module, module, root),
		"go.sum":  "",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	tidy := exec.Command("go", "mod", "tidy")
	tidy.Dir = dir
	tidy.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off", "GOSUMDB=off")
	if out, err := tidy.CombinedOutput(); err != nil {
		t.Fatalf("go mod tidy: %v\n%s", err, out)
	}
	files := map[string]string{}
	for _, name := range []string{"go.mod", "go.sum"} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		files[name] = string(text)
	}
	return files["go.mod"], files["go.sum"]
}
