//go:build unix

package pyshm_test

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/pyshm-go/pyshm/pyshm"
	"github.com/pyshm-go/pyshm/scripts"
)

// workerPath returns the PYTHONPATH that WorkerEnv makes of env, and checks that
// nothing else has changed.
func workerPath(t *testing.T, env ...string) string {
	t.Helper()
	cmd := exec.Command("python3")
	cmd.Env = append([]string{}, env...) // not nil, which would inherit
	if err := pyshm.WorkerEnv(cmd); err != nil {
		t.Fatal(err)
	}
	var path string
	rest := slices.DeleteFunc(cmd.Env, func(entry string) bool {
		value, ok := strings.CutPrefix(entry, "PYTHONPATH=")
		if ok {
			path = value
		}
		return ok
	})
	want := slices.DeleteFunc(env, func(entry string) bool { return strings.HasPrefix(entry, "PYTHONPATH=") })
	if !slices.Equal(rest, want) {
		t.Errorf("environment %q became %q", env, rest)
	}
	return path
}

// wantSiteFiles checks what WorkerEnv has put into its directory.
func wantSiteFiles(t *testing.T, dir string) {
	t.Helper()
	for name, want := range map[string]string{
		"sitecustomize.py": scripts.SiteCustomize(),
		"pyshm_attach.py":  scripts.AttachHelper(),
	} {
		content, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || string(content) != want {
			t.Errorf("%s in %s holds %.40q, %v", name, dir, content, err)
		}
	}
}

func TestWorkerEnv(t *testing.T) {
	ownPlaces(t)
	dir := workerPath(t, "A=1")
	wantSiteFiles(t, dir)
	for _, test := range []struct{ env, want string }{
		{"PYTHONPATH=", dir},
		{"PYTHONPATH=/a:/b", dir + ":/a:/b"},
		{"PYTHONPATH=:/a", dir + "::/a"}, // the current directory, then /a
		{"PYTHONPATH=" + dir, dir},
		{"PYTHONPATH=" + dir + ":/a", dir + ":/a"},
		{"PYTHONPATH=/a:" + dir, dir + ":/a:" + dir},
	} {
		if got := workerPath(t, "A=1", test.env, "B=2"); got != test.want {
			t.Errorf("%s became %q, want %q", test.env, got, test.want)
		}
	}
}

func TestWorkerEnvInherits(t *testing.T) {
	ownPlaces(t)
	t.Setenv("PYTHONPATH", "/inherited")
	t.Setenv("PYSHM_TEST", "kept")
	cmd := exec.Command("env")
	if err := pyshm.WorkerEnv(cmd); err != nil {
		t.Fatal(err)
	}
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{":/inherited\n", "PYSHM_TEST=kept\n"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the command does not see %q", want)
		}
	}
}

// Every worker runs the files in the directory. So they must have the right content, a
// worker of another user must be able to read them, and no other user may change them.
func TestWorkerEnvMends(t *testing.T) {
	ownPlaces(t)
	dir := workerPath(t)
	file, helper := filepath.Join(dir, "sitecustomize.py"), filepath.Join(dir, "pyshm_attach.py")
	cache := filepath.Join(dir, "__pycache__")
	for _, damage := range []func() error{
		func() error { return os.WriteFile(file, []byte("half"), 0o644) },
		func() error { return os.Remove(file) },
		func() error { return os.WriteFile(helper, []byte("other"), 0o666) },
		func() error { return os.Remove(helper) },
		func() error { return os.Remove(cache) },
		func() error { return errors.Join(os.Chmod(cache, 0o700), os.Chmod(dir, 0o700)) },
		func() error { return os.RemoveAll(dir) },
	} {
		if err := damage(); err != nil {
			t.Fatal(err)
		}
		workerPath(t)
		wantSiteFiles(t, dir)
		for path, want := range map[string]fs.FileMode{dir: 0o755, cache: 0o755, file: 0o644, helper: 0o644} {
			if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
				t.Errorf("%s: %v, %v, want mode %v", path, info.Mode(), err, want)
			}
		}
	}
	if left, err := filepath.Glob(filepath.Join(dir, ".new-*")); err != nil || left != nil {
		t.Errorf("left behind: %q, %v", left, err)
	}
}

// places are the directories in which WorkerEnv may make its own.
type places struct{ top, cache, run, temp string }

// ownPlaces gives WorkerEnv new places for the test, all usable and open to other
// users.
func ownPlaces(t *testing.T) places {
	t.Helper()
	top := t.TempDir()
	p := places{top, filepath.Join(top, "cache"), filepath.Join(top, "run"), filepath.Join(top, "temp")}
	err := errors.Join(os.Chmod(filepath.Dir(top), 0o755), os.Chmod(top, 0o755)) // testing closes them
	for _, dir := range []string{p.cache, p.run, p.temp} {
		err = errors.Join(err, os.Mkdir(dir, 0o755), os.Chmod(dir, 0o755))
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("XDG_CACHE_HOME", p.cache)
	t.Setenv("TMPDIR", p.temp)
	pyshm.SetRunDir(t, p.run)
	return p
}

func rootOnly(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give a directory away")
	}
}

func wantBelow(t *testing.T, dir, place string) {
	t.Helper()
	if !strings.HasPrefix(dir, place+"/") {
		t.Errorf("the directory is %s, want one in %s", dir, place)
	}
}

func TestWorkerEnvPlaces(t *testing.T) {
	if runtime.GOOS == "darwin" {
		t.Skip("the cache does not follow XDG_CACHE_HOME")
	}
	t.Run("cache", func(t *testing.T) {
		p := ownPlaces(t)
		wantBelow(t, workerPath(t), p.cache)
	})
	t.Run("a cache that is yet to be made", func(t *testing.T) {
		p := ownPlaces(t)
		if err := os.Remove(p.cache); err != nil {
			t.Fatal(err)
		}
		dir := workerPath(t)
		if os.Geteuid() == 0 { // root's workers could not read it
			wantBelow(t, dir, p.run)
		} else {
			wantBelow(t, dir, p.cache)
		}
	})
	t.Run("a cache that other users cannot read", func(t *testing.T) {
		p := ownPlaces(t)
		if err := os.Chmod(p.cache, 0o700); err != nil {
			t.Fatal(err)
		}
		dir := workerPath(t)
		if os.Geteuid() == 0 {
			wantBelow(t, dir, p.run)
		} else {
			wantBelow(t, dir, p.cache)
		}
	})
	t.Run("no home", func(t *testing.T) {
		p := ownPlaces(t)
		pyshm.SetRunDir(t, filepath.Join(p.top, "missing"))
		t.Setenv("XDG_CACHE_HOME", "")
		for _, home := range []string{"", filepath.Join(p.top, "missing")} {
			t.Setenv("HOME", home)
			wantBelow(t, workerPath(t), p.temp)
		}
		if _, err := os.Stat(filepath.Join(p.top, "missing")); err == nil {
			t.Error("the home was made")
		}
	})
}

// tempOnly leaves WorkerEnv the temporary directory alone.
func tempOnly(t *testing.T) places {
	t.Helper()
	p := ownPlaces(t)
	t.Setenv("XDG_CACHE_HOME", filepath.Join(p.top, "missing", "cache"))
	pyshm.SetRunDir(t, filepath.Join(p.top, "missing"))
	return p
}

// TestWorkerEnvWithNameTaken: in a place where any user can make names, another user
// has taken the name that WorkerEnv would choose. WorkerEnv makes a directory with an
// unpredictable name, and finds it again.
func TestWorkerEnvWithNameTaken(t *testing.T) {
	for name, take := range map[string]func(t *testing.T, dir string) error{
		"another user's directory": func(t *testing.T, dir string) error {
			rootOnly(t)
			return os.Chown(dir, 65534, 65534)
		},
		"directory writable by others":    func(t *testing.T, dir string) error { return os.Chmod(dir, 0o757) },
		"directory writable by the group": func(t *testing.T, dir string) error { return os.Chmod(dir, 0o775) },
		"bytecode writable by others": func(t *testing.T, dir string) error {
			return os.Chmod(filepath.Join(dir, "__pycache__"), 0o757)
		},
		"symbolic link": func(t *testing.T, dir string) error {
			return errors.Join(os.Rename(dir, dir+".moved"), os.Symlink(dir+".moved", dir))
		},
		"file": func(t *testing.T, dir string) error {
			return errors.Join(os.RemoveAll(dir), os.WriteFile(dir, nil, 0o600))
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := tempOnly(t)
			taken := workerPath(t)
			if err := take(t, taken); err != nil {
				t.Fatal(err)
			}
			dir := workerPath(t)
			wantBelow(t, dir, p.temp)
			if dir == taken || !strings.HasPrefix(dir, taken+"-") {
				t.Errorf("the directory is %s", dir)
			}
			if again := workerPath(t); again != dir {
				t.Errorf("the next call makes %s", again)
			}
			wantSiteFiles(t, dir)
		})
	}
}

func TestWorkerEnvRefusesUnsafePlaces(t *testing.T) {
	for _, test := range []struct {
		name  string
		spoil func(t *testing.T, p places) error
	}{
		{"parent writable by others", func(t *testing.T, p places) error { return os.Chmod(p.temp, 0o777) }},
		{"parent writable by the group", func(t *testing.T, p places) error { return os.Chmod(p.temp, 0o775) }},
		{"grandparent writable by others", func(t *testing.T, p places) error { return os.Chmod(p.top, 0o777) }},
		{"another user's parent", func(t *testing.T, p places) error {
			rootOnly(t)
			return errors.Join(os.Chmod(p.temp, 0o777|fs.ModeSticky), os.Chown(p.temp, 65534, 65534))
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := tempOnly(t)
			if err := test.spoil(t, p); err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command("python3")
			err := pyshm.WorkerEnv(cmd)
			if !errors.Is(err, fs.ErrPermission) {
				t.Fatalf("WorkerEnv: %v, want a refusal", err)
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("the error has more than one line: %v", err)
			}
			if cmd.Env != nil {
				t.Errorf("the refused command has the environment %q", cmd.Env)
			}
			t.Log(err)
		})
	}
	t.Run("cache writable by others", func(t *testing.T) {
		p := ownPlaces(t)
		if err := os.Chmod(p.cache, 0o777); err != nil {
			t.Fatal(err)
		}
		if dir := workerPath(t); strings.HasPrefix(dir, p.cache) {
			t.Errorf("the directory is %s", dir)
		}
	})
}

func TestWorkerEnvRefusesAColonInTMPDIR(t *testing.T) {
	p := tempOnly(t)
	temp := filepath.Join(p.temp, "a:b")
	if err := os.Mkdir(temp, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", temp)
	if err := pyshm.WorkerEnv(exec.Command("python3")); !errors.Is(err, fs.ErrInvalid) {
		t.Error(err)
	}
}

func TestWorkerEnvAcceptsSafeParents(t *testing.T) {
	for _, test := range []struct {
		name              string
		parentMode, above fs.FileMode
	}{
		{"sticky", 0o777 | fs.ModeSticky, 0o755},
		{"below a closed directory", 0o777, 0o700},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := tempOnly(t)
			if err := errors.Join(os.Chmod(p.temp, test.parentMode), os.Chmod(p.top, test.above)); err != nil {
				t.Fatal(err)
			}
			wantBelow(t, workerPath(t), p.temp)
		})
	}
}

// TestWorkerEnvRefusesFlags that make Python ignore what WorkerEnv does.
func TestWorkerEnvRefusesFlags(t *testing.T) {
	ownPlaces(t)
	for _, test := range []struct {
		command string
		refused bool
	}{
		{"python3 worker.py", false},
		{"python3 -I worker.py", true},
		{"python3 -E worker.py", true},
		{"python3 -S worker.py", true},
		{"python3.13t -bEs worker.py", true},
		{"/usr/bin/pypy3 -u -I -m worker", true},
		{"python3 -Im worker", true},
		{"python3 -mI", false},
		{"python3 -sm worker -I", false},
		{"python3 -c pass -E", false},
		{"python3 worker.py -E", false},
		{"python3 - -E", false},
		{"python3 -- -E", false},
		{"python3 -W E -X S worker.py", false},
		{"python3 -WE -XI worker.py", false},
		{"python3 -W error -E worker.py", true},
		{"python3 --check-hash-based-pycs always -I worker.py", true},
		{"python3 --help", false},
		{"grep -E x", false},
		{"python-config -E", false},
	} {
		words := strings.Fields(test.command)
		cmd := exec.Command(words[0], words[1:]...)
		err := pyshm.WorkerEnv(cmd)
		if got := errors.Is(err, fs.ErrInvalid); got != test.refused || !got && err != nil {
			t.Errorf("%s: %v", test.command, err)
		}
	}
}
