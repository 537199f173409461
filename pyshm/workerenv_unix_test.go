//go:build unix

package pyshm_test

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
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

func TestWorkerEnv(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	dir := workerPath(t, "A=1")
	content, err := os.ReadFile(filepath.Join(dir, "sitecustomize.py"))
	if err != nil || string(content) != scripts.SiteCustomize {
		t.Fatalf("sitecustomize.py in %s holds %.40q, %v", dir, content, err)
	}
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
	t.Setenv("TMPDIR", t.TempDir())
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

// What is in the directory is run by every worker, so it must be what it should
// be, readable for a worker with another user, and nobody else's to change.
func TestWorkerEnvMends(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	dir := workerPath(t)
	file := filepath.Join(dir, "sitecustomize.py")
	cache := filepath.Join(dir, "__pycache__")
	for _, damage := range []func() error{
		func() error { return os.WriteFile(file, []byte("half"), 0o644) },
		func() error { return os.Remove(file) },
		func() error { return os.Remove(cache) },
		func() error { return errors.Join(os.Chmod(cache, 0o700), os.Chmod(dir, 0o700)) },
		func() error { return os.RemoveAll(dir) },
	} {
		if err := damage(); err != nil {
			t.Fatal(err)
		}
		workerPath(t)
		content, err := os.ReadFile(file)
		if err != nil || string(content) != scripts.SiteCustomize {
			t.Errorf("sitecustomize.py holds %.40q, %v", content, err)
		}
		for path, want := range map[string]fs.FileMode{dir: 0o755, cache: 0o755, file: 0o644} {
			if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
				t.Errorf("%s: %v, %v, want mode %v", path, info.Mode(), err, want)
			}
		}
	}
	if left, err := filepath.Glob(filepath.Join(dir, ".new-*")); err != nil || left != nil {
		t.Errorf("left behind: %q, %v", left, err)
	}
}

func TestWorkerEnvRefusesWhatOthersCanChange(t *testing.T) {
	for _, test := range []struct {
		name  string
		spoil func(temp, dir string) error
	}{
		{"directory writable by others", func(temp, dir string) error { return os.Chmod(dir, 0o757) }},
		{"directory writable by the group", func(temp, dir string) error { return os.Chmod(dir, 0o775) }},
		{"bytecode writable by others", func(temp, dir string) error { return os.Chmod(filepath.Join(dir, "__pycache__"), 0o757) }},
		{"parent writable by others", func(temp, dir string) error { return os.Chmod(temp, 0o777) }},
		{"parent writable by the group", func(temp, dir string) error { return os.Chmod(temp, 0o775) }},
		{"grandparent writable by others", func(temp, dir string) error { return os.Chmod(filepath.Dir(temp), 0o777) }},
		{"another user's parent", func(temp, dir string) error {
			if os.Geteuid() != 0 {
				t.Skip("only root can give a directory away")
			}
			return errors.Join(os.Chmod(temp, 0o777|fs.ModeSticky), os.Chown(temp, 65534, 65534))
		}},
		{"symbolic link", func(temp, dir string) error {
			return errors.Join(os.Rename(dir, dir+".moved"), os.Symlink(dir+".moved", dir))
		}},
		{"file", func(temp, dir string) error {
			return errors.Join(os.RemoveAll(dir), os.WriteFile(dir, nil, 0o600))
		}},
		{"another user's directory", func(temp, dir string) error {
			if os.Geteuid() != 0 {
				t.Skip("only root can give a directory away")
			}
			return os.Chown(dir, 65534, 65534)
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			parent := t.TempDir()
			temp := filepath.Join(parent, "tmp")
			err := errors.Join(os.Mkdir(temp, 0o755), os.Chmod(temp, 0o755),
				os.Chmod(parent, 0o755), os.Chmod(filepath.Dir(parent), 0o755)) // testing closes it
			if err != nil {
				t.Fatal(err)
			}
			t.Setenv("TMPDIR", temp)
			dir := workerPath(t)
			if err := test.spoil(temp, dir); err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command("python3")
			err = pyshm.WorkerEnv(cmd)
			if !errors.Is(err, fs.ErrPermission) {
				t.Fatalf("WorkerEnv: %v, want a refusal", err)
			}
			if cmd.Env != nil {
				t.Errorf("the refused command has the environment %q", cmd.Env)
			}
			t.Log(err)
		})
	}
}

func TestWorkerEnvRefusesAColonInTMPDIR(t *testing.T) {
	temp := filepath.Join(t.TempDir(), "a:b")
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
			temp := t.TempDir()
			if err := errors.Join(os.Chmod(temp, test.parentMode), os.Chmod(filepath.Dir(temp), test.above)); err != nil {
				t.Fatal(err)
			}
			t.Setenv("TMPDIR", temp)
			workerPath(t)
		})
	}
}
