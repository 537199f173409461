package format

import "time"

// AttachPatiently is Attach with another patience. Tests with many broken lists
// use 0.
func AttachPatiently(buf []byte, patience time.Duration) (*List, error) {
	if !isAligned(buf) {
		return nil, listErr("attach", ErrUnaligned)
	}
	return attachAligned("attach", buf, patience)
}
