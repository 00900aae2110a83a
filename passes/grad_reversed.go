package passes

import (
	"fmt"

	"mdlc/ir"
)

// reversed is the loop in reverse being made: its arguments, and its region's
// parameters in the same order.
type reversed struct {
	*loopGrad
	b      *ir.Builder // around the loop
	region *ir.Builder
	m      ir.Mapping // values of the joint body in region

	branch                []*ir.Node // of a branch: the condition in the region, the first carry
	carry, xs, invariants []*ir.Node // arguments
	dcarry                []int      // which parameter of the loop's region each carry is the cotangent of
	sums                  []*ir.Node // carries that add up cotangents of invariants, the last ones
}

// backward makes the reversed loop and hands its values to the arguments.
func (l *loopGrad) backward(r *reverse, longer *ir.Node, saves []int) error {
	v := &reversed{loopGrad: l, b: r.b, region: r.b.Region(l.region.Name), m: ir.Mapping{}}
	for _, y := range l.region.Syms {
		v.region.Sym(y.Name, y.Max, y.Def)
	}
	v.param(l.joint.Params[0], paramName(l.joint.Params[0]))
	if l.attr.While {
		c := l.joint.Params[1]
		v.branch = []*ir.Node{v.region.Param(ir.ParamValue, paramName(c), c.Type)}
	}
	v.carries()
	v.inputs(longer, saves)
	results, dxs, err := v.body()
	if err != nil {
		return err
	}
	a := l.attr
	attr := ir.LoopAttr{Count: a.Count, Carry: len(v.branch) + len(v.carry), Xs: len(v.xs), Reverse: !a.Reverse, Sym: a.Sym, While: a.While}
	args := append(l.loop.Args[:len(v.branch):len(v.branch)], append(append(v.carry, v.xs...), v.invariants...)...)
	back, err := r.b.TryMakeWith(ir.OpLoop, attr, []*ir.Graph{v.region.FinishValues(append(v.branch, results...)...)}, args...)
	if err != nil {
		return fmt.Errorf("%s: grad of loop: %w", l.loop.Pos, err)
	}
	for k, i := range append(v.dcarry, dxs...) {
		r.add(l.loop.Args[i-1], r.b.Get(back, len(v.branch)+k))
	}
	return nil
}

// param declares what stands for n of the joint body.
func (v *reversed) param(n *ir.Node, name string) {
	v.region.Pos = n.Pos
	v.m[n] = v.region.Param(ir.ParamValue, name, n.Type)
}

// carries opens the cotangents of live carries and the sums of those of the invariants.
func (v *reversed) carries() {
	for k, i := range v.seedOf {
		if i >= v.attr.Carry {
			continue
		}
		start := v.dys[i]
		if start == nil {
			start = v.b.Like(v.loop.Args[i], 0)
		}
		v.param(v.seeds[k], "d")
		v.carry, v.dcarry = append(v.carry, start), append(v.dcarry, 1+i)
	}
	for i := 1 + v.attr.Carry + v.attr.Xs; i < len(v.dp); i++ {
		if v.dp[i] == nil {
			continue
		}
		v.sums = append(v.sums, v.region.Param(ir.ParamValue, "sum", v.dp[i].Type))
		v.carry, v.dcarry = append(v.carry, v.b.Like(v.loop.Args[i-1], 0)), append(v.dcarry, i)
	}
}

// inputs opens what the body reads: stacked inputs of the loop, saved values,
// cotangents of outputs; then invariants.
func (v *reversed) inputs(longer *ir.Node, saves []int) {
	used := v.usedParams()
	first := 1 + v.attr.Carry
	for i := first; i < first+v.attr.Xs; i++ {
		if p := v.joint.Params[i]; used[p] {
			v.param(p, paramName(p))
			v.xs = append(v.xs, v.loop.Args[i-1])
		}
	}
	for k, n := range v.saved {
		v.param(n, savedName(n))
		v.b.Pos = n.Pos
		v.xs = append(v.xs, v.b.Get(longer, saves[k]))
	}
	v.b.Pos = v.loop.Pos
	for k, i := range v.seedOf {
		if i >= v.attr.Carry {
			v.param(v.seeds[k], "dy")
			v.xs = append(v.xs, v.dys[i])
		}
	}
	for i := first + v.attr.Xs; i < len(v.loopGrad.region.Params); i++ {
		if p := v.joint.Params[i]; used[p] {
			v.param(p, paramName(p))
			v.invariants = append(v.invariants, v.loop.Args[i-1])
		}
	}
}

// body computes the results: the next carries, and cotangents of stacked inputs dxs (parameters of the loop's region).
func (v *reversed) body() (results []*ir.Node, dxs []int, err error) {
	lives := len(v.carry) - len(v.sums)
	for k, i := range v.dcarry {
		if v.dp[i] == nil { // the body does not read the carry
			results = append(results, v.region.Const(v.joint.Params[i].Type, 0))
			continue
		}
		d, err := copyBelow(v.region, v.m, v.dp[i])
		if err != nil {
			return nil, nil, err
		}
		if k >= lives {
			d = v.region.Add(v.sums[k-lives], d)
		}
		results = append(results, d)
	}
	first := 1 + v.attr.Carry
	for i := first; i < first+v.attr.Xs; i++ {
		if v.dp[i] == nil {
			continue
		}
		d, err := copyBelow(v.region, v.m, v.dp[i])
		if err != nil {
			return nil, nil, err
		}
		results = append(results, d)
		dxs = append(dxs, i)
	}
	return results, dxs, nil
}

// usedParams is the parameters that the backward body reads.
func (l *loopGrad) usedParams() map[*ir.Node]bool {
	seen := map[*ir.Node]bool{}
	var visit func(n *ir.Node)
	visit = func(n *ir.Node) {
		if seen[n] || l.isSaved[n] {
			return
		}
		seen[n] = true
		for _, a := range n.Args {
			visit(a)
		}
	}
	for _, d := range l.dp {
		if d != nil {
			visit(d)
		}
	}
	return seen
}

// copyBelow copies n and what it needs into b; m holds what b has.
func copyBelow(b *ir.Builder, m ir.Mapping, n *ir.Node) (*ir.Node, error) {
	if m[n] != nil {
		return m[n], nil
	}
	for _, a := range n.Args {
		if _, err := copyBelow(b, m, a); err != nil {
			return nil, err
		}
	}
	return m.Copy(b, n, nil)
}

func savedName(n *ir.Node) string {
	if n.Name != "" {
		return n.Name
	}
	return n.Op.Name
}

func paramName(p *ir.Node) string { return p.Attr.(ir.ParamAttr).Name }
