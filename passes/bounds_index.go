package passes

import (
	"fmt"

	"mdlc/ir"
	"mdlc/ir/index"
	"mdlc/ir/loop"
)

// index adds the checks of an index, one for each axis that data lead along.
func (c *checker) index(n *ir.Node) {
	a, x := n.Attr.(ir.IndexAttr), n.Args[0]
	if a.Outside != nil || n.Type.Size() == 0 {
		return
	}
	for k, e := range a.Out {
		d := x.Type.Dims[k]
		if !hasData(e) || c.inside(n, e, d) {
			continue
		}
		r := ir.Result{Kind: ir.ResultBound, Name: indexed(x, n.Pos), Pos: n.Pos, Axis: k, Bound: d}
		worst := c.b.Cast(c.numbers(n, e), loop.U32)
		if exact := e.Op == index.Var && d.Len == nil; !exact {
			worst = c.unlessInside(n, e, r, worst)
		}
		r.Value = c.largest(worst)
		c.add(r)
	}
}

// indexed is the name of what is indexed at a place, "" if it has none. A name of another file, which a library gave,
// would be taken for one of this.
func indexed(x *ir.Node, at loop.Pos) string {
	for x.Name == "" && x.Op.Class == ir.ClassMovement {
		x = x.Args[0]
	}
	if x.Op != ir.OpParam && x.Pos.File != at.File {
		return ""
	}
	return x.Name
}

// largest is the maximum of u over all of its elements.
func (c *checker) largest(u *ir.Node) *ir.Node {
	keep := c.varying.of(u)
	for k, d := range u.Type.Dims {
		if d.Len != nil { // without elements there is no index
			keep |= axesOf(k)
		}
	}
	u = c.varying.narrow(c.b, u, keep)
	if u.Type.Rank() == 0 {
		return u
	}
	all := make([]int, u.Type.Rank())
	for k := range all {
		all[k] = k
	}
	return c.b.Reduce(ir.Max, all, u)
}

// unlessInside is u, the value of e, where e is outside of r's axis, and 0 elsewhere. The map of an
// index computes in 64 bits and knows lengths, which elements of a tensor do not: u may have wrapped.
func (c *checker) unlessInside(n *ir.Node, e *index.Expr, r ir.Result, u *ir.Node) *ir.Node {
	outside := 0.0
	yes := c.b.Const(ir.OfDims(loop.Bool, []ir.Dim{r.Bound}), 1)
	inside := c.b.Index(yes, n.Type.Dims, []*index.Expr{e}, &outside, c.m.Args(n)[1:]...)
	return c.b.Where(inside, c.b.Like(u, 0), c.b.Op("max", u, c.b.Like(u, float64(r.Limit()))))
}

// numbers is the value of e, an expression of the map of n, in each element of n.
func (c *checker) numbers(n *ir.Node, e *index.Expr) *ir.Node {
	dims := n.Type.Dims
	if v, ok := e.Const(); ok {
		return c.b.Const(ir.OfDims(loop.I32, dims), float64(v))
	}
	if e.Op == index.Var {
		if k, ok := mapVar(e.Name); ok {
			return c.b.Iota(dims, k)
		}
		if k, ok := mapData(e.Name); ok {
			if x := c.m[n.Args[k]]; x.Type.Elem == loop.U32 {
				return x // larger than an i32 may be
			} else {
				return c.b.Cast(x, loop.I32)
			}
		}
		ramp := c.b.Iota([]ir.Dim{{Size: c.b.Scope().Capacity(e) + 1}}, 0)
		return c.b.Index(ramp, dims, []*index.Expr{e}, nil)
	}
	op := map[index.Op]string{index.Add: "add", index.Mul: "mul", index.Div: "idiv", index.Mod: "mod", index.Min: "min", index.Max: "max"}[e.Op]
	if op == "" {
		panic(fmt.Sprintf("pass bounds: %s of %s: unknown expression %s", n.Op.Name, n.Pos, e))
	}
	v := c.b.Cast(c.numbers(n, e.Args[0]), loop.I32)
	for _, x := range e.Args[1:] {
		v = c.b.Op(op, v, c.b.Cast(c.numbers(n, x), loop.I32))
	}
	return v
}
