//go:build linux

package main

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/pyshm-go/pyshm/compat"
	"github.com/pyshm-go/pyshm/pyshm"
)

//go:embed python.py
var pythonSide string

// findPython returns the Python to measure, which has all modules that it needs.
func findPython(ctx context.Context, command, venv string) (compat.Interpreter, error) {
	if venv != "" {
		var err error
		if command, err = makeVenv(ctx, command, venv); err != nil {
			return compat.Interpreter{}, fmt.Errorf("making %s: %w", venv, err)
		}
	}
	py, err := compat.Probe(ctx, command)
	if err == nil {
		if out, failed := exec.CommandContext(ctx, py.Path, "-c", "import numpy, msgpack").CombinedOutput(); failed != nil {
			err = fmt.Errorf("%v has not all modules (-venv FOLDER makes an environment that has them): %s", py, out)
		}
	}
	return py, err
}

// makeVenv makes a virtual environment, aside, and renames it when it is complete.
func makeVenv(ctx context.Context, command, venv string) (python string, err error) {
	venv, err = filepath.Abs(venv)
	python = filepath.Join(venv, "bin", "python")
	if _, missing := os.Stat(python); err != nil || missing == nil {
		return python, err
	}
	aside := venv + ".new"
	for _, words := range [][]string{
		{command, "-m", "venv", "--clear", aside},
		{filepath.Join(aside, "bin", "python"), "-m", "pip", "install", "--quiet", "--only-binary", ":all:", "numpy", "msgpack"},
	} {
		if out, err := exec.CommandContext(ctx, words[0], words[1:]...).CombinedOutput(); err != nil {
			return "", fmt.Errorf("%v: %w %s", words, err, out)
		}
	}
	return python, os.Rename(aside, venv)
}

// startPeer starts Python's side.
func startPeer(ctx context.Context, py compat.Interpreter) (*compat.Peer, error) {
	var failed error
	peer, err := py.Start(ctx, compat.Timeout(10*time.Minute), compat.Command(func(cmd *exec.Cmd) { failed = pyshm.WorkerEnv(cmd) }))
	if err != nil {
		return nil, err
	}
	if err = failed; err == nil {
		err = peer.Exec(pythonSide)
	}
	if err != nil {
		peer.Close()
	}
	return peer, err
}
