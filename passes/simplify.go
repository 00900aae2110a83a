package passes

import (
	"mdlc/ir"
)

// Simplify applies local rules until none fires. Every rule makes the graph
// smaller or cheaper; none changes a result beyond the sign of a zero and the order of a
// sum that is a scatter's. The rules, a file for each topic:
//
//	arith.go    x*1, x - -y, casts of casts, where with a known condition
//	fold.go     element-wise ops of constants
//	maps.go     index of index, of a constant, of iota; identity maps
//	lift.go     f(broadcast x) to broadcast f(x)
//	sums.go     reductions over one element, or over what does not vary
//	scatter.go  scatter with a map that can be inverted to index and reduce
//	push.go     slices and windows of a dot or of element-wise ops move to the operands
//	order.go    sums of products in the order of memory
func Simplify(g *ir.Graph) (*ir.Graph, error) {
	return rewrite(g, func(g *ir.Graph) rule {
		s := &simplifier{uses: map[*ir.Node]int{}, shared: map[*ir.Node]bool{}, done: map[*ir.Node]*ir.Node{}, varying: varyingAxes{}}
		old := uses(g)
		return func(b *ir.Builder, n *ir.Node, args []*ir.Node) (*ir.Node, error) {
			if len(n.Regions) > 0 {
				return nil, nil
			}
			s.b = b
			m, err := keep(b, n, args, nothing)
			if err != nil {
				return nil, err
			}
			r := s.simplify(m)
			s.uses[r] += old[n]
			for x := r; x.Op.Class == ir.ClassMovement; x = x.Args[0] {
				s.shared[x.Args[0]] = s.shared[x.Args[0]] || old[n] > 1
			}
			return r, nil
		}
	})
}

type simplifier struct {
	b       *ir.Builder
	uses    map[*ir.Node]int  // of nodes in the old graph, under their new nodes
	shared  map[*ir.Node]bool // what was moved before several nodes used it
	done    map[*ir.Node]*ir.Node
	varying varyingAxes
}

// simplifyRules are tried in order; nil: the rule does not apply. What a rule returns was made by s.make.
var simplifyRules []func(s *simplifier, n *ir.Node) *ir.Node

func init() {
	simplifyRules = []func(s *simplifier, n *ir.Node) *ir.Node{
		(*simplifier).fold,
		(*simplifier).arithmetic,
		(*simplifier).logic,
		(*simplifier).casts,
		(*simplifier).indexOfLeaf,
		(*simplifier).indexOfIndex,
		(*simplifier).indexMap,
		(*simplifier).lift,
		(*simplifier).sum,
		(*simplifier).invertScatter,
		(*simplifier).sumOfDot,
		(*simplifier).pushIndex,
		(*simplifier).orderSums,
	}
}

func (s *simplifier) simplify(n *ir.Node) *ir.Node {
	if r := s.done[n]; r != nil {
		return r
	}
	r := n
	for _, rule := range simplifyRules {
		if m := rule(s, n); m != nil && m != n {
			r = s.simplify(m)
			break
		}
	}
	s.done[n] = r
	return r
}

// make makes and simplifies a node.
func (s *simplifier) make(op *ir.Op, attr ir.Attr, args ...*ir.Node) *ir.Node {
	return s.simplify(s.b.Make(op, attr, args...))
}

// single reports whether one node at most uses n.
func (s *simplifier) single(n *ir.Node) bool { return s.uses[n] <= 1 }
