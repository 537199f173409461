//go:build !unix

package main

import (
	"errors"
	"os"
	"os/exec"
)

// become runs the command and exits with its status, because no process can replace
// itself by another on this system. It returns only if the command cannot be started.
func become(command *exec.Cmd) error {
	command.Stdin, command.Stdout, command.Stderr = os.Stdin, os.Stdout, os.Stderr
	err := command.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return err
	}
	os.Exit(command.ProcessState.ExitCode())
	return nil
}
