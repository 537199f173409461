package lifetime

import (
	"testing"

	"github.com/pyshm-go/pyshm/internal/testkit"
)

func TestMain(m *testing.M) { testkit.MainWithPeers(m) }

// Short names of the test kit.
var (
	check           = testkit.Check
	start           = testkit.StartPeer
	wantEqual       = testkit.WantEqual
	wantPythonError = testkit.WantPythonError
)

func must[T any](v T, err error) func(testing.TB) T { return testkit.Must(v, err) }
