package mappers

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/pyshm-go/pyshm/pyshm/internal/shmfile"
)

// initialNamespace is what /proc shows as the PID namespace of a process that
// is in none but the machine's own.
const initialNamespace = "pid:[4026531836]"

// Take looks at all processes. The snapshot is valid, but may lack processes,
// if the error is fs.ErrPermission: some were not to be seen.
func Take() (Snapshot, error) {
	pids, err := processes()
	if err != nil {
		return nil, err
	}
	all := Snapshot{}
	refused := 0
	for _, pid := range pids {
		maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
		switch {
		case errors.Is(err, fs.ErrPermission):
			refused++
		case err != nil && !hasEnded(err):
			return nil, err
		}
		for id := range parse(maps) {
			all[id] = append(all[id], pid)
		}
	}
	return all, unseen(pids, refused)
}

// hasEnded tells from an error what there was to read of a process that is gone.
func hasEnded(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ESRCH)
}

// unseen returns an error unless every process of the machine was looked at.
func unseen(pids []int, refused int) error {
	if refused > 0 {
		return fmt.Errorf("%d processes could not be examined: %w", refused, fs.ErrPermission)
	}
	if len(pids) == 0 || pids[0] != 1 {
		return fmt.Errorf("/proc hides processes: %w", fs.ErrPermission)
	}
	if ns, err := os.Readlink("/proc/self/ns/pid"); err != nil || ns != initialNamespace {
		return fmt.Errorf("processes outside this PID namespace could not be examined: %w", fs.ErrPermission)
	}
	return nil
}

// processes lists the process IDs, in ascending order.
func processes() ([]int, error) {
	d, err := os.Open("/proc")
	if err != nil {
		return nil, err
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil {
			pids = append(pids, pid)
		}
	}
	slices.Sort(pids)
	return pids, nil
}

// parse returns the files in /proc/PID/maps, whose lines are
//
//	7f0c4e1d4000-7f0c4e1d5000 rw-s 00000000 00:1a 1835009    /dev/shm/psm_0a1b2c3d
//	addresses                 mode offset   dev   inode      path
//
// The path is not looked at: it is that of another mount namespace, or the
// name the file had when it was mapped.
func parse(maps []byte) map[shmfile.ID]bool {
	files := map[shmfile.ID]bool{}
	for line := range bytes.Lines(maps) {
		fields := bytes.Fields(line)
		if len(fields) < 5 {
			continue
		}
		major, minor, _ := bytes.Cut(fields[3], []byte(":"))
		id := shmfile.ID{
			Dev: unix.Mkdev(uint32(number(major, 16)), uint32(number(minor, 16))),
			Ino: number(fields[4], 10),
		}
		if id.Ino != 0 {
			files[id] = true
		}
	}
	return files
}

// number returns 0, which is no inode, for what is not a number.
func number(digits []byte, base int) uint64 {
	n, _ := strconv.ParseUint(string(digits), base, 64)
	return n
}
