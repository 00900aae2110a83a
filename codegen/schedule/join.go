package schedule

import (
	"fmt"
	"strings"

	"mdlc/ir/loop"
)

// Join, before: Y[i,k] = f(X[i,k])   D[k] = seqsum[p](seqsum[r](f(X[p*64 + r,k])))
// after Join i n, n being p*64 + r: Y[n,k] = v   D[k] = seqsum[p](seqsum[r](v)), v = f(X[n,k]): one pass over X.

// join makes axis a of a page the axis b.
func join(k *loop.Kernel, a, b *loop.Axis) error {
	if reason := whyNotJoin(a, b); reason != "" {
		return fmt.Errorf("%s", reason)
	}
	err := inPage(k, func(page []loop.Stmt) ([][]loop.Stmt, error) {
		stores, ok := equations(page)
		if !ok || !joinable(stores, a, b) {
			return nil, nil
		}
		c := newCloner()
		c.axes[a] = b
		from, to := newDepends().axis(a), newDepends().axis(b)
		if a.Def != nil {
			for i := range from {
				c.axes[from[i]] = to[i]
			}
		}
		for _, p := range k.Axes {
			if p != a && p.Def != nil && mentions(p.Def, a) {
				p.Def = c.value(p.Def)
			}
		}
		return [][]loop.Stmt{stmts(share(cloneStores(c, stores)))}, nil
	})
	return err
}

func cloneStores(c *cloner, stores []*loop.Store) []*loop.Store {
	var out []*loop.Store
	for _, s := range stores {
		out = append(out, c.store(s))
	}
	return out
}

// whyNotJoin says what keeps a from being b whatever the page is.
func whyNotJoin(a, b *loop.Axis) string {
	na, ok := a.Extent.IntConst()
	nb, same := b.Extent.IntConst()
	if !ok || !same || na != nb {
		return "the extents differ"
	}
	if a.Def == nil {
		return ""
	}
	from, to := newDepends().axis(a), newDepends().axis(b)
	if len(from) != len(to) || b.Def == nil {
		return "the axes have different pieces"
	}
	x, y := newIndices().of(a.Def).String(), newIndices().of(b.Def).String()
	for i := range from {
		x, y = strings.ReplaceAll(x, from[i].Name, "$"), strings.ReplaceAll(y, to[i].Name, "$")
		if from[i].Max != to[i].Max {
			return "the axes have different pieces"
		}
	}
	if x != y {
		return "the axes have different pieces"
	}
	return ""
}

// joinable reports whether a page uses both axes and no value both at once.
func joinable(stores []*loop.Store, a, b *loop.Axis) bool {
	deps := newDepends()
	from, to := deps.axis(a), deps.axis(b)
	some, other, both := false, false, overlaps(from, to)
	look := func(axes []*loop.Axis) {
		x, y := overlaps(axes, from), overlaps(axes, to)
		some, other, both = some || x, other || y, both || x && y
	}
	walk(roots(stores), func(v *loop.Value) {
		look(deps.value(v))
		both = both || a.Def == nil && loop.Has(v.Over, a)
	})
	for _, s := range stores {
		look(deps.store(s))
	}
	return some && other && !both
}

// joins proposes to make the rows of a page those of its column sums.
func (c *chooser) join(stores []*loop.Store) bool {
	deps := newDepends()
	var rows []*loop.Axis // axes p*64 + r of column sums
	walk(roots(stores), func(v *loop.Value) {
		if v.Op != loop.ReduceSeq || len(v.Over) != 1 {
			return
		}
		for _, x := range c.k.Axes {
			if x.Def != nil && !isFusedPart(x) && loop.Has(deps.axis(x), v.Over[0]) && !loop.Has(rows, x) {
				rows = append(rows, x)
			}
		}
	})
	free, _ := leafAxes(stores)
	for i, b := range rows {
		for _, a := range append(append([]*loop.Axis(nil), rows[i+1:]...), free...) {
			if a != b && whyNotJoin(a, b) == "" && joinable(stores, a, b) {
				c.do(Join, a.Name, 0, b.Name)
				return true
			}
		}
	}
	return false
}

// share makes equal values of a page one value.
func share(stores []*loop.Store) []*loop.Store {
	c := newCloner()
	ids := map[*loop.Value]int{}
	known := map[string]*loop.Value{}
	x, deps := newIndices(), newDepends()
	walk(roots(stores), func(v *loop.Value) {
		key := fmt.Sprintf("%d %d %x %p %p %s", v.Op, v.Elem, v.Bits, v.Buf, v.Axis, v.Instr)
		if v.Elem == loop.I64 && v.Op != loop.Load {
			key = x.of(v).String()
			for _, a := range deps.value(v) { // one that the index names without need would tie pages together
				key += " " + a.Name
			}
		} else {
			for _, a := range append(append([]*loop.Value(nil), v.Args...), v.Guard) {
				key += fmt.Sprintf(" %d", ids[a])
			}
			for _, a := range v.Over {
				key += fmt.Sprintf(" %p", a)
			}
		}
		first, ok := known[key]
		if !ok {
			first = v
			known[key] = v
			ids[v] = len(known)
		} else {
			ids[v] = ids[first]
			c.values[v] = c.value(first)
			return
		}
		c.value(v)
	})
	return cloneStores(c, stores)
}
