package schedule

import (
	"fmt"
	"slices"

	"mdlc/ir/index"
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
//
// Where what is left out is before the columns, as in sums over the rows of such a mask, the product begins with it, and then the loop does: after
// Begins t 64 s0, tiles of 64 columns and blocks of 64 rows,
//
//	o1 = for t0 in 0..min(8, s0) carry o = 0.0 { yield dot[t1](0.0, D[t,e], o) }   for t0 in min(8, s0)..8 carry o = o1 { .. }

// ends lets the loops over blocks of an axis end with a block of another one, or begin with it, as o says.
func ends(k *loop.Kernel, o loop.Opt) error {
	over, err := axisNamed(k, o.Axis)
	if err != nil {
		return err
	}
	outer, err := axisNamed(k, o.Word)
	if err != nil {
		return err
	}
	deps := newDepends()
	tile := axisOfBlocks(k, deps, outer, o.Arg)
	blocks := deps.axis(over)[0]
	_, terms := affine(newIndices().axis(over))
	width := terms[blocks.Name]
	if tile == nil || blocks.Bind != loop.Loop || width == 0 {
		return fmt.Errorf("%s are no blocks of %d, or those of %s no loop", o.Word, o.Arg, o.Axis)
	}
	x := newIndices()
	first := index.Prod(x.axis(outer), index.C(o.Arg))
	e := &ender{deps: deps, tile: tile, over: over, blocks: blocks, row: tile, col: over}
	if e.begins = o.Kind == Begins; e.begins {
		e.row, e.col = over, tile
	} else {
		first = index.Sum(first, index.C(o.Arg+width-1))
	}
	e.at = x.value(index.Least(x.of(blocks.Extent), index.Quo(first, index.C(width))).SimplifyIn(x.bound))
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
	tile     *loop.Axis // of which a point makes some
	over     *loop.Axis // what loops go over
	blocks   *loop.Axis // of it
	row, col *loop.Axis // nothing is there where col is greater than row
	begins   bool
	at       *loop.Value // the block where loops begin, or before which they end
}

func (e *ender) body(body []loop.Stmt) []loop.Stmt {
	var out []loop.Stmt
	for _, s := range body {
		f, ok := s.(*loop.For)
		if !ok || f.Axis != e.blocks {
			out = append(out, s)
			continue
		}
		rest := e.rest(f)
		if e.begins {
			f.Lo, f.Hi = e.at, e.blocks.Extent
		} else {
			f.Lo, f.Hi = intValue(0), e.at
		}
		switch {
		case rest == nil:
			out = append(out, f)
		case e.begins:
			out = append(out, rest, f)
		default:
			out = append(out, f, rest)
		}
	}
	return out
}

// rest goes on with the products that f sums up, or begins with them; nil where there is none.
func (e *ender) rest(f *loop.For) *loop.For {
	rest := &loop.For{Axis: f.Axis, Lo: e.at, Hi: e.blocks.Extent}
	if e.begins {
		rest.Lo, rest.Hi = intValue(0), e.at
	}
	b := e.beyond(f)
	for _, c := range f.Carry {
		if c.Next.Op != loop.Dot {
			continue
		}
		in, between := *c.In, *c.Out
		d := *c.Next
		left := b.value(d.Args[0])
		if !overlaps(e.deps.value(left), e.deps.axis(e.tile)) { // a product of fragments has rows
			left = where(binary(loop.Lt, axisValue(e.tile), e.tile.Extent), left, number(left.Elem, 0, 0))
		}
		d.Args = []*loop.Value{left, d.Args[1], &in}
		more := &loop.Carry{Name: c.Name, Init: &between, In: &in, Next: &d, Out: c.Out}
		if e.begins {
			more.Init, more.Out, c.Init = c.Init, &between, &between
		} else {
			c.Out = &between
		}
		rest.Carry = append(rest.Carry, more)
		rest.Body = append(rest.Body, &loop.Let{Val: &d})
	}
	if rest.Carry == nil {
		return nil
	}
	return rest
}

// beyond makes values of f as they are where the column is greater than the row. What hangs on nothing that f goes over is as it was.
func (e *ender) beyond(f *loop.For) *cloner {
	c, over := newCloner(), e.deps.axis(e.over)
	var all []*loop.Value
	for _, x := range f.Carry {
		if x.Next.Op == loop.Dot {
			all = append(all, x.Next.Args[0])
		}
	}
	walk(all, func(x *loop.Value) {
		switch {
		case x.Op == loop.Where && maskedColumn(x.Args[0], e.row) == e.col:
			c.values[x] = c.value(x.Args[2])
		case !overlaps(e.deps.value(x), over):
			c.values[x] = x
		}
	})
	return c
}

// endsScores leaves out the columns of scores that are greater than a tile's rows, or less, where all of them give nothing.
func (c *chooser) endsScores(s *scores) {
	ends := ""
	walk(roots(s.stores), func(v *loop.Value) {
		if maskedColumn(v, s.row) == s.col {
			ends = Ends
		} else if maskedColumn(v, s.col) == s.row {
			ends = Begins
		}
	})
	if ends == "" || s.row.Max <= s.tile.rows || s.col.Max <= s.tile.rows {
		return
	}
	row, col := s.row, s.col
	if ends == Begins {
		row, col = col, row
	}
	l := &limiter{c: c, left: map[*loop.Buffer]kinds{}, deps: newDepends()}
	seen := l.beyond(row, col)
	ok := !slices.ContainsFunc(s.seconds, func(d *loop.Value) bool { return s.ofPairs(beyondRow(d.Args[0], row, col)) })
	walk(roots(s.stores), func(v *loop.Value) {
		switch {
		case v.Op == loop.Dot || !isReduction(v):
		case ends == Begins:
			ok = false
		case v.Op == loop.ReduceMax:
			ok = ok && seen(v.Args[0]) == mayBeLowest
		default:
			ok = ok && v.Op == loop.ReduceSum && l.sum(v, row, col, seen(v.Args[0]))
		}
	})
	if !ok {
		return
	}
	for _, x := range l.sums {
		c.do(Beyond, x.sum.Name, 0, x.col.Name)
	}
	s.ends = ends
}
