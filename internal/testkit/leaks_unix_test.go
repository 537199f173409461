//go:build unix

package testkit

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

type testRun func() int

func (r testRun) Run() int { return r() }

func TestRunKeepsStatus(t *testing.T) {
	if status := Run(testRun(func() int { return 7 })); status != 7 {
		t.Errorf("status %d", status)
	}
	if status := Run(testRun(func() int { return 0 })); status != 0 {
		t.Errorf("status %d of a run that leaves nothing", status)
	}
}

func TestFindsEveryKind(t *testing.T) {
	NeedLinux(t)
	before := takeCensus()

	file, err := os.Create("/dev/shm/sem." + Prefix + "x")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	defer os.Remove(file.Name())
	if err := file.Truncate(1); err != nil {
		t.Fatal(err)
	}
	mem, err := syscall.Mmap(int(file.Fd()), 0, 1, syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Munmap(mem)
	child := exec.Command("sleep", "60")
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	defer child.Wait()
	defer child.Process.Kill()

	leaks := strings.Join(before.leaks(0), "\n")
	for _, want := range []string{"name sem." + Prefix, "descriptor of /dev/shm/", "mapping of /dev/shm/", "(sleep)"} {
		if !strings.Contains(leaks, want) {
			t.Errorf("%q not among the leaks:\n%s", want, leaks)
		}
	}
}
