package pyshm

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
)

// WorkerEnv changes the environment of cmd such that a Python program that cmd starts
// leaves alone the segments that it only attaches to. Without WorkerEnv, Python's
// resource tracker unlinks them when the program ends. The program needs no change:
//
//	cmd := exec.Command("python3", "worker.py", list.Name())
//	if err := pyshm.WorkerEnv(cmd); err != nil {
//		return err
//	}
//	err := cmd.Run()
//
// The change applies to every Python that inherits the environment, from 3.8 on and
// PyPy included: to worker processes of multiprocessing and to children of children.
// Python tracks the segments that a process creates as always, and prints no more to
// standard error than always. Its unlink, its resource tracker and its managers remove
// names as always, with one exception. A name that has passed to another segment, as by
// [Replace], stays, and unlink raises FileNotFoundError.
//
// Each of these processes can also import pyshm_attach, which attaches to locks by
// name. It gets the file of this library and needs no copy. Python looks beside the
// program first, so it imports a pyshm_attach.py there instead. It does not import an
// installed one, or one further down on PYTHONPATH.
//
// WorkerEnv puts a directory in front of PYTHONPATH. The directory holds
// pyshm_attach.py, and a sitecustomize.py that changes multiprocessing.shared_memory
// when a process imports it. An existing PYTHONPATH stays. A sitecustomize that this
// one hides is run. Each Python takes 0.5 ms longer to start, or 4 ms if Python does not
// keep bytecode. Set cmd.Env and cmd.Dir before the call, not after it.
//
// WorkerEnv does not reach
//
//   - a Python that ignores PYTHONPATH or sitecustomize: python3 -E, -I or -S. If cmd
//     is such a Python itself, the error is [fs.ErrInvalid].
//   - a Python with another environment, as started by sudo
//   - a Python that does not see the directory, because it is in a container
//   - a Python with another sitecustomize that comes first on PYTHONPATH and does not
//     run the next one
//   - a 3.8 or 3.9 that has multiprocessing in a zip file
//
// Such programs can use pyshm_attach.py, or [SharedMemory.Alias]. With PYSHM_VERBOSE=1
// in its environment, each process that is reached prints a line to standard error when
// it imports shared_memory.
//
// The directory stays for the next call; its name changes with its content. WorkerEnv
// takes the first possible one of these:
//
//   - pyshm/site-HASH in [os.UserCacheDir]. Root, whose workers may run as other users,
//     skips a cache that other users cannot read.
//   - for root, /run/pyshm/site-HASH
//   - pyshm-UID-HASH in [os.TempDir], with a random ending if another user has taken
//     that name. The worker holds a shared flock(2) on this directory, which keeps
//     systemd-tmpfiles from removing it.
//
// WorkerEnv skips a directory unless it belongs to this user, and no other user can
// write to it or replace it, because such a user could run code in the worker. If no
// directory is left, WorkerEnv returns an error. If the directory is removed while a
// worker runs, the worker restores it before it starts another Python through
// multiprocessing. If it cannot do so safely, it prints a line to standard error.
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
		case path == "": // an empty entry behind dir would mean the current directory
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
		// The argument has letters. A letter that takes an argument is the last one, and
		// c and m end the options.
		at, letters := strings.IndexAny(arg, "cmWX"), arg
		if at >= 0 {
			letters = arg[:at]
		}
		if strings.ContainsAny(letters, "EIS") {
			return invalid("%s %s ignores PYTHONPATH or sitecustomize, which would keep it from removing segments", cmd.Args[0], arg)
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
