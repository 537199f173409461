package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pyshm-go/pyshm/pyshm"
)

func (d *diagnosis) machine(ctx context.Context) {
	root := os.DirFS("/")
	d.pythons(ctx)
	cmd := exec.Command("python3")
	if err := pyshm.WorkerEnv(cmd); err != nil {
		d.fail("workers", "give this user a cache directory that only the user can write: set XDG_CACHE_HOME", "%s", explain(err))
	} else if dir := envOf(cmd.Env, "PYTHONPATH"); dir != "" {
		d.ok("workers", "pyshm run and WorkerEnv use %s; doctor -- COMMAND checks whether that reaches a command", dir)
	}
	if endsWithProcess {
		d.ok("segments", "they end with the last process that has them open, and have no folder")
		return
	}
	d.memory()
	d.memoryLimit(root)
	d.removeIPC(root, os.Geteuid())
	d.inotify(root)
	d.segments()
}

// containerMemory is the size of /dev/shm in a container, unless it is told another.
const containerMemory = 64 << 20

const enlarge = "mount -o remount,size=1G /dev/shm"

// memory looks at the file system of segments.
func (d *diagnosis) memory() {
	const about = "/dev/shm"
	s, err := memoryState()
	switch {
	case errors.Is(err, errors.ErrUnsupported): // segments are somewhere else, if there are any
		return
	case err != nil:
		d.fail(about, "as root: mkdir -p /dev/shm && mount -t tmpfs -o mode=1777 tmpfs /dev/shm", "%v", err)
		return
	}
	used := s.size - s.free
	text := fmt.Sprintf("%s, of which %s are in use (%d %%)", sizeText(s.size), sizeText(used), used*100/max(1, s.size))
	const more = "pyshm ls shows the sizes, pyshm rm --orphans removes what no process uses; more room: " + enlarge
	switch {
	case !s.writable:
		d.fail(about, "as root: chmod 1777 /dev/shm", "this user cannot make segments: %s is not writable", about)
	case s.size > 0 && used >= s.size/10*9:
		d.fail(about, more, "%s: it is nearly full, and creating fails when it is", text)
	case s.files > 0 && s.filesFree < s.files/10:
		d.fail(about, more+",nr_inodes=1M", "%d of its %d names are left", s.filesFree, s.files)
	case s.size > 0 && s.size <= containerMemory:
		d.look(about, "Docker, Podman: --shm-size=1g; Compose: shm_size: 1gb; Kubernetes: an emptyDir with medium: Memory at /dev/shm; elsewhere: "+enlarge,
			"%s: that is little; 64 MiB are the default of containers", text)
	default:
		d.ok(about, "%s", text)
	}
	if !s.tmpfs {
		d.look(about, "mount a tmpfs there: pyshm ls does not know which processes use what", "it is no tmpfs")
	}
	if !s.sticky {
		d.look(about, "as root: chmod 1777 /dev/shm", "it has no sticky bit: any user can remove the segments of others")
	}
}

// A shmState describes the file system of segments.
type shmState struct {
	size, free              uint64 // bytes
	files, filesFree        uint64 // names, or 0 if there is no limit
	tmpfs, writable, sticky bool
}

// memoryLimit looks at the limit of the control group that this process is in.
func (d *diagnosis) memoryLimit(root fs.FS) {
	const about = "memory limit"
	groups, _ := fs.ReadFile(root, "proc/self/cgroup")
	for line := range strings.Lines(string(groups)) {
		group, ok := strings.CutPrefix(strings.TrimSpace(line), "0::/") // version 2
		if !ok {
			continue
		}
		for dir := group; ; dir = path.Dir(dir) {
			text, _ := fs.ReadFile(root, path.Join("sys/fs/cgroup", dir, "memory.max"))
			limit, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
			s, errState := memoryState()
			if err == nil && errState == nil && (s.size == 0 || limit < s.size) {
				d.look(about, "make the limit larger than /dev/shm and the programs together, or /dev/shm smaller: a full /dev/shm is an error, but beyond the limit processes are killed",
					"segments count in the control group's limit of %s, which is less than /dev/shm", sizeText(limit))
				return
			}
			if dir == "." || dir == "" || dir == "/" {
				return
			}
		}
	}
}

// removeIPC looks at the setting of systemd that removes the segments of a user after the
// logout.
func (d *diagnosis) removeIPC(root fs.FS, uid int) {
	const about = "RemoveIPC"
	if _, err := fs.Stat(root, "run/systemd/system"); err != nil {
		return // systemd does not run
	}
	const lastSystemUser = 999
	remove, file := removesIPC(root)
	switch {
	case uid <= lastSystemUser:
		d.ok(about, "systemd keeps the segments of system users such as this one")
	case remove:
		d.look(about, "if programs go on without a login: RemoveIPC=no in the section [Login] of /etc/systemd/logind.conf, or a service that runs as a system user",
			"systemd removes all segments and locks of this user at the end of the last login (%s)", file)
	default:
		d.ok(about, "no: systemd keeps segments (%s)", file)
	}
}

// removesIPC returns the setting, and the file that has it.
func removesIPC(root fs.FS) (remove bool, file string) {
	remove, file = true, "the default"
	dropIns := map[string]string{} // the first directory that has a name counts
	for _, dir := range []string{"etc/systemd", "run/systemd", "usr/local/lib/systemd", "usr/lib/systemd"} {
		names, _ := fs.Glob(root, dir+"/logind.conf.d/*.conf")
		for _, name := range names {
			if base := path.Base(name); dropIns[base] == "" {
				dropIns[base] = name
			}
		}
		if main := dir + "/logind.conf"; dropIns[""] == "" {
			if _, err := fs.Stat(root, main); err == nil {
				dropIns[""] = main // "" comes before all drop-ins
			}
		}
	}
	var bases []string
	for base := range dropIns {
		bases = append(bases, base)
	}
	slices.Sort(bases)
	for _, base := range bases {
		text, _ := fs.ReadFile(root, dropIns[base])
		for line := range strings.Lines(string(text)) {
			key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
			if strings.TrimSpace(key) == "RemoveIPC" {
				value = strings.ToLower(strings.TrimSpace(value))
				remove = value == "" || slices.Contains([]string{"1", "yes", "y", "true", "t", "on"}, value)
				file = "/" + dropIns[base]
			}
		}
	}
	return remove, file
}

// inotify looks at its limits: a manager and pyshm hold watch names with it.
func (d *diagnosis) inotify(root fs.FS) {
	const about = "inotify"
	limit := func(name string) int {
		text, _ := fs.ReadFile(root, "proc/sys/fs/inotify/"+name)
		n, _ := strconv.Atoi(strings.TrimSpace(string(text)))
		return n
	}
	instances := limit("max_user_instances")
	if instances == 0 {
		return // not on this system
	}
	used := 0
	descriptors, _ := fs.Glob(root, "proc/[0-9]*/fd/*")
	for _, fd := range descriptors {
		if target, err := os.Readlink("/" + fd); err == nil && target == "anon_inode:inotify" {
			used++
		}
	}
	text := fmt.Sprintf("%d instances in processes that this user sees, of %d for each user; %d watches", used, instances, limit("max_user_watches"))
	if used >= instances-instances/10 {
		d.look(about, fmt.Sprintf("as root: sysctl fs.inotify.max_user_instances=%d", 4*instances), "%s; each manager and each pyshm hold needs one", text)
		return
	}
	d.ok(about, "%s", text)
}

// segments looks at all segments and locks.
func (d *diagnosis) segments() {
	segments, err := listSegments()
	if _, missing := memoryState(); err != nil && missing != nil && !errors.Is(missing, errors.ErrUnsupported) {
		return // as memory has found
	}
	if err != nil {
		d.look("segments", "look with pyshm ls, as root", "%s", explain(err))
		return
	}
	var size uint64
	var orphans, unknown, dead []string
	for _, s := range segments {
		size += uint64(max(0, s.found.Allocated))
		switch {
		case s.Value != nil && *s.Value == 0 && s.isOrphan():
			dead = append(dead, shown(s.found.Name))
		case s.isOrphan():
			orphans = append(orphans, shown(s.found.Name))
		case s.isUnknown():
			unknown = append(unknown, shown(s.found.Name))
		}
	}
	d.ok("segments", "%d, with %s", len(segments), sizeText(size))
	if len(orphans) > 0 {
		d.look("segments", "pyshm ls --orphans shows them, pyshm rm NAME removes one; pyshm rm --orphans asks, and removes those with names that Python and pyshm choose",
			"no process uses %s", someOf(orphans))
	}
	if len(unknown) > 0 {
		d.look("segments", "run doctor as root, and outside of the container", "unknown whether a process uses %s", someOf(unknown))
	}
	if len(dead) > 0 {
		d.look("locks", "pyshm lock --reset NAME frees a lock, without the sem.; pyshm rm removes it; a semaphore that is a signal, or a part of a condition, may be 0",
			"value 0, and no process uses it that could release it: %s", someOf(dead))
	}
	d.waiting(segments)
}

// waiting adds a finding for each lock that processes wait for, for a moment at least.
func (d *diagnosis) waiting(segments []segment) {
	waited := func(s segment) bool { return s.Value != nil && *s.Value == 0 && *s.Waiters > 0 }
	if !slices.ContainsFunc(segments, waited) {
		return
	}
	time.Sleep(time.Second)
	later, err := listSegments()
	if err != nil {
		return
	}
	for _, s := range later {
		before := slices.IndexFunc(segments, func(old segment) bool { return old.Name == s.Name })
		if before < 0 || !waited(segments[before]) || !waited(s) {
			continue
		}
		name := strings.TrimPrefix(s.found.Name, "sem.")
		reset := "pyshm lock --reset " + shown(name) + " frees it; "
		if s.Complete && *s.Waiters >= len(s.Pids) {
			d.fail("locks", "if it is a lock, its holder has died: "+reset+"if it is a signal, start the process that gives it",
				"all processes that use %s wait for it: %s", shown(s.found.Name), s.mappers())
			continue
		}
		d.look("locks", "if its holder was killed or is stopped: "+reset+"a semaphore that is a signal may be waited for",
			"%d wait for %s, which processes %s use", *s.Waiters, shown(s.found.Name), s.mappers())
	}
}

// someOf returns a number of names, and the first of them.
func someOf(names []string) string {
	const shownNames = 5
	text := strings.Join(names[:min(len(names), shownNames)], ", ")
	if more := len(names) - shownNames; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// sizeText returns a number of bytes in the largest unit that leaves a digit.
func sizeText(n uint64) string {
	unit, units := 0, []string{"bytes", "KiB", "MiB", "GiB", "TiB"}
	size := float64(n)
	for size >= 1024 && unit < len(units)-1 {
		size /= 1024
		unit++
	}
	if unit == 0 || size >= 100 {
		return fmt.Sprintf("%.0f %s", size, units[unit])
	}
	return fmt.Sprintf("%.3g %s", size, units[unit])
}
