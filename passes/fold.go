package passes

import (
	"mdlc/ir"
	"mdlc/ir/loop"
)

// fold evaluates element-wise ops of splat constants with the op's reference:
//
//	add (const f32[8] 2) (const f32[8] 3)  →  const f32[8] 5
//
// f32 is rounded once from float64. Floats narrower than f32 stay: their constants are not rounded here.
// A value without elements is a constant, whatever computes it.
func (s *simplifier) fold(n *ir.Node) *ir.Node {
	switch n.Op.Class {
	case ir.ClassElementwise, ir.ClassMovement, ir.ClassReduce, ir.ClassDot:
		if n.Type.Size() == 0 {
			return s.b.Const(n.Type, 0)
		}
	}
	if n.Op.Class != ir.ClassElementwise || len(n.Args) == 0 || narrowFloat(n.Type.Elem) {
		return nil
	}
	args := make([]ir.ConstAttr, len(n.Args))
	for i, x := range n.Args {
		a, ok := x.Attr.(ir.ConstAttr)
		if !ok || len(a.Bits) != 1 || narrowFloat(a.Type.Elem) {
			return nil
		}
		args[i] = a
	}
	t := ofScalars(n, args)
	if t == nil {
		return nil
	}
	var bits uint64
	if t.F != nil {
		bits = ir.FloatBits(n.Type.Elem, t.F[0])
	} else {
		bits = uint64(t.I[0])
	}
	return s.b.Make(ir.OpConst, ir.ConstAttr{Type: n.Type, Bits: []uint64{bits}})
}

// ofScalars is an element-wise op of these values by its reference, or nil.
func ofScalars(n *ir.Node, args []ir.ConstAttr) *ir.Tensor {
	b := ir.NewBuilder("fold")
	nodes := make([]*ir.Node, len(args))
	for i, a := range args {
		a.Type = ir.OfDims(a.Type.Elem, nil)
		nodes[i] = b.Make(ir.OpConst, a)
	}
	var e ir.Evaluator
	out, err := e.Run(b.FinishValues(b.Make(n.Op, n.Attr, nodes...)))
	if err != nil {
		return nil
	}
	return out[0]
}

func narrowFloat(e ir.Elem) bool { return e.IsFloat() && e != loop.F32 && e != loop.F64 }
