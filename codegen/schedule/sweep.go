package schedule

import (
	"maps"
	"slices"

	"mdlc/ir/loop"
)

// Step sweep, before (i1, j0 are loops, j1 is open):
//
//	x = X[i,j]   m = max[j0,j1](x)   Y[i,j] = exp(x - m)
//
// after: one loop over j0 for each level of reductions over it:
//
//	for i1 { a = for j0 carry c = -inf { yield max(c, X[i,j]) }   m = max[j1](a)
//	  for j0 { Y[i,j] = exp(X[i,j] - m) } }
//
// level(v) along a loop axis a is 1 + the highest level of a reduction over a that
// v needs. A reduction whose result varies along loops inside a cannot stay in
// registers: it accumulates in a panel (or in the work buffer that it is for).

// task is what a block of loops has to do: a store, or one accumulation.
type task struct {
	store *loop.Store
	last  *loop.Value // final condition under which the store runs, nil: always
	acc   *acc
}

// scope is what is computed at a place in the loops.
type scope struct {
	final map[*loop.Value]*loop.Value // source value: its value here
	known map[*loop.Value]bool        // final values with a Let
}

func (s *scope) inner() *scope {
	n := &scope{map[*loop.Value]*loop.Value{}, map[*loop.Value]bool{}}
	for v, f := range s.final {
		n.final[v] = f
	}
	for v := range s.known {
		n.known[v] = true
	}
	return n
}

type sweeper struct {
	k      *loop.Kernel
	deps   *depends
	spill  []string
	apart  []string // those of spill whose reductions have a pass of their own
	lanes  []string // axes that become lanes
	rounds []string // axes whose loops are of launches

	together []loop.Opt // points that go through a loop together
}

// sweep makes loops of every page of equations, as the opts Order, Spill and Vec say.
func sweep(k *loop.Kernel, opts []loop.Opt) (*loop.Kernel, error) {
	order, lanes := names(ofKind(opts, Order)), names(ofKind(opts, Vec))
	spill, apart := names(ofKind(opts, Spill)), names(ofWord(ofKind(opts, Spill), "apart"))
	k = clone(k)
	var out [][]loop.Stmt
	for _, page := range pages(k.Body) {
		stores, ok := equations(page)
		if !ok {
			out = append(out, page)
			continue
		}
		w := &sweeper{k: k, deps: newDepends(), spill: spill, apart: apart, lanes: lanes, rounds: names(ofKind(opts, Rounds)), together: ofKind(opts, Together)}
		w.spread(stores)
		var tasks []*task
		for _, s := range stores {
			tasks = append(tasks, &task{store: s})
		}
		out = append(out, w.gen(tasks, w.loopsOf(stores, order), &scope{map[*loop.Value]*loop.Value{}, map[*loop.Value]bool{}}))
	}
	k.Body = bind(out)
	return finish(k), nil
}

// spread lets what a reduction adds up depend on all open axes that it runs over:
//
//	sum[i0,i1](1.0)   becomes   sum[i0,i1](where(i < 99, 1.0, 0.0))
//
// so that step edge sees which of its points are dead.
func (w *sweeper) spread(stores []*loop.Store) {
	walk(roots(stores), func(v *loop.Value) {
		if v.Op.Info().Class != loop.ClassReduce {
			return
		}
		over := w.deps.over(v)
		missing := openAxes(minus(over, w.deps.value(v.Args[0])))
		var inside *loop.Value
		for _, a := range w.k.Axes {
			if leaves := w.deps.axis(a); a.Def != nil && overlaps(leaves, missing) && len(minus(leaves, over)) == 0 {
				inside = both(inside, binary(loop.Lt, axisValue(a), a.Extent))
			}
		}
		if inside != nil {
			v.Args[0] = where(inside, v.Args[0], start(v))
		}
	})
	w.deps = newDepends()
}

// loopsOf are the loop axes of a page, outermost first, without those that a dot's row enumerates.
func (w *sweeper) loopsOf(stores []*loop.Store, order []string) []*loop.Axis {
	deps := newDepends()
	var all, inner []*loop.Axis
	add := func(axes []*loop.Axis) {
		for _, a := range axes {
			if (a.Bind == loop.Loop || a.Bind == loop.Unroll) && !loop.Has(all, a) {
				all = append(all, a)
			}
		}
	}
	for _, s := range stores {
		add(deps.store(s))
	}
	walk(roots(stores), func(v *loop.Value) {
		over := deps.over(v)
		add(over)
		if v.Op == loop.Dot {
			inner = append(inner, over[len(over)-1])
		}
	})
	all = inOrder(w.k, minus(all, inner))
	place := func(a *loop.Axis) int {
		if slices.Contains(w.rounds, a.Name) {
			return -2
		}
		return slices.Index(order, a.Name)
	}
	slices.SortStableFunc(all, func(a, b *loop.Axis) int { return place(a) - place(b) })
	return all
}

// gen makes the statements of tasks inside the loops that are to come.
func (w *sweeper) gen(tasks []*task, loops []*loop.Axis, s *scope) []loop.Stmt {
	if len(loops) == 0 {
		return w.leaf(tasks, s)
	}
	a, rest := loops[0], loops[1:]
	p := w.plan(tasks, loops, s)
	if !p.mentions {
		return w.gen(tasks, rest, s)
	}
	var out []loop.Stmt
	for level := 0; level <= p.max; level++ {
		outside, inside := p.at(level)
		if len(outside) > 0 {
			out = append(out, w.gen(outside, rest, s)...)
		}
		if len(inside) > 0 || len(w.spilled(p, level, s)) > 0 {
			late := p.fuseLast(w, rest, level, inside)
			if len(late) == 0 {
				keepStored(inside)
			}
			inside = append(inside, late...)
			out = append(out, w.pass(a, rest, inside, p, level, s)...)
		}
	}
	return out
}

// pass makes one loop over a.
func (w *sweeper) pass(a *loop.Axis, rest []*loop.Axis, inside []*task, p *plan, level int, s *scope) []loop.Stmt {
	body := s.inner()
	f := &loop.For{Axis: a}
	var out, after []loop.Stmt
	var inner, carried []*task
	for _, t := range inside {
		if t.acc == nil || !loop.Has(t.acc.over, a) {
			inner = append(inner, t)
			continue
		}
		n := *t.acc
		n.part = true
		n.over = minus(t.acc.over, []*loop.Axis{a})
		nt := &task{acc: &n}
		inner = append(inner, nt)
		carried = append(carried, nt)
		w.accumulate(a, rest, t, &n, f, p, &out, s)
	}
	inner = append(inner, w.spills(p, level, rest, body)...)
	f.Body = w.gen(inner, rest, body)
	i := 0
	for _, t := range inside {
		if t.acc == nil || !loop.Has(t.acc.over, a) {
			continue
		}
		n := carried[i].acc
		i++
		w.conclude(t.acc, n, f, &after, s)
	}
	for _, t := range inner { // spilled values are loads from now on
		if t.store != nil && t.store.Buf.Mode == loop.Local && t.store.Guard == nil && w.isSpilled(t.store.Val) {
			s.final[t.store.Val] = load(t.store.Buf, t.store.Index, nil)
		}
	}
	out = append(out, f)
	return append(out, after...)
}

// leaf makes the statements of tasks without further loops.
func (w *sweeper) leaf(tasks []*task, s *scope) []loop.Stmt {
	var plain, late []loop.Stmt
	var results []*loop.Value
	var cond *loop.Value
	for _, t := range tasks {
		if t.acc == nil {
			continue
		}
		t.acc.out = w.combine(t.acc, s)
		if t.acc.red.Op == loop.Dot {
			s.final[t.acc.red] = t.acc.out
		}
		results = append(results, t.acc.out)
		if t.acc.mem != nil {
			plain = append(plain, w.memStore(t.acc))
		}
	}
	for _, t := range tasks {
		if t.store == nil {
			continue
		}
		st := &loop.Store{Buf: t.store.Buf, Val: w.emit(t.store.Val, s), Guard: w.emit(t.store.Guard, s)}
		for _, x := range t.store.Index {
			st.Index = append(st.Index, w.emit(x, s))
		}
		if t.last != nil {
			cond, late = t.last, append(late, st)
		} else {
			plain = append(plain, st)
		}
	}
	out := w.lets(plain, results, s.known)
	if len(late) > 0 {
		inner := s.inner()
		out = append(out, &loop.If{Cond: cond, Body: w.lets(late, nil, inner.known)})
	}
	return out
}

// lets is bodyLets, but what varies along the axis of a dot's row stays inside the dot.
func (w *sweeper) lets(body []loop.Stmt, results []*loop.Value, known map[*loop.Value]bool) []loop.Stmt {
	deps := newDepends()
	all := slices.Clone(results)
	for _, s := range body {
		all = append(all, stmtValues(s)...)
	}
	inner := map[*loop.Axis]bool{}
	walk(all, func(v *loop.Value) {
		if v.Op == loop.Dot {
			for _, a := range deps.over(v) {
				inner[a] = true
			}
		}
	})
	kept := maps.Clone(known)
	made := map[*loop.Value]bool{} // of another product, all of which is there before
	walk(all, func(v *loop.Value) {
		made[v] = v.Op == loop.Dot || slices.ContainsFunc(v.Args, func(x *loop.Value) bool { return made[x] })
		for _, a := range deps.value(v) {
			if inner[a] && !made[v] {
				kept[v] = true // defined with the dot
			}
		}
	})
	out := bodyLets(body, results, kept)
	for v := range kept {
		known[v] = true
	}
	return out
}

func isReduction(v *loop.Value) bool {
	c := v.Op.Info().Class
	return c == loop.ClassReduce || c == loop.ClassDot
}

// emit is source value v at a place where its reductions are known.
func (w *sweeper) emit(v *loop.Value, s *scope) *loop.Value {
	if v == nil {
		return nil
	}
	if f := s.final[v]; f != nil {
		return f
	}
	n := *v
	n.Args = nil
	for _, a := range v.Args {
		n.Args = append(n.Args, w.emit(a, s))
	}
	n.Guard = w.emit(v.Guard, s)
	s.final[v] = &n
	return &n
}

// sources are the source values that a task evaluates.
func (w *sweeper) sources(t *task) []*loop.Value {
	if t.acc != nil {
		return t.acc.red.Args
	}
	return operands(t.store)
}

// walkTask visits the source values of t that are not computed yet, but not those that are done.
func (w *sweeper) walkTask(t *task, s *scope, f func(v *loop.Value), done ...*loop.Value) {
	known := map[*loop.Value]bool{}
	for _, v := range done {
		known[v] = true
	}
	for v := range s.final {
		known[v] = true
	}
	walkUnknown(w.sources(t), known, f)
}

// along are the leaves that a task runs over.
func (w *sweeper) along(t *task) []*loop.Axis {
	if t.acc != nil {
		return append(slices.Clone(t.acc.over), w.deps.value(t.acc.red)...)
	}
	return w.deps.store(t.store)
}
