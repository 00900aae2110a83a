package passes

import (
	"slices"
	"strings"

	"mdlc/ir"
	"mdlc/ir/index"
)

// rebuild makes the loop without what leaves it, and returns all its results.
func (x *batching) rebuild() ([]*ir.Node, error) {
	a, r := x.attr, x.b.Region(x.g.Name)
	for _, y := range x.g.Syms {
		r.Sym(y.Name, y.Max, y.Def)
	}
	to := map[*ir.Node]*ir.Node{}
	var args []*ir.Node
	param := func(p *ir.Node, t ir.Type, name string) *ir.Node {
		v := r.Param(ir.ParamValue, name, t)
		if p != nil {
			to[p] = v
		}
		return v
	}
	take := func(from, n int) {
		for i := from; i < from+n; i++ {
			p := x.g.Params[i+1]
			if i < x.attr.Carry && x.sunk[i] != nil {
				a.Carry--
				continue
			}
			args = append(args, x.args[i])
			param(p, p.Type, p.Name)
		}
	}
	turn := x.g.Params[0]
	param(turn, turn.Type, turn.Name)
	take(0, x.attr.Carry)
	take(x.attr.Carry, x.attr.Xs)
	for _, n := range x.before {
		args = append(args, ir.Named(x.productOfAll(n), n.Name))
		param(n, n.Type, n.Name)
		a.Xs++
	}
	take(x.attr.Carry+x.attr.Xs, len(x.args)-x.attr.Carry-x.attr.Xs)
	outer := map[*ir.Node]*ir.Node{}
	for i, p := range x.g.Params[1:] {
		outer[p] = x.args[i]
	}
	for _, t := range x.turned {
		v, err := graft(x.b, t.w, outer)
		if err != nil {
			return nil, err
		}
		v = ir.Named(x.b.Permute(v, t.order...), t.w.Name)
		args = append(args, v)
		back := make([]int, len(t.order))
		for k, d := range t.order {
			back[d] = k
		}
		to[t.w] = r.Permute(param(nil, v.Type, t.w.Name), back...)
	}
	results, stays := x.stays()
	region, err := regraft(r, x.g, to, results)
	if err != nil {
		return nil, err
	}
	l := x.b.Loop(a, region, args...)
	for k, n := range x.kept {
		x.stacks[n] = x.b.Get(l, len(results)-len(x.kept)+k)
	}
	for i, r := range x.g.Results {
		if stays[i] >= a.Carry {
			x.stacks[r.Value] = x.b.Get(l, stays[i])
		}
	}
	out := make([]*ir.Node, len(x.g.Results))
	for i := range out {
		if s := x.sunk[i]; s == nil {
			out[i] = x.b.Get(l, stays[i])
		} else {
			out[i] = x.after(i, s)
		}
	}
	return out, nil
}

// gets are the values of a loop with as many results as this one.
func (x *batching) gets(l *ir.Node) []*ir.Node {
	out := make([]*ir.Node, len(x.g.Results))
	for i := range out {
		out[i] = x.b.Get(l, i)
	}
	return out
}

// stays are the results of the new region, and which of them each of the old ones is.
func (x *batching) stays() (results []ir.Result, at map[int]int) {
	at = map[int]int{}
	for i, r := range x.g.Results {
		if x.sunk[i] == nil {
			at[i] = len(results)
			results = append(results, r)
		} else {
			at[i] = -1
		}
	}
	for _, n := range x.kept {
		results = append(results, ir.Result{Kind: ir.ResultValue, Value: n, Pos: n.Pos})
	}
	return results, at
}

// after computes result i from what is stored of all turns.
func (x *batching) after(i int, s *sunkResult) *ir.Node {
	pos := x.b.Pos
	defer func() { x.b.Pos = pos }()
	x.b.Pos = s.core.Pos
	if i >= x.attr.Carry {
		v := x.productOfAll(s.core)
		for k := len(s.moves) - 1; k >= 0; k-- {
			v = x.move(s.moves[k], v)
		}
		return v
	}
	var v *ir.Node
	switch a := s.core.Attr.(type) {
	case ir.DotAttr:
		t := x.label(a)
		v = x.b.Make(ir.OpDot, ir.DotAttr{A: t + a.A, B: t + a.B, Out: a.Out}, x.all(s.core.Args[0]), x.all(s.core.Args[1]))
	case ir.ReduceAttr:
		axes := []int{0}
		for _, d := range a.Axes {
			axes = append(axes, d+1)
		}
		v = x.b.Reduce(ir.Sum, axes, x.all(s.core.Args[0]))
	}
	for k := len(s.moves) - 1; k >= 0; k-- {
		at := s.moves[k].Attr.(ir.IndexAttr)
		v = x.b.Make(ir.OpIndex, at, v)
	}
	return x.b.Add(x.args[i], v)
}

// productOfAll is a product of all turns, the turn as first axis, of which one operand changes from turn to turn.
func (x *batching) productOfAll(n *ir.Node) *ir.Node {
	a := n.Attr.(ir.DotAttr)
	t := x.label(a)
	attr, args := ir.DotAttr{A: a.A, B: a.B, Out: t + a.Out}, make([]*ir.Node, 2)
	for i, y := range n.Args {
		if args[i] = x.all(y); !x.varies[y] {
			continue
		}
		if i == 0 {
			attr.A = t + a.A
		} else {
			attr.B = t + a.B
		}
	}
	return x.b.Make(ir.OpDot, attr, args...)
}

// label is one that a product has not.
func (x *batching) label(a ir.DotAttr) string {
	for l := 't'; ; l-- {
		if l < 'a' {
			l = 'z'
		}
		if !strings.ContainsRune(a.A+a.B+a.Out, l) {
			return string(l)
		}
	}
}

// all is n of all turns, the turn as first axis; where no turn changes it, n.
func (x *batching) all(n *ir.Node) *ir.Node {
	switch i := slices.Index(x.g.Params, n) - 1; {
	case i >= 0 && (x.isSlice(n) || !x.varies[n]):
		return x.args[i]
	case x.stacks[n] != nil:
		return x.stacks[n]
	case isMove(n) && x.varies[n]:
		return x.move(n, x.all(n.Args[0]))
	default:
		outer := map[*ir.Node]*ir.Node{}
		for i, p := range x.g.Params[1:] {
			outer[p] = x.args[i]
		}
		v, err := graft(x.b, n, outer)
		if err != nil {
			panic("passes: Batch: " + err.Error())
		}
		return v
	}
}

// move moves the elements of v, which are of all turns, as n moves those of one.
func (x *batching) move(n, v *ir.Node) *ir.Node {
	a := n.Attr.(ir.IndexAttr)
	next := func(e *index.Expr) *index.Expr {
		return e.Subst(func(name string) *index.Expr {
			for k := range a.Vars {
				if name == ir.Var(k).Name {
					return ir.Var(k + 1)
				}
			}
			return nil
		})
	}
	out := []*index.Expr{ir.Var(0)}
	for _, e := range a.Out {
		out = append(out, next(e))
	}
	return x.b.Index(v, append([]ir.Dim{x.turns}, n.Type.Dims...), out, a.Outside)
}
