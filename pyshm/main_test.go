package pyshm_test

import (
	"crypto/rand"
	"testing"
)

// prefix begins every name that this suite makes.
const prefix = "pyshm_tcore_"

func testName(testing.TB) string { return prefix + rand.Text()[:12] }
