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

// TestProbeUnderPyshmRun: the module that `pyshm run` puts on PYTHONPATH wraps the
// constructor of SharedMemory and changes no fact.
func TestProbeUnderPyshmRun(t *testing.T) {
	testkit.NeedLinux(t)
	found := must(compat.Find(t.Context()))(t)
	cmd := exec.Command("go", "test")
	check(t, pyshm.WorkerEnv(cmd))
	for _, entry := range cmd.Env {
		if path, ok := strings.CutPrefix(entry, "PYTHONPATH="); ok {
			t.Setenv("PYTHONPATH", path)
		}
	}
	for _, py := range found {
		// Under a new name, because results are kept by name.
		again := command(t, filepath.Join(t.TempDir(), "python3"), "exec '"+py.Path+`' "$@"`)
		probed := must(compat.Probe(t.Context(), again))(t)
		wantEqual(t, py.String()+" has track", probed.HasTrack, py.HasTrack)
	}
}

// hangingCommand writes a script that prints nothing and hangs. Each run adds the ID of
// the process for which the script waits to the file pids.
func hangingCommand(t *testing.T, pids string) (path string) {
	t.Helper()
	return command(t, filepath.Join(t.TempDir(), "python3"), "sleep 45 & echo $! >>'"+pids+"'; wait")
}

// wantRuns checks how often a hanging command was run, and that no process is left.
func wantRuns(t *testing.T, pids string, want int) {
	t.Helper()
	runs := strings.Fields(string(must(os.ReadFile(pids))(t)))
	wantEqual(t, "runs", len(runs), want)
	for _, pid := range runs {
		testkit.WaitForEnd(t, must(strconv.Atoi(pid))(t))
	}
}

// TestHangingCandidateIsRunOnce: a candidate that has exceeded its time is not run
// again.
func TestHangingCandidateIsRunOnce(t *testing.T) {
	testkit.NeedLinux(t)
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

// TestHangingCandidateIsRunAgain: a candidate is run again if the caller had less time.
func TestHangingCandidateIsRunAgain(t *testing.T) {
	testkit.NeedLinux(t)
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

// TestProbeImportsNothingFromTheWorkingDirectory: the working directory is the tested
// package's, and may hold a script with the name of a module of Python.
func TestProbeImportsNothingFromTheWorkingDirectory(t *testing.T) {
	testkit.NeedLinux(t)
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
