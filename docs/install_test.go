package docs

import (
	"archive/zip"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// fromNetwork are the commands of the README that download this module. The tests
// below run them with a proxy that has this working tree as the latest version.
var fromNetwork = regexp.MustCompile(`^go (get|install) ` + regexp.QuoteMeta(module) + `/`)

// install installs the command into a folder, as the README does.
func install(t *testing.T, bin string) {
	t.Helper()
	command := readmeCommand(t, "go install ")
	if out, err := shell(t, t.TempDir(), append(proxyEnv(t), "GOBIN="+bin), command); err != nil {
		t.Fatalf("%s: %v\n%s", command, err, out)
	}
}

// The README's table has every package that can be imported, and a program of another
// module can import them after the README's go get.
func TestReadmeGoGet(t *testing.T) {
	t.Parallel()
	row := regexp.MustCompile("(?m)^\\| \\[`(" + regexp.QuoteMeta(module) + "/[^`]+)`\\]\\(https://pkg.go.dev/([^)]+)\\) \\|")
	program := "package main\n\n"
	var listed []string
	for _, match := range row.FindAllStringSubmatch(withoutBlocks(t, "../README.md"), -1) {
		listed = append(listed, match[1])
		program += "import _ \"" + match[1] + "\"\n"
		if match[1] != match[2] {
			t.Errorf("the link of %s leads to %s", match[1], match[2])
		}
	}
	var want []string
	for golden := range goldens(t) {
		pkg, _ := strings.CutSuffix(filepath.ToSlash(golden), ".txt")
		want = append(want, module+strings.TrimPrefix(pkg, "api"))
	}
	slices.Sort(want)
	slices.Sort(listed)
	if diff := cmp.Diff(want, listed); diff != "" {
		t.Errorf("the packages of docs/api differ from the packages of the README (-docs/api +README):\n%s", diff)
	}
	dir := t.TempDir()
	check(t, os.WriteFile(filepath.Join(dir, "main.go"), []byte(program+"\nfunc main() {}\n"), 0o600))
	env := proxyEnv(t)
	for _, command := range []string{"go mod init example.com/reader", readmeCommand(t, "go get "), "go build"} {
		if out, err := shell(t, dir, env, command); err != nil {
			t.Fatalf("%s: %v\n%s", command, err, out)
		}
	}
}

// A program of another module uses a clone after the README's go mod edit.
func TestReadmeReplace(t *testing.T) {
	edit := regexp.MustCompile("`(go mod edit -replace [^`]*=)CLONE`").FindStringSubmatch(withoutBlocks(t, "../README.md"))
	if edit == nil {
		t.Fatal("README.md has no command go mod edit -replace")
	}
	clone, err := filepath.Abs("..")
	check(t, err)
	dir := t.TempDir()
	program := "package main\n\nimport _ \"" + module + "/pyshm\"\n\nfunc main() {}\n"
	check(t, os.WriteFile(filepath.Join(dir, "main.go"), []byte(program), 0o600))
	env := proxyEnv(t)
	for _, command := range []string{"go mod init example.com/reader", edit[1] + "'" + clone + "'", "go mod tidy", "go build"} {
		if out, err := shell(t, dir, env, command); err != nil {
			t.Fatalf("%s: %v\n%s", command, err, out)
		}
	}
}

// readmeCommand returns the command of the README that begins so.
func readmeCommand(t *testing.T, prefix string) string {
	t.Helper()
	for _, b := range blocks(t, "../README.md", "console") {
		for line := range strings.Lines(b.text) {
			if command, ok := strings.CutPrefix(line, "$ "+prefix); ok {
				return prefix + strings.TrimSpace(command)
			}
		}
	}
	t.Fatalf("README.md has no command %q", prefix)
	return ""
}

// proxyEnv is an environment in which this working tree is the latest version of the
// module. The modules that it needs come from where the tests have them.
// What is built does not hold the temporary paths of the sources (-trimpath), so that Go's
// build cache serves the next build.
func proxyEnv(t *testing.T) []string {
	t.Helper()
	proxy := t.TempDir()
	versions := filepath.Join(proxy, filepath.FromSlash(module), "@v")
	check(t, os.MkdirAll(versions, 0o755))
	const version = "v0.0.1"
	goMod, err := os.ReadFile("../go.mod")
	check(t, err)
	for name, content := range map[string]string{
		"list":            version + "\n",
		version + ".info": `{"Version": "` + version + `", "Time": "2000-01-01T00:00:00Z"}`,
		version + ".mod":  string(goMod),
	} {
		check(t, os.WriteFile(filepath.Join(versions, name), []byte(content), 0o600))
	}
	writeModule(t, filepath.Join(versions, version+".zip"), module+"@"+version+"/")

	others, err := exec.CommandContext(t.Context(), "go", "env", "GOMODCACHE", "GOPROXY").Output()
	check(t, err)
	cache, proxies, _ := strings.Cut(strings.TrimSpace(string(others)), "\n")
	return append(os.Environ(),
		"GOPROXY=file://"+proxy+",file://"+cache+"/cache/download,"+proxies,
		"GOSUMDB=off", "GOPRIVATE=", "GONOPROXY=none", "GOWORK=off",
		"GOMODCACHE="+t.TempDir(), "GOFLAGS="+os.Getenv("GOFLAGS")+" -modcacherw -trimpath")
}

// isOtherModule reports whether a folder below the root has a go.mod of its own.
func isOtherModule(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "go.mod"))
	return err == nil && dir != ".."
}

// writeModule writes the files of this module as a proxy serves them.
func writeModule(t *testing.T, file, prefix string) {
	t.Helper()
	out, err := os.Create(file)
	check(t, err)
	defer out.Close()
	archive := zip.NewWriter(out)
	check(t, filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		switch name := entry.Name(); {
		case err != nil:
			return err
		case entry.IsDir() && strings.HasPrefix(name, ".") && name != "..":
			return fs.SkipDir
		case entry.IsDir() && isOtherModule(path):
			return fs.SkipDir
		case !entry.Type().IsRegular() || strings.HasPrefix(name, "."):
			return nil
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		w, err := archive.Create(prefix + strings.TrimPrefix(filepath.ToSlash(path), "../"))
		if err != nil {
			return err
		}
		_, err = w.Write(content)
		return err
	}))
	check(t, archive.Close())
}
