package emulator

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const hopperHeader = ".version 8.3\n.target sm_90a\n.address_size 64\n"

// A ring is a kernel written by hand: a producer fills slots by copies of boxes, warpgroups
// multiply what is there, one of 64 rows each. What it may be:
type ring struct {
	elem      string // bf16, f16, e4m3, tf32
	swizzle   int    // 0: two pieces of 16 bytes a row
	consumers int    // warpgroups
	n         int    // columns
	depth     int    // slots
	registers bool   // A comes from registers
	turned    bool   // the columns of B lie side by side, 64 in a box
	roles     bool   // setmaxnreg
	cluster   bool   // two blocks share B
	epilogue  string // "": stores; "bulk": stmatrix and a copy of a box
}

// rowBytes are of a row in a slot.
func (r ring) rowBytes() int { return max(r.swizzle, 32) }

func (r ring) perRow() int { return r.rowBytes() / r.size() }

func (r ring) size() int { return map[string]int{"bf16": 2, "f16": 2, "e4m3": 1, "tf32": 4}[r.elem] }

func (r ring) rows() int { return 64 * r.consumers }

// shared is the size of the slots, and of what the epilogue writes.
func (r ring) shared() int {
	n := r.depth * (r.rows() + r.n) * r.rowBytes()
	if r.epilogue == "bulk" {
		n += r.rows() * r.n * 2
	}
	return n
}

// text writes the kernel. Comments mark the lines in which faults are planted.
func (r ring) text() string {
	var b strings.Builder
	w := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	rb, boxA, boxB := r.rowBytes(), r.rows()*r.rowBytes(), r.n*r.rowBytes()
	acc := r.n / 2
	w(hopperHeader + ".extern .shared .align 1024 .b8 slots[];\n.visible .entry product(.param .align 64 .b8 mapA[128], .param .align 64 .b8 mapB[128], .param .align 64 .b8 mapC[128], .param .u64 A, .param .u64 C, .param .u32 tiles)")
	w(".maxntid %d\n.minnctapersm 1", 128*(1+r.consumers))
	if r.cluster {
		w(".explicitcluster\n.reqnctapercluster 2, 1, 1")
	}
	w("{\n\t.shared .align 8 .b8 full[%d];\n\t.shared .align 8 .b8 empty[%d];", 8*r.depth, 8*r.depth)
	w("\t.reg .pred %%p<16>;\n\t.reg .b16 %%h<4>;\n\t.reg .b32 %%r<64>;\n\t.reg .b32 %%a<16>;\n\t.reg .b64 %%rd<32>;\n\t.reg .f32 %%f<%d>;", acc)
	w("\tmov.u32 %%r1, %%tid.x;\n\tld.param.u32 %%r2, [tiles];\n\tmov.u32 %%r20, slots; // of A\n\tadd.u32 %%r21, %%r20, %d; // of B\n\tmov.u32 %%r22, full;\n\tmov.u32 %%r23, empty;", r.depth*boxA)
	w("\tmov.u32 %%r4, %%ctaid.x;\n\tmov.u32 %%r24, %%cluster_ctarank;")
	w("\tsetp.ne.u32 %%p1, %%r1, 0;\n\t@%%p1 bra READY;")
	arrivals := 128 * r.consumers
	if r.cluster {
		arrivals *= 2
	}
	for i := range r.depth {
		w("\tmbarrier.init.shared::cta.b64 [full+%d], 1;\n\tmbarrier.init.shared::cta.b64 [empty+%d], %d;", 8*i, 8*i, arrivals)
	}
	w("\tfence.mbarrier_init.release.cluster; // init\nREADY:")
	if r.cluster {
		w("\tbarrier.cluster.arrive.release.aligned; // begin\n\tbarrier.cluster.wait.acquire.aligned; // begun")
	} else {
		w("\tbar.sync 0; // begin")
	}
	w("\tshr.u32 %%r3, %%r1, 7;\n\tmov.u32 %%r5, 0; // tile\n\tmov.u32 %%r6, 0; // slot\n\tmov.u32 %%r7, 0; // parity\n\tsetp.ne.u32 %%p2, %%r3, 0;\n\t@%%p2 bra CONSUMER;")
	r.producer(w, rb, boxA, boxB)
	w("CONSUMER:")
	if r.roles {
		w("\tsetmaxnreg.inc.sync.aligned.u32 232; // more")
	}
	r.consumer(w, rb, boxA, boxB)
	r.store(w)
	w("DONE:")
	if r.cluster {
		w("\tbarrier.cluster.arrive.release; // end\n\tbarrier.cluster.wait.acquire; // ended")
	}
	w("\tret;\n}")
	return b.String()
}

func (r ring) producer(w func(string, ...any), rb, boxA, boxB int) {
	if r.roles {
		w("\tsetmaxnreg.dec.sync.aligned.u32 40; // less")
	}
	w("\tsetp.ne.u32 %%p3, %%r1, 0;\n\t@%%p3 bra DONE;")
	w("\tmov.b64 %%rd1, mapA;\n\tcvta.param.u64 %%rd1, %%rd1;\n\tmov.b64 %%rd2, mapB;\n\tcvta.param.u64 %%rd2, %%rd2;")
	w("\tmul.lo.u32 %%r8, %%r4, %d; // row of A\n\tmov.u32 %%r9, 0; // column", r.rows())
	if r.cluster {
		w("\tmul.lo.u32 %%r25, %%r24, %d; // first row of this block's half of B\n\tmul.lo.u32 %%r26, %%r24, %d;\n\tmov.u16 %%h1, 3;", r.n/2, boxB/2)
	}
	w("\txor.b32 %%r7, %%r7, 1; // the first wait is for the phase before the first")
	w("FILL:\n\tshl.b32 %%r10, %%r6, 3;\n\tadd.u32 %%r11, %%r22, %%r10;\n\tadd.u32 %%r12, %%r23, %%r10;")
	w("EMPTY:\n\tmbarrier.try_wait.parity.shared::cta.b64 %%p4, [%%r12], %%r7;\n\t@!%%p4 bra EMPTY; // empty")
	bytes := boxA + boxB
	if r.registers {
		bytes = boxB
	}
	w("\tmbarrier.arrive.expect_tx.shared::cta.b64 _, [%%r11], %d; // expect", bytes)
	w("\tmad.lo.u32 %%r13, %%r6, %d, %%r20;\n\tmad.lo.u32 %%r14, %%r6, %d, %%r21;", boxA, boxB)
	form := "shared::cluster.global.tile.mbarrier::complete_tx::bytes"
	coords := func(row string) (string, string) {
		switch {
		case r.swizzle == 0:
			return "3d", "{0, " + row + ", %r9}"
		case r.turned && row == "0":
			return "2d", "{0, %r9}"
		}
		return "2d", "{%r9, " + row + "}"
	}
	if !r.registers {
		rank, c := coords("%r8")
		w("\tcp.async.bulk.tensor.%s.%s [%%r13], [%%rd1, %s], [%%r11]; // A", rank, form, c)
	}
	if r.cluster {
		rank, c := coords("%r25")
		w("\tadd.u32 %%r14, %%r14, %%r26;\n\tcp.async.bulk.tensor.%s.%s.multicast::cluster [%%r14], [%%rd2, %s], [%%r11], %%h1; // B", rank, form, c)
	} else {
		rank, c := coords("0")
		w("\tcp.async.bulk.tensor.%s.%s [%%r14], [%%rd2, %s], [%%r11]; // B", rank, form, c)
		for col := 64; r.turned && col < r.n; col += 64 {
			w("\tadd.u32 %%r14, %%r14, 8192;\n\tcp.async.bulk.tensor.2d.%s [%%r14], [%%rd2, {%d, %%r9}], [%%r11];", form, col)
		}
	}
	step := r.perRow()
	if r.swizzle == 0 {
		step = 2
	}
	w("\tadd.u32 %%r9, %%r9, %d;", step)
	r.next(w)
	w("\t@%%p5 bra FILL;\n\tbra DONE;")
}

// next goes to the next tile, slot and parity; p5 tells whether there is one.
func (r ring) next(w func(string, ...any)) {
	w("\tadd.u32 %%r5, %%r5, 1;\n\tadd.u32 %%r6, %%r6, 1;\n\tsetp.eq.u32 %%p6, %%r6, %d;\n\tselp.b32 %%r6, 0, %%r6, %%p6;\n\tselp.b32 %%r15, 1, 0, %%p6;\n\txor.b32 %%r7, %%r7, %%r15; // flip\n\tsetp.lt.u32 %%p5, %%r5, %%r2;", r.depth)
}

func (r ring) consumer(w func(string, ...any), rb, boxA, boxB int) {
	w("\tsub.u32 %%r30, %%r3, 1; // warpgroup\n\tand.b32 %%r31, %%r1, 127;\n\tshr.u32 %%r32, %%r31, 5;\n\tand.b32 %%r33, %%r31, 31;\n\tshr.u32 %%r34, %%r33, 2;\n\tand.b32 %%r35, %%r33, 3;")
	w("\tshl.b32 %%r36, %%r30, 6;\n\tshl.b32 %%r37, %%r32, 4;\n\tadd.u32 %%r36, %%r36, %%r37;\n\tadd.u32 %%r36, %%r36, %%r34; // row in the block")
	if r.registers {
		w("\tld.param.u64 %%rd20, [A];\n\tmad.lo.u32 %%r37, %%r4, %d, %%r36;\n\tmul.lo.u32 %%r38, %%r2, %d; // bytes of a row\n\tmul.wide.u32 %%rd21, %%r37, %%r38;\n\tadd.u64 %%rd20, %%rd20, %%rd21;\n\tmul.wide.u32 %%rd21, %%r35, 4;\n\tadd.u64 %%rd20, %%rd20, %%rd21;\n\tmul.wide.u32 %%rd21, %%r38, 8;\n\tadd.u64 %%rd21, %%rd20, %%rd21;", r.rows(), rb)
	}
	w("\tmov.u32 %%r16, 0; // slot before")
	// Descriptors without their addresses.
	mode, lead, stride := map[int]uint64{0: 0, 32: 3, 64: 2, 128: 1}[r.swizzle], uint64(1), uint64(8*rb)>>4
	leadB := lead
	if r.swizzle == 0 {
		lead, leadB, stride = uint64(r.rows()*16)>>4, uint64(r.n*16)>>4, 8
		if r.cluster {
			leadB = uint64(r.n/2*16) >> 4
		}
	}
	stepB := uint64(2)
	if r.turned {
		leadB, stepB = 512, 128
	}
	w("\tmov.u64 %%rd3, %d; // descriptor of A\n\tmov.u64 %%rd4, %d; // descriptor of B", mode<<62|stride<<32|lead<<16, mode<<62|stride<<32|leadB<<16)
	w("TAKE:\n\tshl.b32 %%r10, %%r6, 3;\n\tadd.u32 %%r11, %%r22, %%r10;")
	if r.registers {
		for s := range rb / 32 {
			for i := range 4 {
				w("\tld.global.u32 %%a%d, [%%rd%d+%d];", 4*s+i, 20+i%2, 32*s+i/2*16)
			}
		}
		w("\tadd.u64 %%rd20, %%rd20, %d;\n\tadd.u64 %%rd21, %%rd21, %d;", rb, rb)
	}
	w("FULL:\n\tmbarrier.try_wait.parity.shared::cta.b64 %%p4, [%%r11], %%r7;\n\t@!%%p4 bra FULL; // full")
	w("\tmad.lo.u32 %%r13, %%r6, %d, %%r20;\n\tmad.lo.u32 %%r14, %%r6, %d, %%r21;", boxA, boxB)
	rowOf := rb
	if r.swizzle == 0 {
		rowOf = 16
	}
	w("\tmad.lo.u32 %%r13, %%r30, %d, %%r13;", 64*rowOf)
	w("\tshr.u32 %%r13, %%r13, 4;\n\tshr.u32 %%r14, %%r14, 4;\n\tcvt.u64.u32 %%rd5, %%r13;\n\tcvt.u64.u32 %%rd6, %%r14;\n\tor.b64 %%rd5, %%rd5, %%rd3;\n\tor.b64 %%rd6, %%rd6, %%rd4;")
	w("\tsetp.ne.u32 %%p7, %%r5, 0; // the first product adds to nothing\n\tsetp.eq.u32 %%p8, %%r5, %%r5;")
	for s := range rb / 32 {
		if s > 0 {
			w("\tadd.u64 %%rd%d, %%rd5, %d;\n\tadd.u64 %%rd%d, %%rd6, %d;", 6+2*s, 2*s, 7+2*s, stepB*uint64(s))
		}
	}
	w("\twgmma.fence.sync.aligned;")
	var d []string
	for i := range r.n / 2 {
		d = append(d, fmt.Sprintf("%%f%d", i))
	}
	k, types := 32/r.size(), r.elem+"."+r.elem
	for s := range rb / 32 {
		a, bd, p := fmt.Sprintf("%%rd%d", 6+2*s), fmt.Sprintf("%%rd%d", 7+2*s), "%p8"
		if s == 0 {
			a, bd, p = "%rd5", "%rd6", "%p7"
		}
		majors := ", 0, 0"
		if r.registers {
			a, majors = fmt.Sprintf("{%%a%d, %%a%d, %%a%d, %%a%d}", 4*s, 4*s+1, 4*s+2, 4*s+3), ", 0"
		}
		switch {
		case r.size() != 2:
			majors = ""
		case r.turned:
			majors = ", 0, 1"
		}
		w("\twgmma.mma_async.sync.aligned.m64n%dk%d.f32.%s {%s}, %s, %s, %s, 1, 1%s; // product %d", r.n, k, types, strings.Join(d, ", "), a, bd, p, majors, s)
	}
	w("\twgmma.commit_group.sync.aligned;")
	if r.registers {
		w("\twgmma.wait_group.sync.aligned 0; // settle\n\tadd.u32 %%r12, %%r23, %%r10;")
		r.free(w)
	} else {
		w("\twgmma.wait_group.sync.aligned 1; // settle\n\tadd.u32 %%r12, %%r23, %%r16;\n\tmov.u32 %%r16, %%r10;\n\t@!%%p7 bra KEEP;")
		r.free(w)
		w("KEEP:")
	}
	r.next(w)
	w("\t@%%p5 bra TAKE;")
	if !r.registers {
		w("\twgmma.wait_group.sync.aligned 0; // last")
	}
}

// free gives a slot back.
func (r ring) free(w func(string, ...any)) {
	if !r.cluster {
		w("\tmbarrier.arrive.shared::cta.b64 _, [%%r12]; // free")
		return
	}
	w("\tmapa.shared::cluster.u32 %%r17, %%r12, 0;\n\tmapa.shared::cluster.u32 %%r18, %%r12, 1;")
	w("\tmbarrier.arrive.release.cluster.shared::cluster.b64 _, [%%r17]; // free 0\n\tmbarrier.arrive.release.cluster.shared::cluster.b64 _, [%%r18]; // free 1")
}

func (r ring) store(w func(string, ...any)) {
	if r.epilogue == "bulk" {
		r.storeBox(w)
		return
	}
	w("\tld.param.u64 %%rd1, [C];\n\tmad.lo.u32 %%r40, %%r4, %d, %%r36;\n\tmul.lo.u32 %%r41, %%r40, %d;\n\tshl.b32 %%r42, %%r35, 1;\n\tadd.u32 %%r41, %%r41, %%r42;\n\tmul.wide.u32 %%rd2, %%r41, 4;\n\tadd.u64 %%rd1, %%rd1, %%rd2;", r.rows(), r.n)
	for j := range r.n / 8 {
		w("\tst.global.v2.f32 [%%rd1+%d], {%%f%d, %%f%d};\n\tst.global.v2.f32 [%%rd1+%d], {%%f%d, %%f%d};", 32*j, 4*j, 4*j+1, 32*j+32*r.n, 4*j+2, 4*j+3)
	}
}

// storeBox writes bf16 through shared memory: stmatrix, a fence, and a copy of 64 columns by one thread of each warpgroup.
func (r ring) storeBox(w func(string, ...any)) {
	w("\tadd.u32 %%r40, %%r21, %d;\n\tmad.lo.u32 %%r40, %%r30, %d, %%r40; // of the warpgroup", r.depth*r.n*r.rowBytes(), 64*r.n*2)
	// Lane l of a warp gives the address of row l%16 of it, columns 8·(l/16) on; boxes of 64 columns, swizzled by 128 bytes.
	w("\tand.b32 %%r41, %%r33, 15;\n\tshl.b32 %%r42, %%r32, 4;\n\tadd.u32 %%r41, %%r41, %%r42; // row\n\tshl.b32 %%r43, %%r41, 7;\n\tadd.u32 %%r43, %%r43, %%r40;\n\tand.b32 %%r44, %%r41, 7;\n\tshr.u32 %%r45, %%r33, 4;")
	for c := 0; c < r.n; c += 16 {
		w("\tadd.u32 %%r46, %%r45, %d;\n\txor.b32 %%r46, %%r46, %%r44;\n\tshl.b32 %%r46, %%r46, 4;\n\tadd.u32 %%r46, %%r46, %%r43;", c%64/8)
		for i := range 4 {
			w("\tcvt.rn.bf16x2.f32 %%a%d, %%f%d, %%f%d;", i, c/2+2*i+1, c/2+2*i)
		}
		w("\tstmatrix.sync.aligned.m8n8.x4.shared.b16 [%%r46+%d], {%%a0, %%a1, %%a2, %%a3};", c/64*64*128)
	}
	w("\tfence.proxy.async.shared::cta; // out\n\tadd.u32 %%r47, %%r30, 1;\n\tbar.sync %%r47, 128; // written")
	w("\tsetp.ne.u32 %%p9, %%r31, 0;\n\t@%%p9 bra DONE;\n\tmov.b64 %%rd1, mapC;\n\tcvta.param.u64 %%rd1, %%rd1;\n\tmad.lo.u32 %%r48, %%r4, %d, 0;\n\tshl.b32 %%r49, %%r30, 6;\n\tadd.u32 %%r48, %%r48, %%r49;", r.rows())
	for c := 0; c < r.n; c += 64 {
		w("\tadd.u32 %%r50, %%r40, %d;\n\tcp.async.bulk.tensor.2d.global.shared::cta.tile.bulk_group [%%rd1, {%d, %%r48}], [%%r50]; // store", c*128, c)
	}
	w("\tcp.async.bulk.commit_group;\n\tcp.async.bulk.wait_group.read 0; // stored")
}

// bits encodes values as the kernel's elements.
func (r ring) bits(v []float32) ([]byte, []float64) {
	e, size := elems[r.elem], r.size()
	var out []byte
	exact := make([]float64, len(v))
	for i, x := range v {
		enc := e.format().encode(float64(x), toEven)
		if r.elem == "tf32" {
			enc &^= 1<<13 - 1
		}
		exact[i] = e.format().decode(enc)
		var p [8]byte
		storeLE(p[:], size, enc)
		out = append(out, p[:size]...)
	}
	return out, exact
}

// run launches the kernel on random matrices and gives C and what it must be.
func (r ring) run(t testing.TB, text string, d *Device, tiles int) (got, want []float32, err error) {
	blocks := 1
	if r.cluster {
		blocks = 2
	}
	m, k := blocks*r.rows(), tiles*r.perRow()
	a, exactA := r.bits(floats(m*k, 6))
	b, exactB := r.bits(floats(r.n*k, 7))
	if r.turned {
		there := slices.Clone(b)
		for i := range r.n * k {
			copy(b[2*(i%k*r.n+i/k):][:2], there[2*i:])
		}
	}
	bufA, bufB := d.with("A", a), d.with("B", b)
	mapElem := map[string]string{"e4m3": "u8", "tf32": "f32"}[r.elem]
	if mapElem == "" {
		mapElem = r.elem
	}
	encode := func(buf *Buffer, rows, box int) []byte {
		row := uint64(k * r.size())
		tm := TensorMap{Elem: mapElem, Addr: buf.Addr(), Dims: []uint64{uint64(k), uint64(rows)}, Strides: []uint64{row}, Box: []uint32{uint32(r.perRow()), uint32(box)}, Swizzle: r.swizzle}
		if r.swizzle == 0 {
			chunk := 16 / r.size()
			tm = TensorMap{Elem: mapElem, Addr: buf.Addr(), Dims: []uint64{uint64(chunk), uint64(rows), uint64(k / chunk)}, Strides: []uint64{row, 16}, Box: []uint32{uint32(chunk), uint32(box), 2}}
		}
		p, err := tm.Encode()
		require.NoError(t, err)
		return p
	}
	mapB := encode(bufB, r.n, r.n/blocks)
	if r.turned {
		mapB, err = (&TensorMap{Elem: mapElem, Addr: bufB.Addr(), Dims: []uint64{uint64(r.n), uint64(k)}, Strides: []uint64{uint64(2 * r.n)}, Box: []uint32{64, 64}, Swizzle: 128}).Encode()
		require.NoError(t, err)
	}
	c, mapC := d.Alloc("C", 4*m*r.n), make([]byte, TensorMapBytes)
	if r.epilogue == "bulk" {
		c = d.Alloc("C", 2*m*r.n)
		mapC, err = (&TensorMap{Elem: "bf16", Addr: c.Addr(), Dims: []uint64{uint64(r.n), uint64(m)}, Strides: []uint64{uint64(2 * r.n)}, Box: []uint32{64, 64}, Swizzle: 128}).Encode()
		require.NoError(t, err)
	}
	_, err = d.Launch(kernelOf(t, text, "product"), [3]int{blocks, 1, 1}, [3]int{128 * (1 + r.consumers), 1, 1}, r.shared(), encode(bufA, m, r.rows()), mapB, mapC, bufA, c, tiles)
	if err != nil {
		return nil, nil, err
	}
	want = make([]float32, m*r.n)
	for i := range m {
		for j := range r.n {
			s := float32(0)
			for l := range k {
				s = multiplyAdd32(exactA[i*k+l]*exactB[j*k+l], s)
			}
			want[i*r.n+j] = s
		}
	}
	if r.epilogue == "bulk" {
		for i, x := range get[uint16](t, c, m*r.n) {
			got = append(got, fl(uint64(x)<<16))
			want[i] = fl(bf16.encode(float64(want[i]), toEven) << 16)
		}
		return got, want, nil
	}
	return get[float32](t, c, m*r.n), want, nil
}

var rings = map[string]ring{
	"bf16 128":        {elem: "bf16", swizzle: 128, consumers: 1, n: 64, depth: 3},
	"bf16 64":         {elem: "bf16", swizzle: 64, consumers: 1, n: 64, depth: 3},
	"bf16 32":         {elem: "bf16", swizzle: 32, consumers: 1, n: 64, depth: 3},
	"bf16 none":       {elem: "bf16", swizzle: 0, consumers: 1, n: 64, depth: 3},
	"f16 registers":   {elem: "f16", swizzle: 128, consumers: 1, n: 64, depth: 2, registers: true},
	"e4m3 128":        {elem: "e4m3", swizzle: 128, consumers: 1, n: 64, depth: 3},
	"tf32 64":         {elem: "tf32", swizzle: 64, consumers: 1, n: 64, depth: 3},
	"turned":          {elem: "bf16", swizzle: 128, consumers: 1, n: 128, depth: 3, turned: true},
	"roles":           {elem: "bf16", swizzle: 128, consumers: 2, n: 128, depth: 3, roles: true},
	"bulk":            {elem: "bf16", swizzle: 128, consumers: 1, n: 128, depth: 3, epilogue: "bulk"},
	"cluster":         {elem: "bf16", swizzle: 128, consumers: 1, n: 64, depth: 2, cluster: true},
	"cluster f16 big": {elem: "f16", swizzle: 128, consumers: 2, n: 128, depth: 3, cluster: true, roles: true, epilogue: "bulk"},
}

func TestRings(t *testing.T) {
	for name, r := range rings {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(2) {
				got, want, err := r.run(t, r.text(), &Device{Seed: seed}, 5)
				require.NoError(t, err)
				require.Equal(t, want, got)
			}
		})
	}
}

// At the ends of what a GPU may give, results are others, and of 8 bits far others.
func TestRingsAtTheEnds(t *testing.T) {
	for name, far := range map[string]float64{"bf16 128": 1e-2, "e4m3 128": 1} {
		for _, approx := range []Approx{Low, High} {
			r := rings[name]
			got, want, err := r.run(t, r.text(), &Device{Approx: approx}, 2)
			require.NoError(t, err)
			require.NotEqual(t, want, got)
			require.InDeltaSlice(t, want, got, far)
		}
	}
}

// LLVM leaves the accumulators where they are between products, so its text runs as it is.
func TestProductByLLVM(t *testing.T) {
	r := ring{elem: "bf16", swizzle: 128, consumers: 1, n: 16}
	text := read(t, "wgmma.sm_90a.ptx")
	for seed := range uint64(4) {
		d := &Device{Seed: seed}
		tiles := 3
		k := 64 * tiles
		a, exactA := r.bits(floats(64*k, 1))
		b, exactB := r.bits(floats(16*k, 2))
		encode := func(buf *Buffer, rows int) []byte {
			p, err := (&TensorMap{Elem: "bf16", Addr: buf.Addr(), Dims: []uint64{uint64(k), uint64(rows)}, Strides: []uint64{uint64(2 * k)}, Box: []uint32{64, uint32(rows)}, Swizzle: 128}).Encode()
			require.NoError(t, err)
			return p
		}
		mapA, mapB, c := encode(d.with("A", a), 64), encode(d.with("B", b), 16), d.Alloc("C", 4*64*16)
		launch := func(text string) error {
			_, err := d.Launch(kernelOf(t, text, "product"), [3]int{1, 1, 1}, [3]int{128, 1, 1}, 10240, mapA, mapB, c, tiles)
			return err
		}
		require.NoError(t, launch(text))
		for i, got := range get[float32](t, c, 64*16) {
			s := float32(0)
			for l := range k {
				s = multiplyAdd32(exactA[i/16*k+l]*exactB[i%16*k+l], s)
			}
			require.Equal(t, s, got)
		}
		wantFault(t, launch(change(t, text, "wgmma.wait_group.sync.aligned 0;", "", 0)), Race)
		wantFault(t, launch(change(t, text, "wgmma.commit_group.sync.aligned;", "mov.f32 %f1, %f50;", 0)), Pending)
	}
}

// ptxas takes the kernels as they are: no product waits for another that need not, nothing is spilt, setmaxnreg counts.
func TestHopperKernelsAssemble(t *testing.T) {
	tool := ptxas(t)
	for name, r := range rings {
		report := assemble(t, tool, r.text(), "sm_90a")
		require.NotContains(t, report, "C75", name)
		require.NotContains(t, report, "warning", name)
		require.Zero(t, usages(t, report)["product"].spills, name)
	}
	for name, k := range small {
		require.NotContains(t, assemble(t, tool, k.text, "sm_90a"), "warning", name)
	}
	for rank := 1; rank <= 5; rank++ {
		assemble(t, tool, boxPTX(rank, 1024, ""), "sm_90a")
		assemble(t, tool, boxPTX(rank, 1024, ".add"), "sm_90a")
	}
}
