package docs

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/pyshm-go/pyshm/scripts"
)

// TestHelperFunctions: the README's table has every function of pyshm_attach.
func TestHelperFunctions(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, all, _ := strings.Cut(scripts.AttachHelper(), "\n__all__ = [")
	all, _, found := strings.Cut(all, "]")
	if !found {
		t.Fatal("pyshm_attach.py has no __all__")
	}
	for _, name := range regexp.MustCompile(`\w+`).FindAllString(all, -1) {
		if !strings.Contains(string(readme), "`"+name+"(") {
			t.Errorf("README.md does not list %s", name)
		}
	}
}
