package compat

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// ErrNoPython is in the error of [Find] when it has found no interpreter.
var ErrNoPython = errors.New("no Python 3.8 or later")

// probeTimeout is long because a first start reads a cold disk, perhaps while every
// core is busy with tests. A candidate that exceeds it is not run again. A candidate
// that the caller's context has cut short is.
var probeTimeout = 30 * time.Second

// Find returns the interpreters of this machine, the preferred one first:
//
//  1. the ones listed in $PYSHM_PYTHONS, paths or commands to look up on $PATH,
//     separated as the entries of $PATH are,
//  2. python3, python3.N and pypy3 in every folder of $PATH (of pyenv's shims only
//     python3: a shim with a version runs one of the next two or another on $PATH),
//  3. /usr/bin/python3,
//  4. pyenv's versions, in $PYENV_ROOT or ~/.pyenv,
//  5. inside pyshm's own source tree, the ones that scripts/interpreters.sh has
//     brought.
//
// A candidate counts if it runs, is Python 3.8 or later and can import
// multiprocessing.shared_memory. Find passes over other candidates (a shim of pyenv
// on $PATH, for example, need not run anything), but fails if one listed in
// $PYSHM_PYTHONS does not count. An interpreter found twice is returned once.
//
// If $PYSHM_PYTHONS begins with "only:", as in only:/opt/a/python3:python3.12, the
// listed interpreters are the only candidates.
//
// If there is no interpreter, the error matches [ErrNoPython] and lists packages to
// install.
//
// Each candidate is run once in the life of the process. Later calls return the same
// results at once. Concurrent calls are allowed and wait for each other.
func Find(ctx context.Context) ([]Interpreter, error) {
	candidates := findCandidates()
	found, err := accepted(ctx, candidates)
	if err == nil && len(found) == 0 {
		err = noPythonError(candidates, probeAll(ctx, candidates))
	}
	return found, findErr(err)
}

// First returns the interpreter that [Find] returns first, without waiting for the
// others.
func First(ctx context.Context) (Interpreter, error) {
	candidates := findCandidates()
	for i := range candidates {
		found, err := accepted(ctx, candidates[i:i+1])
		if err != nil {
			return Interpreter{}, findErr(err)
		}
		if len(found) > 0 {
			return found[0], nil
		}
	}
	return Interpreter{}, findErr(noPythonError(candidates, probeAll(ctx, candidates)))
}

// Probe returns the interpreter behind a command, which is a path or is looked up on
// $PATH. It fails if the command is no interpreter that [Find] would return, and the
// error has the reason.
func Probe(ctx context.Context, command string) (Interpreter, error) {
	path, err := lookUp(command)
	if err != nil {
		return Interpreter{}, fmt.Errorf("compat: probe %s: %w", command, err)
	}
	result := probeAll(ctx, []candidate{{command: path}})[0]
	if result.err != nil {
		return Interpreter{}, fmt.Errorf("compat: probe %s: %w", command, result.err)
	}
	result.python.Path = path
	return result.python, nil
}

// lookUp returns the absolute path of a command.
func lookUp(command string) (string, error) {
	path, err := exec.LookPath(command)
	if err != nil {
		return "", err
	}
	return filepath.Abs(path)
}

func findErr(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("compat: find: %w", err)
}

// accepted returns the interpreters among the candidates, each once.
func accepted(ctx context.Context, candidates []candidate) ([]Interpreter, error) {
	probed := probeAll(ctx, candidates)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var found []Interpreter
	for i, p := range probed {
		if p.err != nil && candidates[i].listed {
			return nil, fmt.Errorf("%s, listed in $PYSHM_PYTHONS: %w", candidates[i].command, p.err)
		}
		if p.err != nil || slices.ContainsFunc(found, p.python.same) {
			continue
		}
		// A command on $PATH may be a shim that chooses by working directory.
		if candidates[i].listed || p.python.Path == "" {
			p.python.Path = candidates[i].command
		}
		for _, py := range found {
			if py.Implementation == p.python.Implementation && py.Version == p.python.Version {
				p.python.number++
			}
		}
		found = append(found, p.python)
	}
	return found, nil
}

func noPythonError(candidates []candidate, probed []probeResult) error {
	if _, only := listedCandidates(); only { // none is listed, or accepted would have failed
		return fmt.Errorf("%w: $PYSHM_PYTHONS is %q, which lists none", ErrNoPython, os.Getenv("PYSHM_PYTHONS"))
	}
	var tried strings.Builder
	for i, p := range probed {
		fmt.Fprintf(&tried, "\n\ttried %s: %v", candidates[i].command, p.err)
	}
	return fmt.Errorf("%w: install one (Debian, Ubuntu: apt install python3; "+
		"Fedora: dnf install python3; macOS: brew install python3) "+
		"or list the executables in $PYSHM_PYTHONS%s", ErrNoPython, tried.String())
}

// A candidate is a command that may turn out to be an interpreter.
type candidate struct {
	command string
	listed  bool // in $PYSHM_PYTHONS
}

// systemPython is a candidate because a shim may hide it on $PATH.
var systemPython = "/usr/bin/python3"

func findCandidates() []candidate {
	all, only := listedCandidates()
	if only {
		return all
	}
	for _, command := range slices.Concat(onPath(), []string{systemPython}, pyenvVersions(), broughtByScript()) {
		c := candidate{command, false}
		if info, err := os.Stat(command); err == nil && info.Mode().IsRegular() && !slices.Contains(all, c) {
			all = append(all, c)
		}
	}
	return all
}

// listedCandidates reads $PYSHM_PYTHONS, and reports whether it excludes all other
// candidates.
func listedCandidates() (listed []candidate, only bool) {
	list, only := strings.CutPrefix(os.Getenv("PYSHM_PYTHONS"), "only:")
	for _, command := range filepath.SplitList(list) {
		if command == "" {
			continue
		}
		if path, err := lookUp(command); err == nil {
			command = path
		} // otherwise the probe of the command fails
		listed = append(listed, candidate{command, true})
	}
	return listed, only
}

var versionedPython = regexp.MustCompile(`^python3\.[0-9]+$`)

// executable returns the file name of a command. On Windows Python is python.exe.
func executable(command string) string {
	if runtime.GOOS == "windows" {
		return strings.TrimSuffix(command, "3") + ".exe"
	}
	return command
}

// onPath returns all paths of each name: the first python3.11 may be a shim that does
// not run, and the second the system's.
func onPath() []string {
	var plain, versioned, pypy []string
	shims, _ := filepath.EvalSymlinks(filepath.Join(pyenvRoot(), "shims"))
	for _, dir := range pathDirs() {
		plain = append(plain, filepath.Join(dir, executable("python3")))
		if dir == shims {
			continue // most of its shims fail, each after a tenth of a second of CPU time
		}
		pypy = append(pypy, filepath.Join(dir, executable("pypy3")))
		entries, _ := os.ReadDir(dir) // an unreadable folder has no candidates
		for _, entry := range entries {
			if versionedPython.MatchString(entry.Name()) {
				versioned = append(versioned, filepath.Join(dir, entry.Name()))
			}
		}
	}
	slices.SortStableFunc(versioned, func(a, b string) int {
		return slices.Compare(numbers(filepath.Base(a)), numbers(filepath.Base(b)))
	})
	return slices.Concat(plain, versioned, pypy)
}

// pathDirs returns the folders of $PATH, each once: /bin often is /usr/bin.
func pathDirs() []string {
	var dirs []string
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		resolved, err := filepath.EvalSymlinks(dir)
		if err == nil && filepath.IsAbs(resolved) && !slices.Contains(dirs, resolved) {
			dirs = append(dirs, resolved)
		}
	}
	return dirs
}

var digits = regexp.MustCompile(`[0-9]+`)

// numbers returns the numbers in a version. In their order, 3.9 precedes 3.10.
func numbers(version string) []int {
	var all []int
	for _, s := range digits.FindAllString(version, -1) {
		n, _ := strconv.Atoi(s) // too many digits: the largest int
		all = append(all, n)
	}
	return all
}

// pyenvRoot returns pyenv's folder, or "" if there can be none.
func pyenvRoot() string {
	if root := os.Getenv("PYENV_ROOT"); root != "" {
		return root
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return ""
	}
	return filepath.Join(home, ".pyenv")
}

func pyenvVersions() []string {
	root := pyenvRoot()
	if root == "" {
		return nil
	}
	versions, _ := os.ReadDir(filepath.Join(root, "versions")) // most machines have none
	slices.SortFunc(versions, func(a, b os.DirEntry) int {
		return slices.Compare(numbers(a.Name()), numbers(b.Name()))
	})
	var found []string
	for _, version := range versions {
		found = append(found, filepath.Join(root, "versions", version.Name(), "bin", "python3"))
	}
	return found
}

var moduleLine = regexp.MustCompile(`(?m)^module github\.com/pyshm-go/pyshm$`)

// broughtByScript reads .interpreters/list beside the next go.mod above the working
// directory. It returns nothing if the go.mod is another module's.
func broughtByScript() []string {
	dir, err := os.Getwd()
	if err != nil {
		return nil
	}
	for {
		goMod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil {
			if !moduleLine.Match(goMod) {
				return nil
			}
			list, _ := os.ReadFile(filepath.Join(dir, ".interpreters", "list"))
			return strings.Split(strings.TrimSpace(string(list)), "\n")
		}
		if dir == filepath.Dir(dir) {
			return nil
		}
		dir = filepath.Dir(dir)
	}
}

type probeResult struct {
	python Interpreter
	err    error
}

var probes struct {
	mu    sync.Mutex
	known map[string]probeResult // by command
}

// probeAll probes the candidates that are not known yet, all of them at the same time.
func probeAll(ctx context.Context, candidates []candidate) []probeResult {
	probes.mu.Lock()
	defer probes.mu.Unlock()
	results := make([]probeResult, len(candidates))
	var wg sync.WaitGroup
	for i, c := range candidates {
		if known, ok := probes.known[c.command]; ok {
			results[i] = known
			continue
		}
		wg.Go(func() { results[i].python, results[i].err = probe(ctx, c.command) })
	}
	wg.Wait()
	if probes.known == nil {
		probes.known = make(map[string]probeResult)
	}
	for i, r := range results {
		if ctx.Err() == nil || !errors.Is(r.err, ctx.Err()) {
			probes.known[candidates[i].command] = r
		}
	}
	return results
}

//go:embed probe.py
var probeSource string

func probe(ctx context.Context, command string) (Interpreter, error) {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, command, "-c", probeSource)
	if prepare(cmd) == nil {
		// A shim that hangs may be waiting for another process.
		cmd.Cancel = func() error { killGroup(cmd.Process); return nil }
	}
	runtime.LockOSThread() // see process.run
	defer runtime.UnlockOSThread()
	cmd.WaitDelay = time.Second // a child of a shim may keep its output open
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	switch err := cmd.Run(); {
	case ctx.Err() != nil:
		return Interpreter{}, fmt.Errorf("it printed nothing in time: %w", ctx.Err())
	case err != nil:
		return Interpreter{}, fmt.Errorf("%w: %s", err, lastLine(stderr.Bytes()))
	}
	return parseProbe(stdout.Bytes())
}

func parseProbe(output []byte) (Interpreter, error) {
	var facts struct {
		Interpreter
		Executable, Prefix string
	}
	if err := json.Unmarshal(output, &facts); err != nil {
		return Interpreter{}, fmt.Errorf("it is not Python: it printed %.80q", output)
	}
	py := facts.Interpreter
	if !py.AtLeast(3, 8) {
		return Interpreter{}, fmt.Errorf("%v is older than 3.8", py)
	}
	py.Path, py.executable, py.prefix = facts.Executable, facts.Executable, facts.Prefix
	if resolved, err := filepath.EvalSymlinks(facts.Executable); err == nil {
		py.executable = resolved
	}
	return py, nil
}

// same reports whether two interpreters are one installation. A virtual environment
// and the interpreter from which it was made are two.
func (py Interpreter) same(other Interpreter) bool {
	return py.executable == other.executable && py.prefix == other.prefix
}

func lastLine(text []byte) []byte {
	text = bytes.TrimSpace(text)
	return text[bytes.LastIndexByte(text, '\n')+1:]
}
