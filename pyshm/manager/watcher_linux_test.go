package manager

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// TestWatchersRunOut makes managers in a user namespace of their own, which has
// limits of its own: no watchers at all, or watchers of no folder. The machine's
// limits, those of fs.inotify, are not touched.
func TestWatchersRunOut(t *testing.T) {
	const env, outerEnv = "PYSHM_TEST_WATCHER_LIMIT", "PYSHM_TEST_WATCHER_OUTSIDE"
	namespace, err := os.Readlink("/proc/self/ns/user")
	if err != nil {
		t.Fatal(err)
	}
	if limit := os.Getenv(env); limit != "" {
		if namespace == os.Getenv(outerEnv) {
			t.Fatal("not in a namespace of its own")
		}
		if err := os.WriteFile("/proc/sys/user/"+limit, []byte("0"), 0); err != nil {
			t.Skip("the limit cannot be set: ", err)
		}
		_, err := New()
		fmt.Println("New:", err)
		return
	}
	for limit, reason := range map[string]string{
		"max_inotify_instances": "too many open files (ulimit -n allows no more descriptors, or fs.inotify.max_user_instances",
		"max_inotify_watches":   "no space left on device (fs.inotify.max_user_watches",
	} {
		cmd := exec.Command("/proc/self/exe", "-test.v", "-test.run=^TestWatchersRunOut$")
		cmd.Env = append(os.Environ(), env+"="+limit, outerEnv+"="+namespace)
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Cloneflags:  syscall.CLONE_NEWUSER,
			UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
		}
		out, err := cmd.CombinedOutput()
		text := string(out)
		switch {
		case errors.Is(err, syscall.EPERM), errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EINVAL):
			t.Skip("no user namespace: ", err)
		case strings.Contains(text, "--- SKIP"):
			t.Skip(text)
		case err != nil || !strings.Contains(text, reason):
			t.Errorf("%s: %v\n%s", limit, err, out)
		}
	}
}
