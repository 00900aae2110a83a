package passes

import (
	"fmt"
	"slices"

	"mdlc/ir"
	"mdlc/ir/loop"
)

// Grad expands grad ops by reverse mode, inner ones and those of inner loops
// first, so that a gradient of a gradient is an ordinary gradient:
//
//	%1 = mul %0, %0 : f32[3]
//	%2 = reduce %1 sum [0] : f32[]
//	%3 = grad %2, %0 : (f32[3])
//	%4 = get %3 0 : f32[3]
//
// becomes
//
//	%1 = const f32[] 1
//	%2 = index %1 {(i0) -> ()} [3] : f32[3]
//	%3 = mul %2, %0 : f32[3]
//	%4 = add %3, %3 : f32[3]
//
// Cotangents add up in the order of the users, last user first. A gradient
// of a loop is a loop in reverse that reads what the loop saved (grad_loop.go).
// It is an error where no gradient flows from the scalar to a value.
func Grad(g *ir.Graph) (*ir.Graph, error) { return expandGrads(g, nil) }

func expandGrads(g *ir.Graph, outer *ir.Builder) (*ir.Graph, error) {
	if !holdsGrad(g) {
		return g, nil
	}
	g, err := ir.Rewrite(g, outer, func(b *ir.Builder, n *ir.Node, args []*ir.Node) (*ir.Node, error) {
		if len(n.Regions) == 0 {
			return nil, nil
		}
		regions, err := ir.RewriteRegions(b, n, expandGrads)
		if err != nil {
			return nil, err
		}
		return b.TryMakeWith(n.Op, n.Attr, regions, args...)
	})
	for err == nil {
		grad := firstGrad(g)
		if grad == nil {
			return ir.Rewrite(g, outer, unpin)
		}
		g, err = expandGrad(g, outer, grad)
	}
	return nil, err
}

func holdsGrad(g *ir.Graph) bool {
	return holds(g, func(n *ir.Node) bool { return n.Op == ir.OpGrad })
}

// firstGrad is the first grad op in topological order: no other one is below it.
func firstGrad(g *ir.Graph) *ir.Node {
	for _, n := range g.Nodes() {
		if n.Op == ir.OpGrad {
			return n
		}
	}
	return nil
}

// expandGrad rebuilds g with the gradients in place of grad's values.
func expandGrad(g *ir.Graph, outer *ir.Builder, grad *ir.Node) (*ir.Graph, error) {
	b := ir.Reopen(g, outer)
	m := ir.Mapping{}
	for i, p := range g.Params {
		m[p] = b.Params()[i]
	}
	r := newReverse(b)
	var dx []*ir.Node
	for _, n := range g.Nodes() {
		switch {
		case m[n] != nil:
		case n == grad:
			args := m.Args(n)
			b.Pos = grad.Pos
			if err := r.run(args[:1], []*ir.Node{b.Like(args[0], 1)}, args[1:]); err != nil {
				return nil, err
			}
			for _, x := range args[1:] {
				d := r.typed(x)
				if d == nil {
					return nil, noGradient(grad, args[0], x)
				}
				dx = append(dx, d)
			}
		case n.Op == ir.OpGet && n.Args[0] == grad:
			m[n] = dx[n.Attr.(ir.GetAttr).I]
			ir.Named(m[n], n.Name)
		default:
			if _, err := m.Copy(b, n, nil); err != nil {
				return nil, err
			}
		}
	}
	results := append([]ir.Result(nil), g.Results...)
	for i := range results {
		results[i].Value = m[results[i].Value]
	}
	return r.lengthen(b.Finish(results...), outer)
}

// noGradient says why no gradient flows from s to x.
func noGradient(grad, s, x *ir.Node) error {
	name := func(n *ir.Node, otherwise string) string {
		if n.Name != "" {
			return "`" + n.Name + "`"
		}
		return otherwise
	}
	why := "it does not depend on it"
	if n := stopsGradient(s, x); n != nil {
		op, reason := n.Op.Name, n.Op.NoGrad
		if a, ok := n.Attr.(ir.ReduceAttr); ok {
			op = fmt.Sprint(a.Kind)
		}
		if n.Op.Grad != nil {
			reason = "integers and bools have no gradient"
		}
		why = fmt.Sprintf("`%s` at %s: %s\n  = help: `straight_through(hard, soft)` has the value of one and the gradient of the other", op, n.Pos.Trail(), reason)
	}
	return fmt.Errorf("%s: error: no gradient of %s reaches %s\n  = %s", grad.Pos, name(s, "the loss"), name(x, "the value at "+x.Pos.String()), why)
}

// stopsGradient is the node nearest to s that gets what has a gradient by x, and hands none on; nil where s does not depend on x.
// (A relu before it compares, too, and is not in the way.)
func stopsGradient(s, x *ir.Node) *ir.Node {
	has := map[*ir.Node]bool{x: true} // a gradient by x
	hasOne := func(n *ir.Node) bool { return has[n] }
	hands := func(n *ir.Node) bool {
		return n.Op.Class == ir.ClassControl || n.Op.Grad != nil && n.Type.Elem.IsFloat()
	}
	g := &ir.Graph{Results: []ir.Result{{Value: s}}}
	for _, n := range g.Nodes() {
		has[n] = has[n] || hands(n) && slices.ContainsFunc(n.Args, hasOne)
	}
	if has[s] {
		return stopsInLoop(g.Nodes(), has)
	}
	seen := map[*ir.Node]bool{x: true}
	var find func(n *ir.Node) *ir.Node
	find = func(n *ir.Node) *ir.Node {
		if seen[n] {
			return nil
		}
		seen[n] = true
		if !hands(n) && slices.ContainsFunc(n.Args, hasOne) {
			return n
		}
		for _, a := range n.Args {
			if at := find(a); at != nil {
				return at
			}
		}
		return nil
	}
	return find(s)
}

// stopsInLoop is a node in the body of one of nodes that hands no gradient on; has says what has one outside.
func stopsInLoop(nodes []*ir.Node, has map[*ir.Node]bool) *ir.Node {
	for _, n := range nodes {
		if n.Op != ir.OpLoop {
			continue
		}
		for i, a := range n.Args {
			for _, r := range n.Regions[0].Results {
				if !has[a] {
					continue
				}
				if at := stopsGradient(r.Value, n.Regions[0].Params[1+i]); at != nil {
					return at
				}
			}
		}
	}
	return nil
}

// reverse is one run of reverse mode over the nodes of a builder.
type reverse struct {
	b      *ir.Builder
	active map[*ir.Node]bool       // depends on one of the values asked for
	cot    map[*ir.Node]*ir.Node   // cotangents so far
	tuple  map[*ir.Node][]*ir.Node // cotangents of the values of a tuple
	longer map[*ir.Node]*ir.Node   // a loop that also saves what its gradient reads, for each loop
}

func newReverse(b *ir.Builder) *reverse {
	return &reverse{b: b, active: map[*ir.Node]bool{}, cot: map[*ir.Node]*ir.Node{},
		tuple: map[*ir.Node][]*ir.Node{}, longer: map[*ir.Node]*ir.Node{}}
}

// run hands the cotangents of outputs down to wrt; those that arrive are in cot.
func (r *reverse) run(outputs, cots, wrt []*ir.Node) error {
	for _, x := range wrt {
		r.active[x] = true
	}
	g := &ir.Graph{}
	for _, y := range outputs {
		g.Results = append(g.Results, ir.Result{Value: y})
	}
	nodes := g.Nodes()
	for _, n := range nodes {
		for _, a := range n.Args {
			r.active[n] = r.active[n] || r.active[a]
		}
	}
	for i, y := range outputs {
		r.add(y, cots[i])
	}
	pos := r.b.Pos
	defer func() { r.b.Pos = pos }()
	for i := len(nodes) - 1; i >= 0; i-- {
		if err := r.node(nodes[i]); err != nil {
			return err
		}
	}
	return nil
}

// typed is the cotangent of n in n's type, nil if there is none.
func (r *reverse) typed(n *ir.Node) *ir.Node {
	if d := r.cot[n]; d != nil {
		return r.b.Cast(d, n.Type.Elem)
	}
	return nil
}

// add adds d (nil: nothing) to the cotangent of n. That of 8 bits is f32: it may be far smaller than all numbers of the type.
func (r *reverse) add(n, d *ir.Node) {
	if d == nil || !r.active[n] || !n.Type.Elem.IsFloat() {
		return
	}
	if n.Type.Elem.Size() == 1 {
		d = r.b.Cast(d, loop.F32)
	}
	if old := r.cot[n]; old != nil {
		d = r.b.Add(old, d)
	}
	r.cot[n] = d
}

func (r *reverse) node(n *ir.Node) error {
	dy, parts := r.cot[n], r.tuple[n]
	if !r.active[n] || dy == nil && parts == nil {
		return nil
	}
	r.b.Pos = n.Pos
	if n.Op != ir.OpCast && n.Op != ir.OpIndex && dy != nil {
		dy = r.typed(n)
	}
	switch {
	case n.Op == ir.OpGet:
		t := n.Args[0]
		if r.tuple[t] == nil {
			r.tuple[t] = make([]*ir.Node, len(t.Type.Tuple))
		}
		i := n.Attr.(ir.GetAttr).I
		if old := r.tuple[t][i]; old != nil { // of another generation
			dy = r.b.Add(old, dy)
		}
		r.tuple[t][i] = dy
	case n.Op == ir.OpLoop:
		return r.loop(n, parts)
	case n.Op.Grad != nil:
		for i, d := range n.Op.Grad(r.b, n, dy) {
			r.add(n.Args[i], d)
		}
	case n.Op.Class == ir.ClassControl:
		return fmt.Errorf("%s: error: %s has no gradient: %s", n.Pos, n.Op.Name, n.Op.NoGrad)
	}
	return nil
}

// lengthen puts the loops that save more in place of those that they extend.
func (r *reverse) lengthen(g *ir.Graph, outer *ir.Builder) (*ir.Graph, error) {
	if len(r.longer) == 0 {
		return g, nil
	}
	b := ir.Reopen(g, outer)
	m := ir.Mapping{}
	for i, p := range g.Params {
		m[p] = b.Params()[i]
	}
	var visit func(n *ir.Node) error
	visit = func(n *ir.Node) error {
		if m[n] != nil {
			return nil
		}
		by := n
		if l := r.longer[n]; l != nil {
			by = l
		}
		for _, a := range by.Args {
			if err := visit(a); err != nil {
				return err
			}
		}
		v, err := m.Copy(b, by, nil)
		m[n] = v
		return err
	}
	results := append([]ir.Result(nil), g.Results...)
	for i := range results {
		if err := visit(results[i].Value); err != nil {
			return nil, err
		}
		results[i].Value = m[results[i].Value]
	}
	return b.Finish(results...), nil
}
