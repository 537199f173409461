//go:build unix

package manager

import "syscall"

// descriptorsForSessions returns how many connections may be open at a time: not
// all the descriptors that the process may have, as it needs some for the rest.
func descriptorsForSessions() int {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return maxDescriptors
	}
	n := int(min(uint64(limit.Cur), maxDescriptors))
	return max(1, n-n/4)
}

// maxDescriptors is more than Linux allows a process if not told otherwise
// (fs.nr_open), and less than what a limit may be.
const maxDescriptors = 1 << 24
