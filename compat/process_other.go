//go:build !unix && !windows

package compat

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
)

// prepare refuses: peer.py needs inherited pipes.
func prepare(*exec.Cmd) error {
	return fmt.Errorf("peers on %s: %w", runtime.GOOS, errors.ErrUnsupported)
}

func pass(*exec.Cmd, ...*os.File) {}

func isBroken(error) bool { return false }

func killGroup(*os.Process) {}

func exitCode(state *os.ProcessState) int { return state.ExitCode() }
