package testkit

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"testing"
)

// A Role is what the test binary does as a process of its own. It gets the words
// of the command line, and the lines of its standard input on a channel that is
// closed when the input ends: at the latest, the process of the test has ended
// then. An error makes the exit status 1.
type Role func(args []string, input <-chan string) error

// Roles has the roles of a package of tests. Its files add theirs in init.
var Roles = map[string]Role{}

// RoleEnv is the variable of the environment that has the name of a role.
const RoleEnv = "PYSHM_TEST_ROLE"

// PlayRole does nothing in the process of the tests. In a process that [Command]
// started it does not return.
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

// Command returns the command of a process in a role, for a test that prepares
// it in a way of its own; the others call [StartChild]. The process is killed
// when the test ends.
func Command(t testing.TB, role string, args ...string) *exec.Cmd {
	t.Helper()
	if _, ok := Roles[role]; !ok {
		t.Fatalf("there is no role %q", role)
	}
	cmd := exec.CommandContext(t.Context(), self(t), args...)
	cmd.Env = append(os.Environ(), RoleEnv+"="+role)
	return cmd
}

// self returns a path of the test binary that another user, too, may execute.
func self(t testing.TB) string {
	t.Helper()
	if runtime.GOOS == "linux" {
		return "/proc/self/exe"
	}
	path, err := os.Executable()
	Check(t, err)
	return path
}
