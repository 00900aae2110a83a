package codegen

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/codegen/schedule"
	"mdlc/ir/loop"
	"mdlc/passes"
	"mdlc/runtime/program"
)

// codeText is the order of launches, with the offsets of what parts of kernels hand on.
func codeText(b *Built, block *program.Block, code []program.Instr) string {
	var out []string
	for _, in := range code {
		if l := in.Loop; l != nil {
			out = append(out, fmt.Sprintf("%s(%s)", l.Count, codeText(b, block, l.Code)))
			continue
		}
		k := b.Program.Kernels[in.Launch.Kernel]
		text := k.Name
		for i, buf := range params(b.Kernels[in.Launch.Kernel].Scheduled) {
			if r := in.Launch.Args[i]; buf.Name == "pack" && r.Offset != nil {
				text += "[" + r.Offset.String() + "]"
			}
		}
		out = append(out, text)
	}
	return strings.Join(out, " ")
}

// What packs the weights of loops goes before them, once for each of the turns that it depends on, and nothing else does.
func TestPanelsAreMadeBeforeLoops(t *testing.T) {
	g := graphOf(t, "../testdata/plan/panels.graph")
	fused, err := passes.Fuse(g)
	require.NoError(t, err)
	m := moduleOf(fused)
	require.NoError(t, passes.Plan(m))
	b, err := Pages(m)
	require.NoError(t, err)
	arena := b.Program.Arena
	require.NoError(t, b.Schedule(schedule.AVX2))
	block := &b.Program.Entries[0].Block
	require.Equal(t, "copy copy_v2 2(dot_mul_ahead[turn.1*16384]) dot_mul_v2_ahead 3(copy 2(dot_mul_then[turn.1*16384]) dot_mul_v2_then dot_mul_v2 mul) copy 2(dot)", codeText(b, block, block.Code))
	require.Equal(t, arena+3*64*64*4, b.Program.Arena, "two layers of w, and v")
	for i, k := range b.Kernels {
		require.NoError(t, loop.Verify(k.Scheduled), b.Program.Kernels[i].Name)
		require.Positive(t, b.Program.Kernels[i].Bytes, b.Program.Kernels[i].Name)
	}
}
