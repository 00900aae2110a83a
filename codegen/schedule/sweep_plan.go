package schedule

import "mdlc/ir/loop"

// plan is the levels of tasks along the outermost loop.
type plan struct {
	a         *loop.Axis
	tasks     []*task // given ones, then accumulations that they need
	levels    map[*task]int
	out       map[*task]bool // not along a
	max       int
	innermost bool
	mentions  bool
	value     func(v *loop.Value) int
	fused     map[*task]bool
	first     map[*loop.Value]int // the first level that evaluates a value
	needed    map[*loop.Value]int // the last one
}

func (w *sweeper) plan(tasks []*task, loops []*loop.Axis, s *scope) *plan {
	a := loops[0]
	p := &plan{a: a, innermost: len(loops) == 1, levels: map[*task]int{}, out: map[*task]bool{}, fused: map[*task]bool{}, first: map[*loop.Value]int{}, needed: map[*loop.Value]int{}}
	memo := map[*loop.Value]int{}
	p.value = func(v *loop.Value) int {
		if v == nil || s.final[v] != nil {
			return 0
		}
		if l, ok := memo[v]; ok {
			return l
		}
		l := p.value(v.Guard)
		for _, x := range v.Args {
			l = max(l, p.value(x))
		}
		if loop.Has(w.deps.over(v), a) && isReduction(v) {
			l++
		}
		if p.apart(w, v) {
			l++
		}
		memo[v] = l
		return l
	}
	pending := map[*loop.Value]bool{}
	for _, t := range tasks {
		if t.acc != nil {
			pending[t.acc.red] = true
		}
	}
	var found []*task
	for _, t := range tasks {
		w.walkTask(t, s, func(v *loop.Value) {
			over := common(w.deps.over(v), loops)
			if !isReduction(v) || len(over) == 0 || pending[v] {
				return
			}
			pending[v] = true
			if loop.Has(over, a) || !loop.Has(w.deps.value(v), a) {
				found = append(found, &task{acc: &acc{red: v, over: over, init: first(v)}})
			}
			p.mentions = p.mentions || loop.Has(over, a)
		})
	}
	p.tasks = append(found, tasks...)
	for _, t := range p.tasks {
		along := w.along(t)
		if !loop.Has(along, a) {
			p.out[t] = true
		} else {
			p.mentions = true
		}
		p.levels[t] = p.level(w, t)
		p.max = max(p.max, p.levels[t])
	}
	w.delayStores(p, s)
	done := make([]*loop.Value, len(found)) // by tasks of their own: what they are of is not needed for them again
	for i, t := range found {
		done[i] = t.acc.red
	}
	for _, t := range p.tasks {
		w.walkTask(t, s, func(v *loop.Value) {
			l := p.levels[t]
			if p.innermost && w.isApart(v) {
				l = p.value(v)
			}
			if m, ok := p.first[v]; !ok || l < m {
				p.first[v] = l
			}
			p.needed[v] = max(p.needed[v], p.levels[t])
		}, done...)
	}
	return p
}

// level of a task: the pass in which it runs.
func (p *plan) level(w *sweeper, t *task) int {
	l := 0
	for _, v := range w.sources(t) {
		l = max(l, p.value(v))
	}
	if t.acc != nil && p.apart(w, t.acc.red) {
		l++
	}
	return l
}

// delayStores moves a store behind the passes that still read what it overwrites.
func (w *sweeper) delayStores(p *plan, s *scope) {
	for _, t := range p.tasks {
		if t.store == nil {
			continue
		}
		for _, u := range p.tasks {
			w.walkTask(u, s, func(v *loop.Value) {
				if v.Op != loop.Load || v.Buf != t.store.Buf {
					return
				}
				p.levels[t] = max(p.levels[t], p.levels[u])
				if p.out[t] && !p.out[u] { // those outside run first
					p.levels[t] = max(p.levels[t], p.levels[u]+1)
				}
			})
		}
		p.max = max(p.max, p.levels[t])
	}
}

// at gives the tasks of a level: those before the loop, and those in it.
func (p *plan) at(level int) (outside, inside []*task) {
	for _, t := range p.tasks {
		switch {
		case p.levels[t] != level || p.fused[t]:
		case p.out[t]:
			outside = append(outside, t)
		default:
			inside = append(inside, t)
		}
	}
	return outside, inside
}

// fuseLast gives the stores that follow the last pass to its last turn, where a panel would
// otherwise be written and read once more.
func (p *plan) fuseLast(w *sweeper, rest []*loop.Axis, level int, inside []*task) []*task {
	extent, ok := p.a.Extent.IntConst()
	if level+1 != p.max || !ok {
		return nil
	}
	for _, t := range inside {
		if t.acc == nil || t.acc.red.Op != loop.Dot || len(w.varies(t.acc.red, rest)) == 0 {
			return nil
		}
	}
	var out []*task
	for _, t := range p.tasks {
		if p.levels[t] == p.max {
			if !p.out[t] || t.store == nil {
				return nil
			}
			out = append(out, t)
		}
	}
	last := binary(loop.Eq, axisValue(p.a), intValue(int(extent)-1))
	for _, t := range inside {
		t.acc.skip = both(t.acc.skip, last)
	}
	var late []*task
	for _, t := range out {
		p.fused[t] = true
		late = append(late, &task{store: t.store, last: both(t.last, last)})
	}
	return late
}

// keepStored lets accumulations that are read after the loop be stored in every turn.
func keepStored(inside []*task) {
	for _, t := range inside {
		if t.acc != nil {
			t.acc.skip = nil
		}
	}
}
