package passes

import (
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/ir"
	"mdlc/ir/loop"
)

// Products whose results are stored no longer are large, of few summands, and far larger than their operands.
func TestScoreProducts(t *testing.T) {
	product := func(e ir.Elem, rows, columns, summed int) bool {
		b := ir.NewBuilder("g")
		x, y := b.Param(ir.ParamValue, "x", ir.TensorOf(e, rows, summed)), b.Param(ir.ParamValue, "y", ir.TensorOf(e, columns, summed))
		return scoreProduct(b.Make(ir.OpDot, ir.DotAttr{A: "ac", B: "bc", Out: "ab"}, x, y))
	}
	require.True(t, product(loop.F32, 4096, 4096, 256))
	require.False(t, product(loop.F32, 4096, 4096, 257), "many summands")
	require.True(t, product(loop.F32, 512, 512, 64))
	require.False(t, product(loop.F32, 512, 511, 32), "less than a megabyte")
	require.False(t, product(loop.F32, 512, 512, 65), "not four times the operands")
	require.True(t, product(loop.BF16, 512, 512, 128), "operands of half the size")
	require.False(t, product(loop.F32, 1<<20, 64, 32), "rows that are short")

	b := ir.NewBuilder("g")
	x := b.Param(ir.ParamValue, "x", ir.OfDims(loop.F32, []ir.Dim{ir.DynDim(b.Sym("T", 1024, nil), 1024), {Size: 8}}))
	require.False(t, scoreProduct(b.Make(ir.OpDot, ir.DotAttr{A: "ac", B: "bc", Out: "ab"}, x, x)), "lengths of run time")
}
