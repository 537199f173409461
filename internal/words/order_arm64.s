#include "textflag.h"

// The barriers hold for all processors of one system: ISHLD and ISHST.

// func OrderLoads()
TEXT ·OrderLoads(SB), NOSPLIT, $0-0
	DMB $0x9
	RET

// func OrderStores()
TEXT ·OrderStores(SB), NOSPLIT, $0-0
	DMB $0xa
	RET
