package sem

// Both layouts, of which native64.go and native32.go choose one, for tests of both on
// one machine.
var (
	Bytes64, Bytes32 = bytes64, bytes32
	ValueOffset64    = valueOffset64
)

const (
	Size64, Size32 = size64, size32
)
