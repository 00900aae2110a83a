package passes

import (
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/ir"
	"mdlc/ir/index"
	"mdlc/ir/loop"
)

// stack is a training step of n equal layers in a loop over stacked weights; the update is a loop too.
func stack(layers int) *ir.Graph {
	w := newWriter("stack")
	x, weight, offset := w.param("x", 5, 6), w.param("weight", layers, 6, 6), w.param("offset", layers, 6)
	r := &writer{Builder: w.Region("layer")}
	r.Param(ir.ParamValue, "turn", ir.TensorOf(loop.I32))
	c := r.Param(ir.ParamValue, "c", x.Type)
	lw, lo := r.Param(ir.ParamValue, "weight", f32(6, 6)), r.Param(ir.ParamValue, "offset", f32(6))
	next := r.Add(c, r.gelu(r.linear(c, lw, lo)))
	y := w.Get(w.Loop(ir.LoopAttr{Count: index.C(layers), Carry: 1, Xs: 2}, r.FinishValues(next), x, weight, offset), 0)
	loss := w.Reduce(ir.Sum, []int{0, 1}, w.Mul(y, y))
	grads := w.Grad(loss, weight, offset)

	u := w.Region("update")
	u.Param(ir.ParamValue, "turn", ir.TensorOf(loop.I32))
	p, g := u.Param(ir.ParamValue, "p", f32(6, 6)), u.Param(ir.ParamValue, "g", f32(6, 6))
	rate := u.Param(ir.ParamValue, "rate", f32())
	moved := u.Sub(p, u.Mul(u.Broadcast(rate, p.Type.Dims), g))
	updated := w.Get(w.Loop(ir.LoopAttr{Count: index.C(layers), Xs: 2}, u.FinishValues(moved), weight, w.Get(grads, 0), w.param("rate")), 0)
	return w.Finish(ir.Result{Kind: ir.ResultReport, Name: "loss", Value: loss},
		ir.Result{Kind: ir.ResultState, Name: "weight", Value: updated},
		ir.Result{Kind: ir.ResultReport, Name: "offset", Value: w.Get(grads, 1)})
}

// A stack of layers stays a loop each way, whatever its depth; the update of its weights is no loop.
func TestStack(t *testing.T) {
	kernelsOf := func(layers int) (inside []string, loops int) {
		for _, n := range through(t, stack(layers), Options{}, true).Nodes() {
			if n.Op == ir.OpLoop {
				loops++
				inside = append(inside, kernels(n.Regions[0])...)
			}
		}
		return inside, loops
	}
	few, loops := kernelsOf(2)
	require.Equal(t, 2, loops)
	require.Contains(t, few, "dot(dot add mul div erf add mul add)", "offset, GELU and residual")
	require.Equal(t, 3, count(few, "dot("))
	many, _ := kernelsOf(7)
	require.Equal(t, few, many)
}
