package emulator

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Matrices of every number and both ways: thread l holds elements 2·(l mod 4) and the next of row l/4, or of column l/4.
func TestStoreMatrix(t *testing.T) {
	for _, n := range []int{1, 2, 4} {
		for _, trans := range []string{"", ".trans"} {
			var regs []string
			for i := range n {
				regs = append(regs, fmt.Sprintf("%%r%d", 10+i))
			}
			text := hopperHeader + fmt.Sprintf(`.visible .entry k(.param .u64 y)
{
	.shared .align 16 .b8 tile[512];
	.reg .b32 %%r<32>;
	.reg .b64 %%rd<8>;
	mov.u32 %%r1, %%tid.x;
	mad.lo.u32 %%r10, %%r1, 0x00020002, 0x00010000;
	add.u32 %%r11, %%r10, 0x01000100;
	add.u32 %%r12, %%r11, 0x01000100;
	add.u32 %%r13, %%r12, 0x01000100;
	mov.u32 %%r2, tile;
	and.b32 %%r9, %%r1, %d;
	shl.b32 %%r3, %%r9, 4;
	add.u32 %%r3, %%r3, %%r2;
	stmatrix.sync.aligned.m8n8.x%d%s.shared.b16 [%%r3], {%s};
	bar.warp.sync -1;
	shl.b32 %%r4, %%r1, 2;
	add.u32 %%r5, %%r4, %%r2;
	ld.param.u64 %%rd1, [y];
	cvt.u64.u32 %%rd2, %%r4;
	add.u64 %%rd1, %%rd1, %%rd2;
`, 8*n-1, n, trans, strings.Join(regs, ", "))
			for i := range n {
				text += fmt.Sprintf("\tld.shared.u32 %%r6, [%%r5+%d];\n\tst.global.u32 [%%rd1+%d], %%r6;\n", 128*i, 128*i)
			}
			text += "\tret;\n}\n"
			d := &Device{}
			y := d.Alloc("y", 128*n)
			_, err := d.Launch(kernelOf(t, text, "k"), [3]int{1, 1, 1}, [3]int{32, 1, 1}, 0, y)
			require.NoError(t, err)
			got := get[uint16](t, y, 64*n)
			for i := range n {
				for l := range 32 {
					for half := range 2 {
						row, col := l/4, 2*(l%4)+half
						if trans != "" {
							row, col = col, row
						}
						require.Equal(t, uint16(2*l+half+256*i), got[64*i+8*row+col])
					}
				}
			}
			if tool, err := ptxasPath(); err == nil {
				assemble(t, tool, text, "sm_90a")
			}
		}
	}
}
