package pyshm

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/pyshm-go/pyshm/scripts"
)

// WorkerEnv changes the environment of cmd such that a Python program which it
// starts leaves alone the segments that it only attaches to. Without that,
// Python's resource tracker unlinks them when the program ends. Nothing in the
// program has to be changed:
//
//	cmd := exec.Command("python3", "worker.py", list.Name())
//	if err := pyshm.WorkerEnv(cmd); err != nil {
//		return err
//	}
//	err := cmd.Run()
//
// It holds for every Python that inherits the environment, worker processes of
// multiprocessing and children of children included, from 3.8 on, PyPy too. What
// a Python process creates is tracked as always, its unlink works as always, and
// what is printed on standard error is no more than always.
//
// How: it puts a directory in front of PYTHONPATH which holds a sitecustomize.py
// that changes multiprocessing.shared_memory when a process imports it. An
// existing PYTHONPATH stays, and a sitecustomize that this one hides is run. It
// takes each Python 0.2 ms to start with it, or 3 ms where Python does not keep
// bytecode. Set cmd.Env and cmd.Dir before the call, not after it.
//
// It does not reach a Python that ignores PYTHONPATH or sitecustomize (python3
// -E, -I or -S), one that is started with another environment (as sudo does), one
// that does not see the directory (in a container), one where another
// sitecustomize comes first on PYTHONPATH and does not run those behind it, or a
// 3.8 or 3.9 that has multiprocessing in a zip file. Such programs can use
// pyshm_attach.py, or [SharedMemory.Alias].
//
// The directory is os.TempDir()/pyshm-UID-HASH and stays for the next call; its
// name changes with its content. An error is returned unless it belongs to this
// user and nobody else can write to it or put another one in its place, because
// whoever can do so runs code in the worker. On Windows, where Python has no
// resource tracker, WorkerEnv does nothing.
func WorkerEnv(cmd *exec.Cmd) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	dir, err := siteDir()
	if err != nil {
		return &Error{Op: "prepare a worker", Err: err}
	}
	cmd.Env = withPythonPath(cmd.Environ(), dir)
	return nil
}

// withPythonPath returns env with dir in front of PYTHONPATH.
func withPythonPath(env []string, dir string) []string {
	for i, entry := range env {
		path, ok := strings.CutPrefix(entry, "PYTHONPATH=")
		switch {
		case !ok:
			continue
		case path == "": // no empty entry behind dir: it would mean the current directory
			env[i] = "PYTHONPATH=" + dir
		case filepath.SplitList(path)[0] != dir:
			env[i] = "PYTHONPATH=" + dir + string(filepath.ListSeparator) + path
		}
		return env
	}
	return append(env, "PYTHONPATH="+dir)
}

// siteDir returns the directory that holds sitecustomize.py, and makes it if
// need be.
func siteDir() (string, error) {
	temp, err := filepath.Abs(os.TempDir())
	if err == nil {
		temp, err = filepath.EvalSymlinks(temp)
	}
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(scripts.SiteCustomize))
	dir := filepath.Join(temp, fmt.Sprintf("pyshm-%d-%x", os.Geteuid(), sum[:6]))
	if strings.ContainsRune(dir, filepath.ListSeparator) {
		return "", invalid("%s cannot be an entry of PYTHONPATH", dir)
	}
	if err := checkParents(dir); err != nil {
		return "", err
	}
	// Python would make __pycache__ with the umask of the worker, which may let
	// others write to it.
	for _, d := range []string{dir, filepath.Join(dir, "__pycache__")} {
		if err := makeOwnDir(d); err != nil {
			return "", err
		}
	}
	return dir, provideFile(filepath.Join(dir, "sitecustomize.py"), scripts.SiteCustomize)
}

// checkParents returns an error if another user could rename or remove dir or a
// directory that it lies in.
func checkParents(dir string) (unsafe error) {
	for parent := filepath.Dir(dir); ; parent = filepath.Dir(parent) {
		info, err := os.Stat(parent)
		if err != nil {
			return err
		}
		switch mode := info.Mode(); {
		case !ownedByUser(info) && !ownedByRoot(info): // whom no mode stops
			return fmt.Errorf("%s belongs to another user, who can replace what is in it: %w; set TMPDIR to another directory",
				parent, fs.ErrPermission)
		case mode.Perm()&0o011 == 0: // others do not get any further down
			unsafe = nil
		case mode.Perm()&0o022 != 0 && mode&fs.ModeSticky == 0:
			unsafe = fmt.Errorf("%s (%v) lets other users replace what is in it: %w; set TMPDIR to another directory",
				parent, mode, fs.ErrPermission)
		}
		if parent == filepath.Dir(parent) {
			return unsafe
		}
	}
}

// makeOwnDir makes a directory that everybody can read, since the worker may run
// as another user, and this user alone can write to.
func makeOwnDir(dir string) error {
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	if !info.IsDir() || !ownedByUser(info) || info.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("%s (%v) is not a directory that this user alone can write to: %w; remove it or set TMPDIR to another directory",
			dir, info.Mode(), fs.ErrPermission)
	}
	return os.Chmod(dir, 0o755) // whatever the umask is
}

// provideFile puts content into the file, atomically, unless it is there.
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
