//go:build !unix

package main

import "os"

// passedOn are the signals that pyshm lock passes on to its command.
var passedOn = []os.Signal{os.Interrupt}
