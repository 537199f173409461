package testkit

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"testing"
)

// A Role is the work of the test binary in a process of its own. It gets the words of
// the command line, and the lines of its standard input on a channel. The channel is
// closed when the input ends, at the latest when the process of the test ends. If the
// role fails, the exit status is 1.
type Role func(args []string, input <-chan string) error

// Roles has the roles of a package of tests. The files of the package add their roles in
// init.
var Roles = map[string]Role{}

// RoleEnv is the variable of the environment with the name of a role.
const RoleEnv = "PYSHM_TEST_ROLE"

// PlayRole plays the role of a process that [Command] started, and does not return. In
// the process of the tests it does nothing.
func PlayRole() {
	play, ok := Roles[os.Getenv(RoleEnv)]
	if !ok {
		return
	}
	if err := play(os.Args[1:], inputLines()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func inputLines() <-chan string {
	input := make(chan string)
	go func() {
		for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
			input <- lines.Text()
		}
		close(input)
	}()
	return input
}

// Command returns the command of a process in a role, for tests that prepare the command
// in their own way; other tests call [StartChild]. The process is killed when the test
// ends.
func Command(t testing.TB, role string, args ...string) *exec.Cmd {
	t.Helper()
	if _, ok := Roles[role]; !ok {
		t.Fatalf("there is no role %q", role)
	}
	self := self(t)
	cmd := exec.CommandContext(t.Context(), self[0], append(self[1:], args...)...)
	cmd.Env = append(os.Environ(), RoleEnv+"="+role)
	return cmd
}

// EmulatorEnv is the variable with the command of the emulator in which the tests run, if
// they run in one: scripts/qemu.sh sets it. Linux cannot start a test binary for another
// processor without it.
const EmulatorEnv = "PYSHM_EMULATOR"

// IsEmulated reports whether the tests run in an emulator.
func IsEmulated() bool { return os.Getenv(EmulatorEnv) != "" }

// NotEmulated skips a test in an emulator, which lacks what the test needs.
func NotEmulated(t testing.TB, lacks string) {
	t.Helper()
	if IsEmulated() {
		t.Skip("the emulator lacks", lacks)
	}
}

const faultAddress = "the address of a SIGBUS"

// NeedFaultAddress skips a test that truncates a segment in use if it runs in an emulator:
// qemu passes on the SIGBUS, but not its address as the system gives it.
func NeedFaultAddress(t testing.TB) {
	t.Helper()
	NotEmulated(t, faultAddress)
}

// HasFaultAddress reports whether a part of a test can run that truncates a segment in use.
// NeedFaultAddress is for tests without other parts.
func HasFaultAddress(t testing.TB) bool {
	t.Helper()
	if IsEmulated() {
		t.Log("a part of the test is left out: the emulator lacks", faultAddress)
	}
	return !IsEmulated()
}

// Executable returns the words of the command that starts the test binary.
func Executable(t testing.TB) []string {
	t.Helper()
	path := Must(os.Executable())(t)
	if IsEmulated() {
		return []string{os.Getenv(EmulatorEnv), path}
	}
	return []string{path}
}

// self is Executable with a path that other users may execute, too.
func self(t testing.TB) []string {
	t.Helper()
	if runtime.GOOS == "linux" && !IsEmulated() {
		return []string{"/proc/self/exe"}
	}
	return Executable(t)
}
