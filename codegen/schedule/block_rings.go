package schedule

import (
	"fmt"
	"slices"

	"mdlc/ir/loop"
)

// Rings of blocks of columns, before (stage_blocks.go): all threads copy blocks turns ahead, and meet in every turn.
//
// after Roles z, where z is a product of scores: a role asks the hardware for rows and blocks, whenever a slot is free, and the groups that multiply wait for what
// they read alone. The turns of a ring go on from loop to loop, so the first blocks of the next loop are there when it begins.
//
//	role ask { fill RQ 0 { .. }   for s0 { fill RK s0 { .. } }   for s0 { fill RK s0 + 8 { .. }   fill RV s0 { .. } } }
//	role multiply { take RQ 0   for s0 { take RK s0   z = ..   settle 0 z   free RK s0   .. }   ..
//	  for s0 { take RK s0 + 8   z = ..   settle 0 z   free RK s0 + 8   if s0 >= 1 { free RV s0 - 1 }
//	    ..   take RV s0   o = dot[s1](p, SV[s0 % 4,..], o)   settle 1 o   yield o }   settle 0 o   free RV 7 }

// ringPage is a page whose rows and blocks wait in rings.
type ringPage struct {
	s     *stager
	rings []*blockRing
	asks  []loop.Stmt
}

// blockRing is the ring of an operand's blocks.
type blockRing struct {
	slot *slot       // of the first operand that has them
	done *loop.Value // turns of the loops so far
}

// rolesOfBlocks makes roles of a page, which has product z of scores, and what comes before.
func (s *stager) rolesOfBlocks(page, precede []loop.Stmt, z *loop.Value) ([]loop.Stmt, error) {
	delete(s.roles, z.Name)
	if slices.ContainsFunc(precede, func(st loop.Stmt) bool { _, let := st.(*loop.Let); return !let }) {
		return nil, fmt.Errorf("more than values comes before %s", z.Name)
	}
	p := &ringPage{s: s}
	var multiply []loop.Stmt
	for _, st := range page {
		f, ok := st.(*loop.For)
		if !ok {
			multiply = append(multiply, st)
			continue
		}
		t, err := p.turns(f)
		if err != nil {
			return nil, err
		}
		p.asks = append(p.asks, &loop.For{Axis: f.Axis, Lo: f.Lo, Hi: f.Hi, Body: t.fills()})
		f.Body = t.body()
		multiply = slices.Concat(multiply, t.before, []loop.Stmt{f}, t.after())
		t.end()
	}
	return twoRoles(p.asks, multiply, s.threadsOf(z)), nil
}

// ringTurns are the turns of a loop whose blocks wait in rings.
type ringTurns struct {
	p *ringPage
	f *loop.For
	g *groupTurn

	before []loop.Stmt
	scores []*slot // of blocks that scores are made of
	others []*slot // of blocks that are multiplied by what is made of them, until the next turn has its scores
	lo, hi *loop.Value
}

// turns finds what the turns of f read.
func (p *ringPage) turns(f *loop.For) (*ringTurns, error) {
	s := p.s
	dots := s.blockDots(f)
	if dots == nil || dots[0].Instr != loop.WGMMA || s.columnReads(f) != nil {
		return nil, fmt.Errorf("the loop over %s has no products of groups of warps, or reads more than they multiply", f.Axis.Name)
	}
	t := &ringTurns{p: p, f: f, lo: f.Lo, hi: f.Hi}
	if t.lo == nil {
		t.lo = intValue(0)
	}
	if t.hi == nil {
		t.hi = f.Axis.Extent
	}
	for _, d := range dots {
		for i, v := range d.Args[:2] {
			if s.depth[v.Name] == 0 {
				continue
			}
			if err := s.copyable(v); err != nil {
				return nil, err
			}
			s.staged[v.Name] = true
			sl, err := t.slot(v, d)
			if err != nil {
				return nil, err
			}
			d.Args[i] = s.read(sl, v, s.x.simple(binary(loop.Mod, sl.turn(axisValue(f.Axis)), intValue(sl.ring.Depth))))
		}
	}
	t.before = append(t.before, s.alikeInTurns(f)...)
	t.g = groupTurnOf(f, dots)
	return t, nil
}

// slot is that of operand v of product d: rows have one that is filled once, blocks those of a ring.
func (t *ringTurns) slot(v, d *loop.Value) (*slot, error) {
	p, s := t.p, t.p.s
	if !loop.Has(s.deps.value(v), t.f.Axis) {
		sl := s.rows[v.Name]
		if sl == nil {
			sl = s.shape(v, d, 1)
			if err := p.start(sl, d, t.f.Axis); err != nil {
				return nil, err
			}
			s.rows[v.Name] = sl
			p.asks = append(p.asks, p.step(loop.Fill, sl, t.f.Axis, intValue(0)))
			t.before = append(t.before, p.step(loop.Take, sl, t.f.Axis, intValue(0)))
		}
		return sl, nil
	}
	sl := s.shape(v, d, s.depth[v.Name])
	i := slices.IndexFunc(p.rings, func(r *blockRing) bool { return s.alike(r.slot, sl, t.f.Axis) })
	if i < 0 {
		if err := p.start(sl, d, t.f.Axis); err != nil {
			return nil, err
		}
		i = len(p.rings)
		p.rings = append(p.rings, &blockRing{sl, intValue(0)})
	}
	r := p.rings[i]
	sl.buf, sl.ring, sl.base = r.slot.buf, r.slot.ring, s.x.simple(binary(loop.Sub, r.done, t.lo))
	if carryOf(t.f, d) == nil {
		t.scores = withRing(t.scores, sl)
	} else {
		t.others = withRing(t.others, sl)
	}
	return sl, nil
}

// start gives a slot memory and a ring, which the hardware fills.
func (p *ringPage) start(sl *slot, d *loop.Value, a *loop.Axis) error {
	s := p.s
	if !sl.buf.Swizzle || sl.inner%sl.buf.Dims[3] > 0 {
		return fmt.Errorf("operand %s has no rows of %d bytes", sl.v.Name, loop.SwizzleBytes)
	}
	sl.buf.Name = freshName(s.k, "slot")
	s.k.Bufs = append(s.k.Bufs, sl.buf)
	sl.ring = &loop.Ring{Name: freshName(s.k, "ring_of_"+sl.v.Name), Depth: sl.buf.Dims[0]}
	s.k.Rings = append(s.k.Rings, sl.ring)
	if _, err := BoxOf(s.box(sl, a, false)(axisValue(a))); err != nil {
		return fmt.Errorf("operand %s: %w", sl.v.Name, err)
	}
	return nil
}

// step is one of the ring of sl, where the loop over a is at a turn.
func (p *ringPage) step(kind loop.RingKind, sl *slot, a *loop.Axis, turn *loop.Value) loop.Stmt {
	step := &loop.RingStep{Ring: sl.ring, Kind: kind, Turn: p.s.x.simple(sl.turn(turn))}
	if kind == loop.Fill {
		step.Body = []loop.Stmt{p.s.box(sl, a, false)(turn)}
	}
	return step
}

// steps are those of some rings.
func (t *ringTurns) steps(kind loop.RingKind, slots []*slot, turn *loop.Value) (out []loop.Stmt) {
	for _, sl := range slots {
		out = append(out, t.p.step(kind, sl, t.f.Axis, turn))
	}
	return out
}

// fills fill what a turn reads.
func (t *ringTurns) fills() []loop.Stmt {
	return t.steps(loop.Fill, append(slices.Clone(t.scores), withoutRings(t.others, t.scores)...), axisValue(t.f.Axis))
}

// body is a turn. Blocks that only scores are made of are free when these are there, others when the scores of the next turn are, and so the products of this one.
func (t *ringTurns) body() []loop.Stmt {
	turn, g := axisValue(t.f.Axis), t.g
	out := slices.Concat(t.steps(loop.Take, t.scores, turn), g.scores, t.steps(loop.Free, withoutRings(t.scores, t.others), turn))
	var last []loop.Stmt
	switch {
	case g.scores == nil:
		last = t.steps(loop.Free, t.others, turn)
	case t.others != nil:
		some := binary(loop.Ge, turn, t.p.s.x.simple(binary(loop.Add, t.lo, intValue(1))))
		out = append(out, &loop.If{Cond: some, Body: t.steps(loop.Free, t.others, binary(loop.Sub, turn, intValue(1)))})
	}
	return slices.Concat(out, g.rest, t.steps(loop.Take, withoutRings(t.others, t.scores), turn), g.seconds, g.settle, last)
}

// after is what stands behind the loop.
func (t *ringTurns) after() []loop.Stmt {
	out, s := t.g.after, t.p.s
	if t.g.scores == nil || t.others == nil {
		return out
	}
	free := t.steps(loop.Free, t.others, s.x.simple(binary(loop.Sub, t.hi, intValue(1))))
	if least, _ := s.x.rng(s.x.of(binary(loop.Sub, t.hi, t.lo))); least < 1 {
		free = []loop.Stmt{&loop.If{Cond: binary(loop.Lt, t.lo, t.hi), Body: free}}
	}
	return append(out, free...)
}

// end counts the turns that the rings have had.
func (t *ringTurns) end() {
	for _, sl := range append(slices.Clone(t.scores), withoutRings(t.others, t.scores)...) {
		for _, r := range t.p.rings {
			if r.slot.ring == sl.ring {
				r.done = t.p.s.x.simple(sl.turn(t.hi))
			}
		}
	}
}

// withRing is list with sl, if none of it has its ring.
func withRing(list []*slot, sl *slot) []*slot {
	return append(list, withoutRings([]*slot{sl}, list)...)
}

// withoutRings are those of list whose rings none of others has.
func withoutRings(list, others []*slot) []*slot {
	return slices.DeleteFunc(slices.Clone(list), func(sl *slot) bool {
		return slices.ContainsFunc(others, func(o *slot) bool { return o.ring == sl.ring })
	})
}
