package passes

import (
	"fmt"

	"mdlc/ir"
	"mdlc/ir/index"
)

// decoder makes the steps of one generation.
type decoder struct {
	*settler
	row   *index.Expr // of this turn: a symbol
	slots []*slot
	dear  map[*ir.Node]bool
	work  work
}

// slot is what turns keep: the rows so far of a value, or what a loop along rows carries.
type slot struct {
	n    *ir.Node
	axis int        // of rows; -1: n is a carry of a loop along rows
	at   []*ir.Node // the loops around it, the outermost first
	t    ir.Type    // as long as can be, inside of those
}

// frame makes the row of a graph's values: of the body, or of the region of a loop in it.
type frame struct {
	*decoder
	outer *frame
	loop  *ir.Node // nil: the body
	along bool     // loop goes along rows, and this is the turn of the row
	b     *ir.Builder
	made  map[rowPart]*ir.Node
	loops map[*ir.Node][]*ir.Node // their results, of the row

	slices, same []passed // parameters of the region, as they come to be needed
	caches       map[*slot]*ir.Node
	next         map[*slot]*ir.Node
}

// rowPart is a value at the row along some of its axes, and at all rows along others.
type rowPart struct {
	n  *ir.Node
	at axes
}

// passed is a parameter and its argument.
type passed struct{ param, arg *ir.Node }

func (d *decoder) frame(outer *frame, loop *ir.Node, b *ir.Builder) *frame {
	return &frame{decoder: d, outer: outer, loop: loop, b: b, made: map[rowPart]*ir.Node{}, loops: map[*ir.Node][]*ir.Node{}, caches: map[*slot]*ir.Node{}, next: map[*slot]*ir.Node{}}
}

// blame ends the attempt: n has to be computed from the whole prefix.
func (d *decoder) blame(n *ir.Node, format string, a ...any) {
	r := whole(n.Pos, fmt.Sprintf(format, a...))
	r.at, r.s = n, d.settler
	panic(r)
}

// get is a part of n.
func (f *frame) get(n *ir.Node, at axes) *ir.Node {
	key := rowPart{n, at}
	if v := f.made[key]; v != nil {
		return v
	}
	pos := f.b.Pos
	f.b.Pos = n.Pos
	v := ir.Named(f.compute(n, at), n.Name)
	f.count(n, at, v)
	f.b.Pos = pos
	f.made[key] = v
	return v
}

// dims is the shape of a part of n.
func (f *frame) dims(n *ir.Node, at axes) []ir.Dim {
	dims := append([]ir.Dim{}, n.Type.Dims...)
	for k, d := range dims {
		switch {
		case at.has(k):
			dims[k] = ir.Dim{Size: 1}
		case f.rows(n.Type).has(k):
			dims[k] = ir.DynDim(index.Sum(f.row, index.C(1)), d.Size)
		}
	}
	return dims
}

func (f *frame) compute(n *ir.Node, at axes) *ir.Node {
	rows := f.rows(n.Type)
	if v, ok := f.everywhere(n); ok {
		return f.b.Const(ir.OfDims(n.Type.Elem, f.dims(n, at)), v)
	}
	if rows != at && f.keeps(n) {
		return f.kept(n)
	}
	switch a := n.Attr.(type) {
	case ir.ParamAttr:
		return f.param(n, at)
	case ir.ConstAttr:
		a.Type = ir.OfDims(a.Type.Elem, f.dims(n, at))
		return f.b.Make(n.Op, a)
	case ir.IotaAttr:
		if at.has(a.Axis) {
			return f.rowNumber(f.dims(n, at))
		}
		return f.b.Iota(f.dims(n, at), a.Axis)
	case ir.GetAttr:
		return f.result(n, a.I, at)
	case ir.IndexAttr:
		if n.Op == ir.OpIndex {
			return f.index(n, a, at)
		}
	case ir.ReduceAttr:
		return f.b.Reduce(a.Kind, a.Axes, f.operand(n, n.Args[0], keptAxes(at, a.Axes)))
	case ir.DotAttr:
		if rows != 0 && at == 0 {
			f.blame(n, "this product over the elements so far depends on later ones")
		}
		var args [2]*ir.Node
		for i, labels := range []string{a.A, a.B} {
			args[i] = f.operand(n, n.Args[i], sameLabels(at, a.Out, labels))
		}
		return f.b.Make(n.Op, a, args[0], args[1])
	}
	args := make([]*ir.Node, len(n.Args))
	for i, x := range n.Args {
		if !byRows(n, rows) && (rows != 0 || x.Type.IsTuple() || f.rows(x.Type) != 0) {
			f.blame(n, "%s of the elements so far has no step for one of them", n.Op.Name)
		}
		args[i] = f.get(x, at)
	}
	v, err := keep(f.b, n, args, nothing)
	if err != nil {
		panic(err)
	}
	return v
}

// operand is a part of x for n. A turn after an empty prompt computes a row that is none, and all rows are that one; what has no
// rows itself, and so goes on from there, is to see no row.
func (f *frame) operand(n, x *ir.Node, at axes) *ir.Node {
	v := f.get(x, at)
	if f.along || f.rows(n.Type) != 0 || f.rows(x.Type) == at || f.neverEmpty() {
		return v
	}
	dims, zero := append([]ir.Dim{}, v.Type.Dims...), 0.0
	for k := range dims {
		if (f.rows(x.Type) &^ at).has(k) {
			dims[k] = x.Type.Dims[k]
		}
	}
	return f.b.Index(v, dims, ownPlace(len(dims)), &zero)
}

// keptAxes are the axes of a reduction's operand that are these of its result.
func keptAxes(at axes, reduced []int) (out axes) {
	k := 0
	for i := 0; at>>k != 0; i++ {
		if axesOf(reduced...).has(i) {
			continue
		}
		if at.has(k) {
			out |= axesOf(i)
		}
		k++
	}
	return out
}

// sameLabels are the axes of an operand of a product with the labels of these of its result.
func sameLabels(at axes, result, operand string) (out axes) {
	for i, l := range operand {
		for k, m := range result {
			if l == m && at.has(k) {
				out |= axesOf(i)
			}
		}
	}
	return out
}

// rowNumber is the row's number, i32.
func (f *frame) rowNumber(dims []ir.Dim) *ir.Node {
	return f.b.Index(f.b.Iota([]ir.Dim{{Size: f.most}}, 0), dims, []*index.Expr{f.row}, nil)
}

// index reads the row where the map leads to it, and all rows else. The last row is the row, if there is one yet.
func (f *frame) index(n *ir.Node, a ir.IndexAttr, at axes) *ir.Node {
	x := n.Args[0]
	last := index.Sum(f.total, index.C(-1))
	var from axes
	out := make([]*index.Expr, len(a.Out))
	here := func(e *index.Expr) *index.Expr {
		return e.Subst(func(name string) *index.Expr {
			if i, ok := mapVar(name); ok && at.has(i) {
				return f.row
			}
			return nil
		})
	}
	for k, e := range a.Out {
		out[k] = here(e)
		if !f.rows(x.Type).has(k) {
			continue
		}
		switch e := here(f.assume(f.withRow(n, e))); {
		case index.Equal(e, f.row):
			from, out[k] = from|axesOf(k), index.C(0)
		case index.Equal(e, last):
			from, out[k] = from|axesOf(k), index.Least(index.C(0), last)
		}
	}
	var data []*ir.Node
	for _, d := range n.Args[1:] {
		data = append(data, f.get(d, at))
	}
	read, err := f.b.TryMake(n.Op, ir.IndexAttr{Vars: n.Type.Rank(), Out: out, Outside: a.Outside, Shape: f.dims(n, at)}, append([]*ir.Node{f.operand(n, x, from)}, data...)...)
	if err != nil {
		f.blame(n, "this index of the elements so far has no step for one of them")
	}
	return read
}

// withRow puts the row for data operands that are the number of the turn of a loop along rows.
func (f *frame) withRow(n *ir.Node, e *index.Expr) *index.Expr {
	if !f.along {
		return e
	}
	mine := fmt.Sprintf("@row%d", f.loop.ID)
	return f.withData(n, e).Subst(func(name string) *index.Expr {
		if name == mine {
			return f.row
		}
		return nil
	})
}

// keeps reports whether all rows of n are kept rather than computed again.
func (f *frame) keeps(n *ir.Node) bool {
	if f.along || len(f.rows(n.Type).list(n.Type.Rank())) != 1 || n.Op.Class == ir.ClassMovement || !f.isDear(n) {
		return false
	}
	return (n.Op != ir.OpParam || f.origins[n].kind == fromCarry) && f.settled(n)
}

// isDear reports whether a product, a reduction or a loop is behind n.
func (d *decoder) isDear(n *ir.Node) bool {
	v, ok := d.dear[n]
	if ok {
		return v
	}
	switch n.Op.Class {
	case ir.ClassReduce, ir.ClassDot, ir.ClassScatter, ir.ClassControl, ir.ClassOther:
		v = true
	}
	if n.Op == ir.OpParam {
		v = d.origins[n].kind == fromCarry && d.origins[n].of != d.loop
	}
	for _, x := range n.Args {
		v = v || d.isDear(x)
	}
	d.dear[n] = v
	return v
}

// slot is the slot for n in this graph.
func (f *frame) slot(n *ir.Node, axis int) *slot {
	s := &slot{n: n, axis: axis, t: ir.OfDims(n.Type.Elem, append([]ir.Dim{}, n.Type.Dims...))}
	if axis >= 0 {
		s.t.Dims[axis].Len = nil
	}
	for g := f; g.loop != nil; g = g.outer {
		s.at = append([]*ir.Node{g.loop}, s.at...)
	}
	f.slots = append(f.slots, s)
	return s
}

// cache is what a slot had before this turn; t is its type in this graph.
func (f *frame) cache(s *slot, t ir.Type) *ir.Node {
	if c := f.caches[s]; c != nil {
		return c
	}
	var arg *ir.Node
	if f.loop != nil {
		turns, _ := f.loop.Attr.(ir.LoopAttr).Count.Const()
		arg = f.outer.cache(s, ir.OfDims(t.Elem, append([]ir.Dim{{Size: turns}}, t.Dims...)))
	}
	c := f.b.Param(ir.ParamValue, "cache", t)
	if f.loop != nil {
		f.slices = append(f.slices, passed{c, arg})
	}
	f.caches[s] = c
	return c
}

// kept is all rows of n: those of a cache, and the one of this turn.
func (f *frame) kept(n *ir.Node) *ir.Node {
	axis := f.rows(n.Type).list(n.Type.Rank())[0]
	s := f.slot(n, axis)
	cache, row, dims := f.cache(s, s.t), f.get(n, axesOf(axis)), f.dims(n, 0)
	f.next[s] = row
	return f.insert(f.b.Index(cache, dims, ownPlace(len(dims)), nil), row, axis)
}

// insert is a cache with the row in its place.
func (f *frame) insert(cache, row *ir.Node, axis int) *ir.Node {
	dims := cache.Type.Dims
	out := ownPlace(len(dims))
	out[axis] = index.C(0)
	mine := f.b.Make(ir.OpEq, nil, f.b.Iota(dims, axis), f.rowNumber(dims))
	return f.b.Where(mine, f.b.Index(row, dims, out, nil), cache)
}

// param is a part of a parameter of a loop's region.
func (f *frame) param(n *ir.Node, at axes) *ir.Node {
	r := f.origins[n]
	switch {
	case r.kind == fromCarry || r.kind == fromTurn:
		f.blame(n, "%s, which is needed at all elements so far, depends on later ones", n.Name)
	case r.kind == fromOutside && f.along:
		return f.outer.get(r.arg, at)
	case r.kind == fromOutside:
		arg := f.outer.get(r.arg, at)
		p := f.b.Param(ir.ParamValue, n.Name, arg.Type)
		f.same = append(f.same, passed{p, arg})
		return p
	case f.along:
		row := f.outer.get(r.arg, at<<1|1)
		dims := f.dims(n, at)
		return f.b.Index(row, dims, append([]*index.Expr{index.C(0)}, ownPlace(len(dims))...), nil)
	}
	arg := f.outer.get(r.arg, at<<1)
	p := f.b.Param(ir.ParamValue, n.Name, ir.OfDims(arg.Type.Elem, arg.Type.Dims[1:]))
	f.slices = append(f.slices, passed{p, arg})
	return p
}

// result is the part of result i of a loop; n is the get.
func (f *frame) result(n *ir.Node, i int, at axes) *ir.Node {
	l := n.Args[0]
	if !isLoop(l) || at != f.rows(n.Type) {
		f.blame(l, "this %s over the elements so far depends on later ones", l.Op.Name)
	}
	if f.loops[l] == nil {
		switch a := l.Attr.(ir.LoopAttr); {
		case !f.grows(l):
			args := make([]*ir.Node, len(l.Args))
			for i, x := range l.Args {
				args[i] = f.get(x, 0)
			}
			whole, err := keep(f.b, l, args, nothing)
			if err != nil {
				panic(err)
			}
			for i := range l.Type.Tuple {
				f.loops[l] = append(f.loops[l], f.b.Get(whole, i))
			}
		case a.While || f.along:
			f.blame(l, "a loop in a loop over the elements so far, or with a condition, has no step for one of them")
		case f.isRows(l):
			f.recurrence(l, a)
		default:
			f.layers(l, a)
		}
	}
	return f.loops[l][i]
}

// grows reports whether something in a loop has rows.
func (f *frame) grows(l *ir.Node) bool {
	grows := f.isRows(l)
	for _, x := range l.Args {
		grows = grows || f.rows(x.Type) != 0
	}
	eachNode(l.Regions[0], func(n *ir.Node) {
		grows = grows || f.rows(n.Type) != 0 || isLoop(n) && f.isRows(n)
	})
	return grows
}

// recurrence makes the turn of the row of a loop along rows.
func (f *frame) recurrence(l *ir.Node, a ir.LoopAttr) {
	g := l.Regions[0]
	t := f.frame(f, l, f.b)
	t.along = true
	t.made[rowPart{g.Params[0], 0}] = f.rowNumber(nil)
	states := make([]*slot, a.Carry)
	for i := range states {
		p := g.Params[1+i]
		if a.Reverse || !f.settled(p) {
			f.blame(l, "this loop over the elements so far depends on later ones")
		}
		states[i] = f.slot(p, -1)
		t.made[rowPart{p, 0}] = f.cache(states[i], p.Type)
	}
	for i, r := range g.Results {
		v := t.get(r.Value, 0)
		if i < a.Carry {
			if !f.neverEmpty() {
				v = f.b.Where(f.any(v.Type.Dims), v, f.caches[states[i]])
			}
			f.next[states[i]] = v
		} else {
			if f.rows(r.Value.Type) != 0 {
				f.blame(r.Value, "a loop that makes values for each pair of the elements so far has no step for one of them")
			}
			dims := append([]ir.Dim{{Size: 1}}, v.Type.Dims...)
			v = f.b.Index(v, dims, ownPlace(len(dims))[1:], nil)
		}
		f.loops[l] = append(f.loops[l], v)
	}
}

// layers makes a loop, of a known number of turns, for the row.
func (f *frame) layers(l *ir.Node, a ir.LoopAttr) {
	if _, ok := a.Count.Const(); !ok {
		f.blame(l, "a loop of %s turns has no step for one element", a.Count)
	}
	g := l.Regions[0]
	in := f.frame(f, l, f.b.Region(g.Name))
	for _, y := range g.Syms {
		in.b.Sym(y.Name, y.Max, y.Def)
	}
	turn := in.b.Param(ir.ParamValue, g.Params[0].Name, g.Params[0].Type)
	in.made[rowPart{g.Params[0], 0}] = turn
	params, args := []*ir.Node{turn}, []*ir.Node{}
	for i, x := range l.Args[:a.Carry] {
		at := f.rows(x.Type)
		arg, old := f.get(x, at), g.Params[1+i]
		p := in.b.Param(ir.ParamValue, old.Name, arg.Type)
		in.made[rowPart{old, at}] = p
		params, args = append(params, p), append(args, arg)
	}
	var values []*ir.Node
	for _, r := range g.Results {
		values = append(values, in.get(r.Value, f.rows(r.Value.Type)))
	}
	var kept []*slot
	for _, s := range f.slots {
		if v := in.next[s]; v != nil {
			kept, values = append(kept, s), append(values, v)
		}
	}
	for _, x := range append(in.slices, in.same...) {
		params, args = append(params, x.param), append(args, x.arg)
	}
	region := in.b.FinishValues(values...)
	region.Params = params
	a.Xs = len(in.slices)
	whole := f.b.Loop(a, region, args...)
	for i := range values {
		v := f.b.Get(whole, i)
		if i < len(g.Results) {
			f.loops[l] = append(f.loops[l], v)
		} else {
			f.next[kept[i-len(g.Results)]] = v
		}
	}
}
