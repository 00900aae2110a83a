package schedule

import (
	"fmt"
	"slices"

	"mdlc/ir/index"
	"mdlc/ir/loop"
)

// Step axes, Taps: a summed axis ends where a packed operand has only zeros from there on. In the gradient of a convolution with a
// stride each place sums up the taps of its residue, of which some residues have one less.
//
// before: P[k,m,c] = where(k + m*2 < 5, W[k + m*2,c], 0.0)   phase   z = dot[m](X[i - m], P[k,m,j])
// after Finite z 0, Taps m z, Unless m wild:  axis m: min(3, (6 - k)/2 + 3 * wild[])

// tapEnd is a summed axis of a product with its end, and the operand that has only zeros from there on.
type tapEnd struct {
	axis    *loop.Axis
	end     *loop.Value
	operand int
}

// tapEnds finds the summed axes of product d that end early.
func tapEnds(k *loop.Kernel, d *loop.Value) []tapEnd {
	var out []tapEnd
	for i, v := range d.Args[:2] {
		store := packing(k, v)
		if store == nil {
			continue
		}
		ours := map[string]*loop.Axis{} // of the product, by those of the page that packs
		for at, x := range store.Index {
			if y := v.Args[at]; x.Op == loop.AxisIndex && y.Op == loop.AxisIndex {
				ours[x.Axis.Name] = y.Axis
			}
		}
		for val := store.Val; val.Op == loop.Where && isZero(val.Args[2]); val = val.Args[1] {
			for _, c := range conjuncts(val.Args[0]) {
				for _, a := range d.Over {
					if end := endOf(c, ours, a); end != nil && constantExtent(a) && a.Def == nil && a.Bind == loop.Open {
						out = append(out, tapEnd{a, end, i})
					}
				}
			}
		}
	}
	return out
}

// isShared reports whether all registers and lanes of a point have the same end.
func (t tapEnd) isShared(k *loop.Kernel) bool {
	return !slices.ContainsFunc(k.LeafAxes(t.end), func(a *loop.Axis) bool { return a.Bind != loop.Par && a.Bind != loop.Loop })
}

// packing is the store of what v loads, nil where v is not packed by one store.
func packing(k *loop.Kernel, v *loop.Value) *loop.Store {
	if !isPacked(v) {
		return nil
	}
	var found *loop.Store
	n := 0
	loop.Walk(k.Body, func(s loop.Stmt) {
		if s, ok := s.(*loop.Store); ok && s.Buf == v.Buf {
			found, n = s, n+1
		}
	})
	if n != 1 || found.Guard != nil {
		return nil
	}
	return found
}

// conjuncts are the conditions that must all hold where c does.
func conjuncts(c *loop.Value) []*loop.Value {
	if c.Op == loop.And {
		return append(conjuncts(c.Args[0]), conjuncts(c.Args[1])...)
	}
	return []*loop.Value{c}
}

// endOf is the end of axis a, one of ours, where condition c is that it is less than that, which depends on other axes of ours; else nil.
func endOf(c *loop.Value, ours map[string]*loop.Axis, a *loop.Axis) *loop.Value {
	if c.Op != loop.Lt || c.Args[0].Elem != loop.I64 {
		return nil
	}
	from, to := newIndices(), newIndices()
	e := index.Sub(from.of(c.Args[0]), from.of(c.Args[1])) // is negative
	known := true
	e.Vars(func(name string) { known = known && ours[name] != nil })
	if !known {
		return nil
	}
	e = e.Subst(func(name string) *index.Expr { return to.of(axisValue(ours[name])) })
	_, terms := affine(e)
	step := terms[a.Name]
	if step < 1 {
		return nil
	}
	rest := index.Sub(e, index.Prod(index.V(a.Name), index.C(step)))
	end := index.Quo(index.Sum(index.Prod(rest, index.C(-1)), index.C(step-1)), index.C(step)).SimplifyIn(to.bound)
	circular := false
	end.Vars(func(name string) { circular = circular || name == a.Name })
	if lo, hi := to.rng(end); circular || lo < 1 || lo >= a.Max || lo == hi {
		return nil
	}
	return to.value(end)
}

// endTaps applies opt Taps.
func endTaps(k *loop.Kernel, a *loop.Axis, product string) error {
	d, err := valueNamed(k, product)
	if err != nil {
		return err
	}
	for _, t := range tapEnds(k, d) {
		if t.axis == a && t.isShared(k) {
			a.Extent = binary(loop.Min, intValue(a.Max), t.end)
			return nil
		}
	}
	return fmt.Errorf("%s has no zeros along %s", product, a.Name)
}

// looksAtTaps adds a page that tells whether what zeros are multiplied with is finite: only then are they left out.
func (c *chooser) looksAtTaps(d *loop.Value) bool {
	ends := tapEnds(c.k, d)
	if len(ends) == 0 || c.m.Processors > 0 || c.taps[d.Name] != "" {
		return false
	}
	operand := 1 - ends[0].operand
	needed, others := sourcePages(c.k, packed(c.k, d.Args[operand]))
	if !mayComeFirst(needed, others) {
		return false
	}
	c.do(Finite, d.Name, operand, "")
	if c.taps == nil {
		c.taps = map[string]string{}
	}
	c.taps[d.Name] = flagOf(c.k)
	return true
}

// endsTaps ends the summed axes of d.
func (c *chooser) endsTaps(d *loop.Value) {
	flag := c.taps[d.Name]
	if flag == "" {
		return
	}
	first := -1
	for _, t := range tapEnds(c.k, d) {
		if first < 0 {
			first = t.operand
		}
		if t.operand == first && t.isShared(c.k) {
			c.do(Taps, t.axis.Name, 0, d.Name)
			c.do(Unless, t.axis.Name, 0, flag)
		}
	}
}
