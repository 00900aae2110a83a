package passes

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"mdlc/ir"
	"mdlc/ir/index"
)

// Decode makes of each turn of a `generate`, which computes from the whole prefix, a step that computes one row and keeps what
// later turns read of it:
//
//	%l = loop count(n) carry 1 (%tok, %w) turn t {            E = len.prompt + t elements so far
//	  %k = dot %x, %w : f32[E, 8]                             keys of all rows
//	  %o = … the last row of attention over %k …
//	}
//
// becomes
//
//	%k0 = dot … : f32[len.prompt - 1, 8]                      the prompt's keys, once
//	%l = loop count(n) carry 2 (%tok, %k0, %w) turn t {
//	  %r = dot … : f32[1, 8]                                  the key of row E - 1
//	  %k = where (iota == E - 1), %r, %cache : f32[E, 8]
//	  …
//	}
//
// What is read of a settled value (decode_prove.go) at all rows is kept as a cache, what a recurrence carries along rows as a
// state; everything else is computed for the row alone (decode_step.go). No value changes: a row's bits do not depend on how many rows there are.
//
// Where the body looks at a window of the last W elements, rows move when it is full: then turns with
// at most W elements are steps, and later ones compute from the window as before.
func Decode(g *ir.Graph) (*ir.Graph, error) {
	if !holds(g, isLoop) {
		return g, nil
	}
	return rewrite(g, decodeRule(func(*Recomputes) {}))
}

// Recomputing lists why generations of m's samples compute from the whole prefix in each turn. It runs the pipeline on them, up to Decode.
func Recomputing(m *ir.Module) (reasons []*Recomputes, err error) {
	for _, e := range m.Entries {
		if e.Kind != ir.EntrySample || !holds(e.Graph, isLoop) {
			continue
		}
		g := e.Graph
		for _, p := range Pipeline(Types{Compute: m.Compute}) {
			if p.Name == "decode" {
				_, err = rewrite(g, decodeRule(func(r *Recomputes) {
					r.explain(e.Pos.File)
					reasons = append(reasons, r)
				}))
				break
			}
			if g, err = runPass(p, g, Options{}); err != nil {
				break
			}
		}
		if err != nil {
			return reasons, err
		}
	}
	return reasons, nil
}

func decodeRule(report func(*Recomputes)) func(*ir.Graph) rule {
	return func(*ir.Graph) rule {
		return loopValues(func(b *ir.Builder, n *ir.Node, _ ir.LoopAttr, args []*ir.Node) ([]*ir.Node, error) {
			if b.Outer() != nil {
				if w, _ := growthOf(n, b.Scope()); w != nil {
					report(whole(n.Pos, "this `generate` stands in a loop or a condition"))
				}
				return nil, nil
			}
			vs, err := decode(b, n, args, report)
			var reason *Recomputes
			if errors.As(err, &reason) {
				report(reason)
				return nil, nil
			}
			return vs, err
		})
	}
}

// growth is how the lengths in a generation's body grow: rows, the axes of length E, or min(W, E).
type growth struct {
	loop   *ir.Node
	turn   string
	total  *index.Expr // E: elements at the start of a turn
	window int         // W; 0: none
	length *index.Expr // of rows
	most   int         // rows
	scope  *ir.Scope   // of the body
}

// growthOf is nil where nothing in the body grows with the turn.
func growthOf(n *ir.Node, outer *ir.Scope) (*growth, error) {
	a, g := n.Attr.(ir.LoopAttr), n.Regions[0]
	if a.Sym == "" || a.Reverse || a.Xs > 0 {
		return nil, nil
	}
	w := &growth{loop: n, turn: a.Sym, scope: &ir.Scope{Outer: outer, Syms: g.Syms}}
	var err error
	look := func(x *ir.Node, e *index.Expr, most int) {
		if e == nil || !mentions(e, w.turn) || err != nil || index.Equal(e, w.length) && most == w.most {
			return
		}
		total, window := e, 0
		if e.Op == index.Min {
			for i, c := range e.Args {
				if k, ok := c.Const(); ok && len(e.Args) == 2 {
					total, window = e.Args[1-i], k
				}
			}
		}
		if w.length != nil || mentions(index.Sub(total, index.V(w.turn)), w.turn) {
			err = whole(x.Pos, fmt.Sprintf("the length %s", e))
			return
		}
		w.total, w.window, w.length, w.most = total, window, e, most
	}
	eachNode(g, func(x *ir.Node) {
		for _, d := range x.Type.Dims {
			look(x, d.Len, d.Size)
		}
		if l, ok := x.Attr.(ir.LoopAttr); ok {
			look(x, l.Count, cmp.Or(w.most, w.scope.Capacity(l.Count)))
		}
	})
	if w.length == nil {
		return nil, err
	}
	return w, err
}

// eachNode calls f for the nodes of g and of all regions inside.
func eachNode(g *ir.Graph, f func(*ir.Node)) {
	for _, n := range order(g) {
		f(n)
		for _, r := range n.Regions {
			eachNode(r, f)
		}
	}
}

func mentions(e *index.Expr, name string) bool {
	found := false
	e.Vars(func(v string) { found = found || v == name })
	return found
}

// rows is the axes of t that are rows.
func (w *growth) rows(t ir.Type) (rows axes) {
	for k, d := range t.Dims {
		if d.Len != nil && index.Equal(d.Len, w.length) {
			rows |= axesOf(k)
		}
	}
	return rows
}

// isRows reports whether a loop goes along rows.
func (w *growth) isRows(n *ir.Node) bool { return index.Equal(n.Attr.(ir.LoopAttr).Count, w.length) }

// neverEmpty reports whether each turn has an element.
func (w *growth) neverEmpty() bool {
	lo, _ := w.total.Range(w.scope.Bound)
	return lo >= 1
}

// assume simplifies e for turns with at most a window of elements.
func (w *growth) assume(e *index.Expr) *index.Expr {
	if w.window == 0 || !mentions(e, w.turn) {
		return e
	}
	e = e.Subst(func(name string) *index.Expr {
		if name == w.turn {
			return index.Sum(index.V("@e"), index.Sub(index.V(w.turn), w.total))
		}
		return nil
	})
	e = e.SimplifyIn(func(name string) (lo, hi int) {
		if name == "@e" {
			return 0, w.window
		}
		return w.scope.Bound(name)
	})
	return e.Subst(func(name string) *index.Expr {
		if name == "@e" {
			return w.total
		}
		return nil
	})
}

// boundIn bounds the variables of maps over dims; those that begin with @ are any whole number from 0 on.
func (w *growth) boundIn(dims []ir.Dim) func(name string) (lo, hi int) {
	return func(name string) (lo, hi int) {
		if k, ok := mapVar(name); ok && k < len(dims) {
			return 0, dims[k].Size - 1
		}
		if name[0] == '@' {
			return 0, 1 << 40
		}
		return w.scope.Bound(name)
	}
}

// decode gives the values that take the place of those of loop n; nil: nothing grows in it.
func decode(b *ir.Builder, n *ir.Node, args []*ir.Node, report func(*Recomputes)) (values []*ir.Node, err error) {
	w, err := growthOf(n, b.Scope())
	if w == nil || err != nil {
		return nil, err
	}
	defer func() {
		switch r := recover().(type) {
		case nil:
		case *Recomputes:
			values, err = nil, r
		default:
			panic(r)
		}
	}()
	d := &decoder{settler: newSettler(w, n), dear: map[*ir.Node]bool{}}
	next := d.body(b)
	init, err := d.prefill(b, args)
	if err != nil {
		return nil, err
	}
	if r := d.mostlyAnew(); r != nil {
		report(r)
	}
	a := n.Attr.(ir.LoopAttr)
	carries := slices.Concat(args[:a.Carry], init)
	a.Carry = len(carries)
	l := b.Loop(a, next, slices.Concat(carries, args[a.Carry-len(init):])...)
	for i := range n.Regions[0].Results {
		if i >= a.Carry-len(init) {
			i += len(init)
		}
		values = append(values, b.Get(l, i))
	}
	return values, nil
}
