package compat_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pyshm-go/pyshm/compat"
	"github.com/pyshm-go/pyshm/internal/testkit"
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

// hangingCommand writes a script that never answers. Each run adds the process ID
// of what it waits for to the file pids.
func hangingCommand(t *testing.T, pids string) (path string) {
	t.Helper()
	return command(t, filepath.Join(t.TempDir(), "python3"), "sleep 45 & echo $! >>'"+pids+"'; wait")
}

// wantRuns checks how often a hanging command was run and that nothing is left.
func wantRuns(t *testing.T, pids string, want int) {
	t.Helper()
	runs := strings.Fields(string(must(os.ReadFile(pids))(t)))
	wantEqual(t, "runs", len(runs), want)
	for _, pid := range runs {
		testkit.WaitForEnd(t, must(strconv.Atoi(pid))(t))
	}
}

// TestHangingCandidateIsRunOnce when it was given its time.
func TestHangingCandidateIsRunOnce(t *testing.T) {
	pids := filepath.Join(t.TempDir(), "pids")
	path := hangingCommand(t, pids)
	t.Cleanup(compat.SetProbeTimeout(time.Second))
	for range 2 {
		if py, err := compat.Probe(t.Context(), path); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Probe = %v, %v", py, err)
		}
	}
	wantRuns(t, pids, 1)
}

// TestHangingCandidateIsRunAgain when the caller had less time than that.
func TestHangingCandidateIsRunAgain(t *testing.T) {
	pids := filepath.Join(t.TempDir(), "pids")
	path := hangingCommand(t, pids)
	for range 2 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		if py, err := compat.Probe(ctx, path); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Probe = %v, %v", py, err)
		}
		cancel()
	}
	wantRuns(t, pids, 2)
}

// TestProbeImportsNothingFromTheWorkingDirectory, which is the tested package's
// and may hold a script called like a module of Python's.
func TestProbeImportsNothingFromTheWorkingDirectory(t *testing.T) {
	path := command(t, filepath.Join(t.TempDir(), "python3"), "exec '"+testkit.Python(t).Path+`' "$@"`)
	dir := t.TempDir()
	for _, module := range []string{"json", "platform"} {
		check(t, os.WriteFile(filepath.Join(dir, module+".py"), []byte("raise SystemExit('imported '+__file__)"), 0o644))
	}
	t.Chdir(dir)
	if py, err := compat.Probe(t.Context(), path); err != nil {
		t.Errorf("Probe = %v, %v", py, err)
	}
}
