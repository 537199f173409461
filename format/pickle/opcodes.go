package pickle

// The opcodes, named as in Python's pickletools, with their arguments.
const (
	opMark            = '('
	opStop            = '.'
	opPop             = '0'
	opPopMark         = '1'
	opDup             = '2'
	opFloat           = 'F' // line
	opInt             = 'I' // line
	opBinInt          = 'J' // 4 bytes
	opBinInt1         = 'K' // 1 byte
	opLong            = 'L' // line
	opBinInt2         = 'M' // 2 bytes
	opNone            = 'N'
	opPersID          = 'P' // line
	opBinPersID       = 'Q'
	opReduce          = 'R'
	opString          = 'S' // line
	opBinString       = 'T' // length(4)
	opShortBinString  = 'U' // length(1)
	opUnicode         = 'V' // line
	opBinUnicode      = 'X' // length(4)
	opAppend          = 'a'
	opBuild           = 'b'
	opGlobal          = 'c' // 2 lines
	opDict            = 'd'
	opEmptyDict       = '}'
	opAppends         = 'e'
	opGet             = 'g' // line
	opBinGet          = 'h' // 1 byte
	opInst            = 'i' // 2 lines
	opLongBinGet      = 'j' // 4 bytes
	opList            = 'l'
	opEmptyList       = ']'
	opObj             = 'o'
	opPut             = 'p' // line
	opBinPut          = 'q' // 1 byte
	opLongBinPut      = 'r' // 4 bytes
	opSetItem         = 's'
	opTuple           = 't'
	opEmptyTuple      = ')'
	opSetItems        = 'u'
	opBinFloat        = 'G'  // 8 bytes, big-endian
	opBinBytes        = 'B'  // length(4)
	opShortBinBytes   = 'C'  // length(1)
	opProto           = 0x80 // 1 byte
	opNewObj          = 0x81
	opExt1            = 0x82 // 1 byte
	opExt2            = 0x83 // 2 bytes
	opExt4            = 0x84 // 4 bytes
	opTuple1          = 0x85
	opTuple2          = 0x86
	opTuple3          = 0x87
	opNewTrue         = 0x88
	opNewFalse        = 0x89
	opLong1           = 0x8a // length(1)
	opLong4           = 0x8b // length(4)
	opShortBinUnicode = 0x8c // length(1)
	opBinUnicode8     = 0x8d // length(8)
	opBinBytes8       = 0x8e // length(8)
	opEmptySet        = 0x8f
	opAddItems        = 0x90
	opFrozenSet       = 0x91
	opNewObjEx        = 0x92
	opStackGlobal     = 0x93
	opMemoize         = 0x94
	opFrame           = 0x95 // 8 bytes
	opByteArray8      = 0x96 // length(8)
	opNextBuffer      = 0x97
	opReadonlyBuffer  = 0x98
)

// maxProtocol is the highest protocol that Unmarshal reads.
const maxProtocol = 5
