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
// The wait before a loop is where all warps have read the slots of the one before, so that theirs may lie in the same memory. Two products that
// read the same block, one along its rows and one along its columns, have one slot.
//
// Products of groups of warps read their slots until the next turn has its scores, so those are filled a turn later:
//
//	for s0 { wait 1   if s0 + 2 < 8 { SK[(s0+2) % 4,..] = .. }   commit   z = dot[d](SQ[0,..], SK[s0 % 4,..])   settle 0 z   ..
//	  o = dot[s1](p, SV[s0 % 4,..], o)   settle 1 o   yield o }   settle 0 o

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
	threads := s.threadsOf(dots[0])
	var before []loop.Stmt
	if again {
		before = append(before, &loop.Wait{})
	}
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
				sl = s.shape(v, d, min(n, f.Axis.Max))
				slots = s.share(slots, sl, f.Axis, threads)
				turn = binary(loop.Mod, axisValue(f.Axis), intValue(sl.buf.Dims[0]))
			case s.rows[v.Name] != nil:
				sl = s.rows[v.Name]
			default:
				sl = s.shape(v, d, 1)
				s.place(sl, threads)
				s.rows[v.Name] = sl
				before = append(before, s.fill(sl, f.Axis, turn))
			}
			d.Args[i] = s.read(sl, v, turn)
		}
	}
	slots = s.columns(slots, f, depth, threads)
	alike := s.alikeInTurns(f)
	t := s.fills(f, dots[0], slots, depth, false)
	if dots[0].Instr != loop.WGMMA {
		f.Body = append(t.first, f.Body...)
		return slices.Concat(before, t.before, alike, []loop.Stmt{f}), nil
	}
	g := groupTurnOf(f, dots)
	f.Body = slices.Concat(t.first, g.scores, g.rest, g.seconds, g.settle)
	return slices.Concat(before, t.before, alike, []loop.Stmt{f}, g.after), nil
}

// groupTurn is a turn of a loop over blocks of columns whose products groups of warps make, part by part.
type groupTurn struct {
	scores  []loop.Stmt // products of which scores are made, and what waits for them, and so for all products of the turn before
	rest    []loop.Stmt // what is computed of them
	seconds []loop.Stmt // products of that
	settle  []loop.Stmt // what lets those be on their way until the next turn has its scores, if it has, and they do not go on with what a loop before may have
	after   []loop.Stmt // what waits for the last turn, behind the loop
}

// groupTurnOf finds the parts of a turn of f, which has these products. Where registers of results come from two places, as from a loop before that may have no
// turns, ptxas lets each product that is on its way wait for the one before.
func groupTurnOf(f *loop.For, dots []*loop.Value) *groupTurn {
	g := &groupTurn{rest: slices.Clone(f.Body)}
	take := func(d *loop.Value) loop.Stmt {
		n := slices.IndexFunc(g.rest, func(st loop.Stmt) bool { l, ok := st.(*loop.Let); return ok && l.Val == d })
		let := g.rest[n]
		g.rest = slices.Delete(g.rest, n, n+1)
		return let
	}
	firsts := slices.DeleteFunc(slices.Clone(dots), func(d *loop.Value) bool { return carryOf(f, d) != nil })
	var waits []loop.Stmt
	for i, d := range firsts {
		g.scores = append(g.scores, take(d))
		waits = append(waits, &loop.Settle{Young: len(firsts) - 1 - i, Val: d})
	}
	g.scores = append(g.scores, waits...)
	young := 0
	if len(firsts) > 0 && !slices.ContainsFunc(f.Carry, func(c *loop.Carry) bool { return c.Init.Op == loop.CarryOut }) {
		young = len(dots) - len(firsts)
	}
	for _, d := range dots {
		if c := carryOf(f, d); c != nil {
			g.seconds = append(g.seconds, take(d))
			g.settle = append(g.settle, &loop.Settle{Young: young, Val: d})
			g.after = append(g.after, &loop.Settle{Val: c.Out})
		}
	}
	return g
}

// carryOf is what f carries of product d; nil: nothing.
func carryOf(f *loop.For, d *loop.Value) *loop.Carry {
	if i := slices.IndexFunc(f.Carry, func(c *loop.Carry) bool { return c.Next == d }); i >= 0 {
		return f.Carry[i]
	}
	return nil
}

// columnReads are what f reads of each column of a block, for all rows alike.
func (s *stager) columnReads(f *loop.For) []*loop.Value {
	var reads []*loop.Value
	eachOwn(f, func(v *loop.Value) {
		axes := openAxes(s.deps.value(v))
		ofBlock := func(a *loop.Axis) bool { return a.Bind == loop.Reg || a.Bind == loop.FragSum }
		if v.Op == loop.Load && v.Elem == loop.F32 && len(axes) > 0 && !slices.ContainsFunc(axes, func(a *loop.Axis) bool { return !ofBlock(a) }) &&
			loop.Has(s.deps.value(v), f.Axis) && !slices.Contains(reads, v) && s.copyable(v) == nil {
			reads = append(reads, v)
		}
	})
	return reads
}

// columns lets columnReads come along with the block: they are at hand then, without guards.
func (s *stager) columns(slots []*slot, f *loop.For, depth, threads int) []*slot {
	for _, v := range s.columnReads(f) {
		from := *v
		sl := s.shape(&from, &loop.Value{Op: loop.Dot, Over: openAxes(s.deps.value(v))}, min(depth, f.Axis.Max))
		slots = s.share(slots, sl, f.Axis, threads)
		turn := binary(loop.Mod, axisValue(f.Axis), intValue(sl.buf.Dims[0]))
		v.Buf, v.Args, v.Guard = sl.buf, sl.at(turn, sl.rows, sl.sums), nil
	}
	return slots
}

// alikeInTurns are Lets of what f reads and computes alike in all turns, which come before it: where a condition guards what is read, nothing later would
// take it out.
func (s *stager) alikeInTurns(f *loop.For) []loop.Stmt {
	turns, fixed := map[*loop.Value]bool{}, map[*loop.Value]bool{} // another value in each turn; the same in all, and read from memory
	for _, c := range f.Carry {
		turns[c.In] = true
	}
	var lets []loop.Stmt
	eachOwn(f, func(v *loop.Value) {
		ins := append(slices.Clone(v.Args), v.Guard)
		some := func(of map[*loop.Value]bool) bool {
			return slices.ContainsFunc(ins, func(x *loop.Value) bool { return of[x] })
		}
		turns[v] = turns[v] || some(turns) || isReduction(v) || loop.Has(s.deps.value(v), f.Axis) || v.Op == loop.Load && (v.Buf.Mode == loop.Local || s.copyable(v) != nil)
		fixed[v] = !turns[v] && (v.Op == loop.Load || some(fixed))
	})
	seen := map[*loop.Value]bool{}
	keep := func(v *loop.Value) {
		if v != nil && fixed[v] && v.Elem.IsFloat() && !seen[v] {
			seen[v] = true
			if v.Name == "" {
				v.Name = "v"
			}
			lets = append(lets, &loop.Let{Val: v})
		}
	}
	eachOwn(f, func(v *loop.Value) {
		if turns[v] {
			for _, x := range append(slices.Clone(v.Args), v.Guard) {
				keep(x)
			}
		}
	})
	f.Body = slices.DeleteFunc(f.Body, func(st loop.Stmt) bool { l, ok := st.(*loop.Let); return ok && fixed[l.Val] })
	return lets
}

// share gives slot sl of blocks of axis a the memory of another one that has the same, or its own; it returns the slots that are to be filled.
func (s *stager) share(slots []*slot, sl *slot, a *loop.Axis, threads int) []*slot {
	if at := slices.IndexFunc(slots, func(o *slot) bool { return s.alike(o, sl, a) }); at >= 0 {
		sl.buf = slots[at].buf
		return slots
	}
	s.place(sl, threads)
	return append(slots, sl)
}

// alike reports whether two slots of blocks of axis a have the same in the same places.
func (s *stager) alike(o, p *slot, a *loop.Axis) bool {
	turn, outer, inner := axisValue(a), s.probe("outer", o), s.probe("inner", o)
	x, y := s.store(o, a, turn, outer, inner), s.store(p, a, turn, outer, inner)
	return slices.Equal(o.buf.Dims, p.buf.Dims) && sameValue(x.Val, y.Val)
}

// probe is any place in a slot.
func (s *stager) probe(name string, sl *slot) *loop.Value {
	return axisValue(&loop.Axis{Name: name, Extent: intValue(sl.size), Max: sl.size})
}
