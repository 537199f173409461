package worker

import (
	"fmt"
	"io/fs"
	"math"
	"os"
	"path"
	"runtime"
	"strings"
)

// processors returns how many processors this process may use all the time. A container with
// a limit may see more, but is stopped for a while when it has used up its time on them.
func processors() int {
	seen := min(runtime.NumCPU(), runtime.GOMAXPROCS(0))
	return int(min(float64(seen), groupLimit(os.DirFS("/"))))
}

// groupLimit returns how many processors the control group of this process may use, by its
// own limit or the limit of a group above it. It knows version 2 of control groups.
func groupLimit(root fs.FS) float64 {
	limit := math.Inf(1)
	groups, _ := fs.ReadFile(root, "proc/self/cgroup") // elsewhere than on Linux there is none
	for line := range strings.Lines(string(groups)) {
		group, isSecond := strings.CutPrefix(strings.TrimSpace(line), "0::")
		if !isSecond {
			continue
		}
		for ; ; group = path.Dir(group) {
			limit = min(limit, ownLimit(root, path.Join("sys/fs/cgroup", group)))
			if path.Dir(group) == group {
				break
			}
		}
	}
	return limit
}

// ownLimit returns the limit of one group. It is a number of microseconds, or max, in each period.
func ownLimit(root fs.FS, group string) float64 {
	text, err := fs.ReadFile(root, path.Join(group, "cpu.max"))
	var quota, period float64
	if err == nil {
		_, err = fmt.Sscan(string(text), &quota, &period)
	}
	if err != nil || period <= 0 {
		return math.Inf(1)
	}
	return quota / period
}
