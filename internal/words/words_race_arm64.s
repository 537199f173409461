//go:build race

#include "textflag.h"

// func Load32(p *uint32) uint32
TEXT ·Load32(SB), NOSPLIT, $0-12
	MOVD  p+0(FP), R0
	LDARW (R0), R0
	MOVW  R0, ret+8(FP)
	RET

// func Load64(p *uint64) uint64
TEXT ·Load64(SB), NOSPLIT, $0-16
	MOVD p+0(FP), R0
	LDAR (R0), R0
	MOVD R0, ret+8(FP)
	RET

// func Store64(p *uint64, v uint64)
TEXT ·Store64(SB), NOSPLIT, $0-16
	MOVD p+0(FP), R0
	MOVD v+8(FP), R1
	STLR R1, (R0)
	RET

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
