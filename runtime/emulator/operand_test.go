package emulator

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// An operandLayout is how a matrix lies in shared memory, for the test.
type operandLayout struct {
	swizzle      int
	major        bool // rows lie side by side
	lead, stride int  // bytes
}

// at is the place of an element, as the manual draws it: core matrices of 8 lines of 16 bytes without a
// swizzle, and with one, groups of 8 lines of so many bytes whose pieces are exchanged by the number of the line.
func (l operandLayout) at(row, sum, size int) int {
	line, byteOf := row, sum*size
	if l.major {
		line, byteOf = sum, row*size
	}
	group, line := line/8, line%8
	if l.swizzle == 0 {
		across, down := l.lead, l.stride // to the next core matrix along 16 bytes, and along lines
		if l.major {
			across, down = l.stride, l.lead
		}
		return group*down + byteOf/16*across + line*16 + byteOf%16
	}
	piece := byteOf % l.swizzle / 16
	switch l.swizzle {
	case 128:
		piece ^= line
	case 64:
		piece ^= line / 2
	case 32:
		piece ^= line / 4
	}
	return group*l.stride + byteOf/l.swizzle*l.lead + line*l.swizzle + piece*16 + byteOf%16
}

func (l operandLayout) descriptor() uint64 {
	mode := map[int]uint64{0: 0, 32: 3, 64: 2, 128: 1}[l.swizzle]
	return mode<<62 | uint64(l.stride/16)<<32 | uint64(l.lead/16)<<16
}

// Room for A and for B.
const bytesA, bytesB = 8 << 10, 32 << 10

// operandPTX copies what x holds to shared memory as it is and multiplies once.
func operandPTX(n int, k, types string, a, b operandLayout, flags string) string {
	var regs []string
	for i := range n / 2 {
		regs = append(regs, fmt.Sprintf("%%f%d", i))
	}
	var stores strings.Builder
	for i := range n / 2 {
		fmt.Fprintf(&stores, "\tst.global.f32 [%%rd8+%d], %%f%d;\n", 512*i, i)
	}
	return hopperHeader + fmt.Sprintf(`.visible .entry k(.param .u64 x, .param .u64 y)
{
	.shared .align 1024 .b8 tiles[%[1]d];
	.reg .pred %%p<4>;
	.reg .b32 %%r<16>;
	.reg .b64 %%rd<16>;
	.reg .f32 %%f<%[2]d>;
	mov.u32 %%r1, %%tid.x;
	ld.param.u64 %%rd1, [x];
	ld.param.u64 %%rd8, [y];
	mul.wide.u32 %%rd2, %%r1, 4;
	add.u64 %%rd8, %%rd8, %%rd2;
	add.u64 %%rd1, %%rd1, %%rd2;
	mov.u32 %%r2, tiles;
	shl.b32 %%r3, %%r1, 2;
	add.u32 %%r3, %%r3, %%r2;
	mov.u32 %%r4, 0;
NEXT:
	ld.global.u32 %%r5, [%%rd1];
	st.shared.u32 [%%r3], %%r5;
	add.u64 %%rd1, %%rd1, 512;
	add.u32 %%r3, %%r3, 512;
	add.u32 %%r4, %%r4, 512;
	setp.lt.u32 %%p1, %%r4, %[1]d;
	@%%p1 bra NEXT;
	fence.proxy.async.shared::cta;
	bar.sync 0;
	shr.u32 %%r6, %%r2, 4;
	cvt.u64.u32 %%rd3, %%r6;
	add.u64 %%rd4, %%rd3, %[3]d;
	or.b64 %%rd3, %%rd3, %[4]d;
	or.b64 %%rd4, %%rd4, %[5]d;
	setp.eq.u32 %%p2, %%r1, 1000;
	wgmma.fence.sync.aligned;
	wgmma.mma_async.sync.aligned.m64n%[6]dk%[7]s.f32.%[8]s {%[9]s}, %%rd3, %%rd4, %%p2, 1, 1%[10]s;
	setp.ne.u32 %%p2, %%r1, 1000;
	wgmma.mma_async.sync.aligned.m64n%[6]dk%[7]s.f32.%[8]s {%[9]s}, %%rd3, %%rd4, %%p2, -1, 1%[10]s;
	wgmma.mma_async.sync.aligned.m64n%[6]dk%[7]s.f32.%[8]s {%[9]s}, %%rd3, %%rd4, %%p2, 1, 1%[10]s;
	wgmma.commit_group.sync.aligned;
	wgmma.wait_group.sync.aligned 0;
%[11]s	ret;
}
`, bytesA+bytesB, n/2, bytesA/16, a.descriptor(), b.descriptor(), n, k, types, strings.Join(regs, ", "), flags, stores.String())
}

// Matrices that lie every way that a descriptor can say, of every type.
func TestOperands(t *testing.T) {
	layouts := func(rows, size int, major bool) []operandLayout {
		var out []operandLayout
		for _, s := range []int{0, 32, 64, 128} {
			l := operandLayout{swizzle: s, major: major, lead: 16, stride: 8 * s}
			switch {
			case s == 0 && !major:
				l.lead, l.stride = rows*16, 128
				out = append(out, l)
				l.lead, l.stride = 128, 256
			case s == 0:
				l.lead, l.stride = rows*16, 128
			case major && rows*size%s != 0:
				continue
			case major: // atoms of 8 sums one after another, then the next rows
				l.lead, l.stride = 16*s, 8*s
			}
			out = append(out, l)
		}
		return out
	}
	var all []string
	for i, c := range []struct {
		elem, other, k string
		n              int
		majors         [2]bool
	}{
		{"bf16", "bf16", "16", 64, [2]bool{}}, {"f16", "f16", "16", 256, [2]bool{}}, {"bf16", "bf16", "16", 128, [2]bool{false, true}},
		{"f16", "f16", "16", 64, [2]bool{true, false}}, {"bf16", "bf16", "16", 192, [2]bool{true, true}},
		{"tf32", "tf32", "8", 24, [2]bool{}}, {"e4m3", "e5m2", "32", 8, [2]bool{}}, {"e5m2", "e4m3", "32", 96, [2]bool{}},
	} {
		ea, eb := elems[c.elem], elems[c.other]
		size, k := ea.bytes(), 32/ea.bytes()
		flags := ""
		if size == 2 {
			flags = fmt.Sprintf(", %d, %d", map[bool]int{true: 1}[c.majors[0]], map[bool]int{true: 1}[c.majors[1]])
		}
		values := func(e elem, rows int, l operandLayout, p []byte, seed uint64) []float64 {
			out := make([]float64, rows*k)
			for i, x := range floats(rows*k, seed) {
				v := e.format().encode(float64(x), toEven)
				if e.kind == 't' {
					v &^= 1<<13 - 1
				}
				out[i] = e.format().decode(v)
				storeLE(p[l.at(i/k, i%k, size):], size, v)
			}
			return out
		}
		la, lb := layouts(64, size, c.majors[0]), layouts(c.n, size, c.majors[1])
		for j := range max(len(la), len(lb)) {
			a, b := la[j%len(la)], lb[(j+1)%len(lb)]
			p := make([]byte, bytesA+bytesB)
			va, vb := values(ea, 64, a, p, uint64(i)), values(eb, c.n, b, p[bytesA:], uint64(i+50))
			d := &Device{}
			y := d.Alloc("y", 64*c.n*4)
			text := operandPTX(c.n, c.k, c.elem+"."+c.other, a, b, flags)
			all = append(all, text)
			_, err := d.Launch(kernelOf(t, text, "k"), [3]int{1, 1, 1}, [3]int{128, 1, 1}, 0, d.with("x", p), y)
			require.NoError(t, err, "%+v %+v %+v", c, a, b)
			got := get[float32](t, y, 64*c.n)
			for row := range 64 {
				for col := range c.n {
					s := float32(0)
					for _, sign := range []float64{1, -1, 1} {
						for l := range k {
							s = multiplyAdd32(sign*va[row*k+l]*vb[col*k+l], s)
						}
					}
					// Element (row, col) is in a register of a thread.
					reg, thread := col/8*4+row%16/8*2+col%2, row/16*32+row%8*4+col%8/2
					require.Equal(t, s, got[reg*128+thread], "%+v %+v %+v: %d %d", c, a, b, row, col)
				}
			}
		}
	}
	if tool, err := ptxasPath(); err == nil {
		for _, text := range []string{all[0], all[len(all)-1]} {
			require.NotContains(t, assemble(t, tool, text, "sm_90a"), "C75")
		}
	}
}
