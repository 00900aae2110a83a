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
	u := usesOf(k)
	for _, v := range u.extremes {
		u.gather(v)
	}
}

// extremeUses is what decides how the extremes of a kernel may be taken.
type extremeUses struct {
	extremes []*loop.Value
	carries  map[*loop.Value]*loop.Carry // by what is carried out
	of       map[*loop.Value]int
}

func usesOf(k *loop.Kernel) *extremeUses {
	u := &extremeUses{carries: map[*loop.Value]*loop.Carry{}, of: map[*loop.Value]int{}}
	eachStmt(k.Body, func(s loop.Stmt, vs []*loop.Value) {
		if f, ok := s.(*loop.For); ok {
			for _, c := range f.Carry {
				u.carries[c.Out] = c
			}
		}
		if _, named := s.(*loop.Let); named { // which is no use
			return
		}
		for _, v := range vs {
			u.of[v]++
		}
	})
	walkBody(k.Body, func(v *loop.Value) {
		for _, a := range v.Args {
			u.of[a]++
		}
		u.of[v.Guard]++
		if v.Op == loop.ReduceMax || v.Op == loop.ReduceMin {
			u.extremes = append(u.extremes, v)
		}
	})
	return u
}

// turns are the carries of loops, the last first, of which v alone takes the extreme, as each turn does of what is
// carried and more, and what they start from.
func (u *extremeUses) turns(v *loop.Value) (turns []*loop.Carry, start *loop.Value) {
	start = v.Args[0]
	for start.Op == loop.CarryOut {
		c := u.carries[start]
		if u.of[start] != 1 || u.of[c.In] != 1 || u.of[c.Next] != 1 || c.Next.Op != steps[v.Op] || c.Next.Args[0] != c.In {
			return nil, nil
		}
		turns = append(turns, c)
		start = c.Init
	}
	return turns, start
}

// gather moves the registers of v into the turns of the loops that v is the result of.
func (u *extremeUses) gather(v *loop.Value) {
	regs := slices.DeleteFunc(slices.Clone(v.Over), func(a *loop.Axis) bool { return a.Bind != loop.Reg })
	turns, start := u.turns(v)
	if len(regs) == 0 || len(regs) == len(v.Over) || start == nil || start.Op != loop.Const {
		return
	}
	for _, c := range turns {
		if len(minus(regs, c.Next.Args[1].Axes)) > 0 {
			return
		}
	}
	for _, c := range turns {
		turn := c.Next.Args[1]
		c.Next.Args[1] = &loop.Value{Op: v.Op, Elem: v.Elem, Over: regs, Args: []*loop.Value{turn}}
	}
	v.Over = minus(v.Over, regs)
}
