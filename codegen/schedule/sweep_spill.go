package schedule

import (
	"slices"

	"mdlc/ir/loop"
)

// A spilled value is stored to a panel by the pass that computes it first, and loaded by later
// ones. Where its sum is apart, the pass that computes it only stores it, and the sum loads it:
//
//	for j0 { acc[j0,j1] = exp(x - m) }   b = for j0 carry a = 0.0 { yield a + acc[j0,j1] }
//
// The partial sums and what the value is computed with need not be in registers together.

// apart reports whether a reduction along the loop reads a panel that a pass before has filled.
func (p *plan) apart(w *sweeper, v *loop.Value) bool {
	return p.innermost && isReduction(v) && loop.Has(w.deps.over(v), p.a) && w.isApart(v.Args[0]) && loop.Has(w.deps.value(v.Args[0]), p.a)
}

// spilled are the spilled values that the pass of a level uses first and a later one needs.
func (w *sweeper) spilled(p *plan, level int, s *scope) []*loop.Value {
	var out []*loop.Value
	for _, t := range p.tasks {
		w.walkTask(t, s, func(v *loop.Value) {
			if !slices.Contains(out, v) && w.isSpilled(v) && p.first[v] == level && p.needed[v] > level && loop.Has(w.deps.value(v), p.a) {
				out = append(out, v)
			}
		})
	}
	return out
}

// spills are the stores of the spilled values of a level.
func (w *sweeper) spills(p *plan, level int, rest []*loop.Axis, s *scope) []*task {
	var out []*task
	for _, v := range w.spilled(p, level, s) {
		n := &acc{red: v}
		w.memory(n, append(common(w.deps.value(v), append([]*loop.Axis{p.a}, rest...)), openAxes(w.deps.value(v))...))
		out = append(out, &task{store: &loop.Store{Buf: n.mem, Index: n.idx, Val: v}})
	}
	return out
}

func (w *sweeper) isApart(v *loop.Value) bool {
	return v.Name != "" && slices.Contains(w.apart, v.Name)
}

func (w *sweeper) isSpilled(v *loop.Value) bool {
	return v.Name != "" && slices.Contains(w.spill, v.Name)
}
