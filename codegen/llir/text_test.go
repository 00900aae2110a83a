package llir

import (
	"testing"

	"github.com/llir/llvm/ir"
	"github.com/llir/llvm/ir/enum"
	"github.com/llir/llvm/ir/types"
	"github.com/llir/llvm/ir/value"
	"github.com/stretchr/testify/require"
)

// Text prints what llir itself does, of instructions with and without flags and metadata.
func TestText(t *testing.T) {
	b := NewBuilder()
	p, n := ir.NewParam("", Ptr), ir.NewParam("", types.I64)
	p.Attrs = []ir.ParamAttribute{enum.ParamAttrNoAlias}
	f := b.Start("f", p, n)
	f.Linkage, f.Visibility, f.CallingConv = enum.LinkageInternal, enum.VisibilityHidden, enum.CallingConvX86RegCall
	f.FuncAttrs = append(f.FuncAttrs, enum.FuncAttrNoInline)
	wide := Vec(8, types.Float)

	x := b.Load(wide, b.GEP(types.Float, p, n), 4)
	b.Block.Insts = append(b.Block.Insts, &ir.InstGetElementPtr{ElemType: types.Float, Src: p, Indices: []value.Value{n, n}, Typ: Ptr, InBounds: true})
	b.Block.NewLoad(types.Float, p).Volatile = true
	k := b.Block.NewAdd(n, Int(types.I64, -3))
	k.OverflowFlags = []enum.OverflowFlag{enum.OverflowFlagNSW}
	i := b.Block.NewMul(b.Block.NewAdd(n, n), b.Block.NewOr(b.Block.NewAnd(n, n), b.Block.NewSub(n, n)))
	y := b.Block.NewFSub(b.Block.NewFMul(x, x), b.Block.NewFAdd(x, Zero(wide)))
	b.Block.NewFMul(x, y).FastMathFlags = []enum.FastMathFlag{enum.FastMathFlagFast}
	z := b.Math("fma", x, y, b.Splat(8, Float(types.Float, 1)))
	b.Math("fabs", z).(*ir.InstCall).Tail = enum.TailTail
	low := b.Block.NewBitCast(b.Shuffle(z, nil, 0, 2), types.I64)
	b.Splat(8, b.Extract(x, 3))
	c := b.Block.NewICmp(enum.IPredSLT, i, low)
	b.Block.NewFCmp(enum.FPredOLT, x, y)
	b.Block.NewSelect(c, x, y).FastMathFlags = []enum.FastMathFlag{enum.FastMathFlagNSZ}
	b.Store(b.Block.NewSelect(c, x, y), p, 4)
	b.StoreStream(x, b.Alloca(types.Float, 8), 32)
	b.Call(f, p, n)
	entry, end := b.Block, b.NewBlock()
	entry.NewCondBr(c, end, end)
	b.Block = end
	end.NewPhi(ir.NewIncoming(Int(types.I64, 0), entry), ir.NewIncoming(n, end))
	b.StreamFence()
	end.NewRet(nil)

	require.Equal(t, f.LLString()+"\n", Text(f))
}
