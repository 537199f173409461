package futex

// The ways to wait when many do already, for tests of their own.
var (
	WaitInCrowd = waitInCrowd
	Poll        = poll
	HasWaitv    = hasWaitv
)

// Crowds returns the sizes of the crowds that there are.
func Crowds() (sizes []int) {
	crowds.Lock()
	defer crowds.Unlock()
	for _, c := range crowds.all {
		sizes = append(sizes, c.size)
	}
	return sizes
}
