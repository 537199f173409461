package format

// AttachAtOnce is Attach for tests that bring many broken lists: it does not
// wait for their formats, nor do the methods of the list for its items.
func AttachAtOnce(buf []byte) (*List, error) {
	if !isAligned(buf) {
		return nil, listErr("attach", ErrUnaligned)
	}
	return attachPatiently("attach", buf, 0)
}
