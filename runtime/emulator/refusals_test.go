package emulator

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// What is not understood is refused with line and reason, never passed over.
func TestRefusals(t *testing.T) {
	for _, c := range []struct{ line, regs, want string }{
		{"atom.global.add.u32 %d, [%rd1], %a;", "b32 b32", "atomics are refused"},
		{"add.s32 %d, %a;", "b32 b32", "add.s32: needs 3 operands, not 2"},
		{"add.s32 %d, %a, %rd1;", "b32 b32", "%rd1 has 64 bits, not 32"},
		{"add.s32 %d, %a, nowhere;", "b32 b32", "there is no nowhere"},
		{"add.xyz.s32 %d, %a, %a;", "b32 b32", "the modifier .xyz is not supported"},
		{"add.rn.s32.wide %d, %a, %a;", "b32 b32", "the modifier .rn is not supported"},
		{"ld.acquire.gpu.global.u32 %d, [%rd1];", "b32 b32", ".acquire is not supported"},
		{"frobnicate %d, %a;", "b32 b32", "frobnicate: this instruction is not supported"},
		{"mov.u32 %d, %clock;", "b32 b32", "the special register %clock is not supported"},
		{"bra NOWHERE; mov.u32 %d, %a;", "b32 b32", "there is no label NOWHERE"},
		{"shfl.bfly.b32 %d, %a, 1, 31;", "b32 b32", "it must say .sync"},
		{"mul.s32 %d, %a, %a;", "b32 b32", "it must say .lo, .hi or .wide"},
		{"ex2.f32 %d, %a;", "f32 f32", "it must say .approx"},
		{"add.rz.f64 %d, %a, %a;", "f64 f64", "f64 is rounded to nearest only"},
		{"call nobody; mov.u32 %d, %a;", "b32 b32", "there is no function nobody"},
		{"mma.sync.aligned.m16n8k8.row.row.f32.f16.f16.f32 {%f1,%f2,%f3,%f4}, {%a,%a}, {%a}, {%f1,%f2,%f3,%f4};", "b32 b32", "it must say .col"},
		{"mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%f1,%f2,%f3,%f4}, {%a}, {%a}, {%f1,%f2,%f3,%f4};", "b32 b32", "a fragment has 2 registers, not 1"},
		{"cp.async.cg.shared.global [%rd1], [%rd2], 8;", "b32 b32", "8 bytes cannot be copied"},
		{"wgmma.mma_async.sync.aligned.m64n12k16.f32.bf16.bf16 {%f1}, %rd1, %rd2, 1, 1, 1, 0, 0;", "b32 b32", "this product is not supported"},
		{"wgmma.mma_async.sync.aligned.m64n8k16.f32.bf16.f16 {%f1, %f2, %f3, %f4}, %rd1, %rd2, 1, 1, 1, 0, 0;", "b32 b32", "this product is not supported"},
		{"wgmma.mma_async.sync.aligned.m64n8k8.f32.tf32.tf32 {%f1, %f2, %f3, %f4}, %rd1, %rd2, 1, 1, 1, 0, 0;", "b32 b32", "0 operands say which way matrices lie"},
		{"wgmma.mma_async.sync.aligned.m64n8k16.f32.bf16.bf16 {%f1, %f2}, %rd1, %rd2, 1, 1, 1, 0, 0;", "b32 b32", "the accumulator has 4 registers, not 2"},
		{"wgmma.wait_group.sync.aligned %r1;", "b32 b32", "the number of groups must be a constant"},
		{"setmaxnreg.inc.sync.aligned.u32 100;", "b32 b32", "a multiple of 8 from 24 to 256"},
		{"cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [%a], [%rd1, {%a}], [%a];", "b32 b32", "as many coordinates as dimensions"},
		{"cp.async.bulk.tensor.3d.shared::cluster.global.im2col.mbarrier::complete_tx::bytes [%a], [%rd1, {%a, %a, %a}], [%a], {%a};", "b32 b32", "needs 3 operands, not 4"},
		{"cp.async.bulk.shared::cluster.global [%a], [%rd1], 16, [%a];", "b32 b32", "counted by an mbarrier"},
		{"ld.global.u32 %d, [%rd1, {%a}];", "b32 b32", "coordinates are of boxes"},
		{"fence.proxy.tensormap::generic.release.gpu;", "b32 b32", "fence.proxy.async is supported"},
		{"barrier.cluster.arrive.relaxed;", "b32 b32", ".relaxed is not supported"},
		{"mbarrier.arrive.shared::cluster.b64 %rd3, [%a];", "b32 b32", "its result is _"},
	} {
		m, err := Load(onePTX(c.line, c.regs))
		require.NoError(t, err)
		_, err = m.Kernel("k")
		require.ErrorContains(t, err, c.want, c.line)
		require.Regexp(t, `^PTX line \d+: `, err.Error())
	}
	for _, c := range []struct{ text, want string }{
		{"", "the module has no kernel k"},
		{".address_size 32", "PTX line 1: only 64-bit addresses are supported"},
		{"\n.visible .entry k() { add.s32 %r1, %r2; ", "PTX line 2: k has no }"},
		{".visible .entry k() { .reg .b32 %r<99999999>; }", "too many registers"},
		{".global .b8 x[99999999999];", "x is too large"},
		{".visible .entry k() { L: L: ret; }", "label L is set twice"},
		{"/* never ends", "this comment has no end"},
		{".global .b32 x = other;", "initial values that are addresses are not supported"},
		{".func f() { call f; } .visible .entry k() { call f; }", "f calls itself"},
		{".visible .entry k() { @%p1 ret; }", "%p1 is no predicate register"},
	} {
		m, err := Load(c.text)
		if err == nil {
			_, err = m.Kernel("k")
		}
		require.ErrorContains(t, err, c.want, c.text)
	}
}

func TestLaunchErrors(t *testing.T) {
	k := kernelOf(t, read(t, "elementwise.sm_80.ptx"), "axpy")
	d := &Device{}
	x := d.with("x", floats(8, 1))
	one := [3]int{1, 1, 1}
	for _, c := range []struct {
		grid, block [3]int
		shared      int
		params      []any
		want        string
	}{
		{one, one, 0, []any{1}, "it takes 4 parameters, not 1"},
		{one, one, 0, []any{x, x, x, 1}, "parameter 0 has 4 bytes: it takes no buffer"},
		{one, one, 0, []any{float32(1), x, x, "8"}, "a string cannot be passed"},
		{one, one, 0, []any{float32(1), float32(1), x, 8}, "parameter 1 has 8 bytes: it takes no float32"},
		{[3]int{0, 1, 1}, one, 0, []any{float32(1), x, x, 8}, "cannot be launched"},
		{one, [3]int{64, 32, 1}, 0, []any{float32(1), x, x, 8}, "it cannot run with 2048 threads a block, it is made for 1024"},
		{one, one, 1 << 20, []any{float32(1), x, x, 8}, "bytes of shared memory a block are more than"},
	} {
		_, err := d.Launch(k, c.grid, c.block, c.shared, c.params...)
		require.ErrorContains(t, err, c.want)
	}
	require.Error(t, x.Write(30, make([]byte, 4)))
	require.Error(t, d.Alloc("fresh", 8).Read(0, make([]byte, 8)))
	require.NoError(t, x.Forget(4, 4))
	seen := make([]byte, 8)
	require.NoError(t, x.Peek(4, seen))
	require.Equal(t, make([]byte, 4), seen[:4])
	require.NotEqual(t, make([]byte, 4), seen[4:])
	_, err := d.Launch(k, one, [3]int{8, 1, 1}, 0, float32(1), d.with("x", floats(8, 1)), x, 8)
	wantFault(t, err, Uninitialised)
	d.Free(x)
	_, err = d.Launch(k, one, one, 0, float32(1), x, x, 1)
	wantFault(t, err, OutOfBounds)
}
