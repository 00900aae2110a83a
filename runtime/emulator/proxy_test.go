package emulator

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// A copy writes over what threads have read: the fence may be in them, before they say so, or in who copies.
func TestFenceAfterReads(t *testing.T) {
	text := read(t, "bulk.ptx")
	const fence = "fence.proxy.async.shared::cta;"
	without := change(t, text, fence, "", 0)
	for seed := range uint64(4) {
		f := wantFault(t, launchRing(t, without, &Device{Seed: seed}), Unfenced)
		require.Contains(t, f.Text, "is written here by the asynchronous proxy and was read by thread")
		readers := change(t, without, "mbarrier.arrive.shared.b64 %rd9, [%r10]; // empty", fence+"\n\tmbarrier.arrive.shared.b64 %rd9, [%r10];", 0)
		require.NoError(t, launchRing(t, readers, &Device{Seed: seed}))
	}
}

// A block copies out what another block has stored into it: the fence is in the block that copies, or in the other.
func TestFenceAfterAnotherBlocksStores(t *testing.T) {
	text := hopperHeader + `.visible .entry k(.param .u64 y)
.reqnctapercluster 2, 1, 1
{
	.shared .align 16 .b8 words[128];
	.reg .pred %p<4>;
	.reg .b32 %r<16>;
	.reg .b64 %rd<8>;
	mov.u32 %r1, %tid.x;
	mov.u32 %r2, %cluster_ctarank;
	setp.ne.u32 %p1, %r1, 0;
	xor.b32 %r3, %r2, 1;
	shl.b32 %r4, %r1, 2;
	mov.u32 %r5, words;
	add.u32 %r6, %r5, %r4;
	mapa.shared::cluster.u32 %r7, %r6, %r3;
	mad.lo.u32 %r8, %r2, 100, %r1;
	barrier.cluster.arrive.aligned;
	barrier.cluster.wait.aligned;
	st.shared::cluster.u32 [%r7], %r8; // store
	barrier.cluster.arrive.aligned;
	barrier.cluster.wait.aligned; // stored
	@%p1 bra DONE;
	ld.param.u64 %rd1, [y];
	mul.wide.u32 %rd2, %r2, 128;
	add.u64 %rd1, %rd1, %rd2;
	cp.async.bulk.global.shared::cta.bulk_group [%rd1], [%r5], 128;
	cp.async.bulk.commit_group;
	cp.async.bulk.wait_group 0;
DONE:
	ret;
}`
	run := func(text string) ([]uint32, error) {
		d := &Device{}
		y := d.Alloc("y", 256)
		if _, err := d.Launch(kernelOf(t, text, "k"), [3]int{2, 1, 1}, [3]int{32, 1, 1}, 0, y); err != nil {
			return nil, err
		}
		return get[uint32](t, y, 64), nil
	}
	_, err := run(text)
	wantFault(t, err, Unfenced)
	for _, at := range []string{"// store", "// stored"} {
		got, err := run(change(t, text, at+"\n", "\n\tfence.proxy.async;\n", 0))
		require.NoError(t, err)
		require.Equal(t, uint32(103), got[3])
		require.Equal(t, uint32(3), got[35])
	}
}
