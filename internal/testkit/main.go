package testkit

import (
	"crypto/rand"
	"flag"
	"os"
	"runtime"
	"strconv"
	"testing"
)

// Main runs the tests of a package or, in a process that [Command] started, its role. It
// does not return.
func Main(m *testing.M) {
	PlayRole()
	os.Exit(Run(m))
}

// MainWithPeers is Main after ManyAtATime.
func MainWithPeers(m *testing.M) {
	ManyAtATime()
	Main(m)
}

// ManyAtATime lets more parallel tests run at a time than there are processors: the tests
// mostly wait, for Pythons to start and end or for a time to pass.
func ManyAtATime() {
	_ = flag.Set("test.parallel", strconv.Itoa(3*runtime.GOMAXPROCS(0))) // a default only
}

// Prefix begins every name that this process makes, and no other process's names.
var Prefix = "pyshm_t" + rand.Text()[:8] + "_"

// Name returns a name that no other segment has.
func Name(t testing.TB) string {
	t.Helper()
	NeedShm(t)
	return Prefix + rand.Text()[:12]
}

// NeedShm skips a test on systems where pyshm has no shared memory.
func NeedShm(t testing.TB) {
	t.Helper()
	if !hasShm {
		t.Skip("pyshm has no shared memory on " + System)
	}
}

// NeedPosix skips a test on systems where pyshm has neither pipes nor unix sockets.
func NeedPosix(t testing.TB) {
	t.Helper()
	switch runtime.GOOS {
	case "linux", "darwin", "freebsd":
	default:
		t.Skip("pyshm has pipes and unix sockets on Linux, macOS and FreeBSD, not on " + runtime.GOOS)
	}
}

// EveryPartEnv is the variable that .ci/run sets in CI, where no part may be missing that a
// script brings or that the machine can have.
const EveryPartEnv = "PYSHM_EVERY_PART"

// Missing skips a test that this machine lacks something for, or fails it in CI.
func Missing(t testing.TB, what ...any) {
	t.Helper()
	if os.Getenv(EveryPartEnv) != "" {
		t.Fatal(append([]any{"the CI has to have it: "}, what...)...)
	}
	t.Skip(what...)
}

// NeedLinux skips a test on systems other than Linux.
func NeedLinux(t testing.TB) {
	t.Helper()
	if !isLinux {
		t.Skip("needs /dev/shm and /proc, which are Linux's, not " + System + "'s")
	}
}

// NeedKeptNames skips a test on systems where a segment goes with its last process.
func NeedKeptNames(t testing.TB) {
	t.Helper()
	NeedShm(t)
	if !KeepsNames {
		t.Skip("segments go with their last process on " + System)
	}
}

// NeedSemaphores skips a test on systems where semaphores are not words of glibc.
func NeedSemaphores(t testing.TB) {
	t.Helper()
	if !isLinux {
		t.Skip("pyshm has no semaphores of glibc on " + System)
	}
}

// NeedNamesFirst skips a test on systems where a segment gets its name in the end.
func NeedNamesFirst(t testing.TB) {
	t.Helper()
	NeedShm(t)
	if !NamesFirst {
		t.Skip("a segment has its content before its name on " + System)
	}
}
