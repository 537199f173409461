//go:build unix

package main

import (
	"os"
	"syscall"
)

// passedOn are the signals that pyshm lock passes on to its command: signals that ask
// a process to do something, or to end.
var passedOn = []os.Signal{
	syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGUSR1, syscall.SIGUSR2,
}
