package llir

import (
	"fmt"
	"slices"
	"strings"

	"github.com/llir/llvm/ir/types"
	"github.com/llir/llvm/ir/value"
)

// What Hopper has and LLVM 19 has no intrinsics for: products of groups of warps, barriers in shared memory, copies of boxes.

// WgmmaStep is what a product has of the summands of an instruction: the first operand's descriptor, or the four registers of a fragment, and the second one's descriptor.
type WgmmaStep struct {
	A []value.Value
	B value.Value
}

// Wgmma multiplies, by a group of four warps, 64 rows and cols columns step by step, and adds cols/2 floats of each thread, acc, or nothing where that is nil
// (PTX ISA, wgmma.mma_async). A step is of so many summands, of a type that PTX names: 32 bytes of each row and column. Matrices that descriptors tell of lie row by
// row, or, of elements of 16 bits, summand by summand where they are transposed. The result is there after a SettleWgmma, and until then the registers of operands
// are the product's.
func (b *Builder) Wgmma(elem string, summands, cols int, aTransposed, bTransposed bool, acc []value.Value, steps []WgmmaStep) value.Value {
	n, bit := cols/2, map[bool]int{true: 1}
	out, adds := "=f", "more"
	text := "{\n.reg .pred more;\nsetp.eq.b32 more, 0, 0;\n"
	if acc == nil { // no operand may have these registers
		out, adds = "=&f", "first"
		text += ".reg .pred first;\nsetp.ne.b32 first, 0, 0;\n"
	}
	text += "wgmma.fence.sync.aligned;\n"
	var registers, constraints []string
	for i := range n {
		registers = append(registers, fmt.Sprintf("$%d", i))
		constraints = append(constraints, out)
	}
	for i := range acc {
		constraints = append(constraints, fmt.Sprint(i))
	}
	args := slices.Clone(acc)
	operand := func(x value.Value, constraint string) string {
		args, constraints = append(args, x), append(constraints, constraint)
		return fmt.Sprintf("$%d", n+len(args)-1)
	}
	for _, s := range steps {
		a, ways := "", fmt.Sprintf(", %d, %d", bit[aTransposed], bit[bTransposed])
		if len(s.A) == 1 {
			a = operand(s.A[0], "l")
		} else {
			var fragment []string
			for _, x := range s.A {
				fragment = append(fragment, operand(x, "r"))
			}
			a, ways = "{"+strings.Join(fragment, ", ")+"}", fmt.Sprintf(", %d", bit[bTransposed])
		}
		if summands > 16 {
			ways = ""
		}
		text += fmt.Sprintf("wgmma.mma_async.sync.aligned.m64n%dk%d.f32.%s.%s {%s}, %s, %s, %s, 1, 1%s;\n", cols, summands, elem, elem, strings.Join(registers, ", "), a, operand(s.B, "l"), adds, ways)
		adds = "more"
	}
	text += "wgmma.commit_group.sync.aligned;\n}"
	parts := make([]types.Type, n)
	for i := range parts {
		parts[i] = types.Float
	}
	return b.Asm(text, strings.Join(append(constraints, "~{memory}"), ","), types.NewStruct(parts...), args...)
}

// SettleWgmma waits for all products but the young youngest, and returns acc: whoever uses what it gives comes later.
func (b *Builder) SettleWgmma(young int, acc []value.Value) value.Value {
	var constraints []string
	parts := make([]types.Type, len(acc))
	for i := range acc {
		constraints = append(constraints, "=f")
		parts[i] = types.Float
	}
	for i := range acc {
		constraints = append(constraints, fmt.Sprint(i))
	}
	return b.Asm(fmt.Sprintf("wgmma.wait_group.sync.aligned %d;", young), strings.Join(append(constraints, "~{memory}"), ","), types.NewStruct(parts...), acc...)
}

// FenceAsync lets the asynchronous units see what this thread wrote to shared memory.
func (b *Builder) FenceAsync() {
	b.Asm("fence.proxy.async.shared::cta;", "~{memory}", types.Void)
}

// InitBarrier makes a barrier in shared memory (PTX ISA, mbarrier) whose phases wait for so many arrivals. Others may use it after a FenceBarriers and a Barrier.
func (b *Builder) InitBarrier(at value.Value, arrivals int) {
	b.Intrinsic("nvvm.mbarrier.init.shared", nil, types.Void, at, Int(types.I32, int64(arrivals)))
}

// FenceBarriers lets the asynchronous units see the barriers that this thread made.
func (b *Builder) FenceBarriers() {
	b.Asm("fence.mbarrier_init.release.cluster;", "~{memory}", types.Void)
}

// Arrive arrives at a barrier, whose phase waits for that many bytes of copies besides; 0: none.
func (b *Builder) Arrive(at value.Value, bytes int) {
	if bytes == 0 {
		b.Asm("mbarrier.arrive.shared::cta.b64 _, [$0];", "r,~{memory}", types.Void, at)
		return
	}
	b.Asm("mbarrier.arrive.expect_tx.shared::cta.b64 _, [$0], $1;", "r,r,~{memory}", types.Void, at, Int(types.I32, int64(bytes)))
}

// ArriveIn arrives at the barrier that a block of the cluster has where this one has one.
func (b *Builder) ArriveIn(rank int, at value.Value) {
	text := fmt.Sprintf("{\n.reg .b32 there;\nmapa.shared::cluster.u32 there, $0, %d;\nmbarrier.arrive.release.cluster.shared::cluster.b64 _, [there];\n}", rank)
	b.Asm(text, "r,~{memory}", types.Void, at)
}

// ClusterBarrier is where all threads of a cluster meet.
func (b *Builder) ClusterBarrier() {
	b.Asm("barrier.cluster.arrive.release;\nbarrier.cluster.wait.acquire;", "~{memory}", types.Void)
}

// Await waits until the phase of a barrier whose number has a parity is complete. Where all of a cluster arrive at it, what they did comes before, too.
func (b *Builder) Await(at, parity value.Value, ofCluster bool) {
	again, done := b.NewBlock(), b.NewBlock()
	b.Jump(again)
	order := ""
	if ofCluster {
		order = ".acquire.cluster"
	}
	text := "{\n.reg .pred complete;\nmbarrier.try_wait.parity" + order + ".shared::cta.b64 complete, [$1], $2;\nselp.b32 $0, 1, 0, complete;\n}"
	complete := b.Asm(text, "=r,r,r,~{memory}", types.I32, at, parity)
	again.NewCondBr(again.NewTrunc(complete, types.I1), done, again)
	b.Block = done
}

// CopyBox starts the copy of the box of a tensor that begins at some coordinates, and whose bytes a barrier counts. Where the tensor ends, the box is 0. It goes
// to the first blocks of the cluster, so many, each of which has the place and the barrier where this one has them; 0: to this one.
func (b *Builder) CopyBox(to, tensor value.Value, at []value.Value, barrier value.Value, blocks int) {
	constraints, args := []string{"r", "l", "r"}, []value.Value{to, tensor, barrier}
	var places []string
	for i, x := range at {
		places = append(places, fmt.Sprintf("$%d", i+3))
		constraints, args = append(constraints, "r"), append(args, x)
	}
	many, mask := "", ""
	if blocks > 0 {
		many, mask = ".multicast::cluster", fmt.Sprintf(", $%d", len(args))
		constraints, args = append(constraints, "h"), append(args, Int(types.I16, 1<<blocks-1))
	}
	text := fmt.Sprintf("cp.async.bulk.tensor.%dd.shared::cluster.global.mbarrier::complete_tx::bytes%s [$0], [$1, {%s}], [$2]%s;", len(at), many, strings.Join(places, ", "), mask)
	b.Asm(text, strings.Join(append(constraints, "~{memory}"), ","), types.Void, args...)
}

// RoundPair rounds two floats to bf16, to nearest, ties to even; low is the lower half. All NaNs become one.
func (b *Builder) RoundPair(low, high value.Value) value.Value {
	return b.Asm("cvt.rn.bf16x2.f32 $0, $1, $2;", "=r,f,f", types.I32, high, low)
}

// StoreMatrices stores 2 or 4 matrices of 8×8 elements of 16 bits: threads 8i to 8i+7 say where the rows of matrix i go, in shared memory.
func (b *Builder) StoreMatrices(to value.Value, registers []value.Value) {
	constraints, names := []string{"r"}, []string{}
	for i := range registers {
		constraints, names = append(constraints, "r"), append(names, fmt.Sprintf("$%d", i+1))
	}
	text := fmt.Sprintf("stmatrix.sync.aligned.m8n8.x%d.shared.b16 [$0], {%s};", len(registers), strings.Join(names, ", "))
	b.Asm(text, strings.Join(append(constraints, "~{memory}"), ","), types.Void, append([]value.Value{to}, registers...)...)
}

// StoreBox starts the copy of a box in shared memory to where in a tensor it belongs; what would be outside of it goes nowhere. Such copies
// are a group where a CommitBoxes follows.
func (b *Builder) StoreBox(tensor value.Value, at []value.Value, from value.Value) {
	constraints, args := []string{"l", "r"}, []value.Value{tensor, from}
	var places []string
	for i, x := range at {
		places = append(places, fmt.Sprintf("$%d", i+2))
		constraints, args = append(constraints, "r"), append(args, x)
	}
	text := fmt.Sprintf("cp.async.bulk.tensor.%dd.global.shared::cta.bulk_group [$0, {%s}], [$1];", len(at), strings.Join(places, ", "))
	b.Asm(text, strings.Join(append(constraints, "~{memory}"), ","), types.Void, args...)
}

// CommitBoxes makes a group of the StoreBoxes of this thread since the last one.
func (b *Builder) CommitBoxes() { b.Asm("cp.async.bulk.commit_group;", "~{memory}", types.Void) }

// AwaitBoxes waits until all groups of this thread but the young youngest have read shared memory.
func (b *Builder) AwaitBoxes(young int) {
	b.Asm(fmt.Sprintf("cp.async.bulk.wait_group.read %d;", young), "~{memory}", types.Void)
}

// Fixed is x, an i64, which is there where this stands.
func (b *Builder) Fixed(x value.Value) value.Value {
	return b.Asm("mov.b64 $0, $1;", "=l,l", types.I64, x)
}

// Meet is where the threads of a role, so many, meet at barrier n of the block's sixteen, of which 0 is that of all threads.
func (b *Builder) Meet(n, threads int) {
	b.Intrinsic("nvvm.barrier", nil, types.Void, Int(types.I32, int64(n)), Int(types.I32, int64(threads)))
}

// SetRegisters gives the threads of a group of warps more registers, or takes some of them.
func (b *Builder) SetRegisters(n int, more bool) {
	way := "dec"
	if more {
		way = "inc"
	}
	b.Intrinsic("nvvm.setmaxnreg."+way+".sync.aligned.u32", nil, types.Void, Int(types.I32, int64(n)))
}
