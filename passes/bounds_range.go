package passes

import (
	"math"

	"mdlc/ir"
	"mdlc/ir/index"
	"mdlc/ir/loop"
)

// interval is the integers lo to hi, both included.
type interval struct{ lo, hi int }

func (r interval) or(s interval) interval { return interval{min(r.lo, s.lo), max(r.hi, s.hi)} }

func (r interval) within(s interval) bool { return s.lo <= r.lo && r.hi <= s.hi }

// ranges is what is known of the values of integer nodes.
type ranges map[*ir.Node]interval

var elements = map[ir.Elem]interval{
	loop.Bool: {0, 1}, loop.U8: {0, math.MaxUint8}, loop.I32: {math.MinInt32, math.MaxInt32}, loop.U32: {0, math.MaxUint32},
}

// inLoop is the ranges of the parameters of a loop's region: of the turn, slices and invariants.
func (r ranges) inLoop(n *ir.Node, a ir.LoopAttr) ranges {
	inner := ranges{}
	for i, p := range n.Regions[0].Params {
		switch {
		case i == 0:
			if k, ok := a.Count.Const(); ok {
				inner[p] = interval{0, max(0, k-1)}
			}
		case i > a.Carry:
			inner[p] = r.of(n.Args[i-1])
		}
	}
	return inner
}

// of bounds the elements of n.
func (r ranges) of(n *ir.Node) interval {
	if known, ok := r[n]; ok {
		return known
	}
	all := elements[n.Type.Elem]
	v := all
	if n.Type.Elem.IsInt() {
		if v = r.compute(n, all); !v.within(all) {
			v = all // it wraps
		}
	}
	r[n] = v
	return v
}

func (r ranges) compute(n *ir.Node, all interval) interval {
	switch a := n.Attr.(type) {
	case ir.ConstAttr:
		v := interval{int(a.Float(0)), int(a.Float(0))}
		for i := range a.Bits {
			v = v.or(interval{int(a.Float(i)), int(a.Float(i))})
		}
		return v
	case ir.IotaAttr:
		return interval{0, max(0, a.Dims[a.Axis].Size-1)}
	case ir.CastAttr:
		if e := n.Args[0].Type.Elem; e.IsInt() || e == loop.Bool {
			return r.of(n.Args[0])
		}
	case ir.TopKAttr:
		return places(n.Args[0], n.Args[0].Type.Rank()-1)
	case ir.ReduceAttr:
		if a.Kind == ir.ArgMax || a.Kind == ir.ArgMin {
			return places(n.Args[0], a.Axes[0])
		}
	case ir.IndexAttr:
		if n.Op.Class != ir.ClassMovement {
			break
		}
		v := r.of(n.Args[0])
		if a.Outside != nil {
			v = v.or(interval{int(*a.Outside), int(*a.Outside)})
		}
		return v
	}
	if n.Op == ir.OpArgSort {
		return places(n.Args[0], n.Args[0].Type.Rank()-1)
	}
	return r.arithmetic(n, all)
}

// places is the range of the indices along an axis of x.
func places(x *ir.Node, axis int) interval { return interval{0, max(0, x.Type.Dims[axis].Size-1)} }

func (r ranges) arithmetic(n *ir.Node, all interval) interval {
	arg := func(i int) interval { return r.of(n.Args[i]) }
	switch n.Op {
	case ir.OpStop:
		return arg(0)
	case ir.OpWhere:
		return arg(1).or(arg(2))
	case ir.OpMod:
		if y := arg(1); y.lo > 0 {
			return interval{0, y.hi - 1}
		}
	case ir.OpAdd:
		return interval{arg(0).lo + arg(1).lo, arg(0).hi + arg(1).hi}
	case ir.OpSub:
		return interval{arg(0).lo - arg(1).hi, arg(0).hi - arg(1).lo}
	case ir.OpMin:
		return interval{min(arg(0).lo, arg(1).lo), min(arg(0).hi, arg(1).hi)}
	case ir.OpMax:
		return interval{max(arg(0).lo, arg(1).lo), max(arg(0).hi, arg(1).hi)}
	}
	return all
}

// inside reports whether e, an expression of the map of n, is known to stay inside of d.
func (c *checker) inside(n *ir.Node, e *index.Expr, d ir.Dim) bool {
	if d.Len != nil {
		return false
	}
	lo, hi := e.Range(func(name string) (int, int) {
		if k, ok := mapVar(name); ok {
			return 0, n.Type.Dims[k].Size - 1
		}
		if k, ok := mapData(name); ok {
			v := c.ranges.of(n.Args[k])
			return v.lo, v.hi
		}
		return c.b.Scope().Bound(name)
	})
	return lo >= 0 && hi < d.Size
}
