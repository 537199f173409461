//go:build unix

package main

import (
	"fmt"
	"os/exec"
	"syscall"
)

// become replaces this process by the command. It returns only if that fails.
func become(command *exec.Cmd) error {
	err := syscall.Exec(command.Path, command.Args, command.Env)
	return fmt.Errorf("%s: %w", command.Path, err)
}
