//go:build !unix

package compat

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
)

// prepare refuses: peer.py needs inherited descriptors and Unix signals.
func prepare(*exec.Cmd) error {
	return fmt.Errorf("peers on %s: %w", runtime.GOOS, errors.ErrUnsupported)
}

func killGroup(*os.Process) {}

func exitCode(state *os.ProcessState) int { return state.ExitCode() }
