package docs

import (
	"os"
	"strings"
	"testing"
)

// TestNoVariables looks for exported variables in the golden files of the API. A
// program could change the value of a variable, for example the Python code that
// WorkerEnv installs. Variables of errors are allowed: programs compare errors with them.
func TestNoVariables(t *testing.T) {
	for golden := range goldens(t) {
		text, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			if line = strings.TrimSuffix(line, "\n"); strings.HasPrefix(line, "var ") && !strings.HasSuffix(line, " error") {
				t.Errorf("%s: %s can be changed by any program", golden, line)
			}
		}
	}
}
