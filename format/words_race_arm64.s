//go:build race

#include "textflag.h"

// func compareAndSwap(p *uint64, old, v uint64) bool
TEXT ·compareAndSwap(SB), NOSPLIT, $0-25
	MOVD p+0(FP), R0
	MOVD old+8(FP), R1
	MOVD v+16(FP), R2
again:
	LDAXR (R0), R3
	CMP   R1, R3
	BNE   done
	STLXR R2, (R0), R3
	CBNZ  R3, again
done:
	CSET EQ, R0
	MOVB R0, ret+24(FP)
	RET
