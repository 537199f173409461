package pyshm

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/pyshm-go/pyshm/scripts"
)

// runDir is root's directory for files that last until a reboot: root alone writes to
// it, every user can read it, and systemd-tmpfiles removes nothing there for its age.
var runDir = "/run"

// A siteFile is a file in the directory that [WorkerEnv] puts on PYTHONPATH.
type siteFile struct{ name, content string }

var siteFiles = []siteFile{
	{"sitecustomize.py", scripts.SiteCustomize()},
	{"pyshm_attach.py", scripts.AttachHelper()},
}

var siteHash = fmt.Sprintf("%x", sha256.Sum256(fmt.Appendf(nil, "%q", siteFiles)))[:12]

// siteDir returns a directory that holds siteFiles, and makes it if there is none.
// [WorkerEnv] documents the places.
func siteDir() (dir string, err error) {
	places := []func() (string, error){cacheSite, tempSite}
	if os.Geteuid() == 0 {
		places = []func() (string, error){cacheSite, runSite, tempSite}
	}
	var failures error
	for _, place := range places {
		if dir, err = place(); err == nil {
			return dir, nil
		}
		if failures != nil {
			err = fmt.Errorf("%w; %w", failures, err)
		}
		failures = err
	}
	return "", failures
}

// cacheSite makes the directory in the user's cache.
func cacheSite() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	// This makes the cache itself, but not a missing home.
	if err := os.Mkdir(cache, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", err
	}
	if cache, err = filepath.EvalSymlinks(cache); err != nil {
		return "", err
	}
	if os.Geteuid() == 0 {
		if err := checkReadable(cache); err != nil {
			return "", err
		}
	}
	return siteIn(filepath.Join(cache, "pyshm"))
}

func runSite() (string, error) { return siteIn(filepath.Join(runDir, "pyshm")) }

// siteIn makes the directory in a parent directory of this user alone, which it makes
// too.
func siteIn(parent string) (string, error) {
	if err := checkParents(parent); err != nil {
		return "", err
	}
	if err := makeOwnDir(parent); err != nil {
		return "", err
	}
	dir := filepath.Join(parent, "site-"+siteHash)
	return dir, fillSite(dir)
}

// tempSite makes the directory in the temporary directory, where any user may have
// taken its name.
func tempSite() (string, error) {
	temp, err := filepath.Abs(os.TempDir())
	if err == nil {
		temp, err = filepath.EvalSymlinks(temp)
	}
	if err != nil {
		return "", err
	}
	name := fmt.Sprintf("pyshm-%d-%s", os.Geteuid(), siteHash)
	if err := checkParents(filepath.Join(temp, name)); err != nil {
		return "", err
	}
	dir := filepath.Join(temp, name)
	if fillSite(dir) == nil {
		return dir, nil
	}
	entries, _ := os.ReadDir(temp)
	for _, entry := range entries { // an earlier call may have made one
		dir := filepath.Join(temp, entry.Name())
		if strings.HasPrefix(entry.Name(), name+"-") && fillSite(dir) == nil {
			return dir, nil
		}
	}
	if dir, err = os.MkdirTemp(temp, name+"-*"); err != nil {
		return "", err
	}
	return dir, fillSite(dir)
}

// fillSite makes the directory and the missing files in it.
func fillSite(dir string) error {
	if strings.ContainsRune(dir, filepath.ListSeparator) {
		return invalid("%s cannot be an entry of PYTHONPATH", dir)
	}
	// Python would make __pycache__ with the umask of the worker, which may let
	// others write to it.
	for _, d := range []string{dir, filepath.Join(dir, "__pycache__")} {
		if err := makeOwnDir(d); err != nil {
			return err
		}
	}
	for _, file := range siteFiles {
		if err := provideFile(filepath.Join(dir, file.name), file.content); err != nil {
			return err
		}
	}
	return nil
}

// checkReadable returns an error if another user cannot get to the files in dir.
func checkReadable(dir string) error {
	for ; ; dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		if err != nil {
			return err
		}
		if info.Mode().Perm()&0o001 == 0 {
			return fmt.Errorf("a worker that runs as another user cannot enter %s (%v): %w", dir, info.Mode(), fs.ErrPermission)
		}
		if dir == filepath.Dir(dir) {
			return nil
		}
	}
}

// checkParents returns an error if another user could rename or remove dir or one of
// its parents.
func checkParents(dir string) (unsafe error) {
	for parent := filepath.Dir(dir); ; parent = filepath.Dir(parent) {
		info, err := os.Stat(parent)
		if err != nil {
			return err
		}
		switch mode := info.Mode(); {
		case !ownedByUser(info) && !ownedByRoot(info): // root can replace files anywhere
			return fmt.Errorf("%s belongs to another user, which can replace the files in it: %w; set XDG_CACHE_HOME or TMPDIR to another directory",
				parent, fs.ErrPermission)
		case mode.Perm()&0o011 == 0: // other users cannot get further down
			unsafe = nil
		case mode.Perm()&0o022 != 0 && mode&fs.ModeSticky == 0:
			unsafe = fmt.Errorf("%s (%v) lets other users replace the files in it: %w; set XDG_CACHE_HOME or TMPDIR to another directory",
				parent, mode, fs.ErrPermission)
		}
		if parent == filepath.Dir(parent) {
			return unsafe
		}
	}
}

// makeOwnDir makes a directory that this user alone can write to. Every user can read
// it, because the worker may run as another user.
func makeOwnDir(dir string) error {
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	if !info.IsDir() || !ownedByUser(info) || info.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("%s (%v) is not a directory that this user alone can write to: %w; remove it, or set XDG_CACHE_HOME or TMPDIR to another directory",
			dir, info.Mode(), fs.ErrPermission)
	}
	return os.Chmod(dir, 0o755) // whatever the umask is
}

// provideFile writes the content into the file, atomically, unless the file has it.
func provideFile(file, content string) error {
	if have, err := os.ReadFile(file); err == nil && string(have) == content {
		return nil
	}
	temp, err := os.CreateTemp(filepath.Dir(file), ".new-*")
	if err != nil {
		return err
	}
	_, err = temp.WriteString(content)
	err = errors.Join(err, temp.Chmod(0o644), temp.Close())
	if err == nil {
		err = os.Rename(temp.Name(), file)
	}
	if err != nil {
		os.Remove(temp.Name())
	}
	return err
}
