package passes

import (
	"fmt"
	"math"
	"strings"

	"mdlc/ir"
	"mdlc/ir/index"
	"mdlc/ir/loop"
)

// A value of a generation's body is settled if the next turn computes it again, the same bits at every place that it has
// in both turns: rows come to it, and what is there stays. So the rows of settled values may be kept.
//
// The proof is by rows. What an op computes at a row is settled if its operands are and it reads none after that row. A reduction along
// rows changes from turn to turn, unless what comes with later rows is its neutral element: a mask that is
// false after the diagonal makes scores -inf, and weights 0, there. Of values next to such constants the proof takes that they are finite.

// settler proves for the values of one generation, in its body and the regions in that.
type settler struct {
	*growth
	origins map[*ir.Node]origin // of parameters
	is      map[*ir.Node]bool   // settled; of carries in loops: as assumed
	loops   map[*ir.Node][]bool // settled results of loops
	known   map[string]constant
	grown   map[*ir.Node]int // carries of the generation that get one element a turn, past the end, along this axis
}

// origin is what a parameter of a region is.
type origin struct {
	of   *ir.Node // the loop
	kind originKind
	arg  *ir.Node // of the loop; nil: the turn
	i    int      // of the argument
}

type originKind uint8

const (
	fromTurn originKind = iota
	fromCarry
	fromSlice
	fromOutside
)

// constant is the value that is known of a place.
type constant struct {
	v     float64
	ok    bool
	exact bool // bit for bit, whatever unknown operands are; else NaN beside it is left out, and a zero may have either sign
}

func newSettler(w *growth, n *ir.Node) *settler {
	s := &settler{growth: w, origins: map[*ir.Node]origin{}, is: map[*ir.Node]bool{}, loops: map[*ir.Node][]bool{}, known: map[string]constant{}, grown: map[*ir.Node]int{}}
	s.enter(n)
	s.findGrown(n)
	return s
}

// enter notes the origins of the parameters of a loop's region, and of those inside.
func (s *settler) enter(n *ir.Node) {
	a, g := n.Attr.(ir.LoopAttr), n.Regions[0]
	for i, p := range g.Params {
		r := origin{of: n, i: i - 1}
		if i > 0 {
			r.arg, r.kind = n.Args[i-1], fromOutside
			if i <= a.Carry {
				r.kind = fromCarry
			} else if i <= a.Carry+a.Xs {
				r.kind = fromSlice
			}
		}
		s.origins[p] = r
	}
	for _, x := range order(g) {
		if isLoop(x) {
			s.enter(x)
		}
	}
}

// findGrown finds carries of the form where(i == E, new, carry): E is the length so far.
func (s *settler) findGrown(n *ir.Node) {
	a, g := n.Attr.(ir.LoopAttr), n.Regions[0]
	for i, r := range g.Results[:a.Carry] {
		p := g.Params[1+i]
		if r.Value.Op != ir.OpWhere || r.Value.Args[2] != p {
			continue
		}
		for axis := range p.Type.Dims {
			place := freePlace(p.Type.Rank())
			place[axis] = index.Sub(s.total, index.Sum(index.C(1), index.V("@d")))
			if c := s.knownAt(r.Value.Args[0], place); c.ok && c.v == 0 {
				s.grown[p] = axis
			}
		}
	}
}

// freePlace is a place at any indices.
func freePlace(rank int) []*index.Expr {
	place := make([]*index.Expr, rank)
	for k := range place {
		place[k] = index.V(fmt.Sprintf("@%d", k))
	}
	return place
}

// settled reports whether n is.
func (s *settler) settled(n *ir.Node) bool {
	if v, ok := s.is[n]; ok {
		return v
	}
	v := s.prove(n)
	s.is[n] = v
	return v
}

func (s *settler) prove(n *ir.Node) bool {
	if _, ok := s.everywhere(n); ok {
		return true
	}
	switch a := n.Attr.(type) {
	case ir.ParamAttr:
		r := s.origins[n]
		switch {
		case r.of == s.loop:
			return r.kind == fromOutside
		case r.kind == fromTurn:
			return true // of layers, or the row
		case r.kind == fromCarry:
			s.loopSettled(r.of)
			return s.is[n]
		}
		return s.settled(r.arg)
	case ir.GetAttr:
		return isLoop(n.Args[0]) && s.loopSettled(n.Args[0])[a.I]
	case ir.IndexAttr:
		return n.Op == ir.OpIndex && s.settledIndex(n, a)
	case ir.ReduceAttr:
		return s.settled(n.Args[0]) && s.settledSum(n, a)
	case ir.DotAttr:
		return s.settled(n.Args[0]) && s.settled(n.Args[1]) && s.settledDot(n, a)
	}
	apart := n.Op.Class == ir.ClassLeaf || byRows(n, s.rows(n.Type))
	for _, x := range append([]*ir.Node{n}, n.Args...) {
		if !apart && (x.Type.IsTuple() || s.rows(x.Type) != 0) {
			return false
		}
		if x != n && !s.settled(x) {
			return false
		}
	}
	return true
}

// byRows reports whether n at a row of these axes depends on its arguments at that row alone.
func byRows(n *ir.Node, rows axes) bool {
	return n.Op.Class == ir.ClassElementwise || n.Op == ir.OpBucket && !rows.has(n.Type.Rank()-1)
}

// loopSettled is which results of a loop are settled. That its carries are is assumed until a turn contradicts.
func (s *settler) loopSettled(n *ir.Node) []bool {
	if v, ok := s.loops[n]; ok {
		return v
	}
	a, g := n.Attr.(ir.LoopAttr), n.Regions[0]
	out := make([]bool, len(g.Results))
	s.loops[n] = out
	overRows := s.isRows(n)
	if _, fixed := a.Count.Const(); a.While || !fixed && (!overRows || a.Reverse) {
		return out
	}
	carried := make([]bool, a.Carry)
	for i := range carried {
		carried[i] = s.settled(n.Args[i])
	}
	for again := true; again; {
		again = false
		s.forget(g)
		for i, v := range carried {
			s.is[g.Params[1+i]] = v
		}
		for i, r := range g.Results {
			out[i] = s.settled(r.Value)
			if i < a.Carry && carried[i] && !out[i] {
				carried[i], again = false, true
			}
		}
	}
	for i := range carried {
		out[i] = carried[i] && !overRows
	}
	return out
}

// forget drops what was proved of the nodes of g, since what was assumed was wrong.
func (s *settler) forget(g *ir.Graph) {
	for _, n := range order(g) {
		delete(s.is, n)
		delete(s.loops, n)
		for _, r := range n.Regions {
			s.forget(r)
		}
	}
}

// settledIndex wants the map to read, of what grows, no row after that of the result.
func (s *settler) settledIndex(n *ir.Node, a ir.IndexAttr) bool {
	x := n.Args[0]
	grown, grows := s.grown[x]
	if !grows && !s.settled(x) {
		return false
	}
	for _, d := range n.Args[1:] {
		if !s.settled(d) {
			return false
		}
	}
	rows := s.rows(x.Type)
	for k, e := range a.Out {
		e = s.assume(s.withData(n, e))
		switch {
		case mentions(e, s.turn):
			return false
		case !rows.has(k) && !(grows && k == grown), e.IsConst(0) && s.neverEmpty():
		case !s.upToRow(n, e):
			return false
		}
	}
	return true
}

// upToRow reports whether e is no later row than the place of n is in.
func (s *settler) upToRow(n *ir.Node, e *index.Expr) bool {
	var rows []*index.Expr
	for k := range n.Type.Dims {
		if s.rows(n.Type).has(k) {
			rows = append(rows, ir.Var(k))
		}
	}
	data := false
	e.Vars(func(name string) {
		data = data || strings.HasPrefix(name, "$")
		if strings.HasPrefix(name, "@row") {
			rows = append(rows, index.V(name))
		}
	})
	for _, r := range rows {
		if lo, _ := index.Sub(r, e).Range(s.boundIn(n.Type.Dims)); lo >= 0 && !data {
			return true
		}
	}
	return false
}

// withData puts what is known of the data operands of an index into an expression of its map.
func (s *settler) withData(n *ir.Node, e *index.Expr) *index.Expr {
	own := ownPlace(n.Type.Rank())
	return e.Subst(func(name string) *index.Expr {
		if k, ok := mapData(name); ok {
			return s.intAt(n.Args[k], own)
		}
		return nil
	})
}

// neutral is the element that a reduction ignores.
var neutral = map[ir.ReduceKind]float64{ir.Sum: 0, ir.Prod: 1, ir.Max: math.Inf(-1), ir.Min: math.Inf(1), ir.Any: 0, ir.All: 1}

// settledSum wants what a reduction along rows gets from rows after its own to be neutral.
func (s *settler) settledSum(n *ir.Node, a ir.ReduceAttr) bool {
	x := n.Args[0]
	rows := s.rows(x.Type)
	kept := allAxes(x.Type.Rank()) &^ axesOf(a.Axes...)
	want, ok := neutral[a.Kind]
	for _, k := range a.Axes {
		if rows.has(k) && !(ok && s.afterRows(x, rows&kept, k, want)) {
			return false
		}
	}
	return true
}

func (s *settler) settledDot(n *ir.Node, a ir.DotAttr) bool {
	for _, l := range a.Contracted() {
		ok := true
		for i, labels := range []string{a.A, a.B} {
			x, k := n.Args[i], strings.IndexRune(labels, l)
			rows := s.rows(x.Type)
			if !rows.has(k) {
				continue
			}
			var kept axes
			for j, m := range labels {
				if strings.ContainsRune(a.Out, m) {
					kept |= axesOf(j)
				}
			}
			if ok = s.afterRows(x, rows&kept, k, 0); ok {
				break
			}
		}
		if !ok {
			return false
		}
	}
	return true
}

// afterRows reports whether x is v where its index along axis k is larger than that along one of the axes of rows.
func (s *settler) afterRows(x *ir.Node, rows axes, k int, v float64) bool {
	for a := range x.Type.Dims {
		if !rows.has(a) {
			continue
		}
		place := freePlace(x.Type.Rank())
		place[k] = index.Sum(place[a], index.C(1), index.V("@d"))
		if c := s.knownAt(x, place); c.ok && c.v == v {
			return true
		}
	}
	return false
}

// intAt is a whole number at a place, or nil.
func (s *settler) intAt(n *ir.Node, place []*index.Expr) *index.Expr {
	if n.Type.IsTuple() || n.Type.Elem != loop.I32 && n.Type.Elem != loop.I64 {
		return nil
	}
	switch a := n.Attr.(type) {
	case ir.IotaAttr:
		return place[a.Axis]
	case ir.ConstAttr:
		if v, ok := a.Splat(); ok {
			return index.C(int(v))
		}
		return nil
	case ir.IndexAttr:
		if at := s.through(n, a, place); at != nil {
			return s.intAt(n.Args[0], at)
		}
		return nil
	case ir.ParamAttr:
		r := s.origins[n]
		switch {
		case r.kind == fromTurn && r.of == s.loop:
			return index.V(s.turn)
		case r.kind == fromTurn && s.isRows(r.of):
			return index.V(fmt.Sprintf("@row%d", r.of.ID))
		case r.kind == fromOutside && r.of != s.loop:
			return s.intAt(r.arg, place)
		}
		return nil
	}
	if n.Op != ir.OpAdd && n.Op != ir.OpSub {
		return nil
	}
	x, y := s.intAt(n.Args[0], place), s.intAt(n.Args[1], place)
	switch {
	case x == nil || y == nil:
		return nil
	case n.Op == ir.OpAdd:
		return index.Sum(x, y)
	}
	return index.Sub(x, y)
}

// through is the place that an index reads for a place of its own, or nil where it is not known.
func (s *settler) through(n *ir.Node, a ir.IndexAttr, place []*index.Expr) []*index.Expr {
	if n.Op != ir.OpIndex || a.Outside != nil {
		return nil
	}
	out := make([]*index.Expr, len(a.Out))
	for k, e := range a.Out {
		unknown := false
		out[k] = s.assume(e.Subst(func(name string) *index.Expr {
			if i, ok := mapVar(name); ok {
				return place[i]
			}
			if i, ok := mapData(name); ok {
				v := s.intAt(n.Args[i], place)
				unknown = unknown || v == nil
				return v
			}
			return nil
		}))
		if unknown {
			return nil
		}
	}
	return out
}

// everywhere is the value of n, if it is known and the same at every place.
func (s *settler) everywhere(n *ir.Node) (float64, bool) {
	if n.Op.Class != ir.ClassElementwise {
		return 0, false
	}
	c := s.knownAt(n, freePlace(n.Type.Rank()))
	return c.v, c.exact
}

// knownAt is the value of n at a place, if it is the same wherever that is.
func (s *settler) knownAt(n *ir.Node, place []*index.Expr) constant {
	key := fmt.Sprintf("%p %v", n, place)
	c, ok := s.known[key]
	if !ok {
		c = s.evaluate(n, place)
		s.known[key] = c
	}
	return c
}

func (s *settler) evaluate(n *ir.Node, place []*index.Expr) constant {
	switch a := n.Attr.(type) {
	case ir.ConstAttr:
		v, ok := a.Splat()
		return constant{v, ok, ok}
	case ir.IndexAttr:
		if at := s.through(n, a, place); at != nil {
			return s.knownAt(n.Args[0], at)
		}
		return constant{}
	case ir.ParamAttr:
		if r := s.origins[n]; r.kind == fromOutside && r.of != s.loop {
			return s.knownAt(r.arg, place)
		}
		return constant{}
	}
	if n.Op.Class != ir.ClassElementwise || len(n.Args) == 0 {
		return constant{}
	}
	if n.Type.Elem == loop.Bool && len(n.Args) == 2 {
		x, y := s.intAt(n.Args[0], place), s.intAt(n.Args[1], place)
		if x != nil && y != nil {
			return s.compare(n, index.Sub(x, y))
		}
	}
	known := make([]constant, len(n.Args))
	for i, x := range n.Args {
		known[i] = s.knownAt(x, place)
	}
	return probe(n, known)
}

// compare is a comparison of numbers with this difference, if its sign decides.
func (s *settler) compare(n *ir.Node, difference *index.Expr) constant {
	lo, hi := difference.Range(s.boundIn(nil))
	one, zero := constant{1, true, true}, constant{0, true, true}
	switch {
	case lo >= 1:
		return probe(n, []constant{one, zero})
	case hi <= -1:
		return probe(n, []constant{zero, one})
	}
	return constant{}
}
