package ir

import (
	"fmt"
	"strings"

	"mdlc/ir/index"
)

// Scope is the symbols that a graph sees: its own and those of the graphs around it.
type Scope struct {
	Outer *Scope
	Syms  []Sym
}

// Lookup finds a symbol, innermost first.
func (s *Scope) Lookup(name string) (Sym, bool) {
	for ; s != nil; s = s.Outer {
		for _, y := range s.Syms {
			if y.Name == name {
				return y, true
			}
		}
	}
	return Sym{}, false
}

// Bound gives the range of a symbol, for index.Expr.Range. A turn's symbol has Max = count-1.
func (s *Scope) Bound(name string) (lo, hi int) {
	if y, ok := s.Lookup(name); ok {
		return 0, y.Max
	}
	return -1 << 40, 1 << 40
}

// Capacity is the largest value that e takes.
func (s *Scope) Capacity(e *index.Expr) int {
	_, hi := e.Range(s.Bound)
	return hi
}

// reserved reports whether a name is kept for the variables of index maps and their data.
func reserved(name string) bool {
	if strings.HasPrefix(name, "$") {
		return true
	}
	if len(name) < 2 || name[0] != 'i' {
		return false
	}
	return strings.Trim(name[1:], "0123456789") == ""
}

// checkSym says what is wrong with a new symbol.
func (s *Scope) checkSym(y Sym) error {
	if reserved(y.Name) {
		return fmt.Errorf("symbol name %q is reserved for index variables", y.Name)
	}
	if !wellFormed(y.Name) {
		return fmt.Errorf("symbol name %q is no name of index expressions", y.Name)
	}
	if y.Max < 0 {
		return fmt.Errorf("the bound %d of symbol %s is negative", y.Max, y.Name)
	}
	if _, ok := s.Lookup(y.Name); ok {
		return fmt.Errorf("symbol %s is defined twice", y.Name)
	}
	if y.Def != nil {
		return s.checkExpr(y.Def, "definition of "+y.Name)
	}
	return nil
}

// checkExpr wants every variable of e to be a symbol.
func (s *Scope) checkExpr(e *index.Expr, what string) error {
	var err error
	e.Vars(func(name string) {
		if _, ok := s.Lookup(name); !ok && err == nil {
			err = fmt.Errorf("%s uses unknown symbol %s", what, name)
		}
	})
	return err
}

// checkDims wants lengths over known symbols and within the capacities.
func (s *Scope) checkDims(dims []Dim) error {
	for _, d := range dims {
		if d.Size < 0 {
			return fmt.Errorf("negative size %d", d.Size)
		}
		if d.Len == nil {
			continue
		}
		if err := s.checkExpr(d.Len, "length "+d.Len.String()); err != nil {
			return err
		}
	}
	return nil
}

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
	case e.Op == index.Div && r.free(d) && r.positive(d):
		return index.Quo(r.limit(a, up), d)
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

func (r *span) positive(e *index.Expr) bool {
	// Lengths that divide are positive wherever an element exists at all.
	lo, _ := e.Range(r.bound)
	return lo > 0 || e.Op == index.Var
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
	up := r.upper(e)
	for _, n := range alternatives(up) {
		if _, hi := index.Sub(n, d.Length()).Range(r.scope.Bound); hi <= -1 {
			return true
		}
	}
	_, hi := e.Range(r.bound)
	lo, _ := d.Length().Range(r.scope.Bound)
	return hi < lo
}

// alternatives are bounds that are each enough: both sides of a minimum.
func alternatives(e *index.Expr) []*index.Expr {
	if e.Op == index.Min {
		return append(alternatives(e.Args[0]), alternatives(e.Args[1])...)
	}
	return []*index.Expr{e}
}
