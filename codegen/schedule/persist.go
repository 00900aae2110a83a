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
// ring go on from tile to tile. Those that are made at a time are near each other, and read the same.
//
//	axis worker: P par, tile: 2048/P loop, i0 = .., j0 = (tile*P + worker) / 16 % 32
//	role ask { for tile { for l0 { fill R tile*128 + l0 { .. } } } }
//	role multiply { for tile { z = for l0 { take R tile*128 + l0 .. }   settle 0 z   free R tile*128 + 127   Y[..] = z } }

// nearRows is how many tiles that lie below each other are made before those beside them, at most.
const nearRows = 16

// tiles are those that a point makes.
type tiles struct {
	axis    *loop.Axis
	worker  *loop.Axis // which point makes them
	end     *loop.Value
	turns   int      // of each
	cluster *cluster // nil: a point makes a tile alone
}

// persist lets points make many tiles of d, where page is what a point did: f is the loop over a tile's turns.
func (s *stager) persist(d *loop.Value, f *loop.For, page []loop.Stmt) (*tiles, error) {
	points := s.points[d.Name]
	delete(s.points, d.Name)
	end := f.Hi
	if end == nil {
		end = f.Axis.Extent
	}
	turns, fixed := end.IntConst()
	if !fixed || !s.roles[d.Name] || page[0] != loop.Stmt(f) {
		return nil, fmt.Errorf("the turns of %s are data, or there is more before them, or no role of its own fills its ring", d.Name)
	}
	var extents []int
	par := PointAxes(s.k, page)
	for _, a := range par {
		n, constant := a.Extent.IntConst()
		if !constant || a.Bind != loop.Par {
			return nil, fmt.Errorf("how many points axis %s has is data", a.Name)
		}
		extents = append(extents, int(n))
	}
	all := 1
	for _, n := range extents {
		all *= n
	}
	if all <= points {
		return nil, fmt.Errorf("there are %d tiles for %d points", all, points)
	}
	t := &tiles{turns: int(turns)}
	var err error
	if t.cluster, err = s.clusterOf(d, par, extents); err != nil {
		return nil, err
	}
	each, near := 1, nearRows // points that make tiles together
	if t.cluster != nil {
		each = t.cluster.points
		extents[t.cluster.along] /= each
		if t.cluster.along == len(extents)-2 {
			near /= each
		}
	}
	if points%each > 0 {
		return nil, fmt.Errorf("%d points are no clusters of %d", points, each)
	}
	all, points = all/each, points/each
	t.worker, t.axis = s.newAxis("worker", points*each, loop.Par), s.newAxis("tile", multiple(all, points)/points, loop.Loop)
	worker := s.x.simple(over(axisValue(t.worker), each))
	number := binary(loop.Add, times(axisValue(t.axis), points), worker)
	for i, at := range placesNear(number, extents, near) {
		if t.cluster != nil && i == t.cluster.along {
			at = binary(loop.Add, times(at, each), t.rank())
		}
		par[i].Def, par[i].Bind = at, loop.Open
	}
	if all%points > 0 {
		t.end = over(binary(loop.Sub, intValue(all+points-1), worker), points)
	}
	s.x, s.deps = newIndices(), newDepends() // what they know of the axes is no more
	return t, nil
}

// placesNear are the digits of a number, the last fastest, but that a block of the last but one, so many at most, changes before the last does.
func placesNear(number *loop.Value, extents []int, near int) []*loop.Value {
	out := make([]*loop.Value, len(extents))
	last := len(extents) - 1
	if last > 0 {
		rows, cols := extents[last-1], extents[last]
		near = min(near, rows)
		for rows%near > 0 {
			near--
		}
		out[last] = rest(over(number, near), cols)
		number, out[last-1] = over(number, near*cols), rest(number, near)
		if rows > near {
			out[last-1] = binary(loop.Add, times(rest(number, rows/near), near), out[last-1])
			number = over(number, rows/near)
		}
		last -= 2
	}
	for ; last >= 0; last-- {
		out[last], number = rest(number, extents[last]), over(number, extents[last])
	}
	return out
}

// turn is the turn of a ring where a tile, of t if it is not nil, is at turn n.
func (t *tiles) turn(n *loop.Value) *loop.Value {
	if t == nil {
		return n
	}
	return binary(loop.Add, times(axisValue(t.axis), t.turns), n)
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
