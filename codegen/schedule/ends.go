package schedule

import (
	"fmt"

	"mdlc/ir/loop"
)

// Ends, before: a tile of rows goes over all blocks of columns, also where each column is greater than each row
//
//	for s0 { m = max(m, where(s <= t, z, -inf)) }   for s0 carry o = 0.0 { yield dot[s1](where(s <= t, p, 0.0), V[s,e], o) }
//
// after Ends s 128 t0, tiles of 128 rows and blocks of 64 columns: loops end with the rows, and the product goes on with what the condition chooses
// beyond them, since 0 times what is no number is none
//
//	for s0 in 0..min(8, t0*2 + 2) { m = .. }   o1 = for s0 in 0..min(8, t0*2 + 2) { .. }   for s0 in min(8, t0*2 + 2)..8 carry o = o1 { yield dot[s1](0.0, V[s,e], o) }

// ends lets the loops over blocks of column axis col end with block outer of n rows.
func ends(k *loop.Kernel, name string, n int, word string) error {
	col, err := axisNamed(k, name)
	if err != nil {
		return err
	}
	outer, err := axisNamed(k, word)
	if err != nil {
		return err
	}
	deps := newDepends()
	row := axisOfBlocks(k, deps, outer, n)
	blocks := deps.axis(col)[0]
	_, terms := affine(newIndices().axis(col))
	width := terms[blocks.Name]
	if row == nil || blocks.Bind != loop.Loop || width == 0 || n%width != 0 {
		return fmt.Errorf("%s are no blocks of rows, or those of columns do not divide them", word)
	}
	e := &ender{deps: deps, row: row, col: col, blocks: blocks}
	e.end = binary(loop.Min, blocks.Extent, binary(loop.Add, times(axisValue(outer), n/width), intValue(n/width)))
	k.Body = e.body(k.Body)
	return nil
}

// axisOfBlocks is the axis that outer has blocks of n of.
func axisOfBlocks(k *loop.Kernel, deps *depends, outer *loop.Axis, n int) *loop.Axis {
	for _, a := range k.Axes {
		if a.Def != nil && loop.Has(deps.axis(a), outer) {
			if _, terms := affine(newIndices().axis(a)); terms[outer.Name] == n {
				return a
			}
		}
	}
	return nil
}

type ender struct {
	deps     *depends
	row, col *loop.Axis
	blocks   *loop.Axis
	end      *loop.Value
}

func (e *ender) body(body []loop.Stmt) []loop.Stmt {
	var out []loop.Stmt
	for _, s := range body {
		f, ok := s.(*loop.For)
		if !ok || f.Axis != e.blocks {
			out = append(out, s)
			continue
		}
		f.Hi = e.end
		if f.Lo == nil {
			f.Lo = intValue(0)
		}
		if out = append(out, f); f.Carry[0].Next.Op == loop.Dot {
			out = append(out, e.rest(f))
		}
	}
	return out
}

// rest goes on with the product that f sums up.
func (e *ender) rest(f *loop.For) *loop.For {
	c := f.Carry[0]
	in, first := *c.In, *c.Out
	d := *c.Next
	d.Args = []*loop.Value{e.beyond(d.Args[0]), d.Args[1], &in}
	rest := &loop.For{Axis: f.Axis, Lo: e.end, Hi: e.blocks.Extent, Body: []loop.Stmt{&loop.Let{Val: &d}}}
	rest.Carry = []*loop.Carry{{Name: c.Name, Init: &first, In: &in, Next: &d, Out: c.Out}}
	c.Out = &first
	return rest
}

// beyond is what v is where the column is greater than the row. What hangs on no column is as it was.
func (e *ender) beyond(v *loop.Value) *loop.Value {
	c, cols := newCloner(), e.deps.axis(e.col)
	walk([]*loop.Value{v}, func(x *loop.Value) {
		switch {
		case x.Op == loop.Where && maskedColumn(x.Args[0], e.row) == e.col:
			c.values[x] = c.value(x.Args[2])
		case !overlaps(e.deps.value(x), cols):
			c.values[x] = x
		}
	})
	return c.value(v)
}

// endsScores leaves out the columns beyond a tile's rows where all of them give nothing.
func (c *chooser) endsScores() {
	s := c.scores
	var col *loop.Axis
	walk(roots(s.stores), func(v *loop.Value) {
		if a := maskedColumn(v, s.row); a != nil && a == s.col {
			col = a
		}
	})
	if col == nil || s.row.Max <= s.rows || col.Max <= s.rows {
		return
	}
	l := &limiter{c: c, left: map[*loop.Buffer]kinds{}, deps: newDepends()}
	seen := l.beyond(s.row, col)
	ok := !loop.Has(l.deps.value(beyondRow(s.second.Args[0], s.row, col)), col)
	walk(roots(s.stores), func(v *loop.Value) {
		switch {
		case v.Op == loop.Dot || !isReduction(v):
		case v.Op == loop.ReduceMax:
			ok = ok && seen(v.Args[0]) == mayBeLowest
		default:
			ok = ok && v.Op == loop.ReduceSum && l.sum(v, s.row, col, seen(v.Args[0]))
		}
	})
	if !ok {
		return
	}
	for _, x := range l.sums {
		c.do(Beyond, x.sum.Name, 0, x.col.Name)
	}
	s.ends = true
}
