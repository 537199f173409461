package sem

// What native64.go and native32.go choose from, for tests of both layouts on
// one machine.
var (
	Bytes64, Bytes32 = bytes64, bytes32
	ValueOffset64    = valueOffset64
)

const (
	Size64, Size32 = size64, size32
)
