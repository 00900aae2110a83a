package passes

import (
	"slices"
	"strings"

	"mdlc/ir"
	"mdlc/ir/index"
)

const (
	batchLeast  = 4 // turns from which on products of all turns at once pay
	batchMemory = 4 // times the memory that a loop has anyway, for what comes in and goes out, may be taken for all turns besides
)

// Batch takes products out of the turns of a loop that need not wait for them, and makes one of all turns:
//
//	%l = loop count(128) carry 2 xs 1 (%h, %dw, %x, %v, %w) { (%t, %h, %dw, %x, %v, %w) =>
//	    %a = dot ab,bc->ac %x, %v          of what comes in: before the loop
//	    %n = tanh (%a + dot ab,bc->ac %h, %w)
//	    (%n, %dw + dot ba,bc->ac %h, %n) }  a sum that no turn reads: after the loop
//
// becomes
//
//	%a = dot tab,bc->tac %x, %v
//	%l = loop count(128) carry 1 xs 1 (%h, %a, %w) { (%t, %h, %a, %w) =>
//	    %n = tanh (%a + dot ab,bc->ac %h, %w)
//	    (%n, %h, %n) }
//	%dw2 = %dw + dot tba,tbc->ac (get %l 1), (get %l 2)
//
// What a product reads of a turn is stored for all of them, if it is not yet; that must be less than what is saved, and no more than
// batchMemory: memory that grows with the turns. A weight that turns multiply by from its rows' side is transposed once, before the loop.
func Batch(g *ir.Graph) (*ir.Graph, error) {
	if !holds(g, isLoop) {
		return g, nil
	}
	return rewrite(g, batchRule)
}

func batchRule(g *ir.Graph) rule {
	return loopValues(func(b *ir.Builder, n *ir.Node, a ir.LoopAttr, args []*ir.Node) ([]*ir.Node, error) {
		g, err := rebuild(b.Region(n.Regions[0].Name), n.Regions[0], batchRule)
		if err != nil {
			return nil, err
		}
		x := newBatching(b, a, g, args)
		if lo, _ := a.Count.Range(b.Scope().Bound); !a.While && lo >= batchLeast && x.find() {
			return x.rebuild()
		}
		return x.gets(b.Loop(a, g, args...)), nil
	})
}

// batching is a loop whose products are looked at.
type batching struct {
	b      *ir.Builder
	attr   ir.LoopAttr
	g      *ir.Graph
	args   []*ir.Node
	turns  ir.Dim
	varies map[*ir.Node]bool // what turns change
	inner  map[string]bool   // symbols of the region
	uses   map[*ir.Node]int

	sunk   map[int]*sunkResult // by result
	before []*ir.Node          // products of what comes in
	turned []turnedWeight
	kept   []*ir.Node // what is stored of all turns besides
	room   int        // bytes that may still be taken for all turns
	stacks map[*ir.Node]*ir.Node
}

// turnedWeight is an operand that no turn changes, and the order of its axes that products read it by: summed ones before free ones.
type turnedWeight struct {
	w     *ir.Node
	order []int
}

// sunkResult is a result that is computed after the loop: moves of a product or a sum, and for a carry what that is added to.
type sunkResult struct {
	moves []*ir.Node // the last first
	core  *ir.Node
}

func newBatching(b *ir.Builder, a ir.LoopAttr, g *ir.Graph, args []*ir.Node) *batching {
	x := &batching{b: b, attr: a, g: g, args: args, turns: a.Turns(b.Scope()), varies: map[*ir.Node]bool{}, inner: map[string]bool{}, uses: map[*ir.Node]int{},
		sunk: map[int]*sunkResult{}, stacks: map[*ir.Node]*ir.Node{}}
	for _, y := range g.Syms {
		x.inner[y.Name] = true
	}
	for i, p := range g.Params {
		x.varies[p] = i <= a.Carry+a.Xs
	}
	for _, n := range order(g) {
		for _, y := range n.Args {
			x.varies[n] = x.varies[n] || x.varies[y]
			x.uses[y]++
		}
		if n.Op != ir.OpParam {
			x.varies[n] = x.varies[n] || n.Op.Class == ir.ClassControl || readsSymbol(n, x.inner)
		}
	}
	for _, y := range args {
		x.room += batchMemory * y.Type.Bytes()
	}
	for i, r := range g.Results {
		x.uses[r.Value]++
		if n := batchMemory * r.Value.Type.Bytes(); i < a.Carry {
			x.room += n
		} else {
			x.room += n * x.turns.Size
		}
	}
	return x
}

// takes reports whether there is room for so many bytes of each turn, and takes it.
func (x *batching) takes(bytes int) bool {
	if bytes *= x.turns.Size; bytes > x.room {
		return false
	}
	x.room -= bytes
	return true
}

// find decides what leaves the loop, and reports whether anything does.
func (x *batching) find() bool {
	var sums []int
	var cost, saved int // bytes of a turn
	asked := map[*ir.Node]bool{}
	for i, r := range x.g.Results {
		s := x.sinks(i, r.Value)
		if s == nil {
			continue
		}
		x.sunk[i] = s
		if i < x.attr.Carry && s.core.Op == ir.OpDot {
			sums = append(sums, i)
			saved += s.core.Type.Bytes()
			for _, y := range s.core.Args {
				for _, k := range x.storedBy(y) {
					if !asked[k] {
						asked[k] = true
						cost += k.Type.Bytes()
					}
				}
			}
		}
	}
	if cost > saved || !x.takes(cost) {
		for _, i := range sums {
			delete(x.sunk, i)
		}
		asked = map[*ir.Node]bool{}
	}
	for i := range x.g.Results { // others sink if what they read is stored anyway
		s := x.sunk[i]
		if s == nil || slices.Contains(sums, i) {
			continue
		}
		for _, y := range s.core.Args {
			if slices.ContainsFunc(x.storedBy(y), func(k *ir.Node) bool { return !asked[k] }) {
				delete(x.sunk, i)
			}
		}
	}
	for _, n := range order(x.g) {
		if asked[n] {
			x.kept = append(x.kept, n)
		}
		if n.Op == ir.OpDot && !x.isSunk(n) && x.varies[n] {
			x.product(n)
		}
	}
	return len(x.sunk)+len(x.before)+len(x.turned) > 0
}

func (x *batching) isSunk(n *ir.Node) bool {
	for _, s := range x.sunk {
		if s.core == n {
			return true
		}
	}
	return false
}

// sinks is result i as what can be computed after the loop, or nil.
func (x *batching) sinks(i int, v *ir.Node) *sunkResult {
	if x.uses[v] != 1 {
		return nil
	}
	if i < x.attr.Carry {
		p := x.g.Params[i+1]
		if v.Op != ir.OpAdd || x.uses[p] != 1 {
			return nil
		}
		switch p {
		case v.Args[0]:
			v = v.Args[1]
		case v.Args[1]:
			v = v.Args[0]
		default:
			return nil
		}
		if x.uses[v] != 1 {
			return nil
		}
	}
	s := &sunkResult{}
	for isMove(v) && x.uses[v] == 1 {
		s.moves = append(s.moves, v)
		v = v.Args[0]
	}
	s.core = v
	whole := func(n *ir.Node) bool { return x.varies[n] && !n.Type.IsDynamic() } // and all turns' are one tensor
	switch a := v.Attr.(type) {
	case ir.DotAttr:
		if y, z := v.Args[0], v.Args[1]; i < x.attr.Carry && !(whole(y) && whole(z)) || i >= x.attr.Carry && !(whole(y) && !x.varies[z] || whole(z) && !x.varies[y]) {
			return nil
		}
	case ir.ReduceAttr:
		if i >= x.attr.Carry || a.Kind != ir.Sum || !whole(v.Args[0]) {
			return nil
		}
	default:
		return nil
	}
	if x.uses[v] != 1 || slices.ContainsFunc(append(s.moves, v), func(n *ir.Node) bool { return readsSymbol(n, x.inner) }) {
		return nil
	}
	return s
}

// isMove reports whether n moves elements of one value, to places that no data say, with zeros outside.
func isMove(n *ir.Node) bool {
	a, ok := n.Attr.(ir.IndexAttr)
	return ok && n.Op == ir.OpIndex && len(n.Args) == 1 && (a.Outside == nil || *a.Outside == 0)
}

// storedBy lists what must be stored of each turn, and is not yet, so that n is there for all turns.
func (x *batching) storedBy(n *ir.Node) []*ir.Node {
	if x.isSlice(n) || !x.varies[n] || x.resultOf(n) >= 0 {
		return nil
	}
	if isMove(n) && !readsSymbol(n, x.inner) {
		return x.storedBy(n.Args[0])
	}
	return []*ir.Node{n}
}

// isSlice reports whether n is a slice of what comes in stacked.
func (x *batching) isSlice(n *ir.Node) bool {
	i := slices.Index(x.g.Params, n) - 1
	return i >= x.attr.Carry && i < x.attr.Carry+x.attr.Xs
}

// resultOf is the result that stacks n and stays, or -1.
func (x *batching) resultOf(n *ir.Node) int {
	for i := x.attr.Carry; i < len(x.g.Results); i++ {
		if x.g.Results[i].Value == n && x.sunk[i] == nil {
			return i
		}
	}
	return -1
}

// product looks at a product that stays in the turns: it leaves if all that changes of it comes in, else a weight may be transposed.
func (x *batching) product(n *ir.Node) {
	for i, w := range n.Args {
		other := n.Args[1-i]
		if x.varies[w] || !x.varies[other] || n.Type.IsDynamic() || readsSymbol(n, x.inner) {
			continue
		}
		if x.comesIn(other) && n.Type.Size() <= w.Type.Size() && x.takes(n.Type.Bytes()) {
			x.before = append(x.before, n)
			return
		}
		isW := func(t turnedWeight) bool { return t.w == w }
		if order := x.fromRows(n.Attr.(ir.DotAttr), i, w, other.Type.Size()); order != nil && !slices.ContainsFunc(x.turned, isW) {
			x.turned = append(x.turned, turnedWeight{w, order})
		}
	}
}

// comesIn reports whether n moves elements of a slice only.
func (x *batching) comesIn(n *ir.Node) bool {
	for isMove(n) && !readsSymbol(n, x.inner) {
		n = n.Args[0]
	}
	return x.isSlice(n)
}

// weightRows is how many rows of the other operand read a weight as it lies.
const weightRows = 12

// fromRows is the order of axes to turn operand i of a product to, a parameter of the region or a move of one, if that lies in memory with a
// summed axis last and the other operand, of so many elements, has rows enough that it would be rearranged for them in each turn; else nil.
func (x *batching) fromRows(a ir.DotAttr, i int, w *ir.Node, other int) []int {
	labels, theirs := a.A, a.B
	if i == 1 {
		labels, theirs = theirs, labels
	}
	rows := other
	var summed, kept []int
	free := false
	for k, d := range w.Type.Dims {
		l := labels[k : k+1]
		if strings.Contains(theirs, l) {
			rows /= max(d.Size, 1)
		} else {
			free = true
		}
		if strings.Contains(a.Out, l) {
			kept = append(kept, k)
		} else {
			summed = append(summed, k)
		}
	}
	source := w
	last := func(k int) bool { return k == len(w.Type.Dims)-1 }
	if isMove(w) {
		source = w.Args[0]
		at := w.Attr.(ir.IndexAttr).Out
		last = func(k int) bool { return len(at) > 0 && index.Equal(at[len(at)-1], ir.Var(k)) }
	}
	if source.Op != ir.OpParam || source == w && x.uses[w] > 1 || !free || rows <= weightRows || !slices.ContainsFunc(summed, last) {
		return nil
	}
	return append(summed, kept...)
}
