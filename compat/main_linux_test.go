package compat_test

import (
	"flag"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"

	"github.com/pyshm-go/pyshm/compat/leaktest"
)

func TestMain(m *testing.M) {
	if code, isChild := runAsChild(); isChild {
		os.Exit(code)
	}
	if request := os.Getenv(attachVariable); request != "" {
		os.Exit(attachAndDie(request))
	}
	if code, isWorker := runAsLockWorker(); isWorker {
		os.Exit(code)
	}
	// Tests that may run at the same time mostly wait, for Pythons to start and end.
	flag.Set("test.parallel", strconv.Itoa(3*runtime.GOMAXPROCS(0))) // a default only
	os.Exit(leaktest.Run(m, namePrefix))
}

// names returns the files in /dev/shm whose names begin with prefix.
func names(prefix string) []string {
	found, _ := filepath.Glob("/dev/shm/" + prefix + "*")
	return found
}
