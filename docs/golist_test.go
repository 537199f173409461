package docs

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"
)

// module is the path of this module.
const module = "github.com/pyshm-go/pyshm"

// A listed has the facts that go list -json prints about a package.
type listed struct {
	ImportPath string
	Name       string
	Export     string
	Dir        string
	Standard   bool
	Imports    []string
	CgoFiles   []string
	GoFiles    []string
	SFiles     []string
}

// goList runs go list in the module's root.
func goList(t *testing.T, args ...string) []listed {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-json"}, args...)...)
	cmd.Dir = ".."
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Fatalf("go list %v: %s", args, exit.Stderr)
		}
		t.Fatal(err)
	}
	var pkgs []listed
	for decoder := json.NewDecoder(strings.NewReader(string(out))); ; {
		var pkg listed
		if err := decoder.Decode(&pkg); err == io.EOF {
			return pkgs
		} else if err != nil {
			t.Fatal(err)
		}
		pkgs = append(pkgs, pkg)
	}
}
