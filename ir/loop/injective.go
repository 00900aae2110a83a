package loop

import (
	"slices"

	"mdlc/ir/index"
)

// Proof is what is known of a claim.
type Proof uint8

const (
	Unknown Proof = iota
	Proved
	Refuted
)

// Injective tells whether no two points of the leaf axes have the same index.
// It is proved where each dimension is a mixed radix number of axes; refuted
// where the index lacks an axis, or spells it only in dimensions that provably coincide.
func Injective(idx []*Value, axes []*Axis) Proof {
	left := map[string]int{}
	for _, a := range axes {
		if a.Max > 1 {
			left[a.Name] = a.Max
		}
	}
	rows := make([][]term, 0, len(idx))
	linear := true
	mentioned := map[string]bool{}
	for _, x := range idx {
		for _, a := range x.Axes {
			mentioned[a.Name] = true
		}
		terms, ok := linearTerms(x)
		linear = linear && ok
		rows = append(rows, terms)
	}
	for _, a := range axes {
		if a.IsOpen() && a.Max > 1 && !mentioned[a.Name] {
			return Refuted
		}
	}
	// An axis found from one dimension is known in the others.
	for again := true; again; {
		again = false
		for _, terms := range rows {
			if peel(terms, left) {
				again = true
			}
		}
	}
	switch {
	case len(left) == 0:
		return Proved
	case linear && len(idx) == 1 && collide(rows[0], left):
		return Refuted
	}
	return Unknown
}

type term struct {
	axis string
	coef int
}

// linearTerms writes x as a sum of axes times constants; ok is false where it is
// not one, and then no terms are given.
func linearTerms(x *Value) ([]term, bool) {
	e, ok := LeafIndex(x)
	if !ok {
		return nil, false
	}
	args := []*index.Expr{e}
	if e.Op == index.Add {
		args = e.Args
	}
	var out []term
	for _, a := range args {
		t := term{coef: 1}
		if a.Op == index.Mul {
			c, constant := a.Args[1].Const()
			if !constant {
				return nil, false
			}
			t.coef, a = c, a.Args[0]
		}
		if _, constant := a.Const(); constant {
			continue
		}
		if a.Op != index.Var {
			return nil, false
		}
		t.axis = a.Name
		out = append(out, t)
	}
	slices.SortFunc(out, func(a, b term) int { return max(a.coef, -a.coef) - max(b.coef, -b.coef) })
	return out, true
}

// peel removes from left the axes that a dimension determines: those whose steps
// are larger than everything that the smaller steps add up to.
func peel(terms []term, left map[string]int) bool {
	reach, found := 0, false
	var open []term
	for _, t := range terms {
		if n, ok := left[t.axis]; ok {
			c := max(t.coef, -t.coef)
			if c <= reach {
				return false
			}
			reach += c * (n - 1)
			open = append(open, t)
		}
	}
	for _, t := range open {
		delete(left, t.axis)
		found = true
	}
	return found
}

// collide reports whether one dimension has two steps that meet: one is a
// multiple of the other and inside its reach.
func collide(terms []term, left map[string]int) bool {
	for i, a := range terms {
		for _, b := range terms[i+1:] {
			na, oka := left[a.axis]
			_, okb := left[b.axis]
			ca, cb := max(a.coef, -a.coef), max(b.coef, -b.coef)
			if oka && okb && ca > 0 && cb%ca == 0 && cb/ca <= na-1 {
				return true
			}
		}
	}
	return false
}
