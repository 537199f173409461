package conformance

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/pyshm-go/pyshm/compat"
	"github.com/pyshm-go/pyshm/internal/testkit"
)

// Every interpreter writes the bytes of testdata, and reads the values of testdata.
func TestFixtures(t *testing.T) {
	testkit.NeedLinux(t)
	t.Parallel()
	compat.ForEach(t, func(t *testing.T, py compat.Interpreter) {
		t.Parallel()
		cmd := exec.CommandContext(t.Context(), py.Path, "../../scripts/py_fixtures.py", "--check", "../../testdata")
		var stdout, stderr strings.Builder
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		if err := cmd.Run(); err != nil || stderr.Len() > 0 {
			t.Errorf("%v\n%s%s", err, stdout.String(), stderr.String())
		}
	})
}
