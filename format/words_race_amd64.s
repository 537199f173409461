//go:build race

#include "textflag.h"

// func compareAndSwap(p *uint64, old, v uint64) bool
TEXT ·compareAndSwap(SB), NOSPLIT, $0-25
	MOVQ p+0(FP), BX
	MOVQ old+8(FP), AX
	MOVQ v+16(FP), CX
	LOCK
	CMPXCHGQ CX, 0(BX)
	SETEQ ret+24(FP)
	RET
