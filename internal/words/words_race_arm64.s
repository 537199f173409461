//go:build race

#include "textflag.h"

// func CompareAndSwap32(p *uint32, old, v uint32) bool
TEXT ·CompareAndSwap32(SB), NOSPLIT, $0-17
	MOVD  p+0(FP), R0
	MOVWU old+8(FP), R1
	MOVWU v+12(FP), R2
again:
	LDAXRW (R0), R3
	CMPW   R1, R3
	BNE    done
	STLXRW R2, (R0), R3
	CBNZ   R3, again
done:
	CSET EQ, R0
	MOVB R0, ret+16(FP)
	RET

// func CompareAndSwap64(p *uint64, old, v uint64) bool
TEXT ·CompareAndSwap64(SB), NOSPLIT, $0-25
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
