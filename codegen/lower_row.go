package codegen

import (
	"slices"

	"mdlc/ir"
	"mdlc/ir/loop"
)

// One row written in place. A cache takes a row as
//
//	cache[i,j,k] = where(j == row, x[i,k], cache[i,j,k])
//
// and as it is written in place, all else stays as it is: its kernel is
//
//	cache[i,row,k; 0 <= row and row < N] = x[i,k]

// rowStore is result k as the store of one row, if that is all that the launch does: idx are open axes of n.
func (w *lowering) rowStore(k int, n *ir.Node, idx []*loop.Value) (at []*loop.Value, guard, v *loop.Value) {
	arg := w.launch.InPlace[k]
	if arg < 0 || n.Op != ir.OpWhere || n.Args[2] != w.region.Params[arg] || w.uses(n.Args[2]) != 1 || w.uses(n) != 1 {
		return nil, nil, nil
	}
	cond := w.pull(n.Args[0], idx, nil)
	if cond.Op != loop.Eq {
		return nil, nil, nil
	}
	for i, side := range cond.Args {
		row, d := cond.Args[1-i], slices.Index(idx, uncast(side))
		if d < 0 || side.Elem.IsFloat() || loop.Has(row.Axes, idx[d].Axis) || len(idx[d].Axes) == 0 {
			continue
		}
		at = slices.Clone(idx)
		at[d] = cast(w.b, loop.I64, row)
		guard = w.b.Op(loop.And, w.b.Op(loop.Ge, at[d], w.b.Int(loop.I64, 0)), w.b.Op(loop.Lt, at[d], w.expr(n.Type.Dims[d].Length())))
		return at, guard, w.pull(n.Args[1], at, guard)
	}
	return nil, nil, nil
}

// uncast is what an index was before it was cast to an integer that holds it.
func uncast(v *loop.Value) *loop.Value {
	for v.Op == loop.Cast && !v.Elem.IsFloat() && v.Elem.Size() >= 4 {
		v = v.Args[0]
	}
	return v
}

// uses is how often n is an argument or a result that is needed.
func (w *lowering) uses(n *ir.Node) int {
	count := 0
	g := w.needed()
	for _, m := range g.Nodes() {
		for _, a := range m.Args {
			if a == n {
				count++
			}
		}
	}
	for _, r := range g.Results {
		if r.Value == n {
			count++
		}
	}
	return count
}

// dropAxes takes away axes that nothing depends on.
func (w *lowering) dropAxes() {
	var used []*loop.Value
	loop.Walk(w.kernel().Body, func(s loop.Stmt) { loop.Values(s, func(v *loop.Value) { used = append(used, v) }) })
	k := w.kernel()
	leaves := k.LeafAxes(used...)
	k.Axes = slices.DeleteFunc(k.Axes, func(a *loop.Axis) bool { return a.Def == nil && !loop.Has(leaves, a) })
}
