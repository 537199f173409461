package format

import "unsafe"

// Views of the buffer as words and codes. Only this file and package words access its
// memory unsafely. The slice expressions panic rather than let a view leave the
// buffer.

// viewWords returns the n words at off, which is a multiple of 8 in a buffer
// that begins at one.
func viewWords(buf []byte, off, n int) []uint64 {
	b := buf[off : off+n*wordSize]
	return unsafe.Slice((*uint64)(unsafe.Pointer(unsafe.SliceData(b))), n)
}

// viewCodes returns the n signed bytes at off.
func viewCodes(buf []byte, off, n int) []int8 {
	b := buf[off : off+n]
	return unsafe.Slice((*int8)(unsafe.Pointer(unsafe.SliceData(b))), n)
}

// numbersOf returns the caller's numbers as the words that they are in a slot.
func numbersOf[T int64 | float64](numbers []T) []uint64 {
	return unsafe.Slice((*uint64)(unsafe.Pointer(unsafe.SliceData(numbers))), len(numbers))
}

// isAligned reports whether buf begins at a multiple of 8.
func isAligned(buf []byte) bool {
	return uintptr(unsafe.Pointer(unsafe.SliceData(buf)))%wordSize == 0
}

// bytesOf returns the caller's words as bytes.
func bytesOf(ws []uint64) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(ws))), len(ws)*wordSize)
}

// copyToWords copies text to the start of the words.
func copyToWords(words []uint64, text []byte) {
	copy(bytesOf(words), text)
}

// alignedBytes returns n zero bytes that begin at a multiple of 8.
func alignedBytes(n int) []byte {
	words := make([]uint64, n/wordSize+min(n%wordSize, 1))
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(words))), len(words)*wordSize)[:n:n]
}
