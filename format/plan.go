package format

// A plan has the kinds and sizes that the slots of a list will have, with a byte for
// each slot: a plan takes little memory beside its list.
type plan struct {
	slots []plannedSlot
	large []uint32 // the sizes in bytes that slots have no room for, in order
}

// A plannedSlot is a kind in its lowest three bits, and above them the size in words, or 0
// if the size is among the large ones.
type plannedSlot uint8

const (
	kindBits      = 3
	largestInSlot = wordSize * (1<<(8-kindBits) - 1)
)

func newPlan(n int) plan { return plan{slots: make([]plannedSlot, 0, n)} }

func (p *plan) add(kind Kind, size int) {
	if size > largestInSlot {
		p.large = append(p.large, uint32(size))
		size = 0
	}
	p.slots = append(p.slots, plannedSlot(size/wordSize<<kindBits)|plannedSlot(kind))
}

func (s plannedSlot) kind() Kind { return Kind(s & (1<<kindBits - 1)) }

// size returns the size in bytes of the first slot that is left, and the large sizes that
// are left behind it.
func (s plannedSlot) size(large []uint32) (int, []uint32) {
	if size := int(s>>kindBits) * wordSize; size != 0 {
		return size, large
	}
	return int(large[0]), large[1:]
}
