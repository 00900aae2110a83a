package emulator

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Generic addresses of shared memory, of this block and another one: for matrices, mbarriers and loads.
func TestGenericAddressesOfSharedMemory(t *testing.T) {
	text := hopperHeader + `.visible .entry k(.param .u64 y)
.reqnctapercluster 2, 1, 1
{
	.shared .align 128 .b8 tile[128];
	.shared .align 8 .b8 full[8];
	.reg .pred %p<8>;
	.reg .b32 %r<16>;
	.reg .b64 %rd<16>;
	mov.u32 %r1, %tid.x;
	mov.u32 %r2, %cluster_ctarank;
	mov.u64 %rd1, tile;
	cvta.shared.u64 %rd1, %rd1;
	mov.u64 %rd2, full;
	cvta.shared.u64 %rd2, %rd2;
	setp.ne.u32 %p1, %r1, 0;
	@%p1 bra READY;
	mbarrier.init.b64 [%rd2], 32;
READY:
	bar.sync 0;
	mul.wide.u32 %rd3, %r1, 4;
	add.u64 %rd3, %rd3, %rd1;
	mad.lo.u32 %r3, %r2, 1000, %r1;
	st.u32 [%rd3], %r3;
	mbarrier.arrive.b64 %rd4, [%rd2];
FULL:
	mbarrier.try_wait.b64 %p2, [%rd2], %rd4;
	@!%p2 bra FULL;
	and.b32 %r4, %r1, 7;
	mul.wide.u32 %rd5, %r4, 16;
	add.u64 %rd5, %rd5, %rd1;
	ldmatrix.sync.aligned.m8n8.x1.b16 {%r5}, [%rd5];
	barrier.cluster.arrive.aligned;
	barrier.cluster.wait.aligned;
	xor.b32 %r6, %r2, 1;
	mapa.u64 %rd6, %rd3, %r6;
	ld.u32 %r7, [%rd6];
	isspacep.shared %p3, %rd3;
	isspacep.shared %p4, %rd6;
	isspacep.shared::cluster %p5, %rd6;
	isspacep.global %p6, %rd6;
	selp.u32 %r8, 1, 0, %p3;
	@%p4 add.u32 %r8, %r8, 2;
	@%p5 add.u32 %r8, %r8, 4;
	@%p6 add.u32 %r8, %r8, 8;
	ld.param.u64 %rd7, [y];
	mad.lo.u32 %r9, %r2, 32, %r1;
	mul.wide.u32 %rd8, %r9, 16;
	add.u64 %rd7, %rd7, %rd8;
	st.global.v4.u32 [%rd7], {%r5, %r7, %r8, %r3};
	barrier.cluster.arrive.aligned;
	barrier.cluster.wait.aligned;
	ret;
}`
	d := &Device{}
	y := d.Alloc("y", 2*32*16)
	_, err := d.Launch(kernelOf(t, text, "k"), [3]int{2, 1, 1}, [3]int{32, 1, 1}, 0, y)
	require.NoError(t, err)
	for i, v := range get[[4]uint32](t, y, 64) {
		rank, lane := uint32(i/32), uint32(i%32)
		require.Equal(t, [4]uint32{1000*rank + lane, 1000*(1-rank) + lane, 5, 1000*rank + lane}, v)
	}
	_, err = d.Launch(kernelOf(t, change(t, text, "mapa.u64 %rd6, %rd3, %r6;", "mapa.u64 %rd6, %rd3, %r6; add.u64 %rd6, %rd6, 2;", 0), "k"), [3]int{2, 1, 1}, [3]int{32, 1, 1}, 0, y)
	f := wantFault(t, err, Misaligned)
	require.Regexp(t, `of shared variable tile of block \(\d,0,0\)`, f.Text)
	if tool, err := ptxasPath(); err == nil {
		assemble(t, tool, text, "sm_90a")
	}
}
