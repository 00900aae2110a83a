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
