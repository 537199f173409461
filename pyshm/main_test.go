package pyshm_test

import (
	"crypto/rand"
	"fmt"
	"io"
	"os"
	"testing"

	"github.com/pyshm-go/pyshm/compat/leaktest"
	"github.com/pyshm-go/pyshm/pyshm"
)

// prefix begins every name that this suite makes.
const prefix = "pyshm_tcore_"

// attachEnv makes the test binary another process for a test: one that
// attaches to the segment named there until its standard input ends.
const attachEnv = "PYSHM_TEST_ATTACH"

func TestMain(m *testing.M) {
	if name := os.Getenv(attachEnv); name != "" {
		attached, err := pyshm.Attach(name)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		io.Copy(io.Discard, os.Stdin)
		attached.Close()
		os.Exit(0)
	}
	os.Exit(leaktest.Run(m, prefix))
}

func testName(testing.TB) string { return prefix + rand.Text()[:12] }
