package worker

import (
	"context"
	"errors"
	"io/fs"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm"
	"github.com/pyshm-go/pyshm/pyshm/connection"
)

var authkey = []byte("the key of the tests")

// startRemote starts a Python that serves as serve's arguments say. It has namespaces of its
// own, as in another container that shares /dev/shm, if this system allows them.
func startRemote(t *testing.T, arguments string) *exec.Cmd {
	t.Helper()
	start := func(contain ...func(*exec.Cmd)) (*exec.Cmd, error) {
		cmd := remoteCommand(t, arguments)
		for _, f := range contain {
			f(cmd)
		}
		return cmd, cmd.Start()
	}
	cmd, err := start(testkit.InUserNamespace, func(cmd *exec.Cmd) {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWPID | syscall.CLONE_NEWNET |
			syscall.CLONE_NEWIPC | syscall.CLONE_NEWUTS | syscall.CLONE_NEWNS
	})
	if testkit.NoNamespace(err) {
		t.Log("without namespaces of its own:", err)
		cmd, err = start()
	}
	check(t, err)
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	return cmd
}

func remoteCommand(t *testing.T, arguments string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(testkit.Python(t).Path, "-c", `
import time
from pyshm_attach import serve
serve(time.sleep, "nap")
@serve
def negate(array):
    array[0] = -array[0]
`+"serve(authkey=b'"+string(authkey)+"', "+arguments+")")
	check(t, pyshm.WorkerEnv(cmd))
	return cmd
}

// wantShared passes an array to a worker of a pool.
func wantShared(t *testing.T, p *Pool) {
	t.Helper()
	ctx := testkit.Within(t, testkit.Patience)
	check(t, p.Do(ctx, func(j *Job) error {
		a := must(NewArray[int32](j, 2))(t)
		check(t, a.Set(7, 0))
		must(j.Call(ctx, "negate", a))(t)
		wantEqual(t, "the element", must(a.At(0))(t), int32(-7))
		return nil
	}))
}

// TestAccept: workers that another program has started come, crash, and come again.
func TestAccept(t *testing.T) {
	t.Parallel()
	needArena(t)
	testkit.NeedLinux(t)
	l := must(connection.Listen(filepath.Join(t.TempDir(), "pool"), &connection.Options{Authkey: authkey}))(t)
	defer l.Close()
	p := must(Accept(l, Options{Workers: 2, Logger: quiet}))(t)
	defer closePool(t, p)
	for range 2 {
		remote := startRemote(t, "connect="+l.PythonAddress())
		wantShared(t, p)
		time.AfterFunc(moment, func() { remote.Process.Kill() })
		_, err := p.Call(t.Context(), "nap", 1000)
		wantCrash(t, "a nap", err)
	}
}

// TestDial: a pool dials to a worker, and the next pool to the same one.
func TestDial(t *testing.T) {
	t.Parallel()
	needArena(t)
	testkit.NeedLinux(t)
	path := filepath.Join(t.TempDir(), "worker")
	_, err := Dial(t.Context(), []string{path}, nil, Options{Logger: quiet})
	wantReason(t, "no worker there", err, syscall.ECONNREFUSED)
	startRemote(t, "listen='"+path+"'")
	for range 2 {
		var p *Pool
		testkit.Eventually(t, "the worker listens", func() bool {
			p, err = Dial(t.Context(), []string{path}, &connection.Options{Authkey: authkey}, Options{Logger: quiet})
			return err == nil
		})
		wantShared(t, p)
		ctx, cancel := context.WithTimeout(t.Context(), moment)
		_, err := p.Call(ctx, "nap", 0.3)
		cancel()
		wantReason(t, "a nap", err, context.DeadlineExceeded)
		wantShared(t, p)
		closePool(t, p)
	}
	_, err = Dial(t.Context(), []string{path}, &connection.Options{Authkey: []byte("another key here")}, Options{Logger: quiet})
	if !errors.Is(err, connection.ErrAuth) {
		t.Errorf("with another key: %v", err)
	}
	_, err = Dial(t.Context(), nil, nil, Options{})
	wantReason(t, "no addresses", err, fs.ErrInvalid)
}
