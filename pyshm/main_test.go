package pyshm_test

import (
	"crypto/rand"
	"fmt"
	"io"
	"os"
	"testing"

	"github.com/pyshm-go/pyshm/compat/leaktest"
)

// prefix begins every name that this process makes, and no name of another run.
var prefix = "pyshm_tcore_" + rand.Text()[:6] + "_"

func testName(testing.TB) string { return prefix + rand.Text()[:12] }

// roleEnv makes the test binary another process for a test: one that does what
// roles has under this name, with the words of its command line. It ends when
// its standard input does, at the latest with the process of the test.
const roleEnv = "PYSHM_TEST_ROLE"

// A role gets the arguments, and a channel that is closed when it has to end.
type role func(args []string, end <-chan struct{}) error

// roles is filled by the files that have them.
var roles = map[string]role{}

func TestMain(m *testing.M) {
	if play, ok := roles[os.Getenv(roleEnv)]; ok {
		end := make(chan struct{})
		go func() {
			io.Copy(io.Discard, os.Stdin)
			close(end)
		}()
		if err := play(os.Args[1:], end); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(leaktest.Run(m, prefix))
}
