package schedule

import (
	"slices"

	"mdlc/ir/index"
	"mdlc/ir/loop"
)

// Fusing a and b (a = f/|b|, b = f%|b|) pays where every access and every other use of an
// index sees them as one: a's coefficient is |b| times b's. Then the fusion adds no division.

// fuse fuses two axes of a page, if that is free.
func (c *chooser) fuse(stores []*loop.Store) bool {
	a, b := fusablePair(c.k, stores)
	if a != nil {
		c.do(Fuse, a.Name, 0, b.Name)
	}
	return a != nil
}

func fusablePair(k *loop.Kernel, stores []*loop.Store) (a, b *loop.Axis) {
	free, reduced := leafAxes(stores)
	axes := append(slices.Clone(free), minus(reduced, free)...)
	uses := indexUses(stores)
	overs := overLists(stores)
	for _, a := range axes {
		for _, b := range axes {
			if a != b && canFuse(k, a, b, uses, overs) {
				return a, b
			}
		}
	}
	return nil, nil
}

// mayFuse reports whether a and b can be one axis: every sum over one is over both, b next to a.
func mayFuse(a, b *loop.Axis, overs [][]*loop.Axis) bool {
	if _, constant := b.Extent.IntConst(); a.Def != nil || b.Def != nil || a.Bind != loop.Open || b.Bind != loop.Open || !constant {
		return false
	}
	for _, over := range overs {
		i, j := slices.Index(over, a), slices.Index(over, b)
		if (i < 0) != (j < 0) || i >= 0 && j != i+1 {
			return false
		}
	}
	return true
}

func canFuse(k *loop.Kernel, a, b *loop.Axis, uses []*index.Expr, overs [][]*loop.Axis) bool {
	if !mayFuse(a, b, overs) || definesOthers(k, a) || definesOthers(k, b) {
		return false
	}
	n, _ := b.Extent.IntConst()
	seen := false
	for _, e := range uses {
		if gain, ok := carry(e, a.Name, b.Name, int(n)); gain != 0 || !ok {
			return false
		}
		e.Vars(func(name string) { seen = seen || name == b.Name })
	}
	return seen
}

// carry is what e gains as a rises by one and b falls by n, if that is one number:
// 0 where e sees a and b as a*n + b only.
func carry(e *index.Expr, a, b string, n int) (gain int, ok bool) {
	switch {
	case e.Op == index.Var && e.Name == a:
		return 1, true
	case e.Op == index.Var && e.Name == b:
		return -n, true
	}
	gains := make([]int, len(e.Args))
	none := true
	for i, x := range e.Args {
		if gains[i], ok = carry(x, a, b, n); !ok {
			return 0, false
		}
		none = none && gains[i] == 0
		gain += gains[i]
	}
	if none || e.Op == index.Add {
		return gain, true
	}
	by, constant := e.Args[len(e.Args)-1].Const()
	switch {
	case !constant || by == 0 || len(e.Args) != 2:
		return 0, false
	case e.Op == index.Mul:
		return gain * by, true
	case e.Op == index.Div && gain%by == 0:
		return gain / by, true
	case e.Op == index.Mod && gain%by == 0:
		return 0, true
	}
	return 0, false
}

// definesOthers reports whether a is part of another axis, which is no fused part of it, or of an extent.
func definesOthers(k *loop.Kernel, a *loop.Axis) bool {
	for _, p := range k.Axes {
		if p.Def != nil && !isFusedPart(p) && loop.Has(newDepends().axis(p), a) {
			return true
		}
		if p != a && loop.Has(newDepends().value(p.Extent), a) {
			return true
		}
	}
	return false
}

// overLists are the axes of each reduction.
func overLists(stores []*loop.Store) [][]*loop.Axis {
	var out [][]*loop.Axis
	deps := newDepends()
	walk(roots(stores), func(v *loop.Value) {
		if len(v.Over) > 0 {
			out = append(out, deps.over(v))
		}
		if v.Op == loop.At {
			out = append(out, []*loop.Axis{v.Axis})
		}
	})
	return out
}

// indexUses are the addresses of all accesses and the index expressions used as numbers.
func indexUses(stores []*loop.Store) []*index.Expr {
	x := newIndices()
	var out []*index.Expr
	for _, s := range stores {
		out = append(out, address(x, s.Buf, s.Index))
	}
	walk(roots(stores), func(v *loop.Value) {
		if v.Op == loop.Load {
			out = append(out, address(x, v.Buf, v.Args))
			return
		}
		if v.Elem == loop.I64 && isIndexOp[v.Op] {
			return
		}
		for _, a := range v.Args {
			if a.Elem == loop.I64 && a.Op != loop.Load {
				out = append(out, x.of(a))
			}
		}
	})
	return out
}

var isIndexOp = map[loop.Op]bool{loop.Add: true, loop.Sub: true, loop.Neg: true, loop.Mul: true, loop.Div: true, loop.Mod: true, loop.Min: true, loop.Max: true}

// address is the place of an access in elements.
func address(x *indices, buf *loop.Buffer, at []*loop.Value) *index.Expr {
	out := index.C(0)
	stride := 1
	for i := len(at) - 1; i >= 0; i-- {
		if buf.Strides != nil {
			stride = buf.Strides[i]
		}
		out = index.Sum(out, index.Prod(x.of(at[i]), index.C(stride)))
		stride *= buf.Dims[i]
	}
	return out.SimplifyIn(x.bound)
}
