//go:build cuda

// The jumps of sys under the names by which a driver exports them, and where they go from the first call on.
#include "../../sys/sys.h"
#include "../fake.h"

__attribute__((constructor)) static void start(void) { mdlc_fake_install(); }

#define F(name, symbol, params) \
	__asm__(".ifnc " #name "," #symbol "\n.text\n.globl " #symbol "\n.type " #symbol ", @function\n" #symbol ":\n\tjmp " #name "@PLT\n.endif\n");
#include "../../sys/include/functions.h"
#undef F
