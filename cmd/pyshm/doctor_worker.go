package main

import (
	"bufio"
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/pyshm-go/pyshm/pyshm"
)

// workerProbe runs in place of a program, and prints a probeReport.
//
//go:embed doctor_worker.py
var workerProbe string

// A probeReport is the output of workerProbe.
type probeReport struct {
	Executable        string `json:"executable"`
	Version           string `json:"version"`
	Old               bool   `json:"old"` // before 3.8
	Isolated          bool   `json:"isolated"`
	IgnoreEnvironment bool   `json:"ignore_environment"`
	NoSite            bool   `json:"no_site"`
	PythonPath        string `json:"pythonpath"`
	Sitecustomize     string `json:"sitecustomize"` // the file that was run, or ""
	Reached           bool   `json:"reached"`
}

const probeMark = "pyshm-doctor-probe "

// worker finds out whether WorkerEnv reaches the first Python of a command.
func (d *diagnosis) worker(ctx context.Context, command []string) {
	const about = "worker"
	const instead = "otherwise let the program attach with pyshm_attach (pyshm helper prints it), which needs no environment"
	if _, err := exec.LookPath(command[0]); err != nil {
		d.fail(about, "give the path of the command", "%v", err)
		return
	}
	command, i := withInterpreter(command)
	if i < 0 {
		d.look(about, "PYSHM_VERBOSE=1 pyshm run -- "+strings.Join(command, " ")+" prints a line for each Python that it reaches",
			"no part of the command has the name of a Python, so doctor cannot put a probe in its place")
		return
	}
	probe := slices.Concat(command[:i+1], pythonOptions(command[i+1:]), []string{"-c", workerProbe})
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, probe[0], probe[1:]...)
	cmd.WaitDelay = time.Second
	if err := pyshm.WorkerEnv(cmd); err != nil {
		d.fail(about, "leave the option away; "+instead, "%s", explain(err))
		return
	}
	dir := filepath.SplitList(envOf(cmd.Env, "PYTHONPATH"))[0]
	out, err := cmd.Output()
	r, ok := reportIn(out)
	if !ok {
		d.fail(about, "try the command without doctor; PYSHM_VERBOSE=1 pyshm run prints a line for each Python that it reaches",
			"%s did not run the probe: %v", strings.Join(command[:i+1], " "), err)
		return
	}
	d.reached(r, dir, instead)
}

// reached adds the finding about a Python that has run the probe.
func (d *diagnosis) reached(r probeReport, dir, instead string) {
	about := fmt.Sprintf("worker, Python %s (%s)", r.Version, r.Executable)
	leave := "leave the option away; " + instead
	switch {
	case r.Reached:
		d.ok(about, "pyshm run and WorkerEnv reach it: it leaves segments alone to which it only attaches")
	case r.Old:
		d.fail(about, "use Python 3.8 or later", "it has no shared memory")
	case r.Isolated:
		d.fail(about, leave, "it runs with -I, and ignores PYTHONPATH")
	case r.IgnoreEnvironment:
		d.fail(about, leave, "it runs with -E, and ignores PYTHONPATH")
	case r.NoSite:
		d.fail(about, leave, "it runs with -S, and runs no sitecustomize")
	case !slices.Contains(filepath.SplitList(r.PythonPath), dir):
		d.fail(about, "put pyshm run directly in front of Python, or let the command keep PYTHONPATH; "+instead,
			"a command in front of it has removed %s from PYTHONPATH, which is %q", dir, r.PythonPath)
	case r.Sitecustomize != "" && filepath.Dir(r.Sitecustomize) != dir:
		d.fail(about, "put pyshm run directly in front of Python, behind the tool that brings that file; "+instead,
			"%s comes first on PYTHONPATH, and does not run the next sitecustomize", r.Sitecustomize)
	default:
		d.fail(about, "check that this Python, perhaps as another user or in a container, can read "+dir+"; "+instead,
			"its sitecustomize is %q, and multiprocessing is unchanged", r.Sitecustomize)
	}
}

var pythonProgram = regexp.MustCompile(`^(python|pypy)[0-9.]*[a-z]*(\.exe)?$`)

// withInterpreter returns the place of the first Python in a command, or -1. In front of a
// script it puts the interpreter that the first line of the script names.
func withInterpreter(command []string) ([]string, int) {
	isPython := func(arg string) bool { return pythonProgram.MatchString(filepath.Base(arg)) }
	if i := slices.IndexFunc(command, isPython); i >= 0 {
		return command, i
	}
	path, err := exec.LookPath(command[0])
	if err != nil {
		return command, -1
	}
	f, err := os.Open(path)
	if err != nil {
		return command, -1
	}
	defer f.Close()
	line, _ := bufio.NewReaderSize(f, 256).ReadSlice('\n') // a longer line is cut, as by the kernel
	if !bytes.HasPrefix(line, []byte("#!")) {
		return command, -1
	}
	interpreter := strings.Fields(string(line[2:]))
	if i := slices.IndexFunc(interpreter, isPython); i >= 0 {
		return slices.Concat(interpreter, []string{path}, command[1:]), i
	}
	return command, -1
}

// pythonOptions returns the options of Python at the beginning of its arguments, up to
// the program.
func pythonOptions(args []string) []string {
	for i := 0; i < len(args); i++ {
		arg := args[i]
		if len(arg) < 2 || arg[0] != '-' || arg == "--" {
			return args[:i]
		}
		if strings.HasPrefix(arg, "--") {
			if arg == "--check-hash-based-pycs" {
				i++ // its argument
			}
			continue
		}
		switch at := strings.IndexAny(arg, "cmWX"); {
		case at < 0:
		case arg[at] == 'c' || arg[at] == 'm':
			if at > 1 { // such as -Ic
				return append(slices.Clone(args[:i]), arg[:at])
			}
			return args[:i]
		case at == len(arg)-1:
			i++ // the argument of W or X
		}
	}
	return args // without a program
}

func envOf(env []string, name string) string {
	for _, entry := range env {
		if value, ok := strings.CutPrefix(entry, name+"="); ok {
			return value
		}
	}
	return ""
}

// reportIn returns the probe's report among what a command has printed.
func reportIn(out []byte) (r probeReport, ok bool) {
	for line := range bytes.Lines(out) {
		if text, found := bytes.CutPrefix(line, []byte(probeMark)); found {
			ok = json.Unmarshal(text, &r) == nil
		}
	}
	return r, ok
}
