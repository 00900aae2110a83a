package passes

import (
	"fmt"
	"strings"

	"mdlc/ir"
	"mdlc/ir/index"
)

// way says how a node reads a value: through which map of its own iteration space.
type way uint8

const (
	spread    way = iota // each axis of the value is an axis of the reader: the same place, a broadcast, a permutation
	bijection            // each element exactly once, through a merge or split of axes
	anywhere             // windows, gathers, slices
)

// read is one access of a node that is computed to a value that is computed or in memory,
// through whatever movement lies between.
type read struct {
	arg  int // of the reader
	from int // the value
	way  way
	axis []int  // spread: the reader's axis for each axis of the value, -1 for an axis of one element
	key  string // of the map, for comparing
	vars []int  // the reader's axes that the map depends on
}

// same reports whether the value is read at the reader's own place.
func (r read) same(rank int) bool {
	if r.way != spread || len(r.axis) != rank {
		return false
	}
	for i, k := range r.axis {
		if i != k {
			return false
		}
	}
	return true
}

// onto reports whether each element of the value is read exactly once.
func (r read) onto(rank int) bool {
	if r.way == bijection {
		return true
	}
	if r.way != spread || len(r.axis) != rank {
		return false
	}
	var seen axes
	for _, k := range r.axis {
		if k < 0 {
			return false
		}
		seen |= axesOf(k)
	}
	return seen == allAxes(rank)
}

// readsOf lists what anchor n reads; at gives a node's number, free says what is looked through.
func readsOf(n *ir.Node, at map[*ir.Node]int, free func(*ir.Node) bool) []read {
	var out []read
	var walk func(arg int, x *ir.Node, dims []ir.Dim, place []*index.Expr)
	through := func(arg int, x *ir.Node, dims []ir.Dim, place []*index.Expr) {
		a := x.Attr.(ir.IndexAttr)
		inner := make([]*index.Expr, len(a.Out))
		for i, e := range a.Out {
			inner[i] = e.Subst(func(name string) *index.Expr {
				if k, ok := mapVar(name); ok {
					return place[k]
				}
				if k, ok := mapData(name); ok { // the same name for the same data only
					return index.V(fmt.Sprintf("$%d.%d", at[x.Args[k]], k))
				}
				return nil
			})
		}
		for _, d := range x.Args[1:] {
			walk(arg, d, dims, place)
		}
		walk(arg, x.Args[0], dims, inner)
	}
	walk = func(arg int, x *ir.Node, dims []ir.Dim, place []*index.Expr) {
		switch {
		case !free(x):
			r := classify(x, dims, place)
			if len(dims) != iterationRank(n, arg) {
				r.way = anywhere
			}
			r.arg, r.from = arg, at[x]
			out = append(out, r)
		case x.Op.Class == ir.ClassMovement:
			through(arg, x, dims, place)
		}
	}
	if n.Op.Class == ir.ClassMovement {
		through(0, n, n.Type.Dims, ownPlace(n.Type.Rank()))
		return out
	}
	for i, x := range n.Args {
		walk(i, x, x.Type.Dims, ownPlace(x.Type.Rank()))
	}
	return out
}

// iterationRank is the number of axes that n runs over as it reads argument arg.
func iterationRank(n *ir.Node, arg int) int {
	switch n.Op.Class {
	case ir.ClassReduce, ir.ClassDot:
		return n.Args[arg].Type.Rank()
	}
	return n.Type.Rank()
}

func ownPlace(rank int) []*index.Expr {
	out := make([]*index.Expr, rank)
	for k := range out {
		out[k] = ir.Var(k)
	}
	return out
}

// classify says how place, over indices of the given dims, reads x.
func classify(x *ir.Node, dims []ir.Dim, place []*index.Expr) read {
	r := read{way: spread, axis: make([]int, len(place))}
	texts := make([]string, len(place))
	var seen axes
	for i, e := range place {
		texts[i] = e.String()
		d := x.Type.Dims[i]
		k, ok := mapVar(e.Name)
		switch {
		case e.Op == index.Var && ok && !seen.has(k) && dims[k].Equal(d):
			seen |= axesOf(k)
			r.axis[i] = k
		case e.IsConst(0) && d.Size == 1:
			r.axis[i] = -1
		default:
			r.way = anywhere
		}
	}
	r.key = strings.Join(texts, ", ")
	for _, e := range place {
		e.Vars(func(name string) {
			if k, ok := mapVar(name); ok && !holdsInt(r.vars, k) {
				r.vars = append(r.vars, k)
			}
		})
	}
	if r.way == anywhere && bijective(place, dims, x.Type.Dims) {
		r.way = bijection
	}
	return r
}

// bijective reports whether a map from indices of dims `from` visits each element of `to` once.
func bijective(place []*index.Expr, from, to []ir.Dim) bool {
	vars := make([]variable, len(from))
	for k, d := range from {
		vars[k] = variable{name: ir.Var(k).Name, size: d.Size, whole: d.Len != nil}
	}
	for i, e := range place {
		if k, ok := mapVar(e.Name); to[i].Len != nil && !(e.Op == index.Var && ok && from[k].Equal(to[i])) {
			return false
		}
	}
	r, ok := newRadix(place, vars)
	if !ok {
		return false
	}
	sizes := make([]int, len(to))
	for i, d := range to {
		sizes[i] = d.Size
	}
	return r.bijective(vars, sizes)
}
