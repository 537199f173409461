package mappers

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/pyshm-go/pyshm/pyshm/internal/shmfile"
)

// initialNamespace is the name in /proc of the machine's own PID namespace: the
// kernel's PID_NS_INIT_INO.
const initialNamespace = "pid:[4026531836]"

// maxRounds is how often Take looks for processes that have started in the meantime.
const maxRounds = 100

// Take looks at all processes. With an error the snapshot is valid, but may lack
// processes: fs.ErrPermission means that some are hidden from the calling process.
func Take() (Snapshot, error) {
	c := census{files: Snapshot{}, examined: map[int]bool{}}
	err := c.takeAll()
	for _, pids := range c.files {
		slices.Sort(pids)
	}
	if err == nil {
		err = c.unseen()
	}
	return c.files, err
}

// A census is a Snapshot in the making.
type census struct {
	files    Snapshot
	examined map[int]bool // by process ID
	refused  int
	refusal  error // the first one
}

// takeAll examines all processes. A process that ends before its turn may have left its
// mappings to a process that it has forked in the meantime. So takeAll looks again,
// until it finds no new process.
func (c *census) takeAll() error {
	for range maxRounds {
		pids, err := processes()
		if err != nil {
			return err
		}
		news := slices.DeleteFunc(pids, func(pid int) bool { return c.examined[pid] })
		if len(news) == 0 {
			return nil
		}
		for _, pid := range news {
			c.examine(pid)
		}
	}
	return errors.New("processes start faster than they could be examined")
}

func (c *census) examine(pid int) {
	c.examined[pid] = true
	maps, err := mapsOf(pid)
	if err != nil {
		c.refused++
		c.refusal = cmp.Or(c.refusal, err)
	}
	for id := range parse(maps) {
		c.files[id] = append(c.files[id], pid)
	}
}

// mapsOf returns the mappings of a process, in the form of /proc/PID/maps. For a process
// that has ended it returns none.
func mapsOf(pid int) ([]byte, error) {
	process := fmt.Sprintf("/proc/%d", pid)
	maps, err := readMaps(process)
	if err != nil || len(maps) > 0 {
		return maps, err
	}
	// A kernel thread, or a process whose main thread has ended. The other threads of
	// the process still share the memory.
	return mapsOfThreads(process + "/task")
}

// mapsOfThreads returns the maps of the first thread that has any. Like a process, a
// thread that ends before its turn may have started another.
func mapsOfThreads(task string) ([]byte, error) {
	examined := map[int]bool{}
	for range maxRounds {
		threads, err := numbered(task)
		if err != nil {
			return nil, unlessEnded(err)
		}
		news := slices.DeleteFunc(threads, func(id int) bool { return examined[id] })
		if len(news) == 0 {
			return nil, nil
		}
		for _, id := range news {
			examined[id] = true
			maps, err := readMaps(fmt.Sprintf("%s/%d", task, id))
			if err != nil || len(maps) > 0 {
				return maps, err
			}
		}
	}
	return nil, errors.New("threads start faster than they could be examined")
}

// readMaps returns the maps of a process or thread. If it has ended, they are empty.
func readMaps(dir string) ([]byte, error) {
	maps, err := os.ReadFile(dir + "/maps")
	return maps, unlessEnded(err)
}

// unlessEnded returns err, unless err means that the process or thread has ended.
func unlessEnded(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ESRCH) {
		return nil
	}
	return err
}

// unseen returns an error unless the census has looked at every process of the machine
// and could recognise its mappings.
func (c *census) unseen() error {
	if c.refused > 0 {
		return fmt.Errorf("processes that could not be examined: %d (%w)", c.refused, c.refusal)
	}
	if !c.examined[1] { // hidden, for example by the mount option hidepid
		return fmt.Errorf("/proc hides processes: %w", fs.ErrPermission)
	}
	// The processes of a PID namespace are visible in the namespaces around it, and not
	// the other way round. /proc/self exists only if /proc belongs to this process's
	// namespace or to one around it. In the initial namespace such a /proc shows all
	// processes.
	if ns, err := os.Readlink("/proc/self/ns/pid"); err != nil || ns != initialNamespace {
		return fmt.Errorf("processes outside this PID namespace could not be examined: %w", fs.ErrPermission)
	}
	// On other file systems, such as an overlayfs, maps may show another device than
	// stat does.
	var st unix.Statfs_t
	if err := unix.Statfs(shmfile.Dir, &st); err != nil || int64(st.Type) != unix.TMPFS_MAGIC {
		return fmt.Errorf("%s is not a tmpfs: %w", shmfile.Dir, errors.ErrUnsupported)
	}
	return nil
}

// processes lists the process IDs.
func processes() ([]int, error) {
	pids, err := numbered("/proc")
	if errors.Is(err, fs.ErrNotExist) { // callers would take fs.ErrNotExist for a missing segment
		err = fmt.Errorf("there is no /proc to look at processes: %w", errors.ErrUnsupported)
	}
	return pids, err
}

// numbered lists the names in a folder that are numbers.
func numbered(dir string) ([]int, error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	var numbers []int
	for _, name := range names {
		if n, err := strconv.Atoi(name); err == nil {
			numbers = append(numbers, n)
		}
	}
	return numbers, nil
}

// parse returns the files in /proc/PID/maps, whose lines are
//
//	7f0c4e1d4000-7f0c4e1d5000 rw-s 00000000 00:1a 1835009    /dev/shm/psm_0a1b2c3d
//	addresses                 mode offset   dev   inode      path
//
// parse ignores the path: it may belong to another mount namespace, or be the name that
// the file had when it was mapped.
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

// number returns the value of digits, or 0, which is never an inode, if they are not a
// number.
func number(digits []byte, base int) uint64 {
	n, _ := strconv.ParseUint(string(digits), base, 64)
	return n
}
