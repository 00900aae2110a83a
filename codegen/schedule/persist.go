package schedule

import (
	"fmt"

	"mdlc/ir/loop"
)

// Persist z P, before: a point of the grid is a tile
//
//	axis i0: 64 par, j0: 32 par
//	role ask { for l0 { fill R l0 { .. } } }
//	role multiply { z = for l0 { take R l0 .. }   settle 0 z   Y[..] = z }
//
// after: P points make all tiles, one after another, so that slots are filled for the next one while results of this one are stored. The turns of a
// ring go on from tile to tile. Those that are made at a time are near each other, and read the same: a block of rows of tiles is made column by column,
// to its end and, in the next block, back from there. How many tiles and turns there are may be data.
//
//	axis worker: P par, tile: 2048/P loop, i0 = .., j0 = (tile*P + worker) / 16 % 32 there, 31 - that back
//	role ask { for tile { for l0 { fill R tile*128 + l0 { .. } } } }
//	role multiply { for tile { z = for l0 { take R tile*128 + l0 .. }   settle 0 z   free R tile*128 + 127   Y[..] = z } }

// nearRows is how many of so many tiles that lie below each other are made before those beside them, if so many are made at a time. A tile reads so
// much beside what tiles below or beside it do: least is read by blocks of tiles that read about as much of both operands; and all blocks are about as high.
// (A Hilbert curve reads 1 to 23% more, which TestReadAtATime counts: what is made at a time seldom begins where a square of it does.)
func nearRows(rows, points, below, beside int) int {
	best, least := 1, 0.0
	for n := 1; n <= min(rows, points); n++ {
		blocks := (rows + n - 1) / n
		high := (rows + blocks - 1) / blocks
		wide := float64(points-1)/float64(high) + 1 // on average, wherever in a column they begin
		if read := float64(high*below) + wide*float64(beside); least == 0 || read < least {
			best, least = high, read
		}
	}
	return best
}

// tiles are those that a point makes.
type tiles struct {
	axis    *loop.Axis
	worker  *loop.Axis // which point makes them
	end     *loop.Value
	turns   *loop.Value // of each
	cluster *cluster    // nil: a point makes a tile alone
}

// persist lets points make many tiles of d, where page is what a point did: f is the loop over a tile's turns. How many turns and tiles there are, only the
// run may know.
func (s *stager) persist(d *loop.Value, f *loop.For, page []loop.Stmt) (*tiles, error) {
	points := s.points[d.Name]
	delete(s.points, d.Name)
	t := &tiles{turns: f.Hi}
	if f.Hi == nil {
		t.turns = f.Axis.Extent
	}
	if !isLength(s.x, s.x.of(t.turns)) || !s.roles[d.Name] || page[0] != loop.Stmt(f) {
		return nil, fmt.Errorf("the turns of %s differ between tiles, or there is more before them, or no role of its own fills its ring", d.Name)
	}
	var extents []*loop.Value
	par, most := PointAxes(s.k, page), 1
	for _, a := range par {
		if a.Bind != loop.Par || !isLength(s.x, s.x.of(a.Extent)) {
			return nil, fmt.Errorf("how many points axis %s has differs between points", a.Name)
		}
		extents = append(extents, a.Extent)
		most *= a.Max
	}
	if most <= points {
		return nil, fmt.Errorf("there are %d tiles for %d points", most, points)
	}
	var err error
	if t.cluster, err = s.clusterOf(d, par, extents); err != nil {
		return nil, err
	}
	each := 1 // points that make tiles together
	if t.cluster != nil {
		each = t.cluster.points
	}
	if points%each > 0 {
		return nil, fmt.Errorf("%d points are no clusters of %d", points, each)
	}
	most, points = most/each, points/each
	t.worker, t.axis = s.newAxis("worker", points*each, loop.Par), s.newAxis("tile", multiple(most, points)/points, loop.Loop)
	worker := s.x.simple(over(axisValue(t.worker), each))
	number := binary(loop.Add, times(axisValue(t.axis), points), worker)
	near := 1
	if last := len(par) - 1; last > 0 {
		_, rows := s.x.rng(s.x.of(extents[last-1]))
		near = nearRows(rows, points, s.readAlong(d, t.cluster, par, last-1), s.readAlong(d, t.cluster, par, last))
	}
	for i, at := range placesNear(number, extents, near) {
		if t.cluster != nil && i == t.cluster.along {
			at = binary(loop.Add, times(at, each), t.rank())
		}
		par[i].Def, par[i].Bind = at, loop.Open
	}
	all := s.x.simple(volume(extents))
	if n, fixed := all.IntConst(); !fixed || int(n)%points > 0 {
		t.end = over(binary(loop.Sub, s.x.simple(binary(loop.Add, all, intValue(points-1))), worker), points)
	}
	s.x, s.deps = newIndices(), newDepends() // what they know of the axes is no more
	return t, nil
}

// readAlong is how many rows of operands of d another tile along the i-th of axes reads, or, where points of a cluster make tiles together, others.
func (s *stager) readAlong(d *loop.Value, c *cluster, par []*loop.Axis, i int) int {
	total := 0
	over := s.deps.over(d)
	for _, v := range d.Args[:2] {
		n := 1
		for _, a := range s.deps.value(v) {
			if a.IsOpen() && !loop.Has(over, a) {
				n *= a.Max
			}
		}
		if loop.Has(s.deps.value(v), par[i]) {
			total += n
		}
	}
	if c != nil && c.along == i {
		total *= c.points
	}
	return total
}

// volume is the product of some numbers.
func volume(list []*loop.Value) *loop.Value {
	p := intValue(1)
	for _, v := range list {
		p = binary(loop.Mul, p, v)
	}
	return p
}

// placesNear are the digits of a number, the last fastest, but that a block of the last but one, so many where there are, changes before the last does,
// which goes there in one block and back in the next.
func placesNear(number *loop.Value, extents []*loop.Value, near int) []*loop.Value {
	x := newIndices()
	quotient := func(v, n *loop.Value) *loop.Value { return x.simple(binary(loop.Div, v, n)) }
	remainder := func(v, n *loop.Value) *loop.Value { return x.simple(binary(loop.Mod, v, n)) }
	out := make([]*loop.Value, len(extents))
	last := len(extents) - 1
	if last > 0 {
		rows, cols := extents[last-1], extents[last]
		_, most := x.rng(x.of(rows))
		near = min(near, most)
		there := func(block, col *loop.Value) *loop.Value {
			if most <= near && last == 1 { // it is the only one
				return col
			}
			at := binary(loop.Add, col, binary(loop.Mul, rest(block, 2), cols))
			least := binary(loop.Min, at, binary(loop.Sub, binary(loop.Sub, times(cols, 2), intValue(1)), at))
			return x.simple(binary(loop.Min, least, binary(loop.Sub, cols, intValue(1)))) // as ranges do not tell
		}
		if all, fixed := rows.IntConst(); fixed && int(all)%near == 0 {
			step, blocks := over(number, near), int(all)/near
			number, out[last-1] = quotient(step, cols), rest(number, near)
			out[last] = there(number, remainder(step, cols))
			if blocks > 1 {
				out[last-1] = binary(loop.Add, times(rest(number, blocks), near), out[last-1])
				number = over(number, blocks)
			}
		} else {
			at := number
			if last > 1 {
				all := volume(extents[last-1:])
				at, number = remainder(number, all), quotient(number, all)
			}
			n := quotient(at, times(cols, near))
			first := x.simple(times(n, near))
			high := binary(loop.Max, intValue(1), binary(loop.Min, intValue(near), binary(loop.Sub, rows, first))) // of this block
			at = remainder(at, times(cols, near))
			out[last-1], out[last] = binary(loop.Add, first, remainder(at, high)), there(n, quotient(at, high))
		}
		last -= 2
	}
	for ; last >= 0; last-- {
		out[last], number = remainder(number, extents[last]), quotient(number, extents[last])
	}
	return out
}

// turn is the turn of a ring where a tile, of t if it is not nil, is at turn n.
func (t *tiles) turn(n *loop.Value) *loop.Value {
	if t == nil {
		return n
	}
	return binary(loop.Add, binary(loop.Mul, axisValue(t.axis), t.turns), n)
}

// number counts the parts of all tiles, where a tile has as many as an axis says.
func (t *tiles) number(part *loop.Axis) *loop.Value {
	if t == nil {
		return axisValue(part)
	}
	return binary(loop.Add, times(axisValue(t.axis), part.Max), axisValue(part))
}

// around puts the tiles that a point makes around what it does for one, and what it does when all are done behind.
func (t *tiles) around(body, done []loop.Stmt) []loop.Stmt {
	if t != nil {
		body = []loop.Stmt{&loop.For{Axis: t.axis, Hi: t.end, Body: body}}
	}
	return append(body, done...)
}
