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

// ring lets the slots of d, whose turns are those of f, be a ring. It returns what comes before f, and first and last in its turns.
func (s *stager) ring(f *loop.For, d *loop.Value, slots []*slot, depth int, inside bool) (before, first, last []loop.Stmt, err error) {
	delete(s.bulk, d.Name)
	if d.Instr != loop.WGMMA || inside || f.Lo != nil && !isZero(f.Lo) {
		return nil, nil, nil, fmt.Errorf("%s is not of a group of warps, or its turns do not begin at 0, once a point", d.Name)
	}
	r := &loop.Ring{Name: freshName(s.k, "ring_of_"+d.Name), Depth: slots[0].buf.Dims[0]}
	s.k.Rings = append(s.k.Rings, r)
	boxes := make([]func(turn *loop.Value) *loop.Store, len(slots))
	for i, sl := range slots {
		boxes[i] = s.box(sl, f.Axis)
		if _, err := BoxOf(boxes[i](axisValue(f.Axis))); err != nil {
			return nil, nil, nil, fmt.Errorf("operand %s: %w", sl.v.Name, err)
		}
	}
	ahead := func(turn *loop.Value) []loop.Stmt {
		return s.ahead(f, turn, func(turn *loop.Value) []loop.Stmt {
			fill := &loop.RingStep{Ring: r, Kind: loop.Fill, Turn: turn}
			for _, box := range boxes {
				fill.Body = append(fill.Body, box(turn))
			}
			return []loop.Stmt{fill}
		})
	}
	lead := min(depth-groupsPending, r.Depth) // how many turns ahead slots are filled
	for n := range lead {
		before = append(before, ahead(intValue(n))...)
	}
	turn := axisValue(f.Axis)
	first = []loop.Stmt{&loop.RingStep{Ring: r, Kind: loop.Take, Turn: turn}}
	read := s.x.simple(binary(loop.Sub, turn, intValue(groupsPending))) // its product is done
	last = append(last, &loop.If{Cond: binary(loop.Ge, turn, intValue(groupsPending)), Body: []loop.Stmt{&loop.RingStep{Ring: r, Kind: loop.Free, Turn: read}}})
	return before, first, append(last, ahead(binary(loop.Add, turn, intValue(lead)))...), nil
}

// box returns what fills a slot in turns of the loop over axis a, a block of columns at a time.
func (s *stager) box(sl *slot, a *loop.Axis) func(turn *loop.Value) *loop.Store {
	n := sl.buf.Dims[3]
	block, row, col := s.newAxis("block", sl.inner/n, loop.Open), s.newAxis("row", sl.buf.Dims[2], loop.Box), s.newAxis("col", n, loop.Box)
	inner := binary(loop.Add, times(axisValue(block), n), axisValue(col))
	return func(turn *loop.Value) *loop.Store {
		st := s.store(sl, a, turn, axisValue(row), inner)
		st.Async = true
		return st
	}
}

// bulks proposes to let the hardware fill the slots of products of groups of warps, where it can: k is the kernel that is chosen for.
func (c *chooser) bulks(k *loop.Kernel) {
	for _, o := range ofKind(c.opts, Mma) {
		if c.err != nil || !strings.HasPrefix(o.Word, loop.WGMMA) {
			continue
		}
		with := append(slices.Clone(c.opts), opt(Bulk, o.Axis, 0, ""))
		if _, err := Apply(k, with); err == nil {
			c.opts = with
		}
	}
}
