// Package emulator runs PTX, the text that LLVM writes for NVIDIA GPUs, without
// a GPU, and looks for the mistakes that a GPU would hide.
//
// It stands on the side of the least friendly machine that the PTX manual
// allows. Warps of a block run in an order drawn from a seed, in turns of any
// length; the two sides of a divergent branch run interleaved; an asynchronous
// copy lands when it is waited for and not before, or under an odd seed at any time; shared memory, registers and
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
// Of Hopper's instructions it holds to these rules, where the manual or custom leaves a choice:
//   - What a thread has written to memory, products and bulk copies see after a fence.proxy.async of that
//     thread. What threads have read, a bulk copy may write over after one of any thread that knows of it.
//   - A product is of the whole warpgroup: whoever has waited for it knows that all of it is done.
//   - Registers of a product that is not waited for may not be read either, and not moved.
//   - A block must know, before it ends, that whatever reads or writes its shared memory from outside
//     is through, its own copies too; and before anybody reaches into it, he must know that it has begun.
//   - A descriptor must fit the boxes that copies have put where it leads to.
//   - Products are added up in the project's order, those of 8 bits too, which the hardware adds less exactly.
//   - A box whose rows are shorter than its swizzle, a base offset in a descriptor, and what is .relaxed are refused.
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
//   - Copies mark their destination from their issue to their landing (async.go, bulk.go, flights.go);
//     tensormap.go and tensor.go have boxes of tensors. Whatever runs beside the threads has a number in
//     the vector clocks, as they have, which a wait makes known (proxy.go).
//   - wgmma.go has what belongs to a product while it goes on, operand.go where its matrices lie.
//   - Blocks of a cluster run on one goroutine (cluster.go, clusterops.go, storeasync.go); visitors.go watches
//     who reaches into another. Launches that overlap are in grids.go, setmaxnreg is in registers.go.
//
// Not there: atomics, which are refused on purpose; im2col copies, products of integers.
package emulator
