// Package emulator runs PTX, the text that LLVM writes for NVIDIA GPUs, without
// a GPU, and looks for the mistakes that a GPU would hide.
//
// It stands on the side of the least friendly machine that the PTX manual
// allows. Warps of a block run in an order drawn from a seed, in turns of any
// length; the two sides of a divergent branch run interleaved; an asynchronous
// copy lands when it is waited for and not before; shared memory, registers and
// fresh global memory hold nothing until they are written; allocations have gaps
// between them and no more alignment than was asked for; an approximate
// instruction gives either end of the error that it may have. Every access is checked
// against the accesses that no barrier orders before it. What goes wrong is a
// [Fault]: its kind, kernel, PTX line, source line, block and thread.
//
// What a program does not say is not caught: an index that is wrong but inside its
// variable, or data of an older turn that was ordered and written in time, show in the
// results only. Nor are registers, spills and speed seen; ptxas tells of those.
//
// How it works:
//   - [Load] parses the text (lex.go, parse.go, parse_body.go). [Module.Kernel] decodes
//     one kernel and the functions that it calls to a flat list of instructions whose
//     operands are rows of 32 lanes (decode*.go). A table of builders has a line for
//     each opcode; families of instructions are in files of their own. Whatever is
//     not understood, a modifier too, is an error there.
//   - [Device.Launch] runs blocks side by side on goroutines (launch.go), each on one
//     of them (block.go), each instruction for all lanes of a warp (warp.go). Lanes that a
//     branch parts meet again where control flow must (flow.go), or at an instruction
//     that they execute together (sync.go).
//   - A call begins with registers, local memory and results that hold nothing (call.go).
//   - Order between threads is kept in vector clocks (order.go). Whatever synchronises
//     joins them: barrier.go, mbarrier.go, and bar.warp.sync.
//   - Memory keeps who wrote and who read last, for each cell of the narrowest width
//     that the kernel uses (shadow.go, memory.go, memory_global.go).
//   - Copies mark their destination from their issue to their landing (async.go, bulk.go).
//
// Not there yet: tensor copies, wgmma, clusters. A pending accumulator is to be
// a row without defined lanes until it is waited for, and a tensor copy is a flight
// (bulk.go) whose addresses come from a descriptor. Atomics are refused on purpose.
package emulator
