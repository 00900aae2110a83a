package emulator

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// How the golden kernels are launched, small.
var launches = map[string]func(t testing.TB, text string, d *Device) error{
	"elementwise.sm_80.ptx": func(t testing.TB, text string, d *Device) error {
		_, err := d.Launch(kernelOf(t, text, "axpy"), [3]int{3, 1, 1}, [3]int{64, 1, 1}, 0, float32(2), d.with("x", floats(150, 1)), d.with("y", floats(150, 2)), 150)
		return err
	},
	"softmax.sm_80.ptx": func(t testing.TB, text string, d *Device) error {
		_, err := d.Launch(kernelOf(t, text, "softmax"), [3]int{2, 1, 1}, [3]int{128, 1, 1}, 0, d.with("x", floats(2*300, 1)), d.Alloc("y", 4*2*300), 300)
		return err
	},
	"transpose.sm_80.ptx": func(t testing.TB, text string, d *Device) error {
		_, err := d.Launch(kernelOf(t, text, "transpose"), [3]int{2, 2, 1}, [3]int{32, 8, 1}, 0, d.with("x", make([]uint16, 64*40)), d.Alloc("y", 2*64*40), 64, 40)
		return err
	},
	"gemm_bf16.sm_80.ptx": func(t testing.TB, text string, d *Device) error {
		_, err, _, _ := runGemm(t, text, d, 100, 64, 192)
		return err
	},
	"calls.sm_80.ptx": func(t testing.TB, text string, d *Device) error {
		_, err := d.Launch(kernelOf(t, text, "polys"), [3]int{1, 1, 1}, [3]int{64, 1, 1}, 0, d.with("x", floats(64, 5)), d.Alloc("y", 4*64), 4)
		return err
	},
	"pipe.ptx": func(t testing.TB, text string, d *Device) error {
		_, err := d.Launch(kernelOf(t, text, "pipe"), [3]int{1, 1, 1}, [3]int{64, 1, 1}, 0, d.with("x", make([]uint32, 32*9)), d.Alloc("y", 4*32*9), 9)
		return err
	},
	"ring.ptx": launchRing,
	"bulk.ptx": launchRing,
	"warp.ptx": func(t testing.TB, text string, d *Device) error {
		if _, err := d.Launch(kernelOf(t, text, "exchange"), [3]int{1, 1, 1}, [3]int{32, 1, 1}, 0, d.with("x", make([]uint32, 32)), d.Alloc("y", 128)); err != nil {
			return err
		}
		if _, err := d.Launch(kernelOf(t, text, "collect"), [3]int{1, 1, 1}, [3]int{32, 1, 1}, 0, d.Alloc("y", 1024)); err != nil {
			return err
		}
		if _, err := d.Launch(kernelOf(t, text, "collatz"), [3]int{1, 1, 1}, [3]int{64, 1, 1}, 0, d.Alloc("y", 256)); err != nil {
			return err
		}
		if _, err := d.Launch(kernelOf(t, text, "count"), [3]int{1, 1, 1}, [3]int{64, 1, 1}, 0, d.Alloc("y", 256)); err != nil {
			return err
		}
		if _, err := d.Launch(kernelOf(t, text, "ways"), [3]int{1, 1, 1}, [3]int{64, 1, 1}, 0, d.Alloc("y", 256)); err != nil {
			return err
		}
		_, err := d.Launch(kernelOf(t, text, "readers"), [3]int{1, 1, 1}, [3]int{160, 1, 1}, 0, d.Alloc("y", 4*160))
		return err
	},
}

func launchRing(t testing.TB, text string, d *Device) error {
	n := 7
	x := make([]uint32, 64*n)
	for i := range x {
		x[i] = uint32(i)
	}
	y := d.Alloc("y", 4*64*n)
	if _, err := d.Launch(kernelOf(t, text, "ring"), [3]int{1, 1, 1}, [3]int{96, 1, 1}, 0, d.with("x", x), y, n); err != nil {
		return err
	}
	for i, v := range get[uint32](t, y, 64*n) {
		require.Equal(t, uint32(i^1+1), v)
	}
	return nil
}

// planted faults: in a golden kernel, occurrence which of old becomes new.
var planted = []struct {
	file, old, new string
	which          int
	kinds          []Kind
}{
	// Barriers.
	{"softmax.sm_80.ptx", "bar.sync \t0;", "", 0, []Kind{Race, Uninitialised}},
	{"softmax.sm_80.ptx", "bar.sync \t0;", "", 1, []Kind{Race}},
	{"softmax.sm_80.ptx", "bar.sync \t0;", "", 2, []Kind{Race}},
	{"softmax.sm_80.ptx", "bar.sync \t0;", "@%p3 bar.sync \t0;", 0, []Kind{Divergence}},
	{"softmax.sm_80.ptx", "bar.sync \t0;", "bar.sync \t0, 64;", 0, []Kind{Race, Uninitialised, BadBarrier}},
	{"softmax.sm_80.ptx", "bar.sync \t0;", "bar.sync \t0, 160;", 0, []Kind{Deadlock}},
	{"softmax.sm_80.ptx", "bar.sync \t0;", "bar.sync \t0, 100;", 0, []Kind{BadBarrier}},
	{"softmax.sm_80.ptx", "bar.sync \t0;", "bar.sync \t16;", 0, []Kind{BadBarrier}},
	{"softmax.sm_80.ptx", "bar.sync \t0;", "bar.warp.sync -1;", 0, []Kind{Race, Uninitialised}},
	{"transpose.sm_80.ptx", "bar.sync \t0;", "", 0, []Kind{Race, Uninitialised}},
	{"transpose.sm_80.ptx", "@%p3 bra \t$L__BB0_3;", "@%p3 bra \t$L__BB0_3;\n\tbar.sync 0;", 0, []Kind{Divergence}},
	{"pipe.ptx", "barrier.sync %r9, 64; // wait until empty", "", 0, []Kind{Race, Deadlock, BadBarrier}},
	{"pipe.ptx", "barrier.sync %r8, 64; // wait until full", "", 0, []Kind{Race, Uninitialised}},
	{"pipe.ptx", "barrier.arrive %r8, 64; // full", "", 0, []Kind{Deadlock}},
	{"pipe.ptx", "barrier.arrive %r9, 64; // empty", "", 0, []Kind{Deadlock}},
	{"pipe.ptx", "barrier.arrive %r9, 64; // empty", "barrier.arrive %r8, 64;", 0, []Kind{Deadlock, Race, Uninitialised, BadBarrier}},
	{"pipe.ptx", "add.s32 %r9, %r7, 3;", "add.s32 %r9, %r7, 1;", 1, []Kind{Deadlock, Race, Uninitialised, BadBarrier}},
	{"warp.ptx", "bar.warp.sync 0xffffffff;", "", 0, []Kind{Race, Uninitialised}},
	{"warp.ptx", "bar.warp.sync 0xffffffff;", "bar.warp.sync 0x0000ffff;", 0, []Kind{BadOperand}},
	{"warp.ptx", "redux.sync.max.u32 %r10, %r1, 0x55555555;", "redux.sync.max.u32 %r10, %r1, -1;", 0, []Kind{Divergence}},
	{"warp.ptx", "shfl.sync.idx.b32 %r6, %r1, 5, 0x181f, -1;", "@%p1 shfl.sync.idx.b32 %r6, %r1, 5, 0x181f, 0x55555555;", 0, []Kind{AbsentLane}},
	{"warp.ptx", "bar.red.popc.u32 %r3, 0, %p1;", "bar.red.popc.u32 %r3, 1, 96, %p1;", 0, []Kind{Deadlock}},
	// Copies and matrices.
	{"gemm_bf16.sm_80.ptx", "bar.sync \t0;", "", 0, []Kind{Race, Uninitialised, InFlight}},
	{"gemm_bf16.sm_80.ptx", "cp.async.wait_group 1;", "", 0, []Kind{InFlight}},
	{"gemm_bf16.sm_80.ptx", "cp.async.wait_group 1;", "cp.async.wait_group 2;", 0, []Kind{InFlight}},
	{"gemm_bf16.sm_80.ptx", "cp.async.wait_group 1;\n\tbar.sync \t0;", "bar.sync \t0;\n\tcp.async.wait_group 1;", 0, []Kind{Race, InFlight, Uninitialised}},
	{"gemm_bf16.sm_80.ptx", "shl.b32 \t%r4, %r50, 6;", "shl.b32 \t%r4, %r50, 5;", 0, []Kind{Race}},
	{"gemm_bf16.sm_80.ptx", "cp.async.commit_group;", "", 2, []Kind{InFlight}},
	{"gemm_bf16.sm_80.ptx", "cp.async.commit_group;", "", 0, []Kind{InFlight}},
	{"gemm_bf16.sm_80.ptx", "ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%r115, %r116, %r117, %r118}, [%rd64];", "ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%r115, %r116, %r117, %r118}, [%rd64+8];", 0, []Kind{Misaligned}},
	{"gemm_bf16.sm_80.ptx", "[%rd64];", "[%rd64+24576];", 0, []Kind{OutOfBounds}},
	{"gemm_bf16.sm_80.ptx", "[%rd64];", "[%rd64+16384];", 0, []Kind{Uninitialised, InFlight, OutOfBounds}},
	{"gemm_bf16.sm_80.ptx", "shl.b32 \t%r114, %r175, 13;", "mov.u32 \t%r114, 8192;", 0, []Kind{InFlight, Race}},
	{"gemm_bf16.sm_80.ptx", "setp.lt.s32 \t%p2, %r69, %r46;", "setp.le.s32 \t%p2, %r69, %r46;", 0, []Kind{OutOfBounds}},
	{"gemm_bf16.sm_80.ptx", "selp.b32 \t%r11, 16, 0, %p2;", "selp.b32 \t%r11, 16, 17, %p2;", 0, []Kind{BadOperand}},
	{"gemm_bf16.sm_80.ptx", "[%rd14], [%rd16], 16, %r5;", "[%rd13], [%rd16], 16, %r5;", 0, []Kind{InFlight}},
	{"gemm_bf16.sm_80.ptx", "cp.async.cg.shared.global [%rd18], [%rd20], 16;", "", 0, []Kind{Uninitialised, InFlight}},
	{"gemm_bf16.sm_80.ptx", "mov.f32 \t%f98, 0f00000000;", "", 0, []Kind{Undefined}},
	// Memory barriers.
	{"ring.ptx", "mbarrier.init.shared.b64 [full], 32;", "mbarrier.init.shared.b64 [full], 33;", 0, []Kind{Deadlock}},
	{"ring.ptx", "mbarrier.init.shared.b64 [full], 32;", "mbarrier.init.shared.b64 [full], 31;", 0, []Kind{BadBarrier, InFlight, Race}},
	{"ring.ptx", "mbarrier.init.shared.b64 [full], 32;", "", 0, []Kind{Uninitialised}},
	{"ring.ptx", "bar.sync 0;", "", 0, []Kind{Race, Uninitialised}},
	{"ring.ptx", "@!%p3 bra FULL;", "", 0, []Kind{Race, InFlight, Uninitialised}},
	{"ring.ptx", "@!%p3 bra EMPTY;", "", 0, []Kind{Race, InFlight, BadBarrier}},
	{"ring.ptx", "and.b32 %r7, %r6, 1; // parity", "xor.b32 %r7, %r6, 1; and.b32 %r7, %r7, 1;", 0, []Kind{Race, InFlight, Uninitialised}},
	{"ring.ptx", "add.s32 %r9, %r21, %r8;", "mov.u32 %r9, %r21;", 1, []Kind{Race, InFlight, Uninitialised, Deadlock}},
	{"ring.ptx", "mbarrier.arrive.shared.b64 %rd9, [%r10]; // empty", "", 0, []Kind{Deadlock}},
	{"ring.ptx", "mbarrier.arrive.shared.b64 %rd9, [%r10]; // empty", "mbarrier.arrive.shared.b64 %rd9, [%r9];", 0, []Kind{BadBarrier, Deadlock, Race}},
	{"ring.ptx", "cp.async.mbarrier.arrive.noinc.shared.b64 [%r9];", "mbarrier.arrive.shared.b64 %rd9, [%r9];", 0, []Kind{InFlight}},
	{"ring.ptx", "cp.async.mbarrier.arrive.noinc.shared.b64 [%r9];", "cp.async.mbarrier.arrive.shared.b64 [%r9];", 0, []Kind{Deadlock}},
	{"ring.ptx", "add.s32 %r9, %r21, %r8;", "add.s32 %r9, %r21, %r8; add.s32 %r9, %r9, 4;", 0, []Kind{Misaligned}},
	{"ring.ptx", "ld.shared.u32 %r13, [%r11];", "ld.shared.u32 %r13, [%r11]; st.shared.u32 [%r9], %r13;", 0, []Kind{BadBarrier}},
	{"bulk.ptx", "@!%p3 bra FULL;", "", 0, []Kind{InFlight, Uninitialised, Race}},
	{"bulk.ptx", "@!%p3 bra EMPTY;", "", 0, []Kind{Race, InFlight, BadBarrier}},
	{"bulk.ptx", "[%r9], 256;", "[%r9], 240;", 0, []Kind{Deadlock}},
	{"bulk.ptx", "[%r11], [%rd3], 256, [%r9];", "[%r11], [%rd3], 272, [%r9];", 0, []Kind{Deadlock, InFlight, Race, OutOfBounds}},
	{"bulk.ptx", "[%r11], [%rd3], 256, [%r9];", "[%r11], [%rd3], 256, [%r10];", 0, []Kind{Deadlock}},
	{"bulk.ptx", "mbarrier.arrive.expect_tx.shared.b64 %rd8, [%r9], 256;", "mbarrier.arrive.shared.b64 %rd8, [%r9];", 0, []Kind{InFlight, Race, Uninitialised, BadBarrier, Deadlock}},
	{"bulk.ptx", "mbarrier.init.shared.b64 [empty], 64;", "mbarrier.init.shared.b64 [empty], 32;", 0, []Kind{Race, BadBarrier, InFlight, Deadlock}},
	{"bulk.ptx", "fence.mbarrier_init.release.cluster;", "", 0, []Kind{Unfenced}},
	{"bulk.ptx", "fence.proxy.async.shared::cta;", "", 0, []Kind{Unfenced}},
	{"bulk.ptx", "mul.wide.u32 %rd3, %r3, 256;", "mul.wide.u32 %rd3, %r3, 264;", 0, []Kind{Misaligned}},
	// Bounds, alignment, values.
	{"elementwise.sm_80.ptx", "setp.ge.s32 \t%p1, %r5, %r3;", "setp.gt.s32 \t%p1, %r5, %r3;", 0, []Kind{OutOfBounds}},
	{"elementwise.sm_80.ptx", "mul.wide.s32 \t%rd5, %r5, 4;", "mul.wide.s32 \t%rd5, %r5, 2;", 0, []Kind{Misaligned}},
	{"elementwise.sm_80.ptx", "st.global.f32 \t[%rd1], %f4;", "st.global.f32 \t[%rd1+4], %f4;", 0, []Kind{Race, OutOfBounds}},
	{"elementwise.sm_80.ptx", "st.global.f32 \t[%rd1], %f4;", "st.global.f32 \t[%rd2], %f4;", 0, []Kind{Race}},
	{"elementwise.sm_80.ptx", "mad.lo.s32 \t%r5, %r2, %r4, %r1;", "mad.lo.s32 \t%r5, %r2, 63, %r1;", 0, []Kind{Race}},
	{"elementwise.sm_80.ptx", "ld.param.u64 \t%rd4, [axpy_param_2];", "", 0, []Kind{Undefined}},
	{"elementwise.sm_80.ptx", "ld.param.u64 \t%rd4, [axpy_param_2];", "mov.u64 %rd4, 0;", 0, []Kind{OutOfBounds}},
	{"softmax.sm_80.ptx", "ld.shared.f32 \t%f27, [part+12];", "ld.shared.f32 \t%f27, [part+16];", 0, []Kind{OutOfBounds}},
	{"softmax.sm_80.ptx", "ld.shared.f32 \t%f27, [part+12];", "ld.shared.f32 \t%f27, [part+13];", 0, []Kind{Misaligned}},
	{"softmax.sm_80.ptx", "st.global.f32 \t[%rd10], %f34;", "", 0, []Kind{Uninitialised}},
	{"transpose.sm_80.ptx", "mul.wide.u32 \t%rd13, %r33, 66;", "mul.wide.u32 \t%rd13, %r33, 62;", 0, []Kind{Race, Uninitialised}},
	{"transpose.sm_80.ptx", "mul.lo.s64 \t%rd18, %rd1, 66;", "mul.lo.s64 \t%rd18, %rd1, 68;", 0, []Kind{OutOfBounds, Uninitialised}},
	{"transpose.sm_80.ptx", "setp.ge.s32 \t%p6, %r29, %r19;", "setp.gt.s32 \t%p6, %r29, %r19;", 0, []Kind{Uninitialised, OutOfBounds, Race}},
	{"transpose.sm_80.ptx", "st.global.u16 \t[%rd9], %rs2;", "st.global.u32 \t[%rd9], %r1;", 0, []Kind{Misaligned, Race, OutOfBounds, Undefined}},
	{"calls.sm_80.ptx", "st.local.f32 \t[%rd1+12], %f12;", "st.local.f32 \t[%rd1+16], %f12;", 0, []Kind{OutOfBounds}},
	{"calls.sm_80.ptx", "st.local.f32 \t[%rd1+8], %f11;", "", 0, []Kind{Uninitialised}},
	{"warp.ptx", "st.global.v4.u32 [%rd3+16], {%r7, %r8, %r9, %r12};", "st.global.v4.u32 [%rd3+20], {%r7, %r8, %r9, %r12};", 0, []Kind{Misaligned}},
	{"warp.ptx", "\tbarrier.sync 0;", "\tbar.sync 0;", 0, []Kind{Divergence}},
	{"warp.ptx", "\tbarrier.sync 0;", "\tbar.warp.sync -1;", 0, []Kind{Divergence}},
	{"warp.ptx", "\tbarrier.sync 0;", "\tbarrier.sync 1;", 0, []Kind{Divergence}},
	{"warp.ptx", "setp.ge.u32 %p1, %r1, 60;", "setp.ge.u32 %p1, %r1, 58;", 0, []Kind{Uninitialised}},
	{"warp.ptx", "bar.red.or.pred %p2, 0, %p1;", "setp.lt.u32 %p4, %r1, 32;\n@%p4 bar.sync 0;\n@!%p4 bar.red.or.pred %p2, 0, %p1;", 0, []Kind{BadBarrier}},
	{"warp.ptx", "mov.u32 %r9, 0;", "", 0, []Kind{Undefined}},
	{"warp.ptx", "DONE:", "DONE:\n\tbra DONE;", 0, []Kind{NoEnd}},
}

func TestPlantedFaults(t *testing.T) {
	for _, p := range planted {
		t.Run(p.file+"/"+p.old, func(t *testing.T) {
			text := change(t, read(t, p.file), p.old, p.new, p.which)
			for seed := range uint64(4) {
				err := launches[p.file](t, text, &Device{Seed: seed, Limit: 1 << 20})
				f := wantFault(t, err, p.kinds...)
				t.Log(f)
			}
		})
	}
}

func TestCleanKernels(t *testing.T) {
	for file, launch := range launches {
		for seed := range uint64(8) {
			for _, workers := range []int{1, 2, 5} {
				require.NoError(t, launch(t, read(t, file), &Device{Seed: seed, Workers: workers}), file)
			}
		}
	}
}

// One warp of four does not say that it has read a word: its reads must be found
// among all others, whatever the schedule.
func TestOneReaderOfMany(t *testing.T) {
	text := read(t, "warp.ptx")
	text = change(t, text, "\tbarrier.sync 2, 160;", "\tbarrier.sync 2, 128;", 0)
	for warp := 1; warp < 5; warp++ {
		first := fmt.Sprint(warp * 32)
		skip := change(t, text, "barrier.arrive 2, 160; // done", "sub.u32 %r5, %r1, "+first+"; setp.ge.u32 %p4, %r5, 32;\n\t@%p4 barrier.arrive 2, 128;", 0)
		for seed := range uint64(10) {
			d := &Device{Seed: seed}
			_, err := d.Launch(kernelOf(t, skip, "readers"), [3]int{1, 1, 1}, [3]int{160, 1, 1}, 0, d.Alloc("y", 4*160))
			f := wantFault(t, err, Race)
			require.Contains(t, f.Text, "byte 0 of shared variable word")
		}
	}
}

func TestFaultsNameTheirPlace(t *testing.T) {
	text := read(t, "elementwise.sm_80.ptx")
	broken := change(t, text, "setp.ge.s32 \t%p1, %r5, %r3;", "setp.gt.s32 \t%p1, %r5, %r3;", 0)
	f := wantFault(t, launches["elementwise.sm_80.ptx"](t, broken, &Device{}), OutOfBounds)
	require.Equal(t, "models/axpy.mdl:12", f.Source)
	require.Equal(t, lineOf(t, broken, "ld.global.nc.f32 \t%f2"), f.Line)
	require.Equal(t, "axpy", f.Kernel)
	require.Equal(t, [3]int{2, 0, 0}, f.Block)
	require.Equal(t, [3]int{22, 0, 0}, f.Thread)
	require.Contains(t, f.Error(), "a read of 4 bytes at byte 600 of buffer x, which has 600")

	text = read(t, "softmax.sm_80.ptx")
	broken = change(t, text, "bar.sync \t0;", "", 1)
	f = wantFault(t, launches["softmax.sm_80.ptx"](t, broken, &Device{}), Race)
	require.NotNil(t, f.Other)
	require.Contains(t, f.Error(), "shared variable part")
}

func TestDivisionByZero(t *testing.T) {
	d := &Device{}
	_, err := d.Launch(kernelOf(t, read(t, "calls.sm_80.ptx"), "polys"), [3]int{1, 1, 1}, [3]int{64, 1, 1}, 0, d.with("x", floats(64, 5)), d.Alloc("y", 4*64), 0)
	wantFault(t, err, BadOperand)
}
