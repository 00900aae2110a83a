package emulator

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// desc is what a ring writes of a descriptor: swizzle, stride and leading offset in units of 16 bytes.
func desc(swizzle int, stride, lead uint64) string {
	return fmt.Sprint(uint64(map[int]int{0: 0, 32: 3, 64: 2, 128: 1}[swizzle])<<62 | stride<<32 | lead<<16)
}

// hopperFaults are planted in the kernels of hopper_test.go and cluster_test.go: edits (old, new, old, new …; "old#2" is
// the third such place), what kind is reported and what the report says.
var hopperFaults = []struct {
	in, what string
	edits    []string
	kinds    []Kind
	says     string
}{
	// Phases.
	{"bf16 128", "the consumer keeps to the parity of the first turn", []string{"xor.b32 %r7, %r7, %r15; // flip#1", ""}, []Kind{Race, InFlight, Deadlock}, ""},
	{"bf16 128", "the producer keeps to the parity of the first turn", []string{"xor.b32 %r7, %r7, %r15; // flip", ""}, []Kind{BadBarrier, Race, InFlight}, "waits for 0 more of 1"},
	{"bf16 128", "the producer waits for a phase that nobody begins", []string{"xor.b32 %r7, %r7, 1;", ""}, []Kind{Deadlock}, "mbarrier at byte 0 of shared variable empty (128 of 128 arrivals"},
	{"bf16 128", "the producer waits at the wrong mbarrier", []string{"add.u32 %r12, %r23, %r10;", "add.u32 %r12, %r22, %r10;"}, []Kind{BadBarrier, Race, InFlight, Deadlock}, ""},
	{"bf16 128", "an mbarrier of empty slots expects one too many", []string{"[empty+0], 128;", "[empty+0], 129;"}, []Kind{Deadlock}, "1 of 129 arrivals"},
	{"bf16 128", "an mbarrier of full slots expects two", []string{"[full+0], 1;", "[full+0], 2;"}, []Kind{Deadlock}, "1 of 2 arrivals"},
	{"bf16 128", "one thread of the warpgroup waits for all", []string{"FULL:", "setp.ne.u32 %p9, %r31, 0;\n\t@%p9 bra PAST;\nFULL:", "@!%p4 bra FULL; // full", "@!%p4 bra FULL;\nPAST:"}, []Kind{Race, InFlight, Uninitialised}, "wait"},
	// Bytes.
	{"bf16 128", "no bytes are expected", []string{"mbarrier.arrive.expect_tx.shared::cta.b64 _, [%r11], 16384;", "mbarrier.arrive.shared::cta.b64 _, [%r11];"}, []Kind{InFlight, Race, Uninitialised}, "copy"},
	{"bf16 128", "too many bytes are expected", []string{"_, [%r11], 16384;", "_, [%r11], 16400;"}, []Kind{Deadlock}, "16 bytes are missing"},
	{"bf16 128", "too few bytes are expected", []string{"_, [%r11], 16384;", "_, [%r11], 8192;"}, []Kind{Deadlock, InFlight, Race}, ""},
	{"cluster", "the other block's half is not expected", []string{"_, [%r11], 16384;", "_, [%r11], 12288;"}, []Kind{Deadlock, InFlight, Race}, ""},
	// Slots.
	{"bf16 128", "a slot is freed whose product goes on", []string{"add.u32 %r12, %r23, %r16;", "add.u32 %r12, %r23, %r10;", "@!%p7 bra KEEP;", ""}, []Kind{Race}, "read by a product of a warpgroup, and nothing that has waited for it by wgmma.wait_group"},
	{"bf16 128", "the wait for products is too lax", []string{"wait_group.sync.aligned 1; // settle", "wait_group.sync.aligned 2; // settle"}, []Kind{Race}, "read by a product of a warpgroup"},
	{"bf16 128", "slots overlap", []string{"mad.lo.u32 %r14, %r6, 8192, %r21;", "mad.lo.u32 %r14, %r6, 4096, %r21;"}, []Kind{InFlight, Race}, "copy"},
	{"cluster", "a block does not ask the other whether its slot is free", []string{"[empty+0], 256;", "[empty+0], 128;", "[empty+8], 256;", "[empty+8], 128;", "mapa.shared::cluster.u32 %r17, %r12, 0;", "mov.u32 %r17, %r12;", "mbarrier.arrive.release.cluster.shared::cluster.b64 _, [%r18]; // free 1", ""}, []Kind{Race, InFlight, Uninitialised}, "byte"},
	{"cluster", "both blocks bring the same half", []string{"mul.lo.u32 %r26, %r24, 4096;", "mov.u32 %r26, 0;"}, []Kind{InFlight, Race}, "copy"},
	{"cluster", "a multicast to more blocks than there are", []string{"mov.u16 %h1, 3;", "mov.u16 %h1, 7;"}, []Kind{BadOperand}, "a multicast to blocks 0x7 of a cluster of 2"},
	{"cluster", "a multicast to one block", []string{"mov.u16 %h1, 3;", "mov.u16 %h1, 1;"}, []Kind{Deadlock}, "bytes are missing"},
	// Boxes and maps.
	{"bf16 128", "a map that is not aligned", []string{".param .align 64 .b8 mapA", ".param .align 16 .b8 mapA"}, []Kind{Misaligned}, "a tensor map at param"},
	{"bf16 128", "a box that is not aligned", []string{"[%r13], [%rd1, {%r9, %r8}]", "[%r13+64], [%rd1, {%r9, %r8}]"}, []Kind{Misaligned}, "it must be a multiple of 128"},
	{"bf16 128", "a map that is none", []string{"mov.b64 %rd2, mapB;", "mov.b64 %rd2, mapC;"}, []Kind{BadOperand}, "there is no tensor map at"},
	{"bf16 128", "too many coordinates", []string{"cp.async.bulk.tensor.2d", "cp.async.bulk.tensor.3d", "{%r9, %r8}", "{%r9, %r8, %r8}"}, []Kind{BadOperand}, "3 coordinates for a tensor of 2 dimensions"},
	{"bf16 128", "a box in another box's place", []string{"[%r14], [%rd2", "[%r13], [%rd2"}, []Kind{InFlight}, "has not been waited for"},
	// Descriptors.
	{"bf16 128", "half the stride of A", []string{desc(128, 64, 1) + "; // descriptor of A", desc(128, 32, 1) + ";"}, []Kind{BadOperand}, "the stride offset of A is 512 bytes, no multiple of a pattern of 1024"},
	{"bf16 128", "twice the stride of B", []string{desc(128, 64, 1) + "; // descriptor of B", desc(128, 128, 1) + ";"}, []Kind{BadOperand}, "the strides of B do not fit the box"},
	{"bf16 64", "the swizzle of 128 bytes", []string{desc(64, 32, 1) + "; // descriptor of B", desc(128, 64, 1) + ";"}, []Kind{BadOperand}, "the descriptor of B has a swizzle of 128 bytes, and the box"},
	{"bf16 128", "no swizzle", []string{desc(128, 64, 1) + "; // descriptor of A", desc(0, 64, 1) + ";"}, []Kind{BadOperand}, "the descriptor of A has a swizzle of 16 bytes"},
	{"bf16 none", "offsets that are exchanged", []string{desc(0, 8, 64) + "; // descriptor of A", desc(0, 64, 8) + ";"}, []Kind{BadOperand}, "the strides of A do not fit"},
	{"turned", "offsets of columns that are exchanged", []string{desc(128, 64, 512) + "; // descriptor of B", desc(128, 512, 64) + ";"}, []Kind{BadOperand, InFlight}, ""},
	{"turned", "a step as if sums lay side by side", []string{"add.u64 %rd9, %rd6, 128;", "add.u64 %rd9, %rd6, 2;"}, []Kind{Misaligned}, "the descriptor of B begins at byte 32 of a row of 128"},
	{"bf16 128", "an address whose lowest bits are not cut off", []string{"shr.u32 %r14, %r14, 4;", ""}, []Kind{BadOperand, Misaligned}, "descriptor"},
	{"bf16 128", "a step to the next row", []string{"add.u64 %rd8, %rd5, 2;", "add.u64 %rd8, %rd5, 8;"}, []Kind{Misaligned}, "not in the first row of a pattern of 1024 bytes"},
	{"bf16 128", "a step over the end of the row", []string{"add.u64 %rd8, %rd5, 2;", "add.u64 %rd8, %rd5, 7;"}, []Kind{Misaligned}, "the product reads over its end"},
	// Products and registers.
	{"bf16 128", "the last product is not waited for", []string{"wait_group.sync.aligned 0; // last", "wait_group.sync.aligned 1; // last"}, []Kind{Pending}, "is the accumulator of a product that may not be done: a wgmma.wait_group"},
	{"f16 registers", "A is loaded while a product has it", []string{"wait_group.sync.aligned 0; // settle", "wait_group.sync.aligned 1; // settle"}, []Kind{Pending}, "holds a part of A"},
	{"bf16 128", "an accumulator is changed after the fence", []string{"wgmma.fence.sync.aligned;", "wgmma.fence.sync.aligned;\n\tmov.f32 %f3, 0f00000000;"}, []Kind{Unfenced, Pending}, "register %f3"},
	{"bf16 128", "an accumulator is looked at between products", []string{"// product 1", "\n\tadd.f32 %f3, %f3, %f3;"}, []Kind{Pending}, "a wgmma.commit_group and a wait for it are missing"},
	{"f16 registers", "A is loaded after the fence", []string{"wgmma.fence.sync.aligned;", "", "// product 0", "", "// full", "\n\twgmma.fence.sync.aligned;\n\tmov.b32 %a0, %a1;"}, []Kind{Unfenced}, "register %a0 was used after the last wgmma.fence"},
	{"bf16 128", "a warp does not multiply", []string{"wgmma.fence.sync.aligned;", "wgmma.fence.sync.aligned;\n\tsetp.eq.u32 %p9, %r32, 3;\n\t@%p9 bra KEEP;"}, []Kind{Deadlock, Divergence, Race, BadBarrier}, ""},
	{"bf16 128", "lanes give different descriptors", []string{"cvt.u64.u32 %rd6, %r14;", "add.u32 %r14, %r14, %r33;\n\tcvt.u64.u32 %rd6, %r14;"}, []Kind{BadOperand}, "lanes of a warp give a product different descriptors"},
	// Stores.
	{"bulk", "one thread fences for all", []string{"fence.proxy.async.shared::cta; // out", "setp.eq.u32 %p9, %r31, 0;\n\t@%p9 fence.proxy.async.shared::cta;"}, []Kind{Unfenced}, "a fence.proxy.async is missing"},
	{"bulk", "the fence comes after the barrier", []string{"fence.proxy.async.shared::cta; // out", "", "// written", "\n\tfence.proxy.async.shared::cta;"}, []Kind{Unfenced}, "a fence.proxy.async is missing"},
	{"bulk", "what is copied is written over", []string{"cp.async.bulk.wait_group.read 0; // stored", "st.shared.u32 [%r40], %r1;\n\tcp.async.bulk.wait_group.read 0;"}, []Kind{Race}, "read by a bulk copy, and nothing that has waited for it by cp.async.bulk.wait_group"},
	{"bulk", "a wait for a copy that lets one go on", []string{"wait_group.read 0;", "wait_group.read 1;"}, []Kind{InFlight}, "a cp.async.bulk.wait_group that includes it is missing"},
	{"bulk", "a row for stmatrix that is not aligned", []string{"[%r46+0]", "[%r46+8]"}, []Kind{Misaligned}, "no multiple of 16"},
	{"bf16 128", "threads store what products read", []string{"shr.u32 %r13, %r13, 4;", "setp.eq.u32 %p9, %r31, 0;\n\t@%p9 st.shared.u32 [%r14], %r1;\n\tbar.sync 1, 128;\n\tshr.u32 %r13, %r13, 4;"}, []Kind{Unfenced}, "a fence.proxy.async is missing"},
	// Registers of warpgroups.
	{"roles", "registers at the start are not known", []string{".minnctapersm 1", ""}, []Kind{BadOperand}, ".minnctapersm, is missing"},
	{"roles", "more registers than there are", []string{"inc.sync.aligned.u32 232;", "inc.sync.aligned.u32 240;"}, []Kind{Deadlock}, "for 240 registers a thread"},
	{"roles", "registers are taken that are to be given", []string{"setmaxnreg.dec.sync.aligned.u32 40;", "setmaxnreg.inc.sync.aligned.u32 40;"}, []Kind{BadOperand}, "the wrong way: from 168 registers to 40"},
	{"roles", "a warp alone asks for registers", []string{"setmaxnreg.inc.sync.aligned.u32 232;", "setp.ge.u32 %p9, %r1, 160;\n\t@!%p9 setmaxnreg.inc.sync.aligned.u32 232;"}, []Kind{Deadlock, Divergence}, "executes this, and warp 4 another instruction"},
	// Clusters.
	{"pull", "no barrier before the other's words are read", []string{"barrier.cluster.arrive.release.aligned; // written", "", "barrier.cluster.wait.acquire.aligned; // may be read", ""}, []Kind{Race, Uninitialised}, "barrier.cluster is missing"},
	{"pull", "no barrier before the end", []string{"barrier.cluster.arrive.release.aligned; // read", "", "barrier.cluster.wait.acquire.aligned; // may end", ""}, []Kind{Race}, "barrier.cluster"},
	{"pull", "an address of another block without .shared::cluster", []string{"ld.shared::cluster.u32", "ld.shared.u32"}, []Kind{OutOfBounds}, "which takes .shared::cluster"},
	{"pull", "a block that is not there", []string{"xor.b32 %r7, %r3, 1;", "add.u32 %r7, %r3, 1;"}, []Kind{BadOperand}, "there is no block 2 in a cluster of 2"},
	{"pull", "one warp does not arrive", []string{"barrier.cluster.arrive.release.aligned; // read", "setp.ge.u32 %p1, %r1, 32;\n\t@%p1 bra END;\n\tbarrier.cluster.arrive.release.aligned;", "barrier.cluster.wait.acquire.aligned; // may end", "barrier.cluster.wait.acquire.aligned;\nEND:", ".reg .b32 %r<16>;", ".reg .b32 %r<16>;\n\t.reg .pred %p<4>;"}, []Kind{Race}, "block"},
	{"push", "the arrival comes before the words", []string{"st.shared::cluster.u32 [%r8], %r4; // push", "", "// through", "\n\tst.shared::cluster.u32 [%r8], %r4;"}, []Kind{Race, Uninitialised}, "no"},
	{"push", "a copy to another block is counted in this one", []string{"256, [%r11];", "256, [%r10];"}, []Kind{BadOperand}, "the mbarrier of a copy is in the block that it goes to"},
	{"push", "no barrier before the end", []string{"barrier.cluster.arrive.release.aligned; // end", "", "barrier.cluster.wait.acquire.aligned; // ended", ""}, []Kind{InFlight, Race}, "block"},
	{"cast", "more words than are expected", []string{"[full], 512;", "[full], 504;"}, []Kind{Deadlock, InFlight}, ""},
	{"cast", "a store is counted in this block", []string{"%r12}, [%r11];", "%r12}, [%r10];"}, []Kind{BadOperand}, "the mbarrier of a store is in the block that it goes to"},
	{"cluster", "a block ends before the other has told it of slots", []string{"barrier.cluster.arrive.release; // end", "", "barrier.cluster.wait.acquire; // ended", ""}, []Kind{Race}, "barrier.cluster"},
	// Launches that follow.
	{"follow", "what the kernel before writes is read too early", []string{"griddepcontrol.wait;", "", "mul.lo.u32", "griddepcontrol.wait;\n\tmul.lo.u32"}, []Kind{Race}, "griddepcontrol.wait is missing"},
	{"follow", "what the kernel before reads is written too early", []string{"griddepcontrol.wait;", "st.global.u32 [%rd1], %r2;\n\tgriddepcontrol.wait;"}, []Kind{Race}, "griddepcontrol.wait is missing"},
}

// edit makes the edits of a fault.
func edit(t testing.TB, text string, edits []string) string {
	for i := 0; i < len(edits); i += 2 {
		old, which := edits[i], 0
		if at := strings.LastIndexByte(old, '#'); at >= 0 {
			_, err := fmt.Sscan(old[at+1:], &which)
			require.NoError(t, err)
			old = old[:at]
		}
		text = change(t, text, old, edits[i+1], which)
	}
	return text
}

// hopperKernel is the text of a kernel and how it is run; results that are wrong are an error too.
func hopperKernel(name string) (string, func(t testing.TB, text string, d *Device) error) {
	if k, ok := small[name]; ok {
		return k.text, k.run
	}
	r := rings[name]
	return r.text(), func(t testing.TB, text string, d *Device) error {
		got, want, err := r.run(t, text, d, 5)
		if err == nil && !slices.Equal(got, want) {
			err = fmt.Errorf("wrong results")
		}
		return err
	}
}

func TestHopperFaults(t *testing.T) {
	for _, f := range hopperFaults {
		t.Run(f.in+"/"+f.what, func(t *testing.T) {
			text, run := hopperKernel(f.in)
			for seed := range uint64(3) {
				fault := wantFault(t, run(t, edit(t, text, f.edits), &Device{Seed: seed, Limit: 1 << 20}), f.kinds...)
				require.Contains(t, fault.Error(), f.says)
				if seed == 0 {
					t.Log(fault)
				}
			}
		})
	}
}

// Every instruction that orders something is left out in turn: that is a fault, in whatever order
// warps run. What is none does nothing: a setmaxnreg that asks for more only
// tells ptxas what it may use, and in push another fence follows that of the mbarriers before any copy.
func TestEverySync(t *testing.T) {
	sync := regexp.MustCompile(`^(mbarrier|fence|barrier|bar\.sync|wgmma\.(fence|commit|wait)|cp\.async\.bulk\.(commit|wait)|griddepcontrol\.wait|setmaxnreg|@!%p\d bra)`)
	tried := 0
	for _, name := range []string{"bf16 128", "f16 registers", "roles", "bulk", "cluster", "pull", "push", "cast", "follow"} {
		text, run := hopperKernel(name)
		lines := strings.Split(text, "\n")
		for i, line := range lines {
			code := strings.TrimSpace(line)
			if !sync.MatchString(code) || strings.Contains(code, "setmaxnreg.inc") || name == "push" && strings.Contains(code, "mbarrier_init") {
				continue
			}
			broken := slices.Clone(lines)
			broken[i] = ""
			tried++
			for seed := range uint64(2) {
				err := run(t, strings.Join(broken, "\n"), &Device{Seed: seed, Limit: 1 << 20})
				require.Error(t, err, "%s without %s", name, code)
				var f *Fault
				require.ErrorAs(t, err, &f, "%s without %s", name, code)
			}
		}
	}
	require.Greater(t, tried, 80)
}
