package codegen

import (
	"maps"

	"mdlc/ir/loop"
)

const (
	abreast   = 4  // registers that are made side by side: each takes two or three of 32
	longChain = 12 // operations of a register from which on it pays
)

// sides splits the Reg axes of a group into those over which a loop turns and the last, if its registers are to be
// made side by side.
func (e *emitter) sides(g *group) (turns, side []*loop.Axis) {
	if n := len(g.axes) - 1; (e.t.Vector >= 64 || g.draws) && points(g.axes[n:]) <= abreast {
		return g.axes[:n], g.axes[n:]
	}
	return g.axes, nil
}

// inStep makes the registers of v over axes side by side, an operation of each before the next: one after the other,
// most of a long chain waits in the core for what comes before it, where there is room for few. On Zen 5 exp takes a
// seventh less time so. Only AVX-512 has the registers for it.
func (e *emitter) inStep(v *loop.Value, axes []*loop.Axis) {
	if e.t.Vector < 64 || e.t.GPU {
		return
	}
	var places []map[*loop.Axis]binding
	e.each(axes, func() { places = append(places, maps.Clone(e.bind)) })
	if len(places) < 2 || len(places) > abreast {
		return
	}
	defer func(old map[*loop.Axis]binding) { e.bind = old }(e.bind)
	e.bind = places[0]
	var chain []*loop.Value // what v is made of, in order
	seen := map[*loop.Value]bool{}
	cost := 0
	var visit func(v *loop.Value)
	visit = func(v *loop.Value) {
		if seen[v] || v.Op == loop.Const {
			return
		}
		seen[v] = true
		switch v.Op.Info().Class {
		case loop.ClassArith, loop.ClassConvert, loop.ClassCompare, loop.ClassSelect:
			if v.Op != loop.At && e.scope.find(e.key(v)) == nil {
				operands(v, visit)
				cost++
			}
		}
		chain = append(chain, v)
	}
	visit(v)
	if cost < longChain {
		return
	}
	for _, v := range chain {
		for _, e.bind = range places {
			e.value(v)
		}
	}
}
