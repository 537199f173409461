//go:build race

#include "textflag.h"

// func CompareAndSwap32(p *uint32, old, v uint32) bool
TEXT ·CompareAndSwap32(SB), NOSPLIT, $0-17
	MOVQ p+0(FP), BX
	MOVL old+8(FP), AX
	MOVL v+12(FP), CX
	LOCK
	CMPXCHGL CX, 0(BX)
	SETEQ ret+16(FP)
	RET

// func CompareAndSwap64(p *uint64, old, v uint64) bool
TEXT ·CompareAndSwap64(SB), NOSPLIT, $0-25
	MOVQ p+0(FP), BX
	MOVQ old+8(FP), AX
	MOVQ v+16(FP), CX
	LOCK
	CMPXCHGQ CX, 0(BX)
	SETEQ ret+24(FP)
	RET
