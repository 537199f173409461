package pyshm_test

import (
	"testing"

	"github.com/pyshm-go/pyshm/internal/testkit"
)

func TestMain(m *testing.M) { testkit.MainWithPeers(m) }

// Short names of the test kit.
var (
	prefix = testkit.Prefix
	within = testkit.Within
	pathOf = testkit.Path
)
