package testkit

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// InPrivateShm runs the calling test again, in a process whose /dev/shm is an empty
// file system of its own with room for size bytes. It returns true only in that
// process.
//
// If the system does not allow that, the test is skipped. In the CI (CI=true in the
// environment) it fails, because the CI must not leave it out.
func InPrivateShm(t *testing.T, size int, options ...string) bool {
	t.Helper()
	NeedLinux(t)
	NotEmulated(t, "namespaces")
	again, err := Again(t, func(cmd *exec.Cmd) {
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
		if os.Geteuid() != 0 {
			InUserNamespace(cmd)
		}
	})
	switch {
	case again:
		if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
			leaveOut(t, err)
		}
		data := strings.Join(append(options, "mode=1777", fmt.Sprintf("size=%d", size)), ",")
		if err := syscall.Mount("tmpfs", "/dev/shm", "tmpfs", 0, data); err != nil {
			leaveOut(t, err)
		}
	case NoNamespace(err):
		leaveOut(t, err)
	default:
		Check(t, err)
	}
	return again
}

// InUserNamespace has a command run in a user namespace of its own.
func InUserNamespace(cmd *exec.Cmd) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
	cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
	cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
}

// NoNamespace reports whether err means that a process did not start because this
// system does not allow namespaces.
func NoNamespace(err error) bool {
	return errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EINVAL)
}

func leaveOut(t *testing.T, err error) {
	t.Helper()
	Missing(t, "no private /dev/shm, because mount namespaces are not allowed here: ", err)
}
