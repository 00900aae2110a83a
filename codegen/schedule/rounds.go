package schedule

import (
	"fmt"
	"slices"

	"mdlc/ir/loop"
)

// Rounds of launches. Where a page is a launch, a block of rows goes through all pages by as many launches, then the next block does:
//
//	Z[i,j] = z   phase   P[k,l] = f(Z[k,l])   phase   S[j,e] = dot[m](P[m,j], V[m,e])      i = i0*R + i1, k = k0*R + k1, m = m0*R + m1
//
// after Rounds i0, Rounds k0, Rounds m0, Block k0 i0, Block m0 i0, Z and P being of R rows:
//
//	for i0 { Z[i1,j] = z   phase   P[k1,l] = f(Z[k1,l])   phase   S[j,e] = dot[m1](P[m1,j], V[m,e], S[j,e; i0 > 0]) }
//
// What sums over the rows goes on from one round to the next with what memory has, so in the order of one product.

// inRounds are the pages of members, without their loops over an outer axis, in one loop over it. What they do before it and after it
// are pages before and after, but what all rounds need alike, and no launch leaves for another, each round computes.
func inRounds(k *loop.Kernel, members [][]loop.Stmt, outer map[*loop.Axis]bool, before, after [][]loop.Stmt) (whole []loop.Stmt, first, last [][]loop.Stmt, err error) {
	var turns, tails [][]loop.Stmt
	all := &loop.For{}
	for _, p := range members {
		at := slices.IndexFunc(p, func(s loop.Stmt) bool { f, ok := s.(*loop.For); return ok && outer[f.Axis] })
		if at < 0 || mentionsAxes(slices.Concat(p[:at], p[at+1:]), outer) || len(outer) != 1 {
			return nil, nil, nil, fmt.Errorf("a page is not in one outer loop")
		}
		f, head, tail := p[at].(*loop.For), p[:at], p[at+1:]
		if len(f.Carry) > 0 {
			return nil, nil, nil, fmt.Errorf("a page carries values from round to round")
		}
		if conflict(p, tails...) {
			return nil, nil, nil, fmt.Errorf("a page needs what is there after the rounds of %s only", f.Axis.Name)
		}
		if b := outlives(k, head, f.Body, tail, outer); b != nil {
			return nil, nil, nil, fmt.Errorf("panel %s would outlive a launch", b.Name)
		}
		turn := f.Body
		switch {
		case len(tail) == 0 && inEach(head, f.Body):
			turn = slices.Concat(head, f.Body)
		case conflict(head, turns...) || leaves(head):
			return nil, nil, nil, fmt.Errorf("a page needs what is there before the rounds of %s only", f.Axis.Name)
		default:
			before = append(before, head)
		}
		all.Axis = f.Axis
		turns = append(turns, turn)
		if len(tail) > 0 {
			tails = append(tails, tail)
		}
	}
	after = slices.Concat(tails, after)
	all.Body = bind(turns)
	return []loop.Stmt{all}, before, after, nil
}

// inEach reports whether each round may do what is before them: it leaves nothing in memory, and needs nothing that rounds change.
func inEach(head, turn []loop.Stmt) bool {
	reads, stored := buffersOf(head)
	_, changed := buffersOf(turn)
	for b := range stored {
		if b.Mode != loop.Local {
			return false
		}
	}
	for b := range reads {
		if b.Mode != loop.Local && changed[b] {
			return false
		}
	}
	return true
}

// leaves reports whether body has carried values or panels, which no other launch can use.
func leaves(body []loop.Stmt) (found bool) {
	loop.Walk(body, func(s loop.Stmt) {
		f, isLoop := s.(*loop.For)
		st, isStore := s.(*loop.Store)
		found = found || isLoop && len(f.Carry) > 0 || isStore && st.Buf.Mode == loop.Local
	})
	return found
}

// outlives is a panel in which a launch of a page would find what another one left, where head is before the rounds, turn in each and
// tail after them; nil where there is none.
func outlives(k *loop.Kernel, head, turn, tail []loop.Stmt, outer map[*loop.Axis]bool) *loop.Buffer {
	_, first := buffersOf(head)
	reads, stored := buffersOf(turn)
	goOn := map[*loop.Buffer]bool{}
	walkBody(turn, func(v *loop.Value) {
		if v.Op == loop.Load {
			walk([]*loop.Value{v.Guard}, func(x *loop.Value) { // i0 > 0: what the round before left
				goOn[v.Buf] = goOn[v.Buf] || x.Op == loop.AxisIndex && outer[x.Axis]
			})
		}
	})
	for _, b := range k.Bufs {
		written := stored[b] && (reads[b] && mentionsBuffer(head, b) || goOn[b]) || (stored[b] || first[b]) && mentionsBuffer(tail, b)
		if b.Mode == loop.Local && written {
			return b
		}
	}
	return nil
}

// sumsTraffic is how many times what is summed over the rows, and read and written in each round, is to go into what the round passes on.
const sumsTraffic = 2

// roundRows is how many rows a round has: enough for their products to fill the machine and for the sums that go on to be little beside
// them, and more while what they pass on fits its share of the cache; 0 where rounds do not pay. saved is what all rows pass on.
func (c *chooser) roundRows(g *rowBlocks, saved int, row *loop.Axis) int {
	if saved <= c.m.Round {
		return 0
	}
	least, sums := 0, 0 // results of a row, at least, and bytes that go on
	for _, m := range g.members {
		d := dotIn(m.stores)
		if d == nil {
			continue
		}
		n := extents(shapeOf(d), m.row)
		switch {
		case m.sums:
			sums += n * d.Elem.Size()
		case least == 0 || n < least:
			least = n
		}
	}
	tile := c.m.Tiles[len(c.m.Tiles)-1]
	fill := c.m.Processors * tile.Rows * tile.Cols / 2
	rows, passed := tile.Rows, saved/row.Max
	for rows < row.Max && (rows*least < fill || rows*passed < sumsTraffic*sums || 2*rows*passed <= c.m.Round) {
		rows *= 2
	}
	if rows >= row.Max {
		return 0
	}
	return rows
}

// sumsApart puts what sums over the rows of a group and is not stored as it is, in memory of the kernel alone, in a page of its own.
func (c *chooser) sumsApart(g *rowBlocks) bool {
	for _, m := range g.members {
		if !m.sums {
			continue
		}
		if d := dotIn(m.stores); !isOnlyStored(m.stores, d) || m.stores[0].Buf.Mode != loop.Work || m.stores[0].Guard != nil {
			c.do(Pack, d.Name, 0, "phase")
			return true
		}
	}
	return false
}

// round decides the schedule of a page that is launched in rounds with others.
func (c *chooser) round(m *member) {
	c.do(Cut, m.row.Name, c.group.rows, "")
	if c.err != nil {
		return
	}
	outer, inner := piecesNamed(c.k, m.row)
	c.do(Bind, outer.Name, 0, "loop")
	c.do(Rounds, outer.Name, 0, "")
	m.batch = append(m.batch, outer)
	if first := c.group.members[0]; m != first {
		c.do(Block, outer.Name, 0, first.batch[0].Name)
	}
	c.inRound = inner
	c.page(m.stores)
	c.inRound = nil
}
