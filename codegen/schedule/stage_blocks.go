package schedule

import (
	"slices"

	"mdlc/ir/loop"
)

// Blocks of columns, before (attention, choose_scores.go): loops go over the same blocks, and multiply rows that stay with what each block has
//
//	for s0 { z = dot[d](Q[t,d], K[s0*64 + s1,d]) .. }   for s0 { z = dot[d](Q[t,d], K[s0*64 + s1,d])   o = dot[s1](p, V[s0*64 + s1,e], o) }
//
// after Stage z_a 1, Stage z_b 2, Stage o_b 2: rows wait in a slot from the first loop on, blocks in slots that are filled a turn ahead:
//
//	SQ[0,..] = Q[..] async   SK[0,..] = K[..] async   commit
//	for s0 { wait 0   if s0 + 1 < 8 { SK[(s0+1) % 2,..] = K[..] async }   commit   z = dot[d](SQ[0,..], SK[s0 % 2,..]) .. }
//	wait 0   SK1[0,..] = K[..] async   SV[0,..] = V[..] async   commit   for s0 { .. }
//
// The wait before a loop is where all warps have read the slots of the one before, so that theirs may lie in the same memory.

// blockDots are the products of fragments with staged operands that f computes in its turns, where it does not sum up one of staged operands alone. A turn
// that is a launch has no slots of the one before.
func (s *stager) blockDots(f *loop.For) []*loop.Value {
	if roundsOf([]loop.Stmt{f}) != nil {
		return nil
	}
	var out []*loop.Value
	along := false
	look := func(v *loop.Value) {
		if !v.IsTensor() || slices.Contains(out, v) || s.depth[v.Args[0].Name] == 0 && s.depth[v.Args[1].Name] == 0 {
			return
		}
		out = append(out, v)
		along = along || loop.Has(s.deps.value(v.Args[1]), f.Axis)
	}
	eachOwn(f, look)
	if !along {
		return nil
	}
	return out
}

// eachOwn calls look for the values that f computes in its turns; what a loop inside computes is its own.
func eachOwn(f *loop.For, look func(v *loop.Value)) {
	for _, st := range f.Body {
		if _, inner := st.(*loop.For); !inner {
			loop.Values(st, func(v *loop.Value) { loop.Visit(v, look) })
		}
	}
	for _, c := range f.Carry {
		loop.Visit(c.Next, look)
	}
}

// blocks stages the operands of dots in f; again is whether another loop of the point has done so before.
func (s *stager) blocks(f *loop.For, dots []*loop.Value, again bool) ([]loop.Stmt, error) {
	threads := WarpThreads
	for _, a := range s.deps.value(dots[0]) {
		if a.Bind == loop.Warp {
			threads *= a.Max
		}
	}
	var once []loop.Stmt
	var slots []*slot
	depth := 0
	for _, d := range dots {
		for i, v := range d.Args[:2] {
			n := s.depth[v.Name]
			if n == 0 {
				continue
			}
			if err := s.copyable(v); err != nil {
				return nil, err
			}
			s.staged[v.Name] = true
			turn := intValue(0)
			var sl *slot
			switch moves := loop.Has(s.deps.value(v), f.Axis); {
			case moves:
				depth = n
				sl = s.slot(v, d, min(n, f.Axis.Max), threads)
				slots = append(slots, sl)
				turn = binary(loop.Mod, axisValue(f.Axis), intValue(sl.buf.Dims[0]))
			case s.rows[v.Name] != nil:
				sl = s.rows[v.Name]
			default:
				sl = s.slot(v, d, 1, threads)
				s.rows[v.Name] = sl
				once = append(once, s.fill(sl, f.Axis, turn))
			}
			d.Args[i] = load(sl.buf, sl.at(turn, sl.rows, sl.sums), nil)
			d.Args[i].Name = v.Name
		}
	}
	t := s.fills(f, dots[0], slots, depth, again)
	f.Body = append(t.first, f.Body...)
	return slices.Concat(once, t.before, []loop.Stmt{f}), nil
}
