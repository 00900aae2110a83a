package passes

import (
	"strconv"
	"strings"

	"mdlc/ir"
	"mdlc/ir/index"
)

// axes is a set of the axes of one shape.
type axes uint64

func (a axes) has(k int) bool     { return a>>k&1 == 1 }
func (a axes) subset(b axes) bool { return a&^b == 0 }
func axesOf(list ...int) (a axes) {
	for _, k := range list {
		a |= 1 << k
	}
	return a
}
func allAxes(rank int) axes { return 1<<rank - 1 }
func (a axes) list(rank int) []int {
	out := make([]int, 0, rank)
	for k := range rank {
		if a.has(k) {
			out = append(out, k)
		}
	}
	return out
}

// varyingAxes is the axes that the value of a node varies along: a broadcast
// does not vary along the axes that it adds.
type varyingAxes map[*ir.Node]axes

func (v varyingAxes) of(n *ir.Node) axes {
	if a, ok := v[n]; ok {
		return a
	}
	a := allAxes(n.Type.Rank())
	switch attr := n.Attr.(type) {
	case ir.ConstAttr:
		if len(attr.Bits) == 1 {
			a = 0
		}
	case ir.IotaAttr:
		a = axesOf(attr.Axis)
	case ir.IndexAttr:
		if n.Op.Class == ir.ClassMovement {
			a = 0
			for _, e := range attr.Out {
				a |= v.ofMap(n, e)
			}
		}
	}
	if n.Op.Class == ir.ClassElementwise && len(n.Args) > 0 {
		a = 0
		for _, x := range n.Args {
			a |= v.of(x)
		}
	}
	v[n] = a
	return a
}

func (v varyingAxes) ofMap(n *ir.Node, e *index.Expr) (a axes) {
	e.Vars(func(name string) {
		if k, ok := mapVar(name); ok {
			a |= axesOf(k)
		} else if k, ok := mapData(name); ok {
			a |= v.of(n.Args[k])
		}
	})
	return a
}

// mapVar and mapData are the inverses of ir.Var and ir.Data.
func mapVar(name string) (int, bool) {
	if len(name) < 2 || name[0] != 'i' {
		return 0, false
	}
	k, err := strconv.Atoi(name[1:])
	return k, err == nil
}

func mapData(name string) (int, bool) {
	if !strings.HasPrefix(name, "$") {
		return 0, false
	}
	k, err := strconv.Atoi(name[1:])
	return k, err == nil
}

func hasData(e *index.Expr) bool {
	found := false
	e.Vars(func(name string) {
		_, ok := mapData(name)
		found = found || ok
	})
	return found
}

// narrow gives n with only the axes of keep, which hold all that it varies along.
func (v varyingAxes) narrow(b *ir.Builder, n *ir.Node, keep axes) *ir.Node {
	rank := n.Type.Rank()
	if keep == allAxes(rank) {
		return n
	}
	list := keep.list(rank)
	dims := pick(n.Type.Dims, list)
	switch attr := n.Attr.(type) {
	case ir.ConstAttr:
		attr.Type = ir.OfDims(attr.Type.Elem, dims)
		return b.Make(n.Op, attr)
	case ir.IotaAttr:
		attr.Dims, attr.Axis = dims, position(list, attr.Axis)
		return b.Make(n.Op, attr)
	case ir.IndexAttr:
		data := make([]*ir.Node, len(n.Args)-1)
		for i, d := range n.Args[1:] {
			if v.of(d).subset(keep) {
				data[i] = v.narrow(b, d, keep)
			}
		}
		out := make([]*index.Expr, len(attr.Out))
		for i, e := range attr.Out {
			out[i] = e.Subst(func(name string) *index.Expr {
				if k, ok := mapVar(name); ok {
					return ir.Var(position(list, k))
				}
				return nil
			})
		}
		return indexOf(b, n.Args[0], dims, out, attr.Outside, data...)
	}
	args := make([]*ir.Node, len(n.Args))
	for i, x := range n.Args {
		args[i] = v.narrow(b, x, keep)
	}
	return b.Make(n.Op, n.Attr, args...)
}

// indexOf is an index node, or its operand where the map is the identity. Data
// operands that no expression reads (nil) are dropped.
func indexOf(b *ir.Builder, x *ir.Node, dims []ir.Dim, out []*index.Expr, outside *float64, data ...*ir.Node) *ir.Node {
	n, err := tryIndexOf(b, x, dims, out, outside, data...)
	if err != nil {
		panic("passes: " + err.Error())
	}
	return n
}

// tryIndexOf is indexOf for maps of which it is not known whether they can be seen to stay inside.
func tryIndexOf(b *ir.Builder, x *ir.Node, dims []ir.Dim, out []*index.Expr, outside *float64, data ...*ir.Node) (*ir.Node, error) {
	used := make([]bool, len(data)+1)
	for _, e := range out {
		e.Vars(func(name string) {
			if k, ok := mapData(name); ok {
				used[k] = true
			}
		})
	}
	var kept []*ir.Node
	to := make([]int, len(data)+1)
	for i, d := range data {
		if used[i+1] {
			kept = append(kept, d)
			to[i+1] = len(kept)
		}
	}
	if len(kept) < len(data) {
		renamed := make([]*index.Expr, len(out))
		for i, e := range out {
			renamed[i] = e.Subst(func(name string) *index.Expr {
				if k, ok := mapData(name); ok {
					return ir.Data(to[k])
				}
				return nil
			})
		}
		out = renamed
	}
	if ir.SameDims(x.Type.Dims, dims) && identityMap(out) {
		return x, nil
	}
	return b.TryMake(ir.OpIndex, ir.IndexAttr{Vars: len(dims), Out: out, Outside: outside, Shape: dims}, append([]*ir.Node{x}, kept...)...)
}

func identityMap(out []*index.Expr) bool {
	for k, e := range out {
		if e.Op != index.Var || e.Name != ir.Var(k).Name {
			return false
		}
	}
	return true
}

func pick[T any](xs []T, list []int) []T {
	out := make([]T, len(list))
	for i, k := range list {
		out[i] = xs[k]
	}
	return out
}

func position(list []int, k int) int {
	for i, x := range list {
		if x == k {
			return i
		}
	}
	return -1
}
