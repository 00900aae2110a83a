package lang

import "sort"

// A scope maps names to values. Inner scopes hide outer ones.
type scope struct {
	outer *scope
	vars  map[string]Value
	kind  scopeKind
	order []string
}

type scopeKind uint8

const (
	blockScope    scopeKind = iota
	functionScope           // an assignment stays inside
	unitScope
	fileScope
	libraryScope // prelude, builtins and imports: index names may hide them
)

func newScope(outer *scope, kind scopeKind) *scope {
	return &scope{outer: outer, vars: map[string]Value{}, kind: kind}
}

func (s *scope) define(name string, v Value) {
	if name == "_" {
		return
	}
	if _, ok := s.vars[name]; !ok {
		s.order = append(s.order, name)
	}
	s.vars[name] = v
}

func (s *scope) find(name string) (Value, *scope) {
	for ; s != nil; s = s.outer {
		if v, ok := s.vars[name]; ok {
			return v, s
		}
	}
	return nil, nil
}

// local finds a name that an assignment of this function would change.
func (s *scope) local(name string) (Value, *scope) {
	for ; s != nil; s = s.outer {
		if v, ok := s.vars[name]; ok {
			return v, s
		}
		if s.kind != blockScope {
			return nil, nil
		}
	}
	return nil, nil
}

// bound finds a dimension of the function, or of the distribution or optimizer around it.
func (s *scope) bound(name string) Value {
	for ; s != nil && s.kind <= unitScope; s = s.outer {
		if v, ok := s.vars[name]; ok {
			return v
		}
	}
	return nil
}

// assign binds name where it lives in this function, else here.
func (s *scope) assign(name string, v Value) {
	if _, home := s.local(name); home != nil {
		home.define(name, v)
		return
	}
	s.define(name, v)
}

// names lists all names in scope, for `did you mean`.
func (s *scope) names() []string {
	seen := map[string]bool{}
	var out []string
	for ; s != nil; s = s.outer {
		for _, n := range s.order {
			if !seen[n] && n != ".." && n != "" {
				seen[n] = true
				out = append(out, n)
			}
		}
	}
	sort.Strings(out)
	return out
}
