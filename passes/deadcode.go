package passes

import (
	"mdlc/ir"
)

// DeadCode removes what no result needs. Nodes outside loops die by not being
// reached; in loops it removes carries, stacked inputs, invariants and
// per-turn outputs:
//
//	%l = loop count(n) carry 2 xs 2 (%a, %b, %x, %y, %w) { (%t, %c, %d, %s, %r, %w) => (%c + %s, %d * 2, %r) }
//	result get 0 %l
//
// becomes
//
//	%l = loop count(n) carry 1 xs 1 (%a, %x) { (%t, %c, %s) => (%c + %s) }
//	result get 0 %l
//
// A carry that every turn hands on unchanged becomes an invariant.
func DeadCode(g *ir.Graph) (*ir.Graph, error) {
	if !holds(g, isLoop) {
		return g, nil
	}
	return rewrite(g, findDead)
}

func findDead(g *ir.Graph) rule {
	d := &deadLoops{used: map[*ir.Node]map[int]bool{}, moved: map[*ir.Node]*loopMove{}}
	for _, n := range order(g) {
		if a, ok := n.Attr.(ir.GetAttr); ok {
			if d.used[n.Args[0]] == nil {
				d.used[n.Args[0]] = map[int]bool{}
			}
			d.used[n.Args[0]][a.I] = true
		}
	}
	return d.rule
}

type deadLoops struct {
	used  map[*ir.Node]map[int]bool // which values of a tuple are read
	moved map[*ir.Node]*loopMove    // by the new loop
}

// loopMove says where the values of a loop went.
type loopMove struct {
	at   map[int]int      // old value to new
	same map[int]*ir.Node // a carry that does not change: its first value
}

func (d *deadLoops) rule(b *ir.Builder, n *ir.Node, args []*ir.Node) (*ir.Node, error) {
	switch a := n.Attr.(type) {
	case ir.LoopAttr:
		return d.loop(b, n, a, args)
	case ir.GetAttr:
		if m := d.moved[n.Args[0]]; m != nil {
			if v := m.same[a.I]; v != nil {
				return v, nil
			}
			return b.Get(args[0], m.at[a.I]), nil
		}
	}
	return nil, nil
}

// loop rebuilds a loop with what is used of it.
func (d *deadLoops) loop(b *ir.Builder, n *ir.Node, a ir.LoopAttr, args []*ir.Node) (*ir.Node, error) {
	g, err := rebuild(b.Region(n.Regions[0].Name), n.Regions[0], findDead)
	if err != nil {
		return nil, err
	}
	move := &loopMove{at: map[int]int{}, same: map[int]*ir.Node{}}
	d.moved[n] = move
	invariant := make([]bool, a.Carry)
	for i := range invariant {
		if a.While && i == 0 {
			continue
		}
		if g.Results[i].Value == g.Params[1+i] {
			invariant[i] = true
			move.same[i] = args[i]
		}
	}
	need, live := d.needed(n, a, g, invariant)

	r := b.Region(g.Name)
	for _, y := range g.Syms {
		r.Sym(y.Name, y.Max, y.Def)
	}
	na := a
	na.Carry, na.Xs = 0, 0
	var carries, xs, rest []int // arguments that stay, by what they become
	for i := range args {
		switch {
		case i < a.Carry && !invariant[i]:
			if need[i] {
				carries = append(carries, i)
			}
		case !live[g.Params[1+i]]:
		case i >= a.Carry && i < a.Carry+a.Xs:
			xs = append(xs, i)
		default:
			rest = append(rest, i)
		}
	}
	na.Carry, na.Xs = len(carries), len(xs)
	turn := g.Params[0].Attr.(ir.ParamAttr)
	inner := make([]*ir.Node, len(g.Params))
	inner[0] = r.Param(turn.Kind, turn.Name, turn.Type)
	var nargs []*ir.Node
	for _, i := range append(append(carries, xs...), rest...) {
		p := g.Params[1+i].Attr.(ir.ParamAttr)
		inner[1+i] = r.Param(p.Kind, p.Name, p.Type)
		nargs = append(nargs, args[i])
	}
	var results []ir.Result
	for i, res := range g.Results {
		if need[i] {
			move.at[i] = len(results)
			results = append(results, res)
		}
	}
	to := map[*ir.Node]*ir.Node{}
	for i, p := range g.Params {
		to[p] = inner[i]
	}
	ng, err := regraft(r, g, to, results)
	if err != nil {
		return nil, err
	}
	return b.Loop(na, ng, nargs...), nil
}

// needed gives which results of the region are needed and which of its nodes they reach.
func (d *deadLoops) needed(n *ir.Node, a ir.LoopAttr, g *ir.Graph, invariant []bool) (need map[int]bool, live map[*ir.Node]bool) {
	need, live = map[int]bool{}, map[*ir.Node]bool{}
	var visit func(x *ir.Node)
	visit = func(x *ir.Node) {
		if live[x] {
			return
		}
		live[x] = true
		for _, y := range x.Args {
			visit(y)
		}
	}
	want := func(i int) {
		need[i] = true
		visit(g.Results[i].Value)
	}
	for i := range g.Results {
		if (d.used[n][i] || a.While && i == 0) && !(i < a.Carry && invariant[i]) {
			want(i)
		}
	}
	for again := true; again; {
		again = false
		for i := 0; i < a.Carry; i++ {
			if live[g.Params[1+i]] && !need[i] && !invariant[i] {
				want(i)
				again = true
			}
		}
	}
	return need, live
}

// regraft rebuilds in r the nodes that the results reach, down to those that `to` holds already.
func regraft(r *ir.Builder, g *ir.Graph, to map[*ir.Node]*ir.Node, results []ir.Result) (*ir.Graph, error) {
	out := make([]ir.Result, len(results))
	for i, res := range results {
		v, err := graft(r, res.Value, to)
		if err != nil {
			return nil, err
		}
		out[i] = res
		out[i].Value = v
	}
	return r.Finish(out...), nil
}
