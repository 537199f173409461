//go:build unix

package pyshm_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm"
)

// asAnother runs a role of this suite as another user, and returns the lines that
// it prints.
func asAnother(t *testing.T, role string, args ...string) []string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can become another user")
	}
	c := testkit.StartChild(t, role, args...)
	var lines []string
	for c.Lines.Scan() {
		lines = append(lines, c.Lines.Text())
	}
	c.End(t)
	return lines
}

func init() {
	testkit.Roles["alias"] = func(names []string, _ <-chan string) error {
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

// Alias refuses an alias that its maker could not remove: in /dev/shm, an alias of
// another user's segment. It makes an alias that the maker can remove.
func TestAliasOfAnother(t *testing.T) {
	testkit.NeedLinux(t)
	if !testkit.InPrivateShm(t, 1<<20) {
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
	testkit.WantNames(t, theirs.Name(), own.Name())

	// Without the sticky bit every user with the right to write to a folder may remove
	// names.
	if err := syscall.Chmod("/dev/shm", 0o777); err != nil {
		t.Fatal(err)
	}
	if got := asAnother(t, "alias", theirs.Name()); len(got) != 1 || got[0] != "false <nil>" {
		t.Errorf("in a folder that is not sticky: %q", got)
	}
	// Root makes aliases of other users' segments.
	alias, err := own.Alias()
	if err := errors.Join(err, pyshm.Unlink(alias)); err != nil {
		t.Error(err)
	}
}

func init() {
	testkit.Roles["attaches in vain"] = func(args []string, _ <-chan string) error {
		if err := becomeAnother(); err != nil {
			return err
		}
		block, readable, lock := args[0], args[1], args[2]
		_, errBlock := pyshm.Attach(block)
		_, errReadOnly := pyshm.Attach(block, pyshm.ReadOnly())
		_, errReadable := pyshm.AttachList(readable)
		_, errLock := pyshm.AttachLock(lock)
		for _, err := range []error{errBlock, errReadOnly, errReadable, errLock} {
			fmt.Println(errors.Is(err, fs.ErrPermission), err)
		}
		return nil
	}
}

// An error proposes a remedy that helps. It proposes ReadOnly only to a caller that may
// read and has not asked for ReadOnly. It does not propose options of Go for a segment
// that Python may have made.
func TestRefusedAttachProposesWhatHelps(t *testing.T) {
	testkit.NeedLinux(t)
	block, readable, lock := testkit.Name(t), testkit.Name(t), testkit.Name(t)
	for file, mode := range map[string]os.FileMode{block: 0o600, readable: 0o644, "sem." + lock: 0o644} {
		if err := errors.Join(os.WriteFile(pathOf(file), make([]byte, 32), 0o600), os.Chmod(pathOf(file), mode)); err != nil {
			t.Fatal(err)
		}
		defer os.Remove(pathOf(file))
	}
	got := asAnother(t, "attaches in vain", block, readable, lock)
	want := []string{
		`attach "` + block + `": permission denied (its mode is 0600: the owner, user 0, can change that with chmod)`,
		`attach "` + block + `": permission denied (its mode is 0600: the owner, user 0, can change that with chmod)`,
		`attach list "` + readable + `": permission denied (its mode is 0644: attach with ReadOnly, or the owner, user 0, can change that with chmod)`,
		`attach lock "` + lock + `": permission denied (its mode is 0644: the owner, user 0, can change that with chmod)`,
	}
	for i := range want {
		if want[i] = "true pyshm: " + want[i]; len(got) != len(want) || got[i] != want[i] {
			t.Fatalf("%q\nwant %q", got, want)
		}
	}
}
