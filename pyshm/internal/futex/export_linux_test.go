package futex

// The two ways to wait when many goroutines wait already, for tests of each way.
var (
	WaitInCrowd = waitInCrowd
	Poll        = poll
	HasWaitv    = hasWaitv
)

// Crowds returns the sizes of all crowds.
func Crowds() (sizes []int) {
	crowds.Lock()
	defer crowds.Unlock()
	for _, c := range crowds.all {
		sizes = append(sizes, c.size)
	}
	return sizes
}

// HasRung reports whether the alarm has begun to ring.
func (a *Alarm) HasRung() bool { return a.rung.Load() }
