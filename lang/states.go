package lang

import (
	"fmt"
	"slices"
	"strings"

	"mdlc/ir"
)

// A heldState is a state as a region sees it: a parameter, and the newest value. What
// changes is carried by the loop; of an instance that a turn picks, it is stacked.
type heldState struct {
	key   stateKey
	param *ir.Node
	outer *ir.Node // the value outside, when the region saw it first
	now   Tensor
	at    Span // of the last change
}

// stateKey is a state, and the loop whose turn picks the instance; nil: the state as a whole.
type stateKey struct {
	state *stateDecl
	turn  *frame
}

// held is the state in region f.
func (b *builder) held(f *frame, k stateKey) *heldState {
	for _, h := range f.states {
		if h.key == k {
			return h
		}
	}
	h := &heldState{key: k}
	if k.turn == f {
		h.now = f.slice(b.stateIn(f.outer, stateKey{k.state, nil}))
		h.param = h.now.N
	} else {
		outer := b.stateIn(f.outer, k)
		h.outer = f.outer.use(outer)
		h.param = f.b.Param(ir.ParamValue, k.state.name, h.outer.Type)
		h.now = Tensor{N: h.param, F: f, One: outer.One}
	}
	f.states = append(f.states, h)
	return h
}

// stateIn is the newest value of a state in frame f.
func (b *builder) stateIn(f *frame, k stateKey) Tensor {
	if f == b.entry.f {
		return b.entry.value(k.state)
	}
	if f.outer == nil {
		panic("lang: graph " + f.b.Name + " meets a state of another one")
	}
	return b.held(f, k).now
}

// whole is the newest value of a state with its stack axes, here.
func (b *builder) whole(s *stateDecl) Tensor {
	if b.entry.local[s] {
		return b.entry.current[s]
	}
	return b.stateIn(b.f, stateKey{s, nil})
}

// setState assigns a state in frame f. The new value is where gradients end: what it was computed
// from, the step of an optimizer, say, is the past.
func (b *builder) setState(f *frame, k stateKey, v Tensor, at Span) {
	v = Tensor{N: f.use(v), F: f, One: v.One}
	if v.N.Type.Elem.IsFloat() {
		v.N = f.b.Stop(v.N)
	}
	if f == b.entry.f {
		b.entry.current[k.state], b.entry.changed[k.state] = v, at
		b.entry.writes = append(b.entry.writes, at)
		return
	}
	h := b.held(f, k)
	h.now, h.at = v, at
}

// changedAt is where a state was assigned last, as far as this frame knows.
func (b *builder) changedAt(s *stateDecl) (Span, bool) {
	for f := b.f; f != nil; f = f.outer {
		for _, h := range f.states {
			if h.key.state == s && h.now.N != h.param {
				return h.at, true
			}
		}
	}
	at, ok := b.entry.changed[s]
	return at, ok
}

// closeLoop makes the loop of region f and hands on what it did to states. It gives the
// final carries and the stacked outputs.
func (b *builder) closeLoop(f *frame, initial, next, outputs []*ir.Node) []*ir.Node {
	var carried, stacked []*heldState
	var after []*ir.Node
	for _, h := range f.states {
		changed := h.now.N != h.param
		switch {
		case h.key.turn == f && changed:
			stacked = append(stacked, h)
			outputs = append(outputs, h.now.N)
		case h.key.turn == f:
		case changed:
			carried = append(carried, h)
			f.carries = append(f.carries, h.param)
			initial, after = append(initial, h.outer), append(after, h.now.N)
		default:
			f.inv, f.params = append(f.inv, h.outer), append(f.params, h.param)
		}
	}
	n, m := len(next), len(outputs)-len(stacked)
	results := f.finish(initial, append(append([]*ir.Node{}, next...), after...), outputs)
	out := append(append([]*ir.Node{}, results[:n]...), results[n+len(after):][:m]...)
	for i, h := range carried {
		b.setState(f.outer, h.key, Tensor{N: results[n+i], F: f.outer, One: h.now.One}, h.at)
	}
	for i, h := range stacked {
		b.setState(f.outer, stateKey{h.key.state, nil}, Tensor{N: results[n+len(after)+m+i], F: f.outer}, h.at)
	}
	return out
}

// readState is the newest value of a state, at the turns by which its instance was reached.
func (b *builder) readState(s *stateDecl, at Span) Value {
	b.at(at)
	if b.entry == nil {
		b.failHelp(at, "states are read in functions, train, eval, sample and first values", "`%s` has no value here", s.decl.Name)
	}
	if _, known := b.entry.current[s]; b.entry.kind == ir.EntryInit && !known {
		b.fail(at, "the first value of `%s` comes later in the file", s.decl.Name)
	}
	v := b.mark(b.cast(b.instanceValue(s, at), s.reads), s.decl.Type)
	if b.frozen > 0 && s.kind == ir.KindParam {
		v.N, v.F = b.f.b.Stop(b.node(v)), b.f
	}
	return v
}

func (b *builder) instanceValue(s *stateDecl, at Span) Tensor {
	if b.entry.local[s] {
		return b.entry.current[s]
	}
	picks := b.picks(s, at)
	if len(picks) == 1 && picks[0].loop != nil {
		return b.stateIn(b.f, stateKey{s, picks[0].loop})
	}
	here := b.f
	defer func() { b.f = here }()
	// Each choice is made in the frame around the next loop that makes one.
	around := func(i int) *frame {
		for ; i < len(picks); i++ {
			if picks[i].loop != nil {
				return picks[i].loop.outer
			}
		}
		return here
	}
	b.f = around(0)
	v := b.whole(s)
	for i, t := range picks {
		if t.loop != nil {
			v = t.loop.slice(v)
			b.f = around(i + 1)
			continue
		}
		v = b.pick(v, t.at)
	}
	return v
}

// picks says which instance of a state of stacked modules is meant.
func (b *builder) picks(s *stateDecl, at Span) []turnOf {
	var out []turnOf
	for _, level := range s.stack {
		t, ok := b.turnAt(level)
		if !ok {
			b.failHelp(at, "`for m in "+level.name+" { … }`", "`%s` belongs to a list of %d modules: which one is not known here", s.decl.Name, level.n)
		}
		out = append(out, t)
	}
	return out
}

func (b *builder) turnAt(level *stackLevel) (turnOf, bool) {
	for i := len(b.turns) - 1; i >= 0; i-- {
		if b.turns[i].stack == level {
			return b.turns[i], true
		}
	}
	return turnOf{}, false
}

// writeState is `s <- v`, at the turns by which its instance was reached.
func (b *builder) writeState(s *stateDecl, v Value, at Span) {
	y := b.fitState(s, s.typ, v, at)
	if b.entry.local[s] {
		b.entry.current[s] = y
		return
	}
	picks := b.picks(s, at)
	switch {
	case len(picks) == 0:
		b.setState(b.f, stateKey{s, nil}, y, at)
		return
	case len(picks) == 1 && picks[0].loop != nil:
		b.setState(b.f, stateKey{s, picks[0].loop}, y, at)
		return
	}
	place := make([]int, len(picks))
	for i, t := range picks {
		if t.loop != nil {
			d := b.diagnostic(at, "", "`<-` on a state of lists of modules in lists")
			if b.unrollable > 0 {
				panic(notStatic{d})
			}
			panic(mistake{d})
		}
		place[i] = t.at
	}
	b.setState(b.f, stateKey{s, nil}, b.putInstance(b.whole(s), place, y), at)
}

// fitState makes v of a state's type.
func (b *builder) fitState(s *stateDecl, typ ir.Type, v Value, at Span) Tensor {
	x, ok := b.tensorLike(v, typ.Elem)
	if !ok {
		b.fail(at, "the state `%s` cannot take %s", s.decl.Name, describe(v))
	}
	x = b.cast(x, typ.Elem)
	y, why := b.broadcastTo(x, typ.Dims)
	if why != "" {
		b.fail(at, "the state `%s` is %s and cannot take %s: %s", s.decl.Name, typeText(typ), typeText(x.N.Type), why)
	}
	return y
}

// putInstance is the stacked value x with y as one instance.
func (b *builder) putInstance(x Tensor, place []int, y Tensor) Tensor {
	g := b.f.b
	n, v := b.node(x), b.node(y)
	axes := axesFrom(len(place), n.Type.Rank())
	wide := g.Broadcast(v, n.Type.Dims, axes...)
	var here *ir.Node
	for k, i := range place {
		at := g.Iota(n.Type.Dims, k)
		eq := g.Make(ir.OpEq, nil, at, g.Like(at, float64(i)))
		if here == nil {
			here = eq
		} else {
			here = g.Make(ir.OpAnd, nil, here, eq)
		}
	}
	return Tensor{N: g.Where(here, wide, n), F: b.f}
}

// changedSince says that n is what a state or a param was changed to, of which nothing computed before can depend; "" where it is not.
func (b *builder) changedSince(n *ir.Node) string {
	if b.entry == nil {
		return ""
	}
	var told []string // several states may be changed to one value
	for s, at := range b.entry.changed {
		if b.entry.current[s].N == n {
			told = append(told, fmt.Sprintf("line %d changes `%s`: `grad` goes before it, or is of a scalar that is computed after it", at.Pos.Line, s.name))
		}
	}
	slices.Sort(told)
	return strings.Join(told[:min(len(told), 1)], "")
}
