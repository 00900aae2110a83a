package schedule

import (
	"fmt"

	"mdlc/ir/loop"
)

// Via z bulk, before: threads store results as they lie in registers, a few bytes side by side
//
//	z = for l0 { .. }   settle 0 z   Y[i,j; i < 500 & j < 72] = bf16(z)
//
// after: results wait in shared memory, a part of the columns at a time, and the hardware stores boxes of them while the next part, or the
// next tile's first, is computed. There is memory for two parts.
//
//	z = for l0 { .. }   settle 0 z
//	for part unroll {
//	  sent 1   wait 0   sent_Y[part % 2,..; j1 / 8 == part] = bf16(z)   wait 0
//	  send { Y[row,part*64 + col; ..] = sent_Y[part % 2,row,col] async } }
//	sent 0

// sendSlots are the parts that have memory: one is written while the other is read.
const sendSlots = 2

// send lets the hardware store what the statements after product d in loop f compute, where of are the tiles that a point makes. Done
// is what a point does after all of them.
func (s *stager) send(f *loop.For, d *loop.Value, slots []*slot, of *tiles, after []loop.Stmt) (out, done []loop.Stmt, err error) {
	delete(s.sends, d.Name)
	if d.Instr != loop.WGMMA || slots[0].ring == nil {
		return nil, nil, fmt.Errorf("%s is not of a group of warps that have a ring", d.Name)
	}
	stores, ok := equations(after)
	if !ok || len(stores) == 0 {
		return nil, nil, fmt.Errorf("other than values and stores follow %s", d.Name)
	}
	if len(f.Carry) != 1 {
		return nil, nil, fmt.Errorf("the loop of %s carries more", d.Name)
	}
	rows, cols := slots[0].rowAxes, slots[1].rowAxes
	row, height := s.position(rows)
	col, width := s.position(cols)
	first := stores[0].Buf
	n := loop.SwizzleBytes / first.Elem.Size() // columns of a part
	if width%n > 0 {
		return nil, nil, fmt.Errorf("%d columns of %s are no rows of %d bytes", width, first.Name, loop.SwizzleBytes)
	}
	part := s.newAxis("part", width/n, loop.Unroll)
	mine := binary(loop.Eq, s.x.simple(over(col, n)), axisValue(part))
	slot := s.x.simple(binary(loop.Mod, of.number(part), intValue(sendSlots)))
	turn := &loop.For{Axis: part, Body: []loop.Stmt{&loop.Sent{Young: sendSlots - 1}, &loop.Wait{}}}
	send := &loop.Send{}
	value := s.beforeSend(stores, mine, f.Carry[0].Out)
	for _, st := range after {
		if st, let := st.(*loop.Let); let {
			v := value(st.Val)
			v.Name = st.Val.Name
			turn.Body = append(turn.Body, &loop.Let{Val: v})
		}
	}
	for _, st := range stores {
		if st.Buf.Elem.Size() != first.Elem.Size() {
			return nil, nil, fmt.Errorf("%s and %s have elements of different sizes", st.Buf.Name, first.Name)
		}
		buf := &loop.Buffer{Name: freshName(s.k, "sent_"+st.Buf.Name), Elem: st.Buf.Elem, Mode: loop.Local, Dims: []int{sendSlots, height, n}, Swizzle: true}
		s.k.Bufs = append(s.k.Bufs, buf)
		turn.Body = append(turn.Body, &loop.Store{Buf: buf, Index: []*loop.Value{slot, row, s.x.simple(rest(col, n))}, Guard: mine, Val: value(st.Val)})
		boxRow, boxCol := s.newAxis("row", height, loop.Box), s.newAxis("col", n, loop.Box)
		m := &mover{x: s.x, done: map[*loop.Value]*loop.Value{}}
		m.spread(rows, axisValue(boxRow))
		m.spread(cols, binary(loop.Add, times(axisValue(part), n), axisValue(boxCol)))
		box := &loop.Store{Buf: st.Buf, Guard: m.value(st.Guard), Val: load(buf, []*loop.Value{slot, axisValue(boxRow), axisValue(boxCol)}, nil), Async: true}
		for _, x := range st.Index {
			box.Index = append(box.Index, m.value(x))
		}
		if _, err := BoxOf(box); err != nil {
			return nil, nil, fmt.Errorf("results in %s: %w", st.Buf.Name, err)
		}
		send.Body = append(send.Body, box)
	}
	turn.Body = append(turn.Body, &loop.Wait{}, send)
	if of == nil { // slots are no more needed, so results may lie there
		out = append(out, &loop.Wait{})
	}
	return append(out, turn), []loop.Stmt{&loop.Sent{}}, nil
}

// beforeSend is how values are computed in the part that a condition tells: what is there in buffers that are stored is read there alone, since elsewhere it
// may be on its way. Z is computed before.
func (s *stager) beforeSend(stores []*loop.Store, mine, z *loop.Value) func(v *loop.Value) *loop.Value {
	m := &mover{x: s.x, where: map[*loop.Buffer]*loop.Value{}, done: map[*loop.Value]*loop.Value{z: z}}
	read := false
	for _, st := range stores {
		m.where[st.Buf] = mine
	}
	for _, st := range stores {
		loop.Visit(st.Val, func(v *loop.Value) { read = read || v.Op == loop.Load && m.where[v.Buf] != nil })
	}
	if !read {
		return func(v *loop.Value) *loop.Value { return v }
	}
	return m.value
}
