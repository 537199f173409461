package docs

import (
	"testing"

	"github.com/pyshm-go/pyshm/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// check is a short name for the test kit's.
var check = testkit.Check

func must[T any](v T, err error) func(testing.TB) T { return testkit.Must(v, err) }
