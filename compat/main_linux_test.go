package compat_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestMain fails the run when it leaves names, processes or descriptors behind.
func TestMain(m *testing.M) {
	if code, ok := runAsChild(); ok {
		os.Exit(code)
	}
	before, goroutines := len(descriptors()), runtime.NumGoroutine()
	code := m.Run()
	for _, leak := range []func() string{
		func() string { return strings.Join(names(namePrefix), ", ") },
		func() string { return strings.Join(children(), ", ") },
		func() string {
			if now := runtime.NumGoroutine(); now > goroutines {
				return fmt.Sprintf("%d goroutines more", now-goroutines)
			}
			return ""
		},
		func() string {
			if now := descriptors(); len(now) > before+pollerDescriptors {
				return fmt.Sprintf("%d descriptors more: %v", len(now)-before, now)
			}
			return ""
		},
	} {
		left := leak()
		for end := time.Now().Add(5 * time.Second); left != "" && time.Now().Before(end); left = leak() {
			time.Sleep(10 * time.Millisecond)
		}
		if left != "" {
			fmt.Fprintln(os.Stderr, "compat: the tests leave behind:", left)
			code = 1
		}
	}
	os.Exit(code)
}

// pollerDescriptors is what the Go runtime opens at the first use of a pipe.
const pollerDescriptors = 2

// names returns the files in /dev/shm whose names begin with prefix.
func names(prefix string) []string {
	found, _ := filepath.Glob("/dev/shm/" + prefix + "*")
	return found
}

// children returns this process's children and theirs, as in /proc/PID/stat.
func children() []string {
	parents := map[string]string{}
	lines := map[string]string{}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		line, _ := os.ReadFile(path) // it may have ended meanwhile
		pid, rest, _ := strings.Cut(string(line), " (")
		if fields := strings.Fields(rest[strings.LastIndexByte(rest, ')')+1:]); len(fields) > 1 {
			parents[pid], lines[pid] = fields[1], string(line)
		}
	}
	var found []string
	self := strconv.Itoa(os.Getpid())
	for pid, line := range lines {
		for ancestor := parents[pid]; ancestor != ""; ancestor = parents[ancestor] {
			if ancestor == self {
				found = append(found, line)
			}
		}
	}
	return found
}

func descriptors() []string {
	links, _ := filepath.Glob("/proc/self/fd/*")
	var open []string
	for _, link := range links {
		target, err := os.Readlink(link)
		if err == nil {
			open = append(open, target)
		}
	}
	return open
}
