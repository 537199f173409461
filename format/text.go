package format

import (
	"encoding/binary"
	"unicode/utf8"
	"unsafe"
)

// Most text is short and ASCII. The functions of this file handle it in words, for which
// they read it in little-endian order, whatever the machine's.

const nonASCII = 0x8080808080808080

func isASCII(b []byte) bool {
	seen := uint64(0)
	for ; len(b) >= wordSize; b = b[wordSize:] {
		seen |= binary.LittleEndian.Uint64(b)
	}
	return (seen|shortWord(b))&nonASCII == 0
}

// isUTF8 is utf8.Valid.
func isUTF8(b []byte) bool { return isASCII(b) || utf8.Valid(b) }

// isUTF8String is utf8.ValidString.
func isUTF8String(s string) bool { return isUTF8(unsafe.Slice(unsafe.StringData(s), len(s))) }

// shortWord returns fewer than 8 bytes as a word with zeros behind them.
func shortWord(b []byte) uint64 {
	switch n := len(b); {
	case n >= 4:
		first, last := binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[n-4:])
		return uint64(first) | uint64(last)<<(8*(n-4))
	case n > 0:
		return uint64(b[0]) | uint64(b[n/2])<<(8*(n/2)) | uint64(b[n-1])<<(8*(n-1))
	}
	return 0
}

// fillSlot writes text into a slot, as much as there is room for, and NULs behind it:
// readers strip only NULs.
func fillSlot(slot, text []byte) {
	if len(text) > 8*wordSize || len(text) > len(slot) {
		clear(slot[copy(slot, text):])
		return
	}
	for ; len(text) >= wordSize; slot, text = slot[wordSize:], text[wordSize:] {
		binary.LittleEndian.PutUint64(slot, binary.LittleEndian.Uint64(text))
	}
	if len(slot) > 0 {
		binary.LittleEndian.PutUint64(slot, shortWord(text))
	}
	if len(slot) > wordSize {
		clear(slot[wordSize:])
	}
}
