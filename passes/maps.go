package passes

import (
	"mdlc/ir"
	"mdlc/ir/index"
)

// indexOfLeaf: an index of a splat is a splat, of iota along a variable is iota,
// at a constant place the constant.
func (s *simplifier) indexOfLeaf(n *ir.Node) *ir.Node {
	a, ok := n.Attr.(ir.IndexAttr)
	if !ok || n.Op.Class != ir.ClassMovement {
		return nil
	}
	switch x := n.Args[0].Attr.(type) {
	case ir.ConstAttr:
		v, ok := x.Splat()
		if ok && (a.Outside == nil || *a.Outside == v) {
			x.Type = n.Type
			return s.b.Make(ir.OpConst, x)
		} else if ok {
			return s.insideOf(n, a, x)
		}
		if at, ok := constantPlace(a.Out, x.Type.Dims); ok && len(x.Bits) > 1 {
			return s.b.Make(ir.OpConst, ir.ConstAttr{Type: n.Type, Bits: x.Bits[at : at+1]})
		}
	case ir.IotaAttr:
		e := a.Out[x.Axis]
		if a.Outside != nil {
			return nil
		}
		if k, ok := mapVar(e.Name); ok && e.Op == index.Var {
			return s.b.Iota(a.Shape, k)
		}
		if c, ok := e.Const(); ok {
			return s.b.Const(n.Type, float64(c))
		}
	}
	return nil
}

// insideOf leaves axes out of a splat that n, a map that may lead outside, stays within: what varies is known by them.
//
//	%1 = index %ones[t, 64] {(i0) -> (t - 1, i0)} [64] outside 0     →  %1 = index %ones[t] {(i0) -> (t - 1)} [64] outside 0
func (s *simplifier) insideOf(n *ir.Node, a ir.IndexAttr, splat ir.ConstAttr) *ir.Node {
	var dims []ir.Dim
	var out []*index.Expr
	bound := s.bound(a.Shape)
	for k, e := range a.Out {
		d := splat.Type.Dims[k]
		lo, hi := e.Range(bound)
		i, isVar := mapVar(e.Name)
		if within := d.Len == nil && lo >= 0 && hi < d.Size || e.Op == index.Var && isVar && a.Shape[i].Equal(d); !within {
			dims, out = append(dims, d), append(out, e)
		}
	}
	if len(out) == len(a.Out) {
		return nil
	}
	splat.Type = ir.OfDims(splat.Type.Elem, dims)
	return s.indexOf(s.b.Make(ir.OpConst, splat), a.Shape, out, a.Outside, n.Args[1:]...)
}

func constantPlace(out []*index.Expr, dims []ir.Dim) (flat int, ok bool) {
	for k, e := range out {
		c, ok := e.Const()
		if !ok || c < 0 || c >= dims[k].Size {
			return 0, false
		}
		flat = flat*dims[k].Size + c
	}
	return flat, true
}

// indexOfIndex composes maps:
//
//	%1 = index %x {(i0) -> (i0 + 1)} [9]
//	%2 = index %1 {(i0) -> (i0*2)} [4]        →  %2 = index %x {(i0) -> (i0*2 + 1)} [4]
//
// Where the outer map leads outside of %1, the composition has to lead outside of %x.
func (s *simplifier) indexOfIndex(n *ir.Node) *ir.Node {
	a, ok := n.Attr.(ir.IndexAttr)
	if !ok || n.Op.Class != ir.ClassMovement || n.Args[0].Op != n.Op {
		return nil
	}
	x := n.Args[0]
	inner := x.Attr.(ir.IndexAttr)
	if a.Outside != nil && (inner.Outside != nil && *inner.Outside != *a.Outside || len(x.Args) > 1) {
		return nil
	}
	outerData := n.Args[1:]
	innerData := make([]*ir.Node, len(x.Args)-1)
	for i, d := range x.Args[1:] {
		if innerData[i] = s.tryIndexOf(d, a.Shape, a.Out, nil, outerData...); innerData[i] == nil {
			return nil
		}
	}
	out := make([]*index.Expr, len(inner.Out))
	for i, e := range inner.Out {
		out[i] = e.Subst(func(name string) *index.Expr {
			if k, ok := mapVar(name); ok {
				return a.Out[k]
			}
			if k, ok := mapData(name); ok {
				return ir.Data(len(outerData) + k)
			}
			return nil
		})
	}
	outside := inner.Outside
	if a.Outside != nil {
		outside = a.Outside
		if !s.staysOutside(a, x, inner) {
			return nil
		}
	}
	return s.tryIndexOf(x.Args[0], a.Shape, out, outside, append(append([]*ir.Node(nil), outerData...), innerData...)...)
}

// staysOutside reports whether the composed map leads outside of the innermost
// operand wherever the outer map a leads outside of x. (A pad of a slice does not: it would show
// what the slice hid. Then the two stay apart, which costs nothing: readers look through both.)
func (s *simplifier) staysOutside(a ir.IndexAttr, x *ir.Node, inner ir.IndexAttr) bool {
	bound := s.bound(a.Shape)
	for k, e := range a.Out {
		d := x.Type.Dims[k]
		if carried(k, d, inner, x.Args[0]) {
			continue
		}
		lo, hi := e.Range(bound)
		if hasData(e) || d.Len != nil {
			return false
		}
		if lo < 0 && !s.outside(a, inner, x, k, lo, -1) || hi >= d.Size && !s.outside(a, inner, x, k, d.Size, hi) {
			return false
		}
	}
	return true
}

// outside reports whether the map of x leads outside of its operand for all
// values lo..hi of variable k. The other variables are where the outer map a
// leads, which may be outside of x too.
func (s *simplifier) outside(a, inner ir.IndexAttr, x *ir.Node, k, lo, hi int) bool {
	outer, bound := s.bound(a.Shape), s.bound(inner.Shape)
	name := ir.Var(k).Name
	for i, e := range inner.Out {
		l, h := e.Range(func(v string) (int, int) {
			if v == name {
				return lo, hi
			}
			if j, ok := mapVar(v); ok {
				return a.Out[j].Range(outer)
			}
			return bound(v)
		})
		if h < 0 || l >= x.Args[0].Type.Dims[i].Size {
			return true
		}
	}
	return false
}

// carried reports whether dimension k of the inner index is one whole dimension of its operand.
func carried(k int, d ir.Dim, inner ir.IndexAttr, x *ir.Node) bool {
	for i, e := range inner.Out {
		if v, ok := mapVar(e.Name); ok && e.Op == index.Var && v == k && x.Type.Dims[i].Equal(d) {
			return true
		}
	}
	return false
}

// indexMap simplifies the expressions of a map, drops an outside value that is
// never read, data that no expression reads, and identity maps.
func (s *simplifier) indexMap(n *ir.Node) *ir.Node {
	a, ok := n.Attr.(ir.IndexAttr)
	if !ok {
		return nil
	}
	dims := a.Shape
	if n.Op == ir.OpScatter {
		dims = n.Args[0].Type.Dims
	}
	for _, d := range dims {
		if d.Size == 0 {
			return nil
		}
	}
	bound := s.bound(dims)
	changed := false
	out := make([]*index.Expr, len(a.Out))
	data := false
	for k, e := range a.Out {
		out[k] = e.SimplifyIn(bound)
		changed = changed || !index.Equal(out[k], e)
		data = data || hasData(e)
	}
	a.Out = out
	if n.Op == ir.OpScatter {
		if changed {
			return s.make(n.Op, a, n.Args...)
		}
		return nil
	}
	if a.Outside != nil && !data {
		inside := a
		inside.Outside = nil
		if m, err := s.b.TryMake(n.Op, inside, n.Args...); err == nil {
			return s.simplify(m)
		}
	}
	if m := indexOf(s.b, n.Args[0], a.Shape, out, a.Outside, n.Args[1:]...); m != n {
		return s.simplify(m)
	}
	return nil
}

// indexOf makes and simplifies an index.
func (s *simplifier) indexOf(x *ir.Node, dims []ir.Dim, out []*index.Expr, outside *float64, data ...*ir.Node) *ir.Node {
	return s.simplify(indexOf(s.b, x, dims, out, outside, data...))
}

// tryIndexOf is indexOf for a map that is made of two: each stays inside, but that both together do may be too
// much to see, as in a window that is read backwards. Then it is nil.
func (s *simplifier) tryIndexOf(x *ir.Node, dims []ir.Dim, out []*index.Expr, outside *float64, data ...*ir.Node) *ir.Node {
	n, err := tryIndexOf(s.b, x, dims, out, outside, data...)
	if err != nil {
		return nil
	}
	return s.simplify(n)
}

// bound gives the ranges of index variables over dims, and of symbols; data may be anything.
func (s *simplifier) bound(dims []ir.Dim) func(string) (int, int) {
	return func(name string) (int, int) {
		if k, ok := mapVar(name); ok {
			return 0, max(0, dims[k].Size-1)
		}
		if _, ok := mapData(name); ok {
			return -1 << 40, 1 << 40
		}
		return s.b.Scope().Bound(name)
	}
}
