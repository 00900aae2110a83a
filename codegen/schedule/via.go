package schedule

import (
	"fmt"

	"mdlc/ir/loop"
)

// Via, before: a dear function of a product is in the text once for each of a thread's results
//
//	z = for l0 { .. }   Y[i,j] = gelu(z + D[j])
//
// after Via z: the results wait in shared memory, and threads take four that lie side by side in each turn of a loop
//
//	z = for l0 { .. }   wait 0   Z[..] = z   wait 0   for step { Y[i,j] = gelu(Z[..] + D[j]) }
//
// Where a point makes many tiles, whose results have memory of their own, that is of some columns at a time:
//
//	for part unroll { wait 0   Z[..; j/64 == part] = z   wait 0   for step { Y[i,part*64 + ..] = gelu(Z[..] + D[..]) } }

const (
	viaPart    = 4  // results that a thread takes at once
	viaColumns = 64 // of a tile whose results have memory of their own
	viaCost    = 6  // from where on a function of a result is dear
)

// via lets the statements that follow a product d in loop f take its results from shared memory.
func (s *stager) via(f *loop.For, d *loop.Value, slots []*slot, of *tiles, threads int, after []loop.Stmt) ([]loop.Stmt, error) {
	delete(s.through, d.Name)
	if len(f.Carry) != 1 {
		return nil, fmt.Errorf("the loop of %s carries more", d.Name)
	}
	rows, cols := slots[0].rowAxes, slots[1].rowAxes
	row, n := s.position(rows)
	col, width := s.position(cols)
	m := width // columns that wait at a time
	if of != nil {
		m = min(width, viaColumns)
	}
	buf := &loop.Buffer{Name: freshName(s.k, "result"), Elem: d.Elem, Mode: loop.Local, Dims: []int{n, m + chunkBytes/d.Elem.Size()}}
	s.k.Bufs = append(s.k.Bufs, buf)
	z := f.Carry[0].Out
	wait := &loop.Store{Buf: buf, Index: []*loop.Value{row, col}, Val: z}
	first := intValue(0) // of the columns
	var part *loop.Axis
	if m < width {
		part = s.newAxis("part", width/m, loop.Unroll)
		first = times(axisValue(part), m)
		wait.Index[1], wait.Guard = s.x.simple(rest(col, m)), binary(loop.Eq, s.x.simple(over(col, m)), axisValue(part))
	}
	out := []loop.Stmt{&loop.Wait{}, wait, &loop.Wait{}}

	step := s.newAxis("step", n*m/(threads*viaPart), loop.Loop)
	thread := s.newAxis("thread", threads, loop.Thread)
	beside := s.newAxis("part", viaPart, loop.Open)
	all := s.newAxis("taken", n*m, loop.Open)
	all.Def = binary(loop.Add, times(binary(loop.Add, times(axisValue(step), threads), axisValue(thread)), viaPart), axisValue(beside))
	mv := &mover{x: s.x, done: map[*loop.Value]*loop.Value{}}
	mv.spread(rows, over(axisValue(all), m))
	mv.spread(cols, binary(loop.Add, first, rest(axisValue(all), m)))
	mv.done[z] = load(buf, []*loop.Value{s.x.simple(over(axisValue(all), m)), s.x.simple(rest(axisValue(all), m))}, nil)
	turns := &loop.For{Axis: step}
	for _, st := range after {
		switch st := st.(type) {
		case *loop.Let:
			v := mv.value(st.Val)
			v.Name = st.Val.Name
			turns.Body = append(turns.Body, &loop.Let{Val: v})
		case *loop.Store:
			n := &loop.Store{Buf: st.Buf, Val: mv.value(st.Val), Guard: mv.value(st.Guard)}
			for _, x := range st.Index {
				n.Index = append(n.Index, mv.value(x))
			}
			turns.Body = append(turns.Body, n)
		default:
			return nil, fmt.Errorf("more than values and stores follow %s", d.Name)
		}
	}
	if out = append(out, turns); part != nil {
		out = []loop.Stmt{&loop.For{Axis: part, Body: out}}
	}
	return out, nil
}
