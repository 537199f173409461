package compat_test

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pyshm-go/pyshm/compat"
	"github.com/pyshm-go/pyshm/pyshm"
)

// TestProbeUnderPyshmRun: what `pyshm run` puts on PYTHONPATH wraps the
// constructor of SharedMemory and changes no fact.
func TestProbeUnderPyshmRun(t *testing.T) {
	found := must(compat.Find(t.Context()))(t)
	cmd := exec.Command("go", "test")
	check(t, pyshm.WorkerEnv(cmd))
	for _, entry := range cmd.Env {
		if path, ok := strings.CutPrefix(entry, "PYTHONPATH="); ok {
			t.Setenv("PYTHONPATH", path)
		}
	}
	for _, py := range found {
		// Under a new name, since the answers are kept.
		again := command(t, filepath.Join(t.TempDir(), "python3"), "exec '"+py.Path+`' "$@"`)
		probed := must(compat.Probe(t.Context(), again))(t)
		wantEqual(t, py.String()+" has track", probed.HasTrack, py.HasTrack)
	}
}
