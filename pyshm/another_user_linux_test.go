package pyshm_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/pyshm-go/pyshm/pyshm"
)

// asAnother runs a role of this suite as another user, and returns the lines that
// it prints.
func asAnother(t *testing.T, role string, args ...string) []string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can become another user")
	}
	c := startChild(t, role, args...)
	var lines []string
	for c.lines.Scan() {
		lines = append(lines, c.lines.Text())
	}
	c.end(t)
	return lines
}

func init() {
	roles["alias"] = func(names []string, _ <-chan struct{}) error {
		if err := becomeAnother(); err != nil {
			return err
		}
		for _, name := range names {
			m, err := pyshm.Attach(name)
			if err != nil {
				return err
			}
			alias, err := m.Alias()
			if err == nil {
				err = pyshm.Unlink(alias)
			}
			fmt.Println(errors.Is(err, fs.ErrPermission), err)
		}
		return nil
	}
}

// An alias of another user's segment could not be removed by its maker. One that
// can is made.
func TestAliasOfAnother(t *testing.T) {
	if !inPrivateShm(t, 1<<20) {
		return
	}
	theirs, own := create(t, 64, pyshm.Mode(0o666)), create(t, 64)
	if err := os.Chown(pathOf(own.Name()), 65534, 65534); err != nil {
		t.Skip("there is no other user: ", err)
	}
	got := strings.Join(asAnother(t, "alias", theirs.Name(), own.Name()), "\n")
	want := fmt.Sprintf(`true pyshm: alias %q: operation not permitted: it belongs to user 0, and another user could not remove the new name
false <nil>`, theirs.Name())
	if got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	wantNames(t, theirs.Name(), own.Name())

	// Without the sticky bit all who may write to a folder may remove names.
	if err := syscall.Chmod("/dev/shm", 0o777); err != nil {
		t.Fatal(err)
	}
	if got := asAnother(t, "alias", theirs.Name()); len(got) != 1 || got[0] != "false <nil>" {
		t.Errorf("in a folder that is not sticky: %q", got)
	}
	// Root makes aliases of what belongs to others.
	alias, err := own.Alias()
	if err := errors.Join(err, pyshm.Unlink(alias)); err != nil {
		t.Error(err)
	}
}
