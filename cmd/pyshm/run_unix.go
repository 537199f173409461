//go:build unix

package main

import (
	"fmt"
	"os/exec"
	"syscall"
)

// become replaces this process by the command. It returns only an error.
func become(command *exec.Cmd) error {
	err := syscall.Exec(command.Path, command.Args, command.Env)
	return fmt.Errorf("%s: %w", command.Path, err)
}
