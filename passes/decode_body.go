package passes

import (
	"fmt"
	"slices"

	"mdlc/ir"
	"mdlc/ir/index"
	"mdlc/ir/loop"
)

// body is the region of the new loop: its carries are the old ones and the slots.
func (d *decoder) body(b *ir.Builder) *ir.Graph {
	a, g := d.loop.Attr.(ir.LoopAttr), d.loop.Regions[0]
	r := b.Region(g.Name)
	for _, y := range g.Syms {
		r.Sym(y.Name, y.Max, y.Def)
	}
	to := map[*ir.Node]*ir.Node{}
	var params []*ir.Node
	for _, p := range g.Params {
		to[p] = r.Param(ir.ParamValue, p.Name, p.Type)
		params = append(params, to[p])
	}
	d.row = d.number(r)
	f := d.frame(nil, nil, r)
	var caches, next, values []*ir.Node
	if d.window == 0 {
		for p, v := range to {
			f.made[rowPart{p, 0}] = v
		}
		for _, x := range g.Results {
			values = append(values, f.get(x.Value, 0))
		}
	} else {
		d.windowed(f, to, params)
		for _, x := range g.Results {
			v, err := graft(r, x.Value, to)
			if err != nil {
				panic(err)
			}
			values = append(values, v)
		}
	}
	for _, s := range d.slots {
		v := f.next[s]
		if s.axis >= 0 {
			v = f.insert(f.caches[s], v, len(s.at)+s.axis)
		}
		caches, next = append(caches, f.caches[s]), append(next, v)
	}
	region := r.FinishValues(slices.Insert(values, a.Carry, next...)...)
	region.Params = slices.Insert(params, 1+a.Carry, caches...)
	return region
}

// number is a symbol for the row of a turn, in the body.
func (d *decoder) number(b *ir.Builder) *index.Expr {
	row := index.Sum(index.Most(index.C(1), d.total), index.C(-1))
	if d.window > 0 { // in a turn that is no step nobody asks, but it is to be the number of a row
		row = index.Least(row, index.C(d.window-1))
	}
	name := "row"
	for k := 1; ; k++ {
		if _, taken := b.Scope().Lookup(name); !taken {
			return b.Sym(name, d.most-1, row)
		}
		name = fmt.Sprintf("row%d", k)
	}
}

// any is whether there is an element yet: a turn after an empty prompt has no row, and no recurrence goes on.
func (f *frame) any(dims []ir.Dim) *ir.Node {
	no := 0.0
	yes := f.b.Const(ir.TensorOf(loop.Bool, f.most), 1)
	return f.b.Index(yes, dims, []*index.Expr{index.Sum(f.total, index.C(-1))}, &no)
}

// windowed adds two loops of at most one turn to the body, of which one makes a turn: the step, and the body as it was. Both make what the
// rest of the body, which no row is in, needs of rows; to is told of it. What slots get in turns that are no steps does not
// matter: no step comes after them.
func (d *decoder) windowed(f *frame, to map[*ir.Node]*ir.Node, params []*ir.Node) {
	border := d.border()
	g, r := d.loop.Regions[0], f.b
	enter := func(name string) (b *ir.Builder, turn *ir.Node, same []*ir.Node, in map[*ir.Node]*ir.Node) {
		b, in = r.Region(name), map[*ir.Node]*ir.Node{}
		turn = b.Param(ir.ParamValue, "turn", params[0].Type)
		for i, p := range g.Params {
			same = append(same, b.Param(ir.ParamValue, p.Name, params[i].Type))
			in[p] = same[i]
		}
		return b, turn, same, in
	}
	carry := func(b *ir.Builder, turn *ir.Node, values, same []*ir.Node) *ir.Graph {
		carried := []*ir.Node{turn}
		for _, v := range values {
			carried = append(carried, b.Param(ir.ParamValue, v.Name, v.Type))
		}
		region := b.FinishValues(values...)
		region.Params = append(carried, same...)
		return region
	}
	b, turn, same, in := enter("step")
	step := d.frame(nil, nil, b)
	for p, v := range in {
		step.made[rowPart{p, 0}] = v
	}
	var values, start []*ir.Node
	for _, v := range border {
		values = append(values, step.get(v, 0))
	}
	args := append([]*ir.Node{}, params...)
	for _, s := range d.slots {
		values, same = append(values, step.next[s]), append(same, step.caches[s])
		f.caches[s] = r.Param(ir.ParamValue, step.caches[s].Name, step.caches[s].Type)
		args = append(args, f.caches[s])
	}
	for _, v := range values {
		start = append(start, r.Const(v.Type, 0))
	}
	one := index.C(1)
	steps := index.Least(one, index.Most(index.C(0), index.Sub(index.C(d.window+1), d.total)))
	made := r.Loop(ir.LoopAttr{Count: steps, Carry: len(values)}, carry(b, turn, values, same), append(start, args...)...)
	for i, s := range d.slots {
		f.next[s] = r.Get(made, len(border)+i)
	}
	b, turn, same, in = enter("whole")
	values = nil
	var got []*ir.Node
	for i, v := range border {
		w, err := graft(b, v, in)
		if err != nil {
			panic(err)
		}
		values, got = append(values, w), append(got, r.Get(made, i))
	}
	all := r.Loop(ir.LoopAttr{Count: index.Sub(one, steps), Carry: len(values)}, carry(b, turn, values, same), append(got, params...)...)
	for i, v := range border {
		to[v] = r.Get(all, i)
	}
}

// border is the values of the body without rows that are made of values with rows.
func (d *decoder) border() (out []*ir.Node) {
	rows := map[*ir.Node]bool{} // has rows, or is a loop with rows inside
	f := d.frame(nil, nil, nil)
	for _, n := range order(d.loop.Regions[0]) {
		if n.Type.IsTuple() {
			rows[n] = isLoop(n) && f.grows(n)
			continue
		}
		rows[n] = d.rows(n.Type) != 0
		for _, x := range n.Args {
			if rows[x] && !rows[n] {
				out = append(out, n)
				break
			}
		}
	}
	return out
}

// prefill is what slots have before the first turn: the rows of the prompt, but for the last, with which the first turn begins.
func (d *decoder) prefill(b *ir.Builder, args []*ir.Node) ([]*ir.Node, error) {
	first := func(e *index.Expr) *index.Expr {
		return e.Subst(func(name string) *index.Expr {
			if name == d.turn {
				return index.C(0)
			}
			return nil
		})
	}
	count := index.Most(index.C(0), index.Sum(first(d.length), index.C(-1)))
	p := &prefix{decoder: d, b: b, to: map[*ir.Node]*ir.Node{}, inner: map[*slot]*ir.Node{}, first: first, count: count, none: b.Scope().Capacity(count) == 0}
	params := d.loop.Regions[0].Params
	p.to[params[0]] = b.I32(0)
	for i, x := range args {
		p.to[params[1+i]] = x
	}
	var out []*ir.Node
	zero := 0.0
	for _, s := range d.slots {
		v, err := p.value(s)
		if err != nil {
			return nil, err
		}
		if s.axis >= 0 {
			dims := append([]ir.Dim{}, v.Type.Dims...)
			dims[len(s.at)+s.axis] = s.t.Dims[s.axis]
			if p.none {
				v = b.Const(ir.OfDims(v.Type.Elem, dims), 0)
			} else {
				v = b.Index(v, dims, ownPlace(len(dims)), &zero)
			}
		}
		out = append(out, v)
	}
	return out, nil
}

// prefix makes the values of a graph, the body or the region of a loop in it, over the rows before the first turn.
type prefix struct {
	*decoder
	b     *ir.Builder
	depth int // of layers around
	to    map[*ir.Node]*ir.Node
	inner map[*slot]*ir.Node // what loops of this graph keep for slots in them
	first func(*index.Expr) *index.Expr
	count *index.Expr
	none  bool
}

// value is what a slot has in this graph: with an axis for each loop between.
func (p *prefix) value(s *slot) (*ir.Node, error) {
	if len(s.at) > p.depth {
		_, err := p.node(s.at[p.depth])
		return p.inner[s], err
	}
	if s.axis >= 0 {
		return p.node(s.n)
	}
	o := p.origins[s.n]
	l, err := p.node(o.of)
	if err != nil {
		return nil, err
	}
	return p.b.Get(l, o.i), nil
}

func (p *prefix) node(n *ir.Node) (*ir.Node, error) {
	if v := p.to[n]; v != nil {
		return v, nil
	}
	args := make([]*ir.Node, len(n.Args))
	for i, x := range n.Args {
		v, err := p.node(x)
		if err != nil {
			return nil, err
		}
		args[i] = v
	}
	pos := p.b.Pos
	p.b.Pos = n.Pos
	defer func() { p.b.Pos = pos }()
	attr := n.Attr
	switch a := attr.(type) {
	case ir.ConstAttr:
		a.Type = ir.OfDims(a.Type.Elem, p.dims(a.Type.Dims))
		attr = a
	case ir.IotaAttr:
		a.Dims = p.dims(a.Dims)
		attr = a
	case ir.IndexAttr:
		out := make([]*index.Expr, len(a.Out))
		for k, e := range a.Out {
			out[k] = p.first(e)
		}
		a.Out, a.Shape = out, p.dims(a.Shape)
		attr = a
	case ir.LoopAttr:
		return p.loopNode(n, a, args)
	}
	v, err := p.b.TryMakeWith(n.Op, attr, n.Regions, args...)
	if err == nil {
		p.to[n] = ir.Named(v, n.Name)
	}
	return v, err
}

// dims is a shape over the rows before the first turn.
func (p *prefix) dims(dims []ir.Dim) []ir.Dim {
	out := append([]ir.Dim{}, dims...)
	for k, d := range out {
		if p.rows(ir.OfDims(0, dims)).has(k) {
			out[k] = ir.DynDim(p.count, p.b.Scope().Capacity(p.count))
		} else if d.Len != nil {
			out[k] = ir.DynDim(p.first(d.Len), d.Size)
		}
	}
	return out
}

// loopNode is a loop that also gives, as outputs, what it has for the slots in it.
func (p *prefix) loopNode(n *ir.Node, a ir.LoopAttr, args []*ir.Node) (*ir.Node, error) {
	g := n.Regions[0]
	in := &prefix{decoder: p.decoder, b: p.b.Region(g.Name), depth: p.depth + 1, to: map[*ir.Node]*ir.Node{}, inner: map[*slot]*ir.Node{}, first: p.first, count: p.count}
	for _, y := range g.Syms {
		in.b.Sym(y.Name, y.Max, y.Def)
	}
	for i, x := range g.Params {
		t := x.Type
		if i > 0 {
			t = args[i-1].Type
			if i > a.Carry && i <= a.Carry+a.Xs {
				t = ir.OfDims(t.Elem, t.Dims[1:])
			}
		}
		in.to[x] = in.b.Param(ir.ParamValue, x.Name, t)
	}
	var values []*ir.Node
	for _, r := range g.Results {
		v, err := in.node(r.Value)
		if err != nil {
			return nil, err
		}
		values = append(values, v)
	}
	var kept []*slot
	for _, s := range p.slots {
		if len(s.at) > p.depth && s.at[p.depth] == n {
			v, err := in.value(s)
			if err != nil {
				return nil, err
			}
			kept, values = append(kept, s), append(values, v)
		}
	}
	if p.isRows(n) {
		a.Count = p.count
	} else {
		a.Count = p.first(a.Count)
	}
	l, err := p.b.TryMakeWith(n.Op, a, []*ir.Graph{in.b.FinishValues(values...)}, args...)
	if err != nil {
		return nil, err
	}
	for i, s := range kept {
		p.inner[s] = p.b.Get(l, len(g.Results)+i)
	}
	p.to[n] = l
	return l, nil
}
