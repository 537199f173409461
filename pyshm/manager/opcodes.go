package manager

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/pyshm-go/pyshm/format"
)

// The limits on pickles from others, for [inspect].
const (
	// A request takes some 20 opcodes. One with fewer than 256 cannot cost
	// anything worth mentioning.
	requestOpcodes = 255

	// A reply lists what is tracked, with 2 opcodes a name: 130,000 names.
	replyOpcodes = 1 << 18

	// og-rek copies a list that was read back from the memo when it is appended
	// to, so that a pickle of 64 KiB can make it allocate gigabytes: 16 bytes a
	// list item, of which there are no more than opcodes, for each memo read.
	// The product is bounded, to 16 MiB. It is 0 in the replies of real servers.
	maxMemoCost = 1 << 20

	// An int in decimal digits takes og-rek a time that grows with the square of
	// their number. What fits 64 bits has up to 19 and a sign.
	maxDigits = 20
)

var (
	errCut     = errors.New("pickle data was truncated")
	errTooLong = errors.New("pickle of too many opcodes")
)

// inspect tells whether a pickle holds nothing but the opcodes by which
// CPython's pickler, in protocols 0 to 5, makes None, str, int, bool, tuple,
// list and dict, and no more of them than maxOpcodes. It is there because
// og-rek reads a lot more than that, and not all of it at a price in proportion
// to its length.
func inspect(pickle []byte, maxOpcodes int) error {
	memoReads := 0
	for opcodes := 1; ; opcodes++ {
		if len(pickle) == 0 {
			return errCut
		}
		switch pickle[0] {
		case opStop:
			return nil // what follows is not read
		case 'g', 'h', 'j':
			memoReads++
		}
		if opcodes >= maxOpcodes || memoReads*opcodes > maxMemoCost {
			return errTooLong
		}
		size, err := opcodeSize(pickle)
		if err != nil {
			return err
		}
		pickle = pickle[size:]
	}
}

// opcodeSize returns the length of the opcode with which pickle begins and of
// what belongs to it.
func opcodeSize(pickle []byte) (int, error) {
	size := 1
	switch op := pickle[0]; op {
	case opMark, opNone, opEmptyTuple, opEmptyDict, opEmptyList, opAppend, opAppends, opTuple, opTuple1, opTuple2,
		'd', 'l', 's', 'u', '\x87', '\x88', '\x89', opMemoize: // DICT LIST SETITEM SETITEMS TUPLE3 NEWTRUE NEWFALSE
	case opProto, opBinInt1, 'h', 'q': // BINGET BINPUT
		size += 1
	case 'M': // BININT2
		size += 2
	case 'J', 'j', 'r': // BININT LONG_BINGET LONG_BINPUT
		size += 4
	case opFrame:
		size += 8
	case 'I', 'V', 'g', 'p': // INT UNICODE GET PUT: up to the end of the line
		length := bytes.IndexByte(pickle[1:], '\n')
		if length < 0 {
			return 0, errCut
		}
		if op == 'I' && length > maxDigits {
			return 0, errors.New("int of too many digits")
		}
		size += length + 1
	case opShortStr:
		if len(pickle) < 2 {
			return 0, errCut
		}
		size += 1 + int(pickle[1])
	case opStr:
		if len(pickle) < 5 {
			return 0, errCut
		}
		length := binary.LittleEndian.Uint32(pickle[1:])
		if uint64(length) > uint64(len(pickle)) {
			return 0, errCut
		}
		size += 4 + int(length)
	default:
		return 0, opcodeError(op)
	}
	if size > len(pickle) {
		return 0, errCut
	}
	return size, nil
}

// An opcodeError is about an opcode that is not accepted, in CPython's words.
type opcodeError byte

func (op opcodeError) Error() string {
	return fmt.Sprintf("invalid load key, %s.", format.Repr([]byte{byte(op)})[1:])
}
