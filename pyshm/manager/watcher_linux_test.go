package manager

import (
	"os"
	"strings"
	"testing"

	"github.com/pyshm-go/pyshm/internal/testkit"
)

// TestWatchersRunOut makes managers in a user namespace that has limits of its own:
// no watchers at all, or watchers of no folder. It does not touch the machine's
// fs.inotify limits.
func TestWatchersRunOut(t *testing.T) {
	for limit, reason := range map[string]string{
		"max_inotify_instances": "too many open files (ulimit -n allows no more descriptors, or fs.inotify.max_user_instances",
		"max_inotify_watches":   "no space left on device (fs.inotify.max_user_watches",
	} {
		t.Run(limit, func(t *testing.T) {
			again, err := testkit.Again(t, testkit.InUserNamespace)
			switch {
			case again:
				if err := os.WriteFile("/proc/sys/user/"+limit, []byte("0"), 0); err != nil {
					t.Skip("the limit cannot be set: ", err)
				}
				if _, err := New(); err == nil || !strings.Contains(err.Error(), reason) {
					t.Errorf("New: %v", err)
				}
			case testkit.NoNamespace(err):
				testkit.Missing(t, "no user namespace: ", err)
			case err != nil:
				t.Fatal(err)
			}
		})
	}
}
