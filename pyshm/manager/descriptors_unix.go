//go:build unix

package manager

import "syscall"

// descriptorsForSessions returns how many connections may be open at a time: three
// quarters of the descriptors that the process may have, which needs some for the
// rest of its work.
func descriptorsForSessions() int {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return maxDescriptors
	}
	n := int(min(uint64(limit.Cur), maxDescriptors))
	return max(1, n-n/4)
}

// maxDescriptors is more than Linux allows a process by default (fs.nr_open), and
// less than the highest value of RLIMIT_NOFILE.
const maxDescriptors = 1 << 24
