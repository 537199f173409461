package compat

import (
	"fmt"

	"github.com/pyshm-go/pyshm/format"
)

// A Block is a SharedMemory of a peer: plain bytes.
type Block struct{ handle }

// CreateBlock makes a block of size bytes. Python chooses a name if name is "".
func (p *Peer) CreateBlock(name string, size int) (*Block, error) {
	return object[Block](p.bind("block", "create_block", nameOrNone(name), size))
}

// AttachBlock attaches to the block called name.
func (p *Peer) AttachBlock(name string) (*Block, error) {
	return object[Block](p.bind("block", "attach_block", name))
}

// Block returns the SharedMemory that [Peer.Exec] has assigned to variable.
func (p *Peer) Block(variable string) (*Block, error) {
	return object[Block](p.lookUp(variable))
}

// String returns, for example, Block('psm_7843d557').
func (b *Block) String() string { return "Block(" + format.Repr(b.name) + ")" }

// Size returns the block's size in bytes as Python sees it. On Linux it is exact.
func (b *Block) Size() (int, error) {
	return number(b.peer, b.variable, "size")
}

// Read returns a copy of n bytes from offset on, or fewer at the end of the block.
func (b *Block) Read(offset, n int) ([]byte, error) {
	if offset < 0 || n < 0 { // Python would count from the end
		return nil, b.peer.error("read", fmt.Errorf("%d bytes at offset %d: a negative number", n, offset))
	}
	return call[[]byte](b.peer, b.variable, "read", offset, n)
}

// Write stores data from offset on. It fails if data would go beyond the end of the
// block. Without data it succeeds at any offset.
func (b *Block) Write(offset int, data []byte) error {
	if offset < 0 {
		return b.peer.error("write", fmt.Errorf("%d bytes at offset %d: a negative number", len(data), offset))
	}
	return run(b.peer, b.variable, "write", offset, data)
}
