package passes

import (
	"fmt"

	"mdlc/ir"
)

// The gradient of a loop is a loop in reverse. It carries the cotangents of the
// carries and the sums of those of the invariants, and its outputs are the
// cotangents of the stacked inputs:
//
//	%2 = loop %c, %xs, %w count(12) carry 1 xs 1 { turn, c, x, w: next }
//
// becomes, where the gradient of the body reads h,
//
//	%2 = loop %c, %xs, %w count(12) carry 1 xs 1 { turn, c, x, w: next, h }
//	%4 = loop %dc, %0, %xs, %h, %w count(12) carry 2 xs 2 reverse { turn, dc, sum, x, h, w: dc', sum + dw, dx }
//
// Of the values that the gradient of the body reads, cheap ones are computed again where what they
// need is at hand (saved, a stacked input or an invariant), or is smaller than they are; the others are saved.
// Products that make much of little (score.go) count as cheap.

// loopGrad is the gradient of one loop being made.
type loopGrad struct {
	loop   *ir.Node
	attr   ir.LoopAttr
	region *ir.Graph
	dys    []*ir.Node // cotangents of the loop's values, nil: none
	active []bool     // by parameter of the region
	live   []bool     // by carry: a cotangent flows

	joint  *ir.Graph // forward and backward body in one graph
	seeds  []*ir.Node
	seedOf []int      // value of the loop for each seed
	dp     []*ir.Node // cotangents of the parameters, in joint

	depends map[*ir.Node]bool // on a seed
	saved   []*ir.Node
	isSaved map[*ir.Node]bool
}

func (r *reverse) loop(old *ir.Node, dys []*ir.Node) error {
	if a := old.Attr.(ir.LoopAttr); a.While && !a.Branch() {
		return fmt.Errorf("%s: error: a `while` has no gradient\n  = help: `for` and `repeat`, whose counts are known, have one; `stop(x)` takes a value without its gradient", old.Pos)
	}
	n, slices, err := r.sliceTurns(old)
	if err != nil {
		return err
	}
	l := &loopGrad{loop: n, attr: n.Attr.(ir.LoopAttr), region: n.Regions[0], dys: dys}
	l.spread(func(arg *ir.Node) bool { return r.active[arg] && arg.Type.Elem.IsFloat() })
	l.live = make([]bool, l.attr.Carry)
	for i := range l.live {
		l.live[i] = dys[i] != nil && l.active[1+i]
	}
	for again := true; again; {
		again = false
		if err := l.differentiate(r.b); err != nil {
			return err
		}
		for i := range l.live {
			if l.dp[1+i] != nil && !l.live[i] {
				l.live[i], again = true, true
			}
		}
	}
	l.save()
	longer, saves, err := l.forward(r.b)
	if err != nil {
		return err
	}
	if longer != old {
		r.longer[old] = longer
	}
	if err := l.backward(r, longer, saves); err != nil {
		return err
	}
	for _, s := range slices {
		if arg := old.Args[s.param-1]; s.arg != arg && r.cot[s.arg] != nil {
			r.add(arg, ir.OpIndex.Grad(r.b, s.arg, r.cot[s.arg])[0])
			delete(r.cot, s.arg)
		}
	}
	return nil
}

// spread finds the parameters of the region through which gradients may flow.
func (l *loopGrad) spread(active func(arg *ir.Node) bool) {
	l.active = make([]bool, len(l.region.Params))
	for i, arg := range l.loop.Args {
		l.active[1+i] = active(arg)
	}
	for again := true; again; {
		again = false
		reach := map[*ir.Node]bool{}
		for i, p := range l.region.Params {
			reach[p] = l.active[i]
		}
		for _, n := range l.region.Nodes() {
			for _, a := range n.Args {
				reach[n] = reach[n] || reach[a]
			}
		}
		for i := range l.attr.Carry {
			next := l.region.Results[i].Value
			if reach[next] && next.Type.Elem.IsFloat() && !l.active[1+i] {
				l.active[1+i], again = true, true
			}
		}
	}
}

// differentiate makes the joint body: the region, and its gradient for the
// cotangents (seeds) of live carries and of outputs that have one.
func (l *loopGrad) differentiate(outer *ir.Builder) error {
	b := ir.Reopen(l.region, outer)
	m := ir.Mapping{}
	var wrt []*ir.Node
	for i, p := range l.region.Params {
		m[p] = b.Params()[i]
		if l.active[i] {
			wrt = append(wrt, m[p])
		}
	}
	for _, n := range l.region.Nodes() {
		if m[n] == nil {
			if _, err := m.Copy(b, n, nil); err != nil {
				return err
			}
		}
	}
	var outputs, seeds []*ir.Node
	l.seedOf = nil
	results := append([]ir.Result(nil), l.region.Results...)
	for i := range results {
		results[i].Value = m[results[i].Value]
		flows := l.dys[i] != nil
		if i < l.attr.Carry {
			flows = l.live[i]
		}
		if flows {
			outputs = append(outputs, results[i].Value)
			seeds = append(seeds, b.Param(ir.ParamValue, "d", results[i].Value.Type))
			l.seedOf = append(l.seedOf, i)
		}
	}
	r := newReverse(b)
	if err := r.run(outputs, seeds, wrt); err != nil {
		return err
	}
	for _, p := range b.Params()[:len(l.region.Params)] {
		if d := r.typed(p); d != nil {
			results = append(results, ir.Result{Value: d})
		}
	}
	joint, err := r.lengthen(b.Finish(results...), outer)
	if err != nil {
		return err
	}
	l.joint, l.seeds = joint, joint.Params[len(l.region.Params):]
	l.dp = make([]*ir.Node, len(l.region.Params))
	k := len(l.region.Results)
	for i, p := range b.Params()[:len(l.region.Params)] {
		if r.cot[p] != nil {
			l.dp[i] = joint.Results[k].Value
			k++
		}
	}
	return nil
}

// save picks what the forward loop saves: the less of what the gradient reads, or
// of the roots from which it is computed again.
func (l *loopGrad) save() {
	l.depends = map[*ir.Node]bool{}
	for _, s := range l.seeds {
		l.depends[s] = true
	}
	needed := map[*ir.Node]bool{}
	nodes := l.joint.Nodes()
	for _, n := range nodes {
		for _, a := range n.Args {
			l.depends[n] = l.depends[n] || l.depends[a]
		}
		if !l.depends[n] {
			continue
		}
		for _, a := range n.Args {
			needed[a] = needed[a] || !l.depends[a]
		}
	}
	for _, d := range l.dp {
		if d != nil && !l.depends[d] {
			needed[d] = true
		}
	}
	l.choose(nodes, needed, true)
	rootBytes := bytesOf(l.saved)
	l.choose(nodes, needed, false)
	if rootBytes < bytesOf(l.saved) {
		l.choose(nodes, needed, true)
	}
}

func bytesOf(nodes []*ir.Node) int {
	sum := 0
	for _, n := range nodes {
		sum += n.Type.Bytes()
	}
	return sum
}

// choose saves the needed values, or their roots where those are not larger.
func (l *loopGrad) choose(nodes []*ir.Node, needed map[*ir.Node]bool, roots bool) {
	l.saved, l.isSaved = nil, map[*ir.Node]bool{}
	for _, n := range nodes {
		if needed[n] && !l.atHand(n, map[*ir.Node]bool{}) {
			for _, s := range l.smallest(n, roots) {
				l.saved = append(l.saved, s)
				l.isSaved[s] = true
			}
		}
	}
}

// smallest is what to save for n: itself, or what is missing to compute it
// again where that is less (the mean and not its broadcast) or, for roots, as much.
func (l *loopGrad) smallest(n *ir.Node, roots bool) []*ir.Node {
	if !cheapToRepeat(n) || n.Op == ir.OpParam {
		return []*ir.Node{n}
	}
	var missing []*ir.Node
	bytes := 0
	seen, known := map[*ir.Node]bool{}, map[*ir.Node]bool{}
	var visit func(n *ir.Node)
	visit = func(n *ir.Node) {
		if seen[n] || l.atHand(n, known) {
			return
		}
		seen[n] = true
		if !cheapToRepeat(n) || n.Op == ir.OpParam {
			missing = append(missing, n)
			bytes += n.Type.Bytes()
			return
		}
		for _, a := range n.Args {
			visit(a)
		}
	}
	visit(n)
	if bytes < n.Type.Bytes() || bytes == n.Type.Bytes() && (roots || n.Op.Class == ir.ClassMovement) {
		return missing
	}
	return []*ir.Node{n}
}

// atHand reports whether the backward body has n or computes it cheaply from what it has.
func (l *loopGrad) atHand(n *ir.Node, known map[*ir.Node]bool) bool {
	if l.isSaved[n] {
		return true
	}
	if n.Op == ir.OpParam {
		return !l.isCarry(n)
	}
	if has, ok := known[n]; ok {
		return has
	}
	has := cheapToRepeat(n)
	for _, a := range n.Args {
		has = has && l.atHand(a, known)
	}
	known[n] = has
	return has
}

func cheapToRepeat(n *ir.Node) bool {
	switch n.Op.Class {
	case ir.ClassElementwise, ir.ClassMovement, ir.ClassLeaf:
		return true
	}
	return n.Op == ir.OpBits || scoreProduct(n)
}

func (l *loopGrad) isCarry(p *ir.Node) bool {
	for i := range l.attr.Carry {
		if l.joint.Params[1+i] == p {
			return true
		}
	}
	return false
}

// forward is the loop that saves, and which of its values each saved one is.
func (l *loopGrad) forward(outer *ir.Builder) (longer *ir.Node, saves []int, err error) {
	results := append([]ir.Result(nil), l.joint.Results[:len(l.region.Results)]...)
	scope := outer.Scope()
	for _, n := range l.saved {
		at := -1
		for i := l.attr.Carry; i < len(results); i++ {
			if results[i].Value == n {
				at = i
			}
		}
		if at < 0 {
			if name := innerLength(scope, n.Type); name != "" {
				return nil, nil, fmt.Errorf("%s: error: the gradient of the loop has to save a value of type %s, whose length changes from turn to turn with %s", n.Pos, n.Type, name)
			}
			at = len(results)
			results = append(results, ir.Result{Kind: ir.ResultValue, Value: n, Pos: n.Pos})
		}
		saves = append(saves, at)
	}
	g := &ir.Graph{Name: l.region.Name, Params: l.joint.Params[:len(l.region.Params)], Results: results, Syms: l.joint.Syms}
	region, err := ir.Rewrite(g, outer, nil)
	if err != nil {
		return nil, nil, err
	}
	gen := outer.Gen
	outer.Gen = l.loop.Gen
	defer func() { outer.Gen = gen }()
	longer, err = outer.TryMakeWith(ir.OpLoop, l.attr, []*ir.Graph{region}, l.loop.Args...)
	if err == nil {
		ir.Named(longer, l.loop.Name)
	}
	return longer, saves, err
}

// innerLength is a symbol of the region that a length of t depends on, or "".
func innerLength(outer *ir.Scope, t ir.Type) string {
	found := ""
	for _, d := range t.Dims {
		if d.Len != nil {
			d.Len.Vars(func(name string) {
				if _, ok := outer.Lookup(name); !ok {
					found = name
				}
			})
		}
	}
	return found
}
