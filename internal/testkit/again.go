package testkit

import (
	"bytes"
	"crypto/fips140"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// againEnv is the variable with the name of the test to run again.
const againEnv = "PYSHM_TEST_AGAIN"

// Again runs the calling test again, in a process of its own that prepare has changed.
// It returns true only in that process. The outcome there, also a skip, becomes the
// outcome here. Again fails if the process did not start.
func Again(t *testing.T, prepare func(*exec.Cmd)) (again bool, err error) {
	t.Helper()
	if os.Getenv(againEnv) == t.Name() {
		return true, nil
	}
	self := self(t)
	cmd := exec.Command(self[0], append(self[1:], "-test.v", "-test.run="+only(t.Name()))...)
	cmd.Env = append(os.Environ(), againEnv+"="+t.Name())
	prepare(cmd)
	out, err := cmd.CombinedOutput()
	switch {
	case cmd.ProcessState == nil:
		return false, err
	case err != nil:
		t.Errorf("%v in a process of its own:\n%s", err, out)
	case bytes.Contains(out, []byte("--- SKIP: "+t.Name())):
		t.Skipf("%s", out)
	case !bytes.Contains(out, []byte("--- PASS: "+t.Name())):
		t.Errorf("did not run in a process of its own:\n%s", out)
	default:
		t.Logf("%s", out)
	}
	return false, nil
}

// only returns the pattern of go test that selects one test.
func only(name string) string {
	parts := strings.Split(name, "/")
	for i, part := range parts {
		parts[i] = "^" + regexp.QuoteMeta(part) + "$"
	}
	return strings.Join(parts, "/")
}

// InFIPSOnlyMode runs the calling test again in a process in FIPS 140-only mode. It
// returns true only in that process.
func InFIPSOnlyMode(t *testing.T) bool {
	t.Helper()
	again, err := Again(t, func(cmd *exec.Cmd) { cmd.Env = append(cmd.Env, "GODEBUG=fips140=only") })
	Check(t, err)
	if again && !fips140.Enforced() {
		t.Fatal("not in FIPS 140-only mode")
	}
	return again
}
