#include "textflag.h"

// A signal handler: DI is the signal, SI its siginfo, DX the machine's state. A
// fault whose instruction lies in generated code is told of and ends the
// process; any other goes to the handler that was there before.
TEXT ·faultHandler(SB), NOSPLIT|NOFRAME|TOPFRAME, $0
	MOVQ 168(DX), AX // RIP of ucontext_t
	CMPQ AX, ·faultLow(SB)
	JB   next
	CMPQ AX, ·faultHigh(SB)
	JAE  next
	MOVL $2, DI // standard error
	MOVQ ·faultText(SB), SI
	MOVQ ·faultSize(SB), DX
	MOVL $1, AX // write
	SYSCALL
	MOVL $1, DI
	MOVL $231, AX // exit_group
	SYSCALL

next:
	MOVQ ·faultNext(SB), AX
	JMP  AX

// func faultHandlerAddress() uintptr
TEXT ·faultHandlerAddress(SB), NOSPLIT, $0-8
	LEAQ ·faultHandler(SB), AX
	MOVQ AX, ret+0(FP)
	RET
