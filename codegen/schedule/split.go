package schedule

import (
	"fmt"
	"slices"

	"mdlc/ir/loop"
)

// Step split, before: DG[j] = seqsum[p](seqsum[r](dy*h))
// after Split p:      PG[p,j] = seqsum[r](dy*h)   phase   DG[j] = seqsum[q](PG[q,c])
//
// before: z = dot[k](X[i,k], bf(W[k,j]))
// after Pack z_b phase: WP[v,r,c] = where(v*16+c < N, bf(W[r,v*16+c]), 0)   phase   z = dot[k](X[i,k], WP[j/16,k,j%16])

// splitSums gives the partials of every seqsum over axis a to a work buffer and the
// sum of them to a page of its own.
func splitSums(k *loop.Kernel, a *loop.Axis) error {
	return inPage(k, func(page []loop.Stmt) ([][]loop.Stmt, error) {
		stores, ok := equations(page)
		if !ok {
			return nil, nil
		}
		deps := newDepends()
		var sums []*loop.Value
		walk(roots(stores), func(v *loop.Value) {
			if v.Op == loop.ReduceSeq && loop.Has(deps.over(v), a) {
				sums = append(sums, v)
			}
		})
		if len(sums) == 0 {
			return nil, nil
		}
		second := freshAxes(k)
		var first, last []loop.Stmt
		for _, v := range sums {
			if len(v.Over) != 1 {
				return nil, fmt.Errorf("the sum is over other axes too")
			}
			first = append(first, materialise(k, v.Args[0], deps, second, []*loop.Axis{a}, nil, "part"))
		}
		late := map[*loop.Value]bool{}
		for _, v := range sums {
			late[v] = true
		}
		walk(roots(stores), func(v *loop.Value) {
			for _, x := range slices.Concat(v.Args, []*loop.Value{v.Guard}) {
				late[v] = late[v] || late[x]
			}
		})
		for _, s := range stores {
			if slices.ContainsFunc(operands(s), func(v *loop.Value) bool { return late[v] }) {
				last = append(last, second.store(s))
			} else {
				first = append(first, s)
			}
		}
		return [][]loop.Stmt{first, last}, nil
	})
}

// packValue gives value v to a work buffer in a page of its own, before the page that uses it. Where the stores that need it
// need little else, they are that page, but not where v is to lie along an axis: unit, unless it is nil.
func packValue(k *loop.Kernel, v *loop.Value, unit *loop.Axis) error {
	return inPage(k, func(page []loop.Stmt) ([][]loop.Stmt, error) {
		stores, ok := equations(page)
		if !ok || !uses(stores, v) {
			return nil, nil
		}
		first := freshAxes(k)
		same := newCloner()
		if users, others := usersOf(stores, v); unit == nil && len(others) > 0 && mayBePage(users, others, v) {
			return [][]loop.Stmt{first.body(stmts(users)), same.body(stmts(others))}, nil
		}
		_, place := packedAxes(k, v)
		freePlace(k, first, place)
		store := materialise(k, v, newDepends(), same, nil, unit, "pack")
		page, rest := []loop.Stmt{first.store(store)}, []*loop.Store{}
		for i, s := range stores {
			if sharesSums(s, v) && mayGoFirst(stores[i:i+1], without(stores, i)) {
				page = append(page, first.store(s))
			} else {
				rest = append(rest, s)
			}
		}
		return [][]loop.Stmt{page, same.body(stmts(rest))}, nil
	})
}

// partSums gives the stores that sum up axis a a page of their own, before the others of their page.
func partSums(k *loop.Kernel, a *loop.Axis) error {
	defer nameApart(k) // pages may have copies of one value now
	return inPage(k, func(page []loop.Stmt) ([][]loop.Stmt, error) {
		stores, ok := equations(page)
		var sums, others []*loop.Store
		for _, s := range stores {
			found := false
			walk(operands(s), func(v *loop.Value) { found = found || loop.Has(v.Over, a) })
			if found {
				sums = append(sums, s)
			} else {
				others = append(others, s)
			}
		}
		switch {
		case !ok || len(sums) == 0 || len(others) == 0:
			return nil, nil
		case !mayGoFirst(sums, others):
			return nil, fmt.Errorf("what sums up %s is not there before the rest of its page", a.Name)
		}
		return [][]loop.Stmt{freshAxes(k).body(stmts(sums)), newCloner().body(stmts(others))}, nil
	})
}

// usersOf are the stores that need v, and the others.
func usersOf(stores []*loop.Store, v *loop.Value) (users, others []*loop.Store) {
	for _, s := range stores {
		if uses([]*loop.Store{s}, v) {
			users = append(users, s)
		} else {
			others = append(others, s)
		}
	}
	return users, others
}

// mayBePage reports whether the stores that need v compute little beside it, at its own points, and may run before the others.
func mayBePage(users, others []*loop.Store, v *loop.Value) bool {
	deps := newDepends()
	fits := mayGoFirst(users, others)
	for _, s := range users {
		cost := 0.0
		walkUnknown(operands(s), map[*loop.Value]bool{v: true}, func(x *loop.Value) {
			fits = fits && !isReduction(x)
			cost += x.Op.Info().Cost
		})
		fits = fits && cost < spillCost && len(minus(deps.store(s), deps.value(v))) == 0
	}
	return fits
}

// sharesSums reports whether s needs what v sums up, not v itself, and no product.
func sharesSums(s *loop.Store, v *loop.Value) bool {
	mine := map[*loop.Value]bool{}
	walk([]*loop.Value{v}, func(x *loop.Value) { mine[x] = isReduction(x) })
	shared, other := false, false
	walk(operands(s), func(x *loop.Value) {
		shared = shared || mine[x]
		other = other || x == v || x.Op == loop.Dot
	})
	return shared && !other
}

// mayGoFirst reports whether some stores may run before others: none of those accesses a buffer of these.
func mayGoFirst(stores, others []*loop.Store) bool {
	reads, written := buffersOf(stmts(others))
	return !slices.ContainsFunc(stores, func(s *loop.Store) bool { return written[s.Buf] || reads[s.Buf] })
}

func without(stores []*loop.Store, at int) []*loop.Store {
	return slices.Delete(slices.Clone(stores), at, at+1)
}

// packPanels gives the column operand v of a product to a work buffer in panels of width
// columns, zero beyond the last column. col is its column axis.
func packPanels(k *loop.Kernel, v *loop.Value, contracted []*loop.Axis, col *loop.Axis, width int) error {
	return inPage(k, func(page []loop.Stmt) ([][]loop.Stmt, error) {
		stores, ok := equations(page)
		if !ok || !uses(stores, v) {
			return nil, nil
		}
		first, same := freshAxes(k), newCloner()
		count := (col.Max + width - 1) / width
		panel := addAxis(k, "v", count)
		lane := addAxis(k, "c", width)
		n := addAxis(k, freshName(k, "n"), count*width)
		n.Def = binary(loop.Add, times(axisValue(panel), width), axisValue(lane))
		first.axes[col] = n

		buf := &loop.Buffer{Name: freshName(k, "pack"), Elem: v.Elem, Mode: loop.Work}
		var put, get []*loop.Value
		at := 0 // the panel goes before the contracted axes, which can be fused then
		axes, place := packedAxes(k, v)
		freePlace(k, first, place)
		for _, a := range axes {
			if a == col {
				continue
			}
			if !loop.Has(contracted, a) && a != place {
				at = len(put) + 1
			}
			put, get = append(put, axisValue(first.axis(a))), append(get, axisValue(a))
			buf.Dims = append(buf.Dims, a.Max)
		}
		put = append(slices.Insert(put, at, axisValue(panel)), axisValue(lane))
		get = append(slices.Insert(get, at, over(axisValue(col), width)), rest(axisValue(col), width))
		buf.Dims = append(slices.Insert(buf.Dims, at, count), width)
		addWork(k, buf)

		packed := first.value(v)
		if extent, ok := col.Extent.IntConst(); !ok || int(extent) < count*width {
			packed = padColumns(packed, n, binary(loop.Lt, axisValue(n), first.value(col.Extent)))
		}
		for _, a := range first.axes { // what n is part of ends nowhere either, as the outputs of a group of a convolution and all of them
			if a.Def != nil && !isFusedPart(a) && overlaps(newDepends().axis(a), []*loop.Axis{panel, lane}) {
				x := newIndices()
				_, last := x.rng(x.axis(a))
				a.Extent, a.Max = intValue(last+1), last+1
			}
		}
		same.values[v] = load(buf, get, nil)
		return [][]loop.Stmt{{&loop.Store{Buf: buf, Index: put, Val: packed}}, same.body(stmts(stores))}, nil
	})
}

// padColumns is v where live and 0 elsewhere, without access beyond the last column.
func padColumns(v *loop.Value, n *loop.Axis, live *loop.Value) *loop.Value {
	deps := newDepends()
	walk([]*loop.Value{v}, func(x *loop.Value) {
		if x.Op == loop.Load && overlaps(deps.value(x), deps.axis(n)) {
			x.Guard = both(x.Guard, live)
		}
	})
	if v.Op == loop.Load {
		return v
	}
	return where(live, v, number(v.Elem, 0, 0))
}

func overlaps(a, b []*loop.Axis) bool {
	return slices.ContainsFunc(a, func(x *loop.Axis) bool { return loop.Has(b, x) })
}

// common are the axes of a that are in b.
func common(a, b []*loop.Axis) []*loop.Axis {
	var out []*loop.Axis
	for _, x := range a {
		if loop.Has(b, x) {
			out = append(out, x)
		}
	}
	return out
}

func uses(stores []*loop.Store, v *loop.Value) bool {
	found := false
	walk(roots(stores), func(x *loop.Value) { found = found || x == v })
	return found
}

func stmts(stores []*loop.Store) []loop.Stmt {
	var out []loop.Stmt
	for _, s := range stores {
		out = append(out, s)
	}
	return out
}

// inPage lets f replace the first page that it wants to by several.
func inPage(k *loop.Kernel, f func(page []loop.Stmt) ([][]loop.Stmt, error)) error {
	var out [][]loop.Stmt
	changed := false
	for _, p := range pages(k.Body) {
		if changed {
			out = append(out, p)
			continue
		}
		ps, err := f(p)
		if err != nil {
			return err
		}
		if ps == nil {
			out = append(out, p)
			continue
		}
		changed = true
		out = append(out, ps...)
	}
	if !changed {
		return fmt.Errorf("nothing to do")
	}
	k.Body = bind(out)
	return nil
}

// materialise makes a work buffer for v, over the axes of lead and then v's others, the last of which is unit unless it is nil, and
// returns the store; in user, v becomes a load of it.
func materialise(k *loop.Kernel, v *loop.Value, deps *depends, user *cloner, lead []*loop.Axis, unit *loop.Axis, stem string) *loop.Store {
	axes := append(slices.Clone(lead), inOrder(k, minus(deps.value(v), lead))...)
	summed := summedOf(k, v)
	if lead == nil {
		var place *loop.Axis
		if axes, place = packedAxes(k, v); place != nil {
			summed = place
		}
	}
	if v.Elem.IsFloat() && v.Elem.Size() == 1 && summed != nil { // tensor cores read these along that alone
		unit = summed
	}
	boxes := unit != nil && unit == summed
	if unit == nil {
		unit = unitAxisOf(v, axes)
	}
	if unit != nil && lead == nil {
		axes = append(minus(axes, []*loop.Axis{unit}), unit)
	}
	buf := &loop.Buffer{Name: freshName(k, stem), Elem: v.Elem, Mode: loop.Work}
	addWork(k, buf)
	var put, get []*loop.Value
	for _, a := range axes {
		buf.Dims = append(buf.Dims, a.Max)
		put, get = append(put, axisValue(a)), append(get, axisValue(user.axis(a)))
	}
	if n := len(buf.Dims) - 1; n > 0 && buf.Dims[n] > 0 && buf.Dims[n]*buf.Elem.Size()%1024 == 0 {
		buf.Dims[n] += 64 / buf.Elem.Size() // rows a power of two apart share a set of the cache
	}
	if boxes {
		buf.Dims[len(buf.Dims)-1] = multiple(summed.Max, chunkBytes/v.Elem.Size()) // rows of a box begin on a multiple of that
	}
	user.values[v] = load(buf, get, nil)
	return &loop.Store{Buf: buf, Index: put, Val: v}
}

// summedOf is the fastest axis that the product sums over of which v is an operand; nil if it is one of none.
func summedOf(k *loop.Kernel, v *loop.Value) *loop.Axis {
	if d := dotOf(k, v); d != nil {
		return shapeOf(d).last()
	}
	return nil
}

// unitAxisOf is the axis along which most loads of v are contiguous, of those with the most axes, the last of equals;
// nil where there is none or v reduces something.
func unitAxisOf(v *loop.Value, axes []*loop.Axis) *loop.Axis {
	x := newIndices()
	count := map[*loop.Axis]int{}
	reduces := false
	deps, most := newDepends(), 0
	walk([]*loop.Value{v}, func(v *loop.Value) {
		reduces = reduces || isReduction(v)
		if v.Op == loop.Load {
			n := len(common(axes, deps.value(v)))
			if n < most {
				return
			}
			if n > most { // what is read along fewer axes is less
				most = n
				clear(count)
			}
			_, terms := affine(address(x, v.Buf, v.Args))
			for _, a := range axes {
				if terms[a.Name] == 1 {
					count[a]++
				}
			}
		}
	})
	var best *loop.Axis
	for _, a := range axes {
		if n := count[a]; !reduces && n > 0 && n >= count[best] {
			best = a
		}
	}
	return best
}

// addAxis declares a leaf axis with a name like stem.
func addAxis(k *loop.Kernel, stem string, extent int) *loop.Axis {
	a := &loop.Axis{Name: freshName(k, stem), Extent: intValue(extent), Max: extent}
	k.Axes = append(k.Axes, a)
	return a
}

func addWork(k *loop.Kernel, buf *loop.Buffer) {
	at := len(k.Bufs)
	for at > 0 && k.Bufs[at-1].Mode == loop.Local {
		at--
	}
	k.Bufs = slices.Insert(k.Bufs, at, buf)
}
