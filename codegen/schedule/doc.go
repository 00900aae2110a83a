// Package schedule turns the equations of a kernel into loops for a machine.
//
// Choose decides, as data: a list of loop.Opt. Run applies the list in named
// steps, each kernel IR to kernel IR:
//
//	split   equations: fused and joined axes, second phases      (split.go, places.go, window.go, slide.go, fuse.go, join.go)
//	axes    cuts, bindings, limits                               (axes.go, limit.go, choose_taps.go, promote.go)
//	sweep   equations to loops; carries; memory accumulators     (sweep.go, accumulate.go)
//	block   pages over the same blocks of rows become one        (block.go)
//	edge    loop bounds, guards, main and edge loops             (edge.go, ends.go)
//	skew    the last sweep of a row joins one of the next row    (skew.go)
//	        panels too large for the machine go to memory        (evict.go)
//	stage   operands of shared tiles in slots, results too; roles (stage.go, slot.go, stage_blocks.go, bulk.go, persist.go, cluster.go, via.go, send.go)
//	layout  open axes become registers and lanes                 (layout.go)
//	expand  transcendental functions and Philox to machine ops   (expand.go)
//
// Partials and packs come first because they are equations too: after split a
// kernel is several pages of equations with Phases between them, no axis
// shared by two pages, and the later steps look at one page at a time.
//
// Block makes one page of some: where several products follow each other, as in attention, a block of rows
// goes through all of them (choose_block.go), so that what passes from one to the next is a panel. The
// order of additions is that of the pages: rows are summed in ascending order, in a loop around all
// of the group, with the sums in panels beside it. Where conditions leave out the columns beyond a row, a block
// ends at its last column (choose_limit.go): its axis has an extent that depends on the block. On a GPU a page is a launch: there
// the loop over blocks stands around the phases (rounds.go), panels and sums are in memory, and what is cut of the rows divides a block.
//
// # The finished kernel
//
// What layout hands to expand and to the emitter keeps these rules:
//
//   - Guarded is true. Only the extents of leaf axes count; every load is inside
//     its buffer or has a guard, every store that may be dead has one.
//   - Each leaf axis is Par, Loop, Unroll, Reg or Lane, but for those a dot sums over. The par points of a phase
//     are the product of the par axes that its statements mention, in the order
//     of Kernel.Axes. At most one Lane axis occurs in a value; its extent is the
//     number of lanes of the machine. A value without the lane axis is a scalar
//     per point of its Reg axes.
//   - An axis may have a Def over leaves (j = j0*64 + j1r*8 + j1l); AxisIndex and
//     loads may name it.
//   - Reductions are over Reg and Lane axes only, or Reg axes and a FragSum, at most 64 points: Over lists the
//     Reg axis before the Lane axis, so the flat index of a point is its partial.
//   - A dot has Instr "fma", its c operand is given or zero. Its rows are Reg axes,
//     its columns Reg and Lane axes, Over are Open axes:
//     the row emits their loops, each from 0 to its extent, which may be data
//     (min(256, K - k0*256)). Its operands are loads (of f32, possibly guarded on rows or
//     columns) or, where they are cheap, small expressions of loads.
//   - A dot with Instr "mma" or "wgmma" has operands over one FragRow and one FragCol axis, and a FragSum as the last leaf
//     that it sums over. The columns may be a FragSum, too, that a later product sums over; what is reduced beside may go over it. Where operands wait in slots, what the warps of a point share has Warp axes, and what
//     all its threads copy a Thread axis. Those of "wgmma" are loads of swizzled slots, but that the first may be computed, and a Settle stands before what uses its result.
//   - The stores of a Fill and of a Send are copies of boxes (BoxOf), over two Box axes each.
//   - Where the opt Together names the loop that a page is, its points run inside of it: what they write there is their own.
//   - For loops have explicit bounds where they are not the whole extent. A loop over
//     blocks comes as a main loop without guards and an edge loop with them; one around phases, of a GPU only, as it is.
package schedule
