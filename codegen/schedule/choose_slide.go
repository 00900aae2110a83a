package schedule

import (
	"slices"

	"mdlc/ir/index"
	"mdlc/ir/loop"
)

// Convolutions of a GPU whose slots the hardware fills. An operand slides: at each place and tap it has the element of a tensor at place + tap, so what a tile of places
// needs for one tap is a box that the tap shifts, and zeros where that is outside of the tensor. So that each block of the operand is a box, places are made patches,
// of whole rows of a slot along the innermost dimension and some lines, and a turn's summands are channels of one tap, or places where places are summed up:
//
//	z = dot[c,r,s](W[o,c,r,s], where(.., X[n,c,y + r - 1,x + s - 1; ..], 0.0)), y: 64, x: 128
//
// after Guard z_b, Last c z, Pack z_a c, Part x 64, Part y 4, Fuse y1 x1, Fuse s c, Fuse r sc:
//
//	P[o,r,s,c] = W[o,c,r,s]   phase   z = dot[rsc](P[o,r,s,c], X[n,c,y0*4 + yx / 64 + r - 1,x0*64 + yx % 64 + s - 1; ..]), c = rsc % 64, ..
//
// An innermost dimension with a stride is no box: the hardware copies neighbours there.

// slide is an operand that slides along the innermost dimension of what it loads.
type slide struct {
	operand int        // of the product
	wide    int        // elements of a row of a slot
	place   *loop.Axis // by one element a step
	line    *loop.Axis // along the dimension around that, where places are not summed; nil: none
	summed  bool       // places are: each tap has its own sum
}

// chooseBoxes decides the schedule of a kernel whose convolutions are of boxes; ok is false where there are none, or hardware does not copy all of them after all.
func chooseBoxes(k *loop.Kernel, m *Machine) (opts []loop.Opt, ok bool) {
	windows := false
	walkBody(k.Body, func(v *loop.Value) { windows = windows || v.Op == loop.Dot && slideOf(v) != nil })
	if m.Group == nil || !windows {
		return nil, false
	}
	c := &chooser{k: clone(k), m: m, boxes: map[string]bool{}}
	opts, err := c.finish(k)
	if err != nil || len(c.boxes) == 0 {
		return nil, false
	}
	bulk := names(ofKind(opts, Bulk))
	for z := range c.boxes {
		if !slices.Contains(bulk, z) {
			return nil, false
		}
	}
	return opts, true
}

// slides makes patches and turns of product d, if it is a convolution whose operand may be boxes: first what that is multiplied with gets a page of its own.
func (c *chooser) slides(stores []*loop.Store, d *loop.Value) bool {
	if c.boxes == nil || c.boxes[d.Name] || !(&product{dot: d}).reorders() {
		return false
	}
	s := slideOf(d)
	if s == nil || s.summed && s.place.Max%s.wide > 0 {
		return false
	}
	if _, begun := c.boxes[d.Name]; !begun && !s.summed {
		return c.turns(stores, d, s)
	}
	if !s.summed {
		c.patch(d, s)
	}
	c.do(Guard, d.Args[s.operand].Name, 0, "")
	for c.err == nil && c.fuseInner(newDepends().over(d), stores, 0) {
	}
	c.boxes[d.Name] = true
	return true
}

// slideOf finds the operand of d that slides: one of 16 bits, which tensor cores read along rows and along summands.
func slideOf(d *loop.Value) *slide {
	over := newDepends().over(d)
	for i, v := range d.Args[:2] {
		if !isWindow(v) || v.Elem.Size() != 2 {
			continue
		}
		at := v.Args[1].Args
		if len(at) == 0 { // one number at all places, as the gradient of a mean is
			continue
		}
		s := &slide{operand: i, wide: loop.SwizzleBytes / v.Elem.Size(), place: widestIn(at[len(at)-1], func(a *loop.Axis, step int) bool { return step == 1 })}
		if _, terms := affine(newIndices().of(at[len(at)-1])); len(terms) != 2 || s.place == nil {
			continue
		}
		beside := newDepends().value(d.Args[1-i])
		s.summed = loop.Has(over, s.place)
		if len(at) > 1 && !s.summed {
			s.line = widestIn(at[len(at)-2], func(a *loop.Axis, _ int) bool { return !loop.Has(over, a) && !loop.Has(beside, a) })
		}
		if s.summed || !loop.Has(beside, s.place) {
			return s
		}
	}
	return nil
}

// widestIn is the widest leaf that index at goes along, of those that ok says of, by how much at rises with it.
func widestIn(at *loop.Value, ok func(a *loop.Axis, step int) bool) *loop.Axis {
	_, terms := affine(newIndices().of(at))
	var best *loop.Axis
	for _, a := range newDepends().value(at) {
		if isWhole(a) && a.Max > maxOf(best) && ok(a, terms[a.Name]) {
			best = a
		}
	}
	return best
}

// isWhole reports whether a is a leaf of which it is known how long it is.
func isWhole(a *loop.Axis) bool {
	return a.Def == nil && a.Bind == loop.Open && constantExtent(a)
}

// turns lets channels go fastest of what d sums up, and packs what it multiplies boxes with so, if they fill turns, and places patches.
func (c *chooser) turns(stores []*loop.Store, d *loop.Value, s *slide) bool {
	beside, channels := d.Args[1-s.operand], channelsOf(d, s)
	if lines, _ := c.patchOf(d, s); channels == nil || 2*channels.Max < s.wide || lines == 0 || !everywhere(stores, s.place) {
		return false
	}
	if s.operand == 0 { // results lie along places, which are columns
		c.do(Swap, d.Name, 0, "")
	}
	c.do(Last, channels.Name, 0, d.Name)
	c.do(Pack, beside.Name, 0, channels.Name)
	c.boxes[d.Name] = false
	return true
}

// patch makes patches of the places of d, and whole turns of the channels of a tap: beyond the last one they are 0.
func (c *chooser) patch(d *loop.Value, s *slide) {
	channels := shapeOf(d).last()
	lines, wide := c.patchOf(d, s)
	x := c.block(s.place, wide)
	if lines > 1 {
		c.do(Fuse, c.block(s.line, lines).Name, 0, x.Name)
	}
	c.block(channels, multiple(channels.Max, s.wide))
}

// block is an axis in blocks of n, of which the last may have less.
func (c *chooser) block(a *loop.Axis, n int) *loop.Axis {
	if a.Max == n || c.err != nil {
		return a
	}
	c.do(Part, a.Name, n, "")
	_, inner := piecesNamed(c.k, a)
	return inner
}

// channelsOf is the widest of the axes that d sums up along which its operand does not slide; of parts that do not see each other one of a part.
func channelsOf(d *loop.Value, s *slide) *loop.Axis {
	deps := newDepends()
	over, beside := deps.over(d), deps.value(d.Args[1-s.operand])
	var still []*loop.Axis
	for _, at := range d.Args[s.operand].Args[1].Args {
		a := widestIn(at, func(a *loop.Axis, step int) bool { return step == 1 && loop.Has(over, a) })
		if a != nil && len(minus(deps.value(at), beside)) == 0 && len(common(deps.value(at), over)) == 1 {
			still = append(still, a)
		}
	}
	return widest(still)
}

// patchOf is how many lines a patch has, of how many places each, for tiles that take the least time; 0 lines: there is none.
func (c *chooser) patchOf(d *loop.Value, s *slide) (lines, wide int) {
	shape := shapeOf(d).open()
	rows := shape.rows
	if s.operand == 0 {
		rows = shape.cols
	}
	p := &product{dot: d, row: widest(rows)}
	others := extents(shape, p.row, s.place, s.line)
	least := 0.0
	for _, r := range c.m.Group {
		for w := s.wide; w <= r.Cols && p.rows() >= r.Rows; w *= 2 {
			high := r.Cols / w
			if high > 1 && s.line == nil || 2*s.place.Max < w || 2*maxOf(s.line) < high {
				continue
			}
			tiles := others * multiple(s.place.Max, w) / w * multiple(maxOf(s.line), high) / high * multiple(p.rows(), r.Rows) / r.Rows
			time := float64(multiple(tiles*blockWarps, blockWarps*c.m.Processors)*r.Rows*r.Cols/blockWarps) / r.Speed
			if least == 0 || time < least {
				lines, wide, least = high, w, time
			}
		}
	}
	return lines, wide
}

// packBeside packs what a convolution multiplies its boxes with, where it is computed, or nothing that it loads lies side by side.
func (c *chooser) packBeside(p *product) bool {
	for _, v := range p.dot.Args[:2] {
		if !isSimple(v) || !isPacked(v) && !liesSideBySide(v) {
			c.do(Pack, v.Name, 0, "phase")
			return true
		}
	}
	return false
}

// liesSideBySide reports whether what v loads are neighbours along an axis, or along blocks of one.
func liesSideBySide(v *loop.Value) bool {
	e := address(newIndices(), v.Buf, v.Args)
	args := []*index.Expr{e}
	if e.Op == index.Add {
		args = e.Args
	}
	return slices.ContainsFunc(args, func(a *index.Expr) bool {
		return a.Op == index.Var || a.Op == index.Mod && a.Args[0].Op == index.Var
	})
}
