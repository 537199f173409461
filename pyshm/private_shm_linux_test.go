package pyshm_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// inPrivateShm runs the calling test again, in a process whose /dev/shm is an
// empty file system of its own with room for size bytes. It returns true in
// that process alone.
//
// Where the system does not allow that, the test is skipped, or fails if the
// environment says that this is the CI, which must not leave it out.
func inPrivateShm(t *testing.T, size int, options ...string) bool {
	t.Helper()
	const env = "PYSHM_TEST_PRIVATE_SHM"
	if os.Getenv(env) == t.Name() {
		if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
			leaveOut(t, err)
		}
		data := strings.Join(append(options, "mode=1777", fmt.Sprintf("size=%d", size)), ",")
		if err := syscall.Mount("tmpfs", "/dev/shm", "tmpfs", 0, data); err != nil {
			leaveOut(t, err)
		}
		return true
	}
	cmd := exec.Command("/proc/self/exe", "-test.v", "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), env+"="+t.Name())
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	if os.Geteuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
	}
	out, err := cmd.CombinedOutput()
	switch {
	case errors.Is(err, syscall.EPERM), errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EINVAL):
		leaveOut(t, err)
	case err != nil:
		t.Errorf("%v in a private /dev/shm:\n%s", err, out)
	case bytes.Contains(out, []byte("--- SKIP")):
		t.Skipf("%s", out)
	case !bytes.Contains(out, []byte("--- PASS: "+t.Name())):
		t.Errorf("did not run in a private /dev/shm:\n%s", out)
	default:
		t.Logf("%s", out)
	}
	return false
}

func leaveOut(t *testing.T, err error) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal("the CI has to allow mount namespaces:", err)
	}
	t.Skip("no private /dev/shm, because mount namespaces are not allowed here:", err)
}

// wantNames fails unless /dev/shm holds these names and no other, not even a
// hidden one.
func wantNames(t *testing.T, names ...string) {
	t.Helper()
	slices.Sort(names)
	if got := allNames(t); !slices.Equal(got, names) {
		t.Errorf("names %q, want %q", got, names)
	}
}

// allNames lists /dev/shm in order.
func allNames(t *testing.T) (names []string) {
	t.Helper()
	entries, err := os.ReadDir("/dev/shm")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}
