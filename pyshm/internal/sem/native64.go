//go:build !(386 || arm || mips || mipsle)

package sem

import "encoding/binary"

// A Semaphore is a semaphore of this machine's glibc.
type Semaphore = Sem64

// Size is the size in bytes of a semaphore's file.
const Size = size64

// Bytes returns the content of a new semaphore.
func Bytes(value uint32) []byte { return bytes64(binary.NativeEndian, value) }

// At returns the semaphore in mem, which begins at a multiple of 8. mem must stay
// mapped as long as the semaphore is used.
func At(mem []byte) (Semaphore, error) { return At64(mem) }
