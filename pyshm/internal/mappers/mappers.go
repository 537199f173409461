// Package mappers finds out which processes map a file.
package mappers

import "github.com/pyshm-go/pyshm/pyshm/internal/shmfile"

// A Snapshot holds for each file the IDs of the processes that mapped it, in
// ascending order.
type Snapshot map[shmfile.ID][]int
