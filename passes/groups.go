package passes

import (
	"fmt"
	"strings"

	"mdlc/ir"
	"mdlc/ir/index"
	"mdlc/ir/loop"
)

// Groups makes one sum of the products of rows that a scatter then adds up by group. The gradient of matrices of which each tile of rows picks
// one, w[e[n]], as experts do:
//
//	%1 = dot nid,nif->ndf %x, %dy                                    one matrix for each tile: f32[144, 256, 128]
//	%2 = scatter %1, %e {(i0, i1, i2) -> ($1, i1, i2)} [16, 256, 128]
//
// becomes
//
//	%o = argsort %e : i32[144]                                       expanded
//	%s = reduce sum[1] (%e < iota) : i32[17]                         how many tiles go to groups before each
//	%2 = groupdot nid,nif->ndf n %x, %dy, %o, %s
//
// so that a matrix is summed up where it is made, and stored once. Tiles of a group add in the order of their numbers, as the scatter would; those of no group
// are in none. Tiles that nn.tiles makes are sorted already, but any index is right.
//
// It does not fire where data pick along an axis that only one operand has, or along several; where others read the products; where an axis that is summed over has a
// length that the run decides.
func Groups(g *ir.Graph) (*ir.Graph, error) {
	scatters := func(n *ir.Node) bool { return n.Op == ir.OpScatter && n.Args[0].Op == ir.OpDot }
	if !holds(g, scatters) {
		return g, nil
	}
	return rewrite(g, func(g *ir.Graph) rule {
		v, readers := varyingAxes{}, readersOf(g)
		return func(b *ir.Builder, n *ir.Node, args []*ir.Node) (*ir.Node, error) {
			if !scatters(n) || readers[n.Args[0]] > 1 {
				return nil, nil
			}
			p := pickedRows(v, n, args)
			if p == nil {
				return nil, nil
			}
			return p.product(b, v)
		}
	})
}

// startWork bounds the comparisons of finding where groups begin: rows times groups.
const startWork = 1 << 24

// readersOf counts the nodes that read each one, and results.
func readersOf(g *ir.Graph) map[*ir.Node]int {
	readers := map[*ir.Node]int{}
	for _, n := range g.Nodes() {
		for _, x := range n.Args {
			readers[x]++
		}
	}
	for _, r := range g.Results {
		readers[r.Value]++
	}
	return readers
}

// rowGroups is a scatter of a product to the groups of its rows.
type rowGroups struct {
	dot    *ir.Node
	rows   int      // the axis of the product that they lie along
	group  *ir.Node // of each row, along all axes of the product
	groups int      // how many there are
	out    string   // the labels of the scatter's result
}

// pickedRows matches scatter n with new arguments; nil: it is none of groups.
func pickedRows(v varyingAxes, n *ir.Node, args []*ir.Node) *rowGroups {
	a, dot := n.Attr.(ir.IndexAttr), args[0]
	d := dot.Attr.(ir.DotAttr)
	if !n.Type.Elem.IsFloat() || len(a.Out) != a.Vars {
		return nil
	}
	p := &rowGroups{dot: dot}
	var seen axes
	out := make([]byte, a.Vars)
	for axis, e := range a.Out {
		k, ok := mapVar(e.Name)
		if ok && e.Op == index.Var && !seen.has(k) && dot.Type.Dims[k].Equal(a.Shape[axis]) {
			seen |= axesOf(k)
			out[axis] = d.Out[k]
			continue
		}
		k, ok = mapData(e.Name)
		if !ok || e.Op != index.Var || p.group != nil || args[k].Type.Elem != loop.I32 || a.Shape[axis].Len != nil {
			return nil
		}
		along := v.of(args[k]).list(a.Vars)
		if len(along) != 1 {
			return nil
		}
		p.rows, p.group, p.groups = along[0], args[k], a.Shape[axis].Size
		out[axis] = d.Out[p.rows]
	}
	p.out = string(out)
	if p.group == nil || seen.has(p.rows) || !strings.Contains(d.Batch(), d.Out[p.rows:p.rows+1]) {
		return nil
	}
	for _, l := range d.Contracted() {
		if dim := dot.Args[0].Type.Dims[strings.IndexRune(d.A, l)]; dim.Len != nil || dim.Size == 0 {
			return nil
		}
	}
	if rows := dot.Type.Dims[p.rows].Size; rows == 0 || rows > ir.MaxSort || rows*(p.groups+1) > startWork {
		return nil
	}
	return p
}

// product is the sums of groups.
func (p *rowGroups) product(b *ir.Builder, v varyingAxes) (*ir.Node, error) {
	d := p.dot.Attr.(ir.DotAttr)
	rows := d.Out[p.rows : p.rows+1]
	group := v.narrow(b, p.group, axesOf(p.rows))
	sorted := b.ArgSort(group)
	order, err := sorted.Op.Expand(b, sorted)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p.dot.Pos, err)
	}
	pairs := []ir.Dim{{Size: p.groups + 1}, group.Type.Dims[0]}
	before := b.Make(ir.OpLt, nil, b.Broadcast(group, pairs, 1), b.Iota(pairs, 0))
	start := b.Reduce(ir.Sum, []int{1}, b.Cast(before, loop.I32))
	attr := ir.GroupDotAttr{DotAttr: ir.DotAttr{A: d.A, B: d.B, Out: p.out}, Rows: rows}
	return b.Make(ir.OpGroupDot, attr, p.dot.Args[0], p.dot.Args[1], order, start), nil
}
