package pyshm

import "time"

// The tests kill no process in the middle of its work, and so need not wait for it long.
func init() { patience, observation = 200*time.Millisecond, 100*time.Millisecond }
