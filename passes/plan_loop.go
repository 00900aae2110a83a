package passes

import (
	"fmt"

	"mdlc/ir"
	"mdlc/ir/index"
	"mdlc/ir/loop"
)

const i64 = loop.I64

// carry is a carried value of a loop and its memory. One slot where the value
// stays or is updated in place; two, used in turn; or a history of
// count+1 slots, where a stacked output collects the value.
type carry struct {
	buf   int
	bytes int
	slots int // 1, 2, or the capacity of count + 1: a history
	count *index.Expr
	back  bool // a history that runs from the end, for a reversed loop
	ys    int  // history: which stacked output, -1: none
	ahead bool // history: the output collects the value at the end of the turn
}

// at is the place of the value after the given number of turns.
func (c *carry) at(turns *index.Expr) ir.PlanRef {
	switch {
	case c.slots == 1:
		return ir.PlanRef{Buf: c.buf}
	case c.ys < 0:
		turns = index.Rem(turns, index.C(2))
	case c.back:
		turns = index.Sub(c.count, turns)
	}
	return ir.PlanRef{Buf: c.buf, Offset: index.Prod(turns, index.C(c.bytes))}
}

// stack is the place of the stacked output that a history holds.
func (c *carry) stack() ir.PlanRef {
	// Forward, slot k is the value at the start of turn k; backward, slot k is the one at
	// the end of the turn with index k.
	if c.ahead != c.back {
		return ir.PlanRef{Buf: c.buf, Offset: index.C(c.bytes)}
	}
	return ir.PlanRef{Buf: c.buf}
}

// body is a loop's region about to be placed.
type body struct {
	in      *level
	carries []*carry
	turn    *index.Expr // turns made so far
	at      *index.Expr // the turn as the region sees it
	made    *index.Expr // turns made when the loop ends
}

// open prepares the body of loop n and the memory of its carries; the launch that
// writes a first value may ask for it before the loop is placed.
func (lv *level) open(n *ir.Node) *body {
	if b := lv.bodies[n]; b != nil {
		return b
	}
	a, region := n.Attr.(ir.LoopAttr), n.Regions[0]
	l := &ir.PlanLoop{Node: n, Turn: fmt.Sprintf("turn.%d", lv.p.loops), Count: a.Count}
	sym := a.Sym
	if sym == "" {
		sym = fmt.Sprintf("index.%d", lv.p.loops)
	}
	lv.p.loops++
	b := &body{in: newLevel(lv.p, region, l, lv.scope), turn: index.V(l.Turn)}
	b.at = b.turn
	if a.Reverse {
		b.at = index.Sub(index.Sub(a.Count, index.C(1)), b.turn)
	}
	l.Syms = lv.loopSyms(n, sym, b.at)
	if turn := (value{region.Params[0], 0}); len(b.in.readers[turn]) > 0 || b.in.isResult[turn] {
		b.in.env[turn] = ir.PlanRef{Buf: lv.p.symbol(sym)}
	}
	lv.bodies[n] = b
	b.made = a.Count
	if a.While {
		l.Made = a.Made
		if l.Made == "" {
			l.Made = fmt.Sprintf("made.%d", lv.p.loops-1)
		}
		b.made = index.V(l.Made)
	}
	for i := range a.Carry {
		b.carries = append(b.carries, lv.carryOf(n, i, b))
	}
	return b
}

// carryOf decides on the memory of carry i, and aims its next value at it.
func (lv *level) carryOf(n *ir.Node, i int, b *body) *carry {
	a, region, in := n.Attr.(ir.LoopAttr), n.Regions[0], b.in
	p, next := value{region.Params[1+i], 0}, valueOf(region.Results[i].Value)
	c := &carry{bytes: p.typ().Bytes(), slots: 2, count: a.Count, back: a.Reverse, ys: -1}
	for j := a.Carry; j < len(region.Results) && c.ys < 0; j++ {
		if y := valueOf(region.Results[j].Value); (y == p || y == next) && p != next && !in.history[j] {
			c.ys, c.ahead = j-a.Carry, y == next
			c.slots = n.Type.Tuple[j].Dims[0].Size + 1
			in.history[j] = true
		}
	}
	_, taken := in.aim[next]
	aimed := !taken && writable(next)
	switch {
	case c.ys >= 0:
	case p == next:
		c.slots = 1
	case aimed && in.takesOver(p, next):
		c.slots = 1
		in.over[next] = p
	}
	slots := c.slots
	if slots == 1 {
		slots = 0
	}
	c.buf = lv.p.alloc(p.node.Name, p.typ(), slots, lv.loop)
	if aimed && p != next {
		in.aim[next] = c.at(index.Sum(b.turn, index.C(1)))
	}
	in.env[p] = c.at(b.turn)
	return c
}

// writable reports whether v can be written where its reader wants it:
// parameters lie elsewhere, leaves are made on demand, a loop keeps its carries itself.
func writable(v value) bool {
	if v.node.Op == ir.OpLoop {
		return v.k >= v.node.Attr.(ir.LoopAttr).Carry
	}
	return v.node.Op.Class != ir.ClassLeaf
}

// initOf is the carry whose first value v is, where v is nothing else.
func (lv *level) initOf(v value) *carry {
	readers := lv.readers[v]
	if len(readers) != 1 || readers[0].Op != ir.OpLoop || lv.isResult[v] || isLeaf(v.node) {
		return nil
	}
	in, at := readers[0], -1
	if lv.settled[v.node] && !lv.settled[in] {
		return nil // the turns write over it
	}
	for i, a := range in.Args {
		if valueOf(a) != v {
			continue
		}
		if at >= 0 || i >= in.Attr.(ir.LoopAttr).Carry {
			return nil
		}
		at = i
	}
	return lv.open(in).carries[at]
}

// placeLoop emits the loop n: first values, the loop, and where its results lie.
func (lv *level) placeLoop(n *ir.Node) {
	a, region, b := n.Attr.(ir.LoopAttr), n.Regions[0], lv.open(n)
	in := b.in
	for i, c := range b.carries {
		first := c.at(index.C(0))
		if init := valueOf(n.Args[i]); isLeaf(init.node) {
			lv.emit(leafLaunch(init.node, first))
		} else {
			lv.copy(init.typ(), lv.ref(init), first)
		}
	}
	for j := a.Carry; j < len(n.Args); j++ {
		p := value{region.Params[1+j], 0}
		in.env[p] = lv.ref(valueOf(n.Args[j]))
		if j < a.Carry+a.Xs {
			in.env[p] = moved(in.env[p], index.Prod(b.at, index.C(p.typ().Bytes())))
		}
	}
	ys := lv.placeOutputs(n, b)
	if a.While {
		in.loop.While = &ir.PlanRef{}
		*in.loop.While = b.carries[0].at(b.turn)
		for i, c := range b.carries {
			if c.slots == 1 && valueOf(region.Results[i].Value) != (value{region.Params[1+i], 0}) {
				in.loop.Over = append(in.loop.Over, c.buf)
			}
		}
	}
	in.placeAll(in.runs)
	for i, c := range b.carries {
		if v := valueOf(region.Results[i].Value); c.slots > 1 || v.node != region.Params[1+i] {
			in.copy(v.typ(), in.ref(v), c.at(index.Sum(b.turn, index.C(1))))
		}
		lv.env[value{n, i}] = c.at(b.made)
	}
	for j, to := range ys {
		if v := valueOf(region.Results[a.Carry+j].Value); to != nil {
			in.copy(v.typ(), in.ref(v), *to)
		}
	}
	if lv.scope.Capacity(a.Count) > 0 {
		in.loop.Code = in.code
	} else if !a.While {
		return
	}
	// With `while` it tells how many turns were made, also where none can be.
	lv.code = append(lv.code, ir.PlanInstr{Loop: in.loop})
}

// loopSyms is the symbols that the body of n sees anew in each turn.
func (lv *level) loopSyms(n *ir.Node, sym string, at *index.Expr) []ir.Sym {
	syms := []ir.Sym{{Name: sym, Max: max(0, lv.scope.Capacity(n.Attr.(ir.LoopAttr).Count)-1), Def: at}}
	for _, y := range n.Regions[0].Syms {
		if y.Name != sym {
			syms = append(syms, y)
		}
	}
	return syms
}

// placeOutputs finds the memory of the stacked outputs, and gives the places that
// the body's values go to; nil where a history holds them.
func (lv *level) placeOutputs(n *ir.Node, b *body) []*ir.PlanRef {
	a, region := n.Attr.(ir.LoopAttr), n.Regions[0]
	slices := make([]*ir.PlanRef, len(region.Results)-a.Carry)
	for _, c := range b.carries {
		if c.ys >= 0 {
			lv.env[value{n, a.Carry + c.ys}] = c.stack()
		}
	}
	for j := range slices {
		out := value{n, a.Carry + j}
		if b.in.history[a.Carry+j] {
			continue
		}
		lv.env[out] = lv.target(out)
		y := valueOf(region.Results[a.Carry+j].Value)
		slice := moved(lv.env[out], index.Prod(b.at, index.C(y.typ().Bytes())))
		slices[j] = &slice
		if _, taken := b.in.aim[y]; !taken && writable(y) {
			b.in.aim[y] = slice
		}
	}
	return slices
}
