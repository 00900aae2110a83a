package codegen

import (
	"strings"

	"mdlc/ir"
	"mdlc/ir/index"
)

// dimension is a dimension of a node's value.
type dimension struct {
	node *ir.Node
	d    int
}

// classes are sets of dimensions: each points to another of its set, the root to none.
type classes map[dimension]dimension

func (c classes) find(x dimension) dimension {
	p, ok := c[x]
	if !ok || p == x {
		return x
	}
	root := c.find(p)
	c[x] = root
	return root
}

func (c classes) join(x, y dimension) {
	if a, b := c.find(x), c.find(y); a != b {
		c[b] = a
	}
}

// equalDims calls equate with dimensions of a graph's values, of equal length, that one index goes along: those that element-wise
// ops, kept dimensions, labels and plain variables of index maps make one.
func equalDims(g *ir.Graph, equate func(x, y dimension)) {
	same := func(x, y dimension) {
		if x.node.Type.Dims[x.d].Equal(y.node.Type.Dims[y.d]) {
			equate(x, y)
		}
	}
	for _, n := range g.Nodes() {
		switch a := n.Attr.(type) {
		case ir.ReduceAttr:
			at := 0
			for d := range n.Args[0].Type.Dims {
				if at < len(a.Axes) && a.Axes[at] == d {
					at++
					continue
				}
				same(dimension{n.Args[0], d}, dimension{n, d - at})
			}
		case ir.DotAttr:
			equalLabels(n, a, same)
		case ir.GroupDotAttr: // rows of the operands are groups of the result
			a.Out = strings.ReplaceAll(a.Out, a.Rows, "\x00")
			equalLabels(n, a.DotAttr, same)
		case ir.IndexAttr:
			equalVars(n, a, same)
		default:
			if n.Op.Class != ir.ClassElementwise {
				continue
			}
			for _, x := range n.Args {
				for d := range x.Type.Dims {
					same(dimension{x, d}, dimension{n, d})
				}
			}
		}
	}
}

func equalLabels(n *ir.Node, a ir.DotAttr, same func(x, y dimension)) {
	labeled := map[rune][]dimension{}
	for _, side := range []struct {
		labels string
		node   *ir.Node
	}{{a.A, n.Args[0]}, {a.B, n.Args[1]}, {a.Out, n}} {
		for d, l := range side.labels {
			x := dimension{side.node, d}
			for _, y := range labeled[l] {
				same(y, x)
			}
			labeled[l] = append(labeled[l], x)
		}
	}
}

// equalVars equates what a plain variable leads to. The index variables of index are
// the result's, those of scatter the operand's.
func equalVars(n *ir.Node, a ir.IndexAttr, same func(x, y dimension)) {
	from, to := n, n.Args[0]
	if n.Op == ir.OpScatter {
		from, to = to, from
	}
	for d, e := range a.Out {
		for v := range a.Vars {
			if index.Equal(e, ir.Var(v)) {
				same(dimension{from, v}, dimension{to, d})
			}
		}
	}
	for _, data := range n.Args[1:] {
		for d := range data.Type.Dims {
			same(dimension{from, d}, dimension{data, d})
		}
	}
}
