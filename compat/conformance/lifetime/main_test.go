package lifetime

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/pyshm-go/pyshm/internal/testkit"
)

func TestMain(m *testing.M) {
	if !testkit.HasFiles { // Windows has no resource tracker; elsewhere only a Linux has hidden names
		os.Exit(0)
	}
	testkit.PlayRole()
	testkit.ManyAtATime()
	os.Exit(testkit.Run(ownCache{m}))
}

// ownCache is a test run with a user cache of its own, in which WorkerEnv makes its
// directory.
type ownCache struct{ m *testing.M }

func (c ownCache) Run() int {
	dir, err := os.MkdirTemp("", "pyshm-lifetime-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil { // root's workers may run as other users
		panic(err)
	}
	os.Setenv("XDG_CACHE_HOME", filepath.Join(dir, "cache"))
	return c.m.Run()
}

// Short names of the test kit.
var (
	check           = testkit.Check
	start           = testkit.StartPeer
	wantEqual       = testkit.WantEqual
	wantPythonError = testkit.WantPythonError
)

func must[T any](v T, err error) func(testing.TB) T { return testkit.Must(v, err) }
