package pyshm

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
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
// a Python process creates is tracked as always, and what is printed on standard
// error is no more than always. Its unlink, its resource tracker and its managers
// remove a name as always, unless the name has passed to another segment, as by
// [Replace]: then it stays, and unlink raises FileNotFoundError.
//
// Each of these processes can also import pyshm_attach, which attaches to locks by
// name, without a copy of pyshm_attach.py: it gets the one of this library. Python
// looks beside the program first, so that a pyshm_attach.py there is imported
// instead. One that is installed, or further down on PYTHONPATH, is not.
//
// How: it puts a directory in front of PYTHONPATH which holds pyshm_attach.py and a
// sitecustomize.py that changes multiprocessing.shared_memory when a process
// imports it. An existing PYTHONPATH stays, and a sitecustomize that this one hides
// is run. It takes each Python 0.5 ms to start with it, or 4 ms where Python does
// not keep bytecode. Set cmd.Env and cmd.Dir before the call, not after it.
//
// It does not reach a Python that ignores PYTHONPATH or sitecustomize (python3
// -E, -I or -S: an error that is [fs.ErrInvalid] if cmd is such a Python itself),
// one that is started with another environment (as sudo does), one that does not
// see the directory (in a container), one where another sitecustomize comes first
// on PYTHONPATH and does not run those behind it, or a 3.8 or 3.9 that has
// multiprocessing in a zip file. Such programs can use pyshm_attach.py, or
// [SharedMemory.Alias]. With PYSHM_VERBOSE=1 in its environment, each process that
// is reached prints a line to standard error when it imports shared_memory.
//
// The directory stays for the next call; its name changes with its content. It is
//
//   - pyshm/site-HASH in [os.UserCacheDir], except that root, whose workers may run
//     as other users, passes over a cache that these cannot read,
//   - or else, for root, /run/pyshm/site-HASH,
//   - or else pyshm-UID-HASH in [os.TempDir], with a random ending if another user
//     has taken that name. The worker holds a shared flock(2) on this one, which
//     keeps systemd-tmpfiles from removing it.
//
// A place is passed over unless the directory belongs to this user and no other
// user can write to it or put another one in its place, because a user who can
// runs code in the worker. An error is returned if none is left. If the directory
// is removed while a worker runs, the worker restores it before it starts another
// Python through multiprocessing, or prints a line to standard error where it
// cannot do so safely.
//
// On Windows, where Python has no resource tracker, WorkerEnv does nothing.
func WorkerEnv(cmd *exec.Cmd) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	err := checkFlags(cmd)
	var dir string
	if err == nil {
		dir, err = siteDir()
	}
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

var pythonName = regexp.MustCompile(`^(python|pypy)[0-9.]*[a-z]*(\.exe)?$`)

// checkFlags returns an error if cmd is a Python with options that make it ignore
// PYTHONPATH or sitecustomize.
func checkFlags(cmd *exec.Cmd) error {
	if !pythonName.MatchString(filepath.Base(cmd.Path)) {
		return nil
	}
	for i := 1; i < len(cmd.Args); i++ {
		arg := cmd.Args[i]
		switch {
		case arg == "--check-hash-based-pycs":
			i++ // its argument
			continue
		case strings.HasPrefix(arg, "--") && arg != "--":
			continue
		case !strings.HasPrefix(arg, "-") || arg == "-" || arg == "--": // the program
			return nil
		}
		// Letters, of which one with an argument is the last: c and m end the options.
		at, letters := strings.IndexAny(arg, "cmWX"), arg
		if at >= 0 {
			letters = arg[:at]
		}
		if strings.ContainsAny(letters, "EIS") {
			return invalid("%s %s ignores PYTHONPATH or sitecustomize, and so what keeps it from removing segments", cmd.Args[0], arg)
		}
		switch {
		case at < 0:
		case arg[at] == 'c' || arg[at] == 'm':
			return nil
		case at == len(arg)-1:
			i++ // the argument of W or X
		}
	}
	return nil
}
