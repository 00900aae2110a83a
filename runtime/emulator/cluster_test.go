package emulator

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Two blocks give each other their words: each thread reads what its fellow of the other block has written.
const pullPTX = hopperHeader + `.visible .entry pull(.param .u64 y)
.explicitcluster
.reqnctapercluster 2, 1, 1
{
	.shared .align 16 .b8 words[256];
	.reg .b32 %r<16>;
	.reg .b64 %rd<8>;
	mov.u32 %r1, %tid.x;
	mov.u32 %r2, %ctaid.x;
	mov.u32 %r3, %cluster_ctarank;
	mad.lo.u32 %r4, %r2, 64, %r1;
	shl.b32 %r5, %r1, 2;
	mov.u32 %r6, words;
	add.u32 %r6, %r6, %r5;
	st.shared.u32 [%r6], %r4;
	barrier.cluster.arrive.release.aligned; // written
	barrier.cluster.wait.acquire.aligned; // may be read
	xor.b32 %r7, %r3, 1;
	mapa.shared::cluster.u32 %r8, %r6, %r7;
	ld.shared::cluster.u32 %r9, [%r8];
	barrier.cluster.arrive.release.aligned; // read
	ld.param.u64 %rd1, [y];
	mul.wide.u32 %rd2, %r4, 4;
	add.u64 %rd1, %rd1, %rd2;
	st.global.u32 [%rd1], %r9;
	barrier.cluster.wait.acquire.aligned; // may end
	ret;
}
`

// The same by stores into the other block, whose mbarrier counts the threads that are through; the last
// of its words come by a bulk copy from shared memory to shared memory.
const pushPTX = hopperHeader + `.visible .entry push(.param .u64 y)
.explicitcluster
.reqnctapercluster 2, 1, 1
{
	.shared .align 16 .b8 words[256];
	.shared .align 16 .b8 more[256];
	.shared .align 16 .b8 come[256];
	.shared .align 8 .b8 full[8];
	.reg .pred %p<4>;
	.reg .b32 %r<24>;
	.reg .b64 %rd<8>;
	mov.u32 %r1, %tid.x;
	mov.u32 %r2, %ctaid.x;
	mov.u32 %r3, %cluster_ctarank;
	mad.lo.u32 %r4, %r2, 64, %r1;
	shl.b32 %r5, %r1, 2;
	mov.u32 %r6, words;
	add.u32 %r6, %r6, %r5;
	mov.u32 %r10, full;
	mov.u32 %r14, more;
	mov.u32 %r15, come;
	setp.ne.u32 %p1, %r1, 0;
	@%p1 bra READY;
	mbarrier.init.shared::cta.b64 [full], 65;
	fence.mbarrier_init.release.cluster;
	mbarrier.arrive.expect_tx.shared::cta.b64 _, [full], 256; // expect
READY:
	barrier.cluster.arrive.release.aligned; // begin
	barrier.cluster.wait.acquire.aligned; // begun
	xor.b32 %r7, %r3, 1;
	mapa.shared::cluster.u32 %r8, %r6, %r7;
	mapa.shared::cluster.u32 %r11, %r10, %r7;
	st.shared::cluster.u32 [%r8], %r4; // push
	add.u32 %r16, %r14, %r5;
	add.u32 %r17, %r4, 1000;
	st.shared.u32 [%r16], %r17;
	fence.proxy.async.shared::cta; // more
	bar.sync 0; // more
	mbarrier.arrive.release.cluster.shared::cluster.b64 _, [%r11]; // through
	@%p1 bra FULL;
	mapa.shared::cluster.u32 %r18, %r15, %r7;
	cp.async.bulk.shared::cluster.shared::cta.mbarrier::complete_tx::bytes [%r18], [%r14], 256, [%r11];
FULL:
	mbarrier.try_wait.parity.acquire.cluster.shared::cta.b64 %p2, [%r10], 0;
	@!%p2 bra FULL; // full
	ld.shared.u32 %r9, [%r6];
	add.u32 %r19, %r15, %r5;
	ld.shared.u32 %r20, [%r19];
	add.u32 %r9, %r9, %r20;
	ld.param.u64 %rd1, [y];
	mul.wide.u32 %rd2, %r4, 4;
	add.u64 %rd1, %rd1, %rd2;
	st.global.u32 [%rd1], %r9;
	barrier.cluster.arrive.release.aligned; // end
	barrier.cluster.wait.acquire.aligned; // ended
	ret;
}
`

// The same by stores that the other block's mbarrier counts.
const castPTX = hopperHeader + `.visible .entry cast(.param .u64 y)
.explicitcluster
.reqnctapercluster 2, 1, 1
{
	.shared .align 16 .b8 words[512];
	.shared .align 8 .b8 full[8];
	.reg .pred %p<4>;
	.reg .b32 %r<24>;
	.reg .b64 %rd<8>;
	mov.u32 %r1, %tid.x;
	mov.u32 %r2, %ctaid.x;
	mov.u32 %r3, %cluster_ctarank;
	mad.lo.u32 %r4, %r2, 64, %r1;
	shl.b32 %r5, %r1, 3;
	mov.u32 %r6, words;
	add.u32 %r6, %r6, %r5;
	mov.u32 %r10, full;
	setp.ne.u32 %p1, %r1, 0;
	@%p1 bra READY;
	mbarrier.init.shared::cta.b64 [full], 1;
	mbarrier.arrive.expect_tx.shared::cta.b64 _, [full], 512; // expect
READY:
	barrier.cluster.arrive.release.aligned; // begin
	barrier.cluster.wait.acquire.aligned; // begun
	xor.b32 %r7, %r3, 1;
	mapa.shared::cluster.u32 %r8, %r6, %r7;
	mapa.shared::cluster.u32 %r11, %r10, %r7;
	getctarank.shared::cluster.u32 %r12, %r8;
	st.async.weak.shared::cluster.mbarrier::complete_tx::bytes.v2.u32 [%r8], {%r4, %r12}, [%r11];
FULL:
	mbarrier.try_wait.parity.acquire.cluster.shared::cta.b64 %p2, [%r10], 0;
	@!%p2 bra FULL; // full
	ld.shared.v2.u32 {%r9, %r13}, [%r6];
	mad.lo.u32 %r9, %r13, 1000, %r9;
	ld.param.u64 %rd1, [y];
	mul.wide.u32 %rd2, %r4, 4;
	add.u64 %rd1, %rd1, %rd2;
	st.global.u32 [%rd1], %r9;
	ret;
}
`

func launchCast(t testing.TB, text string, d *Device) error {
	y := d.Alloc("y", 4*256)
	if _, err := d.Launch(kernelOf(t, text, "cast"), [3]int{4, 1, 1}, [3]int{64, 1, 1}, 0, y); err != nil {
		return err
	}
	for i, v := range get[uint32](t, y, 256) {
		require.Equal(t, uint32(i^64+1000*(i/64%2)), v)
	}
	return nil
}

func launchPull(t testing.TB, text string, d *Device) error {
	y := d.Alloc("y", 4*256)
	if _, err := d.Launch(kernelOf(t, text, "pull"), [3]int{4, 1, 1}, [3]int{64, 1, 1}, 0, y); err != nil {
		return err
	}
	for i, v := range get[uint32](t, y, 256) {
		require.Equal(t, uint32(i^64), v)
	}
	return nil
}

func launchPush(t testing.TB, text string, d *Device) error {
	y := d.Alloc("y", 4*256)
	if _, err := d.Launch(kernelOf(t, text, "push"), [3]int{4, 1, 1}, [3]int{64, 1, 1}, 0, y); err != nil {
		return err
	}
	for i, v := range get[uint32](t, y, 256) {
		require.Equal(t, uint32(2*(i^64)+1000), v)
	}
	return nil
}

// A kernel that begins before the one in front of it has ended: it scales what that has written by
// weights, which it reads before.
const followPTX = hopperHeader + `.visible .entry lead(.param .u64 x)
{
	.reg .b32 %r<8>;
	.reg .b64 %rd<8>;
	mov.u32 %r1, %tid.x;
	ld.param.u64 %rd1, [x];
	mul.wide.u32 %rd2, %r1, 4;
	add.u64 %rd1, %rd1, %rd2;
	st.global.u32 [%rd1], %r1;
	griddepcontrol.launch_dependents;
	ret;
}
.visible .entry follow(.param .u64 x, .param .u64 w)
{
	.reg .b32 %r<8>;
	.reg .b64 %rd<8>;
	mov.u32 %r1, %tid.x;
	ld.param.u64 %rd1, [x];
	ld.param.u64 %rd3, [w];
	mul.wide.u32 %rd2, %r1, 4;
	add.u64 %rd1, %rd1, %rd2;
	add.u64 %rd3, %rd3, %rd2;
	ld.global.u32 %r2, [%rd3];
	griddepcontrol.wait;
	ld.global.u32 %r3, [%rd1];
	mul.lo.u32 %r3, %r3, %r2;
	st.global.u32 [%rd1], %r3;
	ret;
}
`

func launchFollow(t testing.TB, text string, d *Device) error {
	x, w := d.Alloc("x", 256), make([]uint32, 64)
	for i := range w {
		w[i] = uint32(3 + i)
	}
	weights := d.with("w", w)
	one, block := [3]int{1, 1, 1}, [3]int{64, 1, 1}
	if _, err := d.Launch(kernelOf(t, text, "lead"), one, block, 0, x); err != nil {
		return err
	}
	for range 2 {
		if _, err := d.LaunchWith(Config{Grid: one, Block: block, Dependent: true}, kernelOf(t, text, "follow"), x, weights); err != nil {
			return err
		}
	}
	for i, v := range get[uint32](t, x, 64) {
		require.Equal(t, uint32(i*(3+i)*(3+i)), v)
	}
	return nil
}

// small are the kernels of this file.
var small = map[string]struct {
	text string
	run  func(t testing.TB, text string, d *Device) error
}{
	"pull":   {pullPTX, launchPull},
	"push":   {pushPTX, launchPush},
	"cast":   {castPTX, launchCast},
	"follow": {followPTX, launchFollow},
}

func TestClusters(t *testing.T) {
	for name, k := range small {
		for seed := range uint64(6) {
			require.NoError(t, k.run(t, k.text, &Device{Seed: seed}), name)
		}
	}
}

// What a kernel asks about its cluster.
func TestClusterRegisters(t *testing.T) {
	text := hopperHeader + `.visible .entry k(.param .u64 y)
.reqnctapercluster 2, 2, 1
{
	.reg .b32 %r<16>;
	.reg .b64 %rd<8>;
	mov.u32 %r1, %ctaid.x;
	mov.u32 %r2, %ctaid.y;
	mad.lo.u32 %r3, %r2, 4, %r1;
	ld.param.u64 %rd1, [y];
	mul.wide.u32 %rd2, %r3, 32;
	add.u64 %rd1, %rd1, %rd2;
	mov.u32 %r4, %cluster_ctarank;
	mov.u32 %r5, %cluster_nctarank;
	mov.u32 %r6, %cluster_ctaid.x;
	mov.u32 %r7, %cluster_ctaid.y;
	st.global.v4.u32 [%rd1], {%r4, %r5, %r6, %r7};
	mov.u32 %r4, %clusterid.x;
	mov.u32 %r5, %clusterid.y;
	mov.u32 %r6, %nclusterid.x;
	mov.u32 %r7, %cluster_nctaid.y;
	st.global.v4.u32 [%rd1+16], {%r4, %r5, %r6, %r7};
	ret;
}`
	d := &Device{}
	y := d.Alloc("y", 8*32)
	k := kernelOf(t, text, "k")
	_, err := d.Launch(k, [3]int{4, 2, 1}, [3]int{1, 1, 1}, 0, y)
	require.NoError(t, err)
	got := get[uint32](t, y, 64)
	for i := range uint32(8) {
		x, y := i%4, i/4
		require.Equal(t, []uint32{x%2 + 2*y, 4, x % 2, y, x / 2, 0, 2, 2}, got[8*i:8*i+8])
	}
	_, err = d.Launch(k, [3]int{3, 2, 1}, [3]int{1, 1, 1}, 0, y)
	require.ErrorContains(t, err, "no number of clusters")
	_, err = d.LaunchWith(Config{Grid: [3]int{4, 2, 1}, Block: [3]int{1, 1, 1}, Cluster: [3]int{2, 1, 1}}, k, y)
	require.ErrorContains(t, err, "it is made for clusters of [2 2 1] blocks, not [2 1 1]")
}

// An mbarrier that counts bytes which a thread says are there, and arrivals that leave it for good; then a copy of a row of
// bytes to both blocks at once.
func TestMbarriersAndMulticastOfBytes(t *testing.T) {
	text := hopperHeader + `.visible .entry k(.param .u64 x, .param .u64 y)
.reqnctapercluster 2, 1, 1
{
	.shared .align 16 .b8 words[128];
	.shared .align 8 .b8 one[8];
	.shared .align 8 .b8 full[8];
	.reg .pred %p<4>;
	.reg .b16 %h<4>;
	.reg .b32 %r<16>;
	.reg .b64 %rd<8>;
	mov.u32 %r1, %tid.x;
	mov.u32 %r2, %cluster_ctarank;
	ld.param.u64 %rd1, [x];
	setp.ne.u32 %p1, %r1, 0;
	@%p1 bra READY;
	mbarrier.init.shared::cta.b64 [one], 33;
	mbarrier.init.shared::cta.b64 [full], 1;
	fence.mbarrier_init.release.cluster;
	mbarrier.arrive.expect_tx.shared::cta.b64 _, [full], 128;
READY:
	barrier.cluster.arrive.aligned;
	barrier.cluster.wait.aligned;
	@%p1 bra MORE;
	mbarrier.expect_tx.relaxed.cta.shared::cta.b64 [one], 7;
	mbarrier.arrive_drop.shared::cta.b64 %rd2, [one];
	mbarrier.complete_tx.relaxed.cta.shared::cta.b64 [one], 7; // 7
	setp.ne.u32 %p2, %r2, 0;
	@%p2 bra MORE;
	mov.u16 %h1, 3;
	mov.u32 %r3, words;
	mov.u32 %r4, full;
	cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes.multicast::cluster [%r3], [%rd1], 128, [%r4], %h1;
MORE:
	mbarrier.arrive.shared::cta.b64 %rd3, [one];
FIRST:
	mbarrier.try_wait.shared::cta.b64 %p3, [one], %rd3;
	@!%p3 bra FIRST;
	mbarrier.arrive.shared::cta.b64 %rd3, [one];
SECOND:
	mbarrier.test_wait.shared::cta.b64 %p3, [one], %rd3;
	@!%p3 bra SECOND;
FULL:
	mbarrier.try_wait.parity.shared::cta.b64 %p3, [full], 0, 1000;
	@!%p3 bra FULL;
	shl.b32 %r5, %r1, 2;
	mov.u32 %r6, words;
	add.u32 %r6, %r6, %r5;
	ld.shared.u32 %r7, [%r6];
	ld.param.u64 %rd4, [y];
	mad.lo.u32 %r8, %r2, 32, %r1;
	mul.wide.u32 %rd5, %r8, 4;
	add.u64 %rd4, %rd4, %rd5;
	st.global.u32 [%rd4], %r7;
	barrier.cluster.arrive;
	barrier.cluster.wait;
	@%p1 bra DONE;
	mbarrier.inval.shared::cta.b64 [one];
DONE:
	ret;
}`
	run := func(text string, seed uint64) error {
		x := make([]uint32, 32)
		for i := range x {
			x[i] = uint32(i * i)
		}
		d := &Device{Seed: seed, Limit: 1 << 16}
		y := d.Alloc("y", 256)
		s, err := d.Launch(kernelOf(t, text, "k"), [3]int{2, 1, 1}, [3]int{32, 1, 1}, 0, d.with("x", x), y)
		if err != nil {
			return err
		}
		require.Equal(t, [3]int64{1, 128, 4}, [3]int64{s.Loads, s.LoadBytes, s.Sectors})
		require.Equal(t, append(x, x...), get[uint32](t, y, 64))
		return nil
	}
	for seed := range uint64(8) {
		require.NoError(t, run(text, seed))
		f := wantFault(t, run(change(t, text, "[one], 7; // 7", "[one], 6;", 0), seed), Deadlock)
		require.Contains(t, f.Text, "0 of 32 arrivals and 1 bytes are missing")
		wantFault(t, run(change(t, text, "arrive_drop", "arrive", 0), seed), Deadlock)
		wantFault(t, run(change(t, text, "barrier.cluster.wait.aligned;", "bar.sync 0;", 0), seed), Race, BadBarrier, Uninitialised)
		wantFault(t, run(change(t, text, "mov.u16 %h1, 3;", "mov.u16 %h1, 2;", 0), seed), Deadlock)
	}
	if tool, err := ptxasPath(); err == nil {
		assemble(t, tool, text, "sm_90a")
	}
}

// Two threads copy, and the second says only after the first has arrived that its bytes are to be waited for: where
// copies land early the phase is over before.
func TestBytesExpectedTooLate(t *testing.T) {
	text := hopperHeader + `.visible .entry k(.param .u64 x)
{
	.shared .align 16 .b8 words[256];
	.shared .align 8 .b8 full[8];
	.reg .pred %p<4>;
	.reg .b32 %r<16>;
	.reg .b64 %rd<8>;
	mov.u32 %r1, %tid.x;
	ld.param.u64 %rd1, [x];
	mov.u32 %r2, words;
	mov.u32 %r3, full;
	setp.ne.u32 %p1, %r1, 0;
	@%p1 bra READY;
	mbarrier.init.shared::cta.b64 [full], 1;
	fence.mbarrier_init.release.cluster;
READY:
	bar.sync 0;
	@%p1 bra OTHER;
	mbarrier.arrive.expect_tx.shared::cta.b64 _, [full], 128;
	cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%r2], [%rd1], 128, [%r3];
OTHER:
	setp.ne.u32 %p2, %r1, 32;
	@%p2 bra FULL;
	mbarrier.expect_tx.relaxed.cta.shared::cta.b64 [full], 128;
	cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%r2+128], [%rd1], 128, [%r3];
FULL:
	mbarrier.try_wait.parity.shared::cta.b64 %p3, [full], 0;
	@!%p3 bra FULL;
	shl.b32 %r4, %r1, 2;
	add.u32 %r4, %r4, %r2;
	ld.shared.u32 %r5, [%r4];
	ret;
}`
	run := func(text string, seed uint64) error {
		d := &Device{Seed: seed, Limit: 1 << 16}
		_, err := d.Launch(kernelOf(t, text, "k"), [3]int{1, 1, 1}, [3]int{64, 1, 1}, 0, d.with("x", make([]uint32, 32)))
		return err
	}
	found := 0
	for seed := range uint64(100) {
		if err := run(text, seed); err != nil {
			wantFault(t, err, InFlight, Race, Uninitialised, Deadlock)
			found++
		}
		all := change(t, text, "[full], 1;", "[full], 2;", 0)
		all = change(t, all, "mbarrier.expect_tx.relaxed.cta.shared::cta.b64 [full], 128;", "mbarrier.arrive.expect_tx.shared::cta.b64 _, [full], 128;", 0)
		require.NoError(t, run(all, seed))
	}
	require.Greater(t, found, 5)
}

// LLVM's text says only how large a cluster may be, so the launch says how large it is.
func TestClusterByLLVM(t *testing.T) {
	text := read(t, "cluster.sm_90a.ptx")
	forms, roles := kernelOf(t, text, "forms"), kernelOf(t, text, "roles")
	for seed := range uint64(4) {
		d := &Device{Seed: seed}
		y := d.Alloc("y", 2*128*4)
		c := Config{Grid: [3]int{2, 1, 1}, Block: [3]int{128, 1, 1}, Cluster: [3]int{2, 1, 1}}
		_, err := d.LaunchWith(c, forms, y)
		require.NoError(t, err)
		for i, v := range get[uint32](t, y, 256) {
			other := uint32(1 - i/128)
			// The rank, blocks of the cluster, place and size along x, cluster and clusters, as the other block has written them.
			require.Equal(t, other+2+other+2+0+1+1000*other+10000*other+100000, v)
		}
		_, err = d.LaunchWith(c, roles)
		require.NoError(t, err)
		c.Grid, c.Cluster = [3]int{16, 1, 1}, [3]int{16, 1, 1}
		_, err = d.LaunchWith(c, forms, y)
		require.ErrorContains(t, err, "a cluster of 16 blocks is larger than 8")
	}
}
