package schedule

import (
	"fmt"
	"maps"
	"slices"

	"mdlc/ir/index"
	"mdlc/ir/loop"
)

// Step split, Pack v window: a convolution reads every place of its input several times, and asks each time
// whether it lies outside. A copy with the margin in it is read without asking.
//
// before: z = dot[m,n,o](where(k+n-1 >= 0 & k+n-1 < H & …, X[i,m,k+n-1,l+o-1], 0), W[j,m,n,o])
// after:  P[i,m,h,w] = where(h-1 >= 0 & h-1 < H & …, X[i,m,h-1,w-1], 0)   phase   z = dot[m,n,o](P[i,m,k+n,l+o], W[j,m,n,o])

// window is an operand where(cond, load, 0) that depends on some axes by sums of them only.
type window struct {
	x      *indices
	load   *loop.Value
	bounds []*loop.Value          // the comparisons of cond
	sums   []*index.Expr          // k+n-1, l+o-1: the one with the largest distance in memory first
	axes   []*loop.Axis           // the others
	by     map[string]*index.Expr // an axis of each sum by its place, named p0, p1, … in P
	summed map[string]bool        // the axes of the sums
}

// windowOf finds the window that v is, or nil.
func windowOf(v *loop.Value) *window {
	if v.Op != loop.Where || v.Args[1].Op != loop.Load || !isZero(v.Args[2]) {
		return nil
	}
	w := &window{x: newIndices(), load: v.Args[1], by: map[string]*index.Expr{}, summed: map[string]bool{}}
	if w.load.Guard != nil && w.load.Guard != v.Args[0] || !w.findSums(v.Args[0]) || len(w.sums) == 0 {
		return nil
	}
	w.order()
	for _, a := range newDepends().value(v) {
		if _, constant := a.Extent.IntConst(); !constant {
			return nil
		}
		if !w.sliding(a.Name) {
			w.axes = append(w.axes, a)
		}
	}
	for i, e := range w.sums {
		if !w.solve(i, e) {
			return nil
		}
	}
	places, conditions := w.places(), w.conditions()
	if places == nil || conditions == nil {
		return nil
	}
	in := w.axesIn(slices.Concat(places, conditions))
	w.axes = slices.DeleteFunc(w.axes, func(a *loop.Axis) bool { return a.Max > 1 && !loop.Has(in, a) })
	return w
}

// axesIn are the axes that es depend on.
func (w *window) axesIn(es []*index.Expr) []*loop.Axis {
	deps := newDepends()
	var out []*loop.Axis
	for _, e := range es {
		e.Vars(func(name string) {
			if v := w.x.vars[name]; v != nil {
				out = append(out, deps.value(v)...)
			}
		})
	}
	return out
}

// findSums takes cond apart, which must be comparisons of integers.
func (w *window) findSums(cond *loop.Value) bool {
	if cond.Op == loop.And {
		return w.findSums(cond.Args[0]) && w.findSums(cond.Args[1])
	}
	if cond.Op.Info().Class != loop.ClassCompare || cond.Args[0].Elem != loop.I64 {
		return false
	}
	w.bounds = append(w.bounds, cond)
	w.collect(w.difference(cond))
	return true
}

// collect notes sums of several axes in e, or else in what it divides. To a sum belongs what else is added, as in
// k - m + (j+1)/2: then j is only which of the places k - m is.
func (w *window) collect(e *index.Expr) {
	args := []*index.Expr{e}
	if e.Op == index.Add {
		args = e.Args
	}
	sum, n, factor := index.C(0), 0, 0
	var others []*index.Expr
	for _, a := range args {
		k, x := coefficient(a)
		switch {
		case x == nil:
		case x.Op == index.Var:
			sum, n, factor = index.Sum(sum, a), n+1, gcd(factor, k)
		default:
			others = append(others, a)
		}
	}
	if n < 2 {
		for _, a := range others {
			_, x := coefficient(a)
			for _, inner := range x.Args {
				w.collect(inner)
			}
		}
		return
	}
	for _, a := range others {
		k, _ := coefficient(a)
		sum, factor = index.Sum(sum, a), gcd(factor, k)
	}
	sum = index.Quo(sum, index.C(factor))
	minus := index.Prod(sum, index.C(-1))
	if !slices.ContainsFunc(w.sums, func(s *index.Expr) bool { return index.Equal(s, sum) || index.Equal(s, minus) }) {
		w.sums = append(w.sums, sum)
	}
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return max(a, -a)
}

// difference is what a comparison compares with 0.
func (w *window) difference(cond *loop.Value) *index.Expr {
	return index.Sub(w.x.of(cond.Args[0]), w.x.of(cond.Args[1]))
}

// sliding reports whether an axis is part of a sum.
func (w *window) sliding(name string) bool {
	return slices.ContainsFunc(w.sums, func(e *index.Expr) bool {
		_, terms := affine(e)
		return terms[name] != 0
	})
}

// slidesIn reports whether an axis of a sum is in a quotient of e, too.
func (w *window) slidesIn(e *index.Expr) bool {
	for _, a := range e.Args {
		if _, x := coefficient(a); x != nil && x.Op != index.Var {
			slides := false
			x.Vars(func(name string) { slides = slides || w.sliding(name) })
			if slides {
				return true
			}
		}
	}
	return false
}

// standing is the widest of some axes that do not slide, or nil.
func (w *window) standing(axes []*loop.Axis) *loop.Axis {
	return widest(common(axes, w.axes))
}

// order sorts the sums by how far their neighbours lie apart in memory, signs such that memory ascends.
func (w *window) order() {
	_, address := affine(address(w.x, w.load.Buf, w.load.Args))
	apart := func(e *index.Expr) int {
		_, terms := affine(e)
		name := slices.Min(slices.Collect(maps.Keys(terms)))
		return address[name] / terms[name]
	}
	for i, e := range w.sums {
		if apart(e) < 0 {
			w.sums[i] = index.Prod(e, index.C(-1))
		}
	}
	slices.SortStableFunc(w.sums, func(a, b *index.Expr) int { return apart(b) - apart(a) })
}

// reach is the least place of a sum and how many there are.
func (w *window) reach(e *index.Expr) (lo, n int) {
	lo, hi := w.x.rng(e)
	return lo, hi - lo + 1
}

// solve writes an axis of the i-th sum by the place p and the other axes. No sum shares an axis with another: all
// places of P are then places of v, and what v may read P may. Nor has P more places than v, as with a wide dilation.
func (w *window) solve(i int, e *index.Expr) bool {
	_, terms := affine(e)
	solved, points := "", 1
	for _, name := range slices.Sorted(maps.Keys(terms)) {
		v := w.x.vars[name]
		if v == nil && !w.slidesIn(e) {
			continue // a quotient
		}
		if v == nil || v.Op != loop.AxisIndex || w.summed[name] {
			return false // data, an axis of two sums
		}
		w.summed[name] = true
		points *= v.Axis.Max
		if k := terms[name]; k*k == 1 && solved == "" {
			solved = name
		}
	}
	lo, n := w.reach(e)
	if solved == "" || n > points {
		return false
	}
	w.x.bounds[placeName(i)] = [2]int{0, n - 1}
	k := terms[solved]
	place := index.Sum(index.V(placeName(i)), index.C(lo))
	others := index.Sub(e, index.Prod(index.V(solved), index.C(k)))
	w.by[solved] = index.Prod(index.Sub(place, others), index.C(k))
	return true
}

func placeName(i int) string { return fmt.Sprintf("p%d", i) }

// inPlaces is e over the places of the sums; nil if it depends on their axes otherwise.
func (w *window) inPlaces(e *index.Expr) *index.Expr {
	e = e.Subst(func(name string) *index.Expr {
		if by := w.by[name]; by != nil {
			return by
		}
		return index.V(name)
	}).SimplifyIn(w.x.bound)
	slides := false
	e.Vars(func(name string) { slides = slides || w.sliding(name) })
	if slides {
		return nil
	}
	return e
}

// places are the indices of the load, or nil.
func (w *window) places() []*index.Expr {
	var out []*index.Expr
	for _, a := range w.load.Args {
		e := w.inPlaces(w.x.of(a))
		if e == nil {
			return nil
		}
		out = append(out, e)
	}
	return out
}

// conditions are the differences of the comparisons, or nil.
func (w *window) conditions() []*index.Expr {
	var out []*index.Expr
	for _, b := range w.bounds {
		e := w.inPlaces(w.difference(b))
		if e == nil {
			return nil
		}
		out = append(out, e)
	}
	return out
}

// packWindow gives the window v to a work buffer, margin and all, in a page of its own. Its rows have slack more
// elements, zeros: lanes beyond the last column read them. An axis that does not slide may be the last one, not nil.
func packWindow(k *loop.Kernel, v *loop.Value, w *window, slack int, last *loop.Axis) error {
	return inPage(k, func(page []loop.Stmt) ([][]loop.Stmt, error) {
		stores, ok := equations(page)
		if !ok || !uses(stores, v) {
			return nil, nil
		}
		first, same := freshAxes(k), newCloner()
		buf := &loop.Buffer{Name: freshName(k, "window"), Elem: v.Elem, Mode: loop.Work}
		addWork(k, buf)
		var put, get []*loop.Value
		var cond *loop.Value
		stand := func(a *loop.Axis) {
			buf.Dims = append(buf.Dims, a.Max)
			put, get = append(put, axisValue(first.axis(a))), append(get, axisValue(a))
		}
		for _, a := range inOrder(k, w.axes) {
			if a != last {
				stand(a)
			}
		}
		for i, e := range w.sums {
			lo, n := w.reach(e)
			room := n
			if i == len(w.sums)-1 {
				room += slack
			}
			a := addAxis(k, "p", room)
			if room > n {
				cond = binary(loop.Lt, axisValue(a), intValue(n))
			}
			first.axes[a] = a
			w.x.vars[placeName(i)] = axisValue(a)
			buf.Dims = append(buf.Dims, room)
			put, get = append(put, axisValue(a)), append(get, w.x.value(index.Sum(e, index.C(-lo))))
		}
		if last != nil {
			stand(last)
		}
		for i, e := range w.conditions() {
			cond = both(cond, binary(w.bounds[i].Op, w.x.value(e), intValue(0)))
		}
		var from []*loop.Value
		for _, e := range w.places() {
			from = append(from, w.x.value(e))
		}
		copied := first.value(where(cond, load(w.load.Buf, from, cond), number(v.Elem, 0, 0)))
		same.values[v] = load(buf, get, nil)
		return [][]loop.Stmt{{&loop.Store{Buf: buf, Index: put, Val: copied}}, same.body(stmts(stores))}, nil
	})
}
