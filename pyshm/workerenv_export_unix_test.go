//go:build unix

package pyshm

import "testing"

// SetRunDir makes WorkerEnv take another directory for /run during a test.
func SetRunDir(t *testing.T, dir string) {
	t.Helper()
	old := runDir
	t.Cleanup(func() { runDir = old })
	runDir = dir
}
