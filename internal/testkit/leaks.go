package testkit

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// leakPatience is how long Run waits for processes that are ending, and for cleanups
// that the garbage collector has yet to run.
const leakPatience = 3 * time.Second

// Run runs the tests of m, which is a *testing.M, and returns the exit status: the
// status of the tests or, if they succeed but leave something behind, 1. Run lists on
// standard error everything that they have left:
//
//   - a name in /dev/shm that begins with [Prefix], or with "sem." and Prefix
//   - a descriptor that was not open before
//   - a mapping of a file in /dev/shm, also of an unlinked one
//   - a child process, also a zombie
//
// On systems other than Linux it finds nothing.
func Run(m interface{ Run() int }) int {
	heedSignals()
	before := takeCensus()
	status := m.Run()
	for _, clean := range afterRun {
		if err := clean(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			status = max(status, 1)
		}
	}
	if status != 0 {
		return status
	}
	leaks := before.leaks(leakPatience)
	for _, leak := range leaks {
		fmt.Fprintln(os.Stderr, "left behind:", leak)
	}
	if len(leaks) > 0 {
		return 1
	}
	return 0
}

// afterRun has what Run calls after the tests.
var afterRun = []func() error{closeSharedPeers}

// A census counts things by their description.
type census map[string]int

func takeCensus() census {
	c := census{}
	c.countNames()
	c.countDescriptors()
	c.countMappings()
	c.countChildren()
	return c
}

// leaks returns the things that exist now and were not in c. It returns as soon as there
// are none, or when patience is at an end.
func (c census) leaks(patience time.Duration) []string {
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		runtime.GC() // cleanups unmap and close
		var leaks []string
		for what, n := range takeCensus() {
			if extra := n - c[what]; extra > 0 {
				leaks = append(leaks, fmt.Sprintf("%s (%d)", what, extra))
			}
		}
		if len(leaks) == 0 || time.Now().After(end) {
			slices.Sort(leaks)
			return leaks
		}
	}
}

func (c census) countNames() {
	entries, _ := os.ReadDir("/dev/shm")
	for _, e := range entries {
		if strings.HasPrefix(strings.TrimPrefix(e.Name(), "sem."), Prefix) {
			c["name "+e.Name()]++
		}
	}
}

func (c census) countDescriptors() {
	entries, _ := os.ReadDir("/proc/self/fd")
	for _, e := range entries {
		target, err := os.Readlink("/proc/self/fd/" + e.Name())
		// The Go runtime opens its poller when it first needs it. ReadDir lists its
		// own descriptor, which is closed by now: Readlink fails.
		if err == nil && !strings.HasPrefix(target, "anon_inode:[event") {
			c["descriptor of "+target]++
		}
	}
}

func (c census) countMappings() {
	maps, _ := os.ReadFile("/proc/self/maps")
	for line := range bytes.Lines(maps) {
		if _, file, ok := bytes.Cut(line, []byte("/dev/shm/")); ok {
			c["mapping of /dev/shm/"+string(bytes.TrimSpace(file))]++
		}
	}
}

func (c census) countChildren() {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, stat := range stats {
		// PID (COMMAND) STATE PPID …, where COMMAND may contain anything.
		text, _ := os.ReadFile(stat)
		end := bytes.LastIndexByte(text, ')')
		if end < 0 {
			continue // the process has ended
		}
		if fields := bytes.Fields(text[end+1:]); len(fields) > 1 && string(fields[1]) == strconv.Itoa(os.Getpid()) {
			c["process "+string(text[:end+1])]++
		}
	}
}
