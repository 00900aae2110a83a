package schedule

import (
	"slices"

	"mdlc/ir/loop"
)

// Step layout takes the largest or least of what a turn has in registers before it goes on; any
// order gives the same bits. Before (j1 is registers, j2 lanes):
//
//	b = for j0 carry a = -inf { yield max(a, X[j]) }   m = max[j1,j2](b)
//
// after, where a is one register and the machine compares within a turn, not from turn to turn:
//
//	b = for j0 carry a = -inf { yield max(a, max[j1](X[j])) }   m = max[j2](b)

// gatherExtremes does so for the extremes of k.
func gatherExtremes(k *loop.Kernel) {
	g := &gathering{carries: map[*loop.Value]*loop.Carry{}, uses: map[*loop.Value]int{}}
	var found []*loop.Value
	eachStmt(k.Body, func(s loop.Stmt, vs []*loop.Value) {
		if f, ok := s.(*loop.For); ok {
			for _, c := range f.Carry {
				g.carries[c.Out] = c
			}
		}
		for _, v := range vs {
			g.uses[v]++
		}
	})
	walkBody(k.Body, func(v *loop.Value) {
		for _, a := range v.Args {
			g.uses[a]++
		}
		g.uses[v.Guard]++
		if v.Op == loop.ReduceMax || v.Op == loop.ReduceMin {
			found = append(found, v)
		}
	})
	for _, v := range found {
		g.gather(v)
	}
}

type gathering struct {
	carries map[*loop.Value]*loop.Carry // by what is carried out
	uses    map[*loop.Value]int
}

// gather moves the registers of v into the turns of the loops that v is the result of.
func (g *gathering) gather(v *loop.Value) {
	regs := slices.DeleteFunc(slices.Clone(v.Over), func(a *loop.Axis) bool { return a.Bind != loop.Reg })
	if len(regs) == 0 || len(regs) == len(v.Over) {
		return
	}
	var turns []*loop.Carry
	x := v.Args[0]
	for ; x.Op == loop.CarryOut; x = turns[len(turns)-1].Init {
		c := g.carries[x]
		if g.uses[x] != 1 || g.uses[c.In] != 1 || c.Next.Op != steps[v.Op] || c.Next.Args[0] != c.In || len(minus(regs, c.Next.Args[1].Axes)) > 0 {
			return
		}
		turns = append(turns, c)
	}
	if x.Op != loop.Const {
		return
	}
	for _, c := range turns {
		turn := c.Next.Args[1]
		c.Next.Args[1] = &loop.Value{Op: v.Op, Elem: v.Elem, Over: regs, Args: []*loop.Value{turn}}
	}
	v.Over = minus(v.Over, regs)
}
