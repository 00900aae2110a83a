package ir

import (
	"slices"

	"mdlc/ir/index"
)

// A span proves bounds of index expressions from the lengths of the index
// variables: limits stay symbolic, so that i < T is known to be inside an axis of length T.
type span struct {
	scope *Scope
	vars  []Dim // dims of the variables i0, i1, …
}

// upper and lower are bounds of e over the variables, as expressions over the symbols.
func (r *span) upper(e *index.Expr) *index.Expr { return r.limit(e, true) }
func (r *span) lower(e *index.Expr) *index.Expr { return r.limit(e, false) }

func (r *span) limit(e *index.Expr, up bool) *index.Expr {
	switch e.Op {
	case index.Const:
		return e
	case index.Var:
		k, ok := varIndex(e.Name)
		switch {
		case !ok:
			return e
		case up:
			return index.Sub(r.vars[k].Length(), index.C(1))
		}
		return index.C(0)
	case index.Add:
		args := make([]*index.Expr, len(e.Args))
		for i, a := range e.Args {
			args[i] = r.limit(a, up)
		}
		return index.Sum(args...)
	case index.Min:
		return index.Least(r.limit(e.Args[0], up), r.limit(e.Args[1], up))
	case index.Max:
		return index.Most(r.limit(e.Args[0], up), r.limit(e.Args[1], up))
	}
	return r.limit2(e, up)
}

// limit2 bounds products, quotients and remainders.
func (r *span) limit2(e *index.Expr, up bool) *index.Expr {
	a, d := e.Args[0], e.Args[1]
	k, isConst := d.Const()
	switch {
	case e.Op == index.Mul && isConst:
		return index.Prod(r.limit(a, up == (k >= 0)), d)
	case e.Op == index.Mul && r.nonNegative(a) && r.nonNegative(d):
		return product(r.limit(a, up), r.limit(d, up))
	case e.Op == index.Div && isConst && k > 0:
		return index.Quo(r.limit(a, up), d)
	case e.Op == index.Div && r.free(d) && r.positive(d) && up:
		return r.quotient(r.upper(a), d)
	case e.Op == index.Div && r.free(d) && r.positive(d) && r.nonNegative(a):
		return index.C(0)
	case e.Op == index.Mod && r.free(d) && r.positive(d):
		if q := index.Quo(r.upper(a), d); q.IsConst(0) && r.nonNegative(a) {
			return r.limit(a, up)
		}
		if up {
			return index.Sub(d, index.C(1))
		}
		return index.C(0)
	}
	lo, hi := e.Range(r.bound)
	if up {
		return index.C(hi)
	}
	return index.C(lo)
}

// product is a*b as a sum of products, so that terms of different bounds cancel.
func product(a, b *index.Expr) *index.Expr {
	if b.Op == index.Add {
		a, b = b, a
	}
	if a.Op != index.Add {
		return index.Prod(a, b)
	}
	terms := make([]*index.Expr, len(a.Args))
	for i, x := range a.Args {
		terms[i] = product(x, b)
	}
	return index.Sum(terms...)
}

// free reports whether e has no index variables.
func (r *span) free(e *index.Expr) bool {
	free := true
	e.Vars(func(name string) {
		if reserved(name) {
			free = false
		}
	})
	return free
}

func (r *span) nonNegative(e *index.Expr) bool {
	lo, _ := r.lower(e).Range(r.bound)
	return lo >= 0
}

// positive reports whether e > 0, taking lengths for positive: where one that
// divides is 0 there is no element.
func (r *span) positive(e *index.Expr) bool {
	if e.Op == index.Mul {
		return r.positive(e.Args[0]) && r.positive(e.Args[1])
	}
	lo, _ := e.Range(r.bound)
	return lo > 0 || e.Op == index.Var
}

// quotient bounds a/d from above, d > 0: the terms of a that d divides are divided, of the rest the sign counts.
func (r *span) quotient(a, d *index.Expr) *index.Expr {
	terms := []*index.Expr{a}
	if a.Op == index.Add {
		terms = a.Args
	}
	k, vars := factors(d)
	whole, rest := index.C(0), index.C(0)
	for _, t := range terms {
		kt, vt := factors(t)
		left, ok := remove(vt, vars)
		if !ok || kt%k != 0 {
			rest = index.Sum(rest, t)
			continue
		}
		q := index.C(kt / k)
		for _, v := range left {
			q = index.Prod(q, v)
		}
		whole = index.Sum(whole, q)
	}
	_, hi := rest.Range(r.bound)
	if _, over := index.Sub(rest, d).Range(r.bound); over < 0 {
		hi = min(hi, 0)
	}
	return index.Sum(whole, index.C(max(hi, -1)))
}

// factors splits a product into its constant and the others.
func factors(e *index.Expr) (k int, vars []*index.Expr) {
	if c, ok := e.Const(); ok {
		return c, nil
	}
	if e.Op != index.Mul {
		return 1, []*index.Expr{e}
	}
	k1, v1 := factors(e.Args[0])
	k2, v2 := factors(e.Args[1])
	return k1 * k2, append(v1, v2...)
}

// remove takes each of gone out of list once.
func remove(list, gone []*index.Expr) (left []*index.Expr, ok bool) {
	left = append(left, list...)
	for _, g := range gone {
		at := slices.IndexFunc(left, func(x *index.Expr) bool { return index.Equal(x, g) })
		if at < 0 {
			return nil, false
		}
		left = slices.Delete(left, at, at+1)
	}
	return left, true
}

func (r *span) bound(name string) (lo, hi int) {
	if k, ok := varIndex(name); ok {
		return 0, max(0, r.vars[k].Size-1)
	}
	return r.scope.Bound(name)
}

// inside reports whether 0 <= e < length(d) for all values of the variables.
func (r *span) inside(e *index.Expr, d Dim) bool {
	for _, v := range r.vars {
		if v.Size == 0 {
			return true
		}
	}
	if !r.nonNegative(e) {
		return false
	}
	up, length := r.upper(e).SimplifyIn(r.scope.Bound), d.Length().SimplifyIn(r.scope.Bound) // min(1024, t + 1) is t + 1 in the first 32 turns
	for _, n := range alternatives(up) {
		if _, hi := index.Sub(n, length).Range(r.scope.Bound); hi <= -1 {
			return true
		}
	}
	_, hi := e.Range(r.bound)
	lo, _ := length.Range(r.scope.Bound)
	return hi < lo
}

// alternatives are bounds that are each enough: both sides of a minimum.
func alternatives(e *index.Expr) []*index.Expr {
	if e.Op == index.Min {
		return append(alternatives(e.Args[0]), alternatives(e.Args[1])...)
	}
	return []*index.Expr{e}
}
