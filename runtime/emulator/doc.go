// Package emulator runs PTX, the text that LLVM writes for NVIDIA GPUs, without
// a GPU, and looks for the mistakes that a GPU would hide.
//
// It stands on the side of the least friendly machine that the PTX manual
// allows. Warps of a block run in an order drawn from a seed, in turns of any
// length; the two sides of a divergent branch run interleaved; an asynchronous
// copy lands when it is waited for and not before; shared memory, registers and
// fresh global memory hold nothing until they are written; allocations have gaps
// between them and no more alignment than was asked for. Every access is checked
// against the accesses that no barrier orders before it. What goes wrong is a
// [Fault]: its kind, kernel, PTX line, source line, block and thread.
//
// How it works: [Load] parses the text (lex.go, parse.go); [Module.Kernel]
// decodes one kernel and the functions that it calls to a flat list of
// instructions whose operands are rows of 32 lanes (decode*.go); [Device.Launch]
// runs blocks side by side on goroutines (launch.go), each block on one of them
// (block.go), each instruction for all lanes of a warp at once (warp.go).
// Divergence ends where control flow must meet again (flow.go). Order between
// threads is kept in vector clocks (order.go), which every means of
// synchronisation joins; memory keeps, for each cell of the narrowest width that the
// kernel uses, who wrote and who read it last (shadow.go).
package emulator
