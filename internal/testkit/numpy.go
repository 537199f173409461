package testkit

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pyshm-go/pyshm/compat"
	"github.com/pyshm-go/pyshm/internal/soak"
)

// Numpys returns the numpys with which an interpreter can run, each as the value of
// PYTHONPATH that it needs: "" for the interpreter's own numpy, and the folders that
// scripts/interpreters.sh has brought. A folder with pandas, polars and pyarrow, if it has
// brought one, is in the value too. The numpy of PyPy, which is slow, is for soaks.
func Numpys(t testing.TB, py compat.Interpreter) []string {
	t.Helper()
	var paths []string
	if py.HasNumpy {
		paths = append(paths, "")
	}
	folder, tag := brought(t), "cp"
	if folder == "" || strings.HasPrefix(py.Path, filepath.Join(folder, "emulated")) { // those are for this machine's processor
		return paths
	}
	if py.Implementation == "PyPy" {
		if soak.Length(0, 100) == 0 {
			return paths
		}
		tag = "pp"
	}
	version := fmt.Sprintf("%s%d%d", tag, py.Version[0], py.Version[1])
	for _, dir := range Must(filepath.Glob(filepath.Join(folder, "numpy-*-"+version)))(t) {
		dataframes := filepath.Join(folder, "dataframes-"+version)
		if _, err := os.Stat(dataframes); err == nil {
			dir += string(filepath.ListSeparator) + dataframes
		}
		paths = append(paths, dir)
	}
	return paths
}

// brought returns the folder of what scripts/interpreters.sh has brought. It is at the top
// of the repository, which has several modules. brought returns "" if there is none.
func brought(t testing.TB) string {
	t.Helper()
	for dir := Must(os.Getwd())(t); ; dir = filepath.Dir(dir) {
		folder := filepath.Join(dir, ".interpreters")
		if _, err := os.Stat(folder); err == nil {
			return folder
		}
		if dir == filepath.Dir(dir) {
			return ""
		}
	}
}
