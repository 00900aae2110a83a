package schedule

import (
	"fmt"
	"slices"
	"strings"

	"mdlc/ir/loop"
)

// Bulk, before: all threads copy to slots, and meet in every turn (stage.go)
//
// after Bulk z: the slots are a ring, which the hardware fills with boxes of the operands while the products of other turns go on. A slot is filled
// again as soon as nobody reads it, and only who waits for a turn waits:
//
//	fill R 0 { SA[0,..] = A[..] async   SB[0,..] = B[..] async }   fill R 1 { .. }   fill R 2 { .. }
//	z = for l0 carry c = 0.0 {
//	  take R l0   z = dot(SA[l0 % 4,..], SB[l0 % 4,..], c) @wgmma   settle 1 z
//	  if l0 >= 1 { free R l0 - 1 }   if l0 + 3 < 32 { fill R l0 + 3 { .. } }
//	  yield z }
//
// after Roles z the thread that asks has nothing else to do, so it never comes late:
//
//	role ask { for l0 { fill R l0 { .. } } }
//	role multiply { z = for l0 { take R l0   z = dot(..) @wgmma   settle 1 z   if l0 >= 1 { free R l0 - 1 }   yield z }   .. }

// ring lets the slots of d, whose turns are those of f, be a ring.
func (s *stager) ring(f *loop.For, d *loop.Value, slots []*slot, of *tiles, depth int, inside bool) (*turns, error) {
	delete(s.bulk, d.Name)
	if d.Instr != loop.WGMMA || inside || f.Lo != nil && !isZero(f.Lo) {
		return nil, fmt.Errorf("%s is not of a group of warps, or its turns do not begin at 0, once a point", d.Name)
	}
	r := &loop.Ring{Name: freshName(s.k, "ring_of_"+d.Name), Depth: slots[0].buf.Dims[0]}
	s.k.Rings = append(s.k.Rings, r)
	for _, sl := range slots {
		sl.ring = r
	}
	if of != nil && of.cluster != nil {
		r.Cluster = of.cluster.points
	}
	boxes := make([]func(turn *loop.Value) *loop.Store, len(slots))
	for i, sl := range slots {
		shared := r.Cluster > 0 && i == of.cluster.shared
		if shared && sl.buf.Dims[1]%r.Cluster > 0 && sl.buf.Dims[2]%r.Cluster > 0 {
			return nil, fmt.Errorf("operand %s has no %d equal parts", sl.v.Name, r.Cluster)
		}
		boxes[i] = s.box(sl, f.Axis, shared)
		if _, err := BoxOf(boxes[i](axisValue(f.Axis))); err != nil {
			return nil, fmt.Errorf("operand %s: %w", sl.v.Name, err)
		}
	}
	step := func(kind loop.RingKind, turn *loop.Value) *loop.RingStep {
		return &loop.RingStep{Ring: r, Kind: kind, Turn: s.x.simple(of.turn(turn))}
	}
	fill := func(turn *loop.Value) []loop.Stmt {
		step := step(loop.Fill, turn)
		for _, box := range boxes {
			step.Body = append(step.Body, box(turn))
		}
		return []loop.Stmt{step}
	}
	turn := axisValue(f.Axis)
	pending := s.pending(f, d)
	read := binary(loop.Sub, turn, intValue(pending)) // its product is done
	t := &turns{first: []loop.Stmt{step(loop.Take, turn)}, last: []loop.Stmt{step(loop.Free, read)}}
	if pending > 0 {
		t.last = []loop.Stmt{&loop.If{Cond: binary(loop.Ge, turn, intValue(pending)), Body: t.last}}
	}
	if of != nil && pending > 0 { // the last turn of a tile
		t.free = []loop.Stmt{step(loop.Free, binary(loop.Sub, of.turns, intValue(groupsPending)))}
		if _, fixed := of.turns.IntConst(); !fixed {
			t.free = []loop.Stmt{&loop.If{Cond: binary(loop.Ge, of.turns, intValue(groupsPending)), Body: t.free}}
		}
	}
	if s.roles[d.Name] {
		t.asks = []loop.Stmt{&loop.For{Axis: f.Axis, Lo: f.Lo, Hi: f.Hi, Body: fill(turn)}}
		return t, nil
	}
	lead := min(depth-pending, r.Depth) // how many turns ahead slots are filled
	for n := range lead {
		t.before = append(t.before, s.ahead(f, intValue(n), fill)...)
	}
	t.last = append(t.last, s.ahead(f, binary(loop.Add, turn, intValue(lead)), fill)...)
	return t, nil
}

// Registers of a processor, and of a thread that only asks: what it does not need, threads that multiply may have.
const (
	fileRegs   = 64 << 10
	askRegs    = 40
	maxRegs    = 255
	groupWarps = 4 // of a group, which has registers as a whole
	manyGroups = 2 // from how many groups on one thread has enough to do with asking for what they multiply
)

// split makes roles of what computes d: one asks for copies, whenever a slot is free, the other, of so many threads, waits for what is there.
func (s *stager) split(d *loop.Value, t *turns, of *tiles, multiply, precede []loop.Stmt, threads int) ([]loop.Stmt, error) {
	delete(s.roles, d.Name)
	if t.asks == nil {
		return nil, fmt.Errorf("%s has no ring", d.Name)
	}
	for _, st := range precede {
		if _, let := st.(*loop.Let); !let {
			return nil, fmt.Errorf("more than values comes before %s", d.Name)
		}
	}
	rings := 0
	loop.Walk(multiply, func(st loop.Stmt) {
		if step, ok := st.(*loop.RingStep); ok && step.Kind == loop.Take {
			rings++
		}
	})
	if rings > 1 {
		return nil, fmt.Errorf("another product follows %s", d.Name)
	}
	return twoRoles(of.around(t.asks, nil), of.around(multiply, t.done), threads), nil
}

// twoRoles are one of a group of warps that asks, and one of so many threads that multiply.
func twoRoles(asks, multiply []loop.Stmt, threads int) []loop.Stmt {
	ask, others := &loop.Role{Name: "ask", Warps: groupWarps, Body: asks}, &loop.Role{Name: "multiply", Body: multiply}
	if regs := (fileRegs - groupWarps*WarpThreads*askRegs) / threads &^ 7; regs <= maxRegs {
		ask.Regs, others.Regs = askRegs, regs
	}
	return []loop.Stmt{ask, others}
}

// box returns what fills a slot in turns of the loop over axis a, a block of columns at a time; of what points share, a part for all of them.
func (s *stager) box(sl *slot, a *loop.Axis, shared bool) func(turn *loop.Value) *loop.Store {
	n := sl.buf.Dims[3]
	blocks, rows := sl.inner/n, sl.buf.Dims[2]
	block, row := intValue(0), intValue(0) // the first
	if shared {
		blocks, rows, block, row = sl.of.share(blocks, rows)
	}
	block = binary(loop.Add, block, axisValue(s.newAxis("block", blocks, loop.Open)))
	row = binary(loop.Add, row, axisValue(s.newAxis("row", rows, loop.Box)))
	inner := binary(loop.Add, times(block, n), axisValue(s.newAxis("col", n, loop.Box)))
	return func(turn *loop.Value) *loop.Store {
		st := s.store(sl, a, turn, row, inner)
		st.Async, st.Multicast = true, shared
		return st
	}
}

// bulks proposes to let the hardware fill the slots of products of groups of warps, where it can: k is the kernel that is chosen for.
func (c *chooser) bulks(k *loop.Kernel) {
	try := func(o loop.Opt) bool {
		with := append(slices.Clone(c.opts), o)
		steps, err := Apply(k, with)
		if err != nil || o.Kind == Persist && localBytes(steps[len(steps)-1].Kernel) > c.m.Slots {
			return false
		}
		c.opts = with
		return true
	}
	for _, o := range ofKind(c.opts, Mma) {
		if c.err != nil || !strings.HasPrefix(o.Word, loop.WGMMA) || !try(opt(Bulk, o.Axis, 0, "")) {
			continue
		}
		if !slices.Contains(names(ofKind(c.opts, Via)), o.Axis) {
			try(opt(Via, o.Axis, 0, bulkWord))
		}
		if c.m.groups(o.Word) >= manyGroups && try(opt(Roles, o.Axis, 0, "")) && try(opt(Persist, o.Axis, c.m.Processors, "")) {
			try(opt(Cluster, o.Axis, clusterPoints, ""))
		}
	}
}

// groups is how many groups of warps share a tile.
func (m *Machine) groups(tile string) int {
	i := slices.IndexFunc(m.Group, func(r Row) bool { return r.String() == tile })
	return m.Group[i].Warps[0] * m.Group[i].Warps[1] / groupWarps
}

// localBytes are those that the slots and results of k have together, where they share nothing.
func localBytes(k *loop.Kernel) int {
	total := 0
	for _, r := range k.Rings {
		total += 16 * r.Depth // barriers
	}
	for _, b := range k.Bufs {
		if b.Mode == loop.Local {
			total += b.Bytes() + chunkBytes*chunkBytes // where it begins
		}
	}
	return total
}
