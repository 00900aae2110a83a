package emulator

// Operands of warpgroup products in shared memory. A descriptor says where a matrix lies: its
// address, two strides in bytes and a swizzle. In units of 16 bytes an operand is of atoms of 8 rows of
// 1, 2, 4 or 8 units, the rows one after another. Where its sums lie side by side, a row is one of the
// matrix and two units of it are read; SBO leads to the next 8 rows and, without a swizzle, LBO to the second unit. Where the
// rows of the matrix lie side by side, an atom's rows are 8 sums; LBO leads to the next units and SBO to the next 8
// sums, and without a swizzle the other way round.

// A descriptor is decoded from 64 bits.
type descriptor struct {
	start, lead, stride uint64
	units               uint64 // of 16 bytes in a row of an atom: the swizzle
	major               bool   // rows of the matrix lie side by side
}

const descriptorUnused = ^uint64(0x3fff | 0x3fff<<16 | 0x3fff<<32 | 7<<49 | 3<<62)

// descriptor decodes and checks a descriptor.
func (w *warp) descriptor(in *inst, v uint64, major bool, which string) (descriptor, bool) {
	field := func(shift int) uint64 { return v >> shift & 0x3fff << 4 }
	d := descriptor{start: field(0), lead: field(16), stride: field(32), units: [4]uint64{1, 8, 4, 2}[v>>62], major: major}
	row := d.units * pieceBytes
	atom := 8 * row
	switch {
	case v&descriptorUnused != 0:
		w.fault(in, 0, BadOperand, "the descriptor %#x of %s has bits that mean nothing", v, which)
	case v>>49&7 != 0:
		w.fault(in, 0, BadOperand, "the descriptor of %s has a base offset: begin at a multiple of %d", which, atom)
	case d.units > 1 && d.start%atom >= row:
		w.fault(in, 0, Misaligned, "the descriptor of %s begins at %#x, which is not in the first row of a pattern of %d bytes", which, d.start, atom)
	case d.units > 1 && !major && d.start%row+2*pieceBytes > row:
		w.fault(in, 0, Misaligned, "the descriptor of %s begins at byte %d of a row of %d: the product reads over its end", which, d.start%row, row)
	case d.units > 1 && major && d.start%row != 0:
		w.fault(in, 0, Misaligned, "the descriptor of %s begins at byte %d of a row of %d", which, d.start%row, row)
	case d.units > 1 && d.stride%atom != 0:
		w.fault(in, 0, BadOperand, "the stride offset of %s is %d bytes, no multiple of a pattern of %d", which, d.stride, atom)
	case d.units > 1 && major && d.lead%atom != 0:
		w.fault(in, 0, BadOperand, "the leading offset of %s is %d bytes, no multiple of a pattern of %d", which, d.lead, atom)
	default:
		return d, true
	}
	return d, false
}

// piece is where 16 bytes of an operand lie: unit number unit of line number line. Lines are rows of the
// matrix, or sums where its rows lie side by side.
func (d descriptor) piece(line, unit uint64) uint64 {
	at := d.start + line%8*d.units*pieceBytes
	switch {
	case d.units == 1 && d.major:
		at += line/8*d.lead + unit*d.stride
	case d.units == 1:
		at += line/8*d.stride + unit*d.lead
	case d.major:
		at += line/8*d.stride + unit%d.units*pieceBytes + unit/d.units*d.lead
	default:
		at += line/8*d.stride + unit*pieceBytes
	}
	return swizzled(at, d.units)
}

// A watcher is a lane in whose order shared memory is read.
type watcher struct {
	w    *warp
	lane int
}

// watchers are lanes of a group of which each has another view.
func (g *group) watchers(b *block) []watcher {
	var out []watcher
	seen := map[*uint32]bool{}
	for _, w := range b.warps[g.first:][:warpgroup] {
		for l := range lanes {
			if v := &w.views[l][0]; !seen[v] {
				seen[v] = true
				out = append(out, watcher{w, l})
			}
		}
	}
	return out
}

// operand reads a matrix of rows × sums elements of type e; nil after a fault. It is lists of sums.
func (g *group) operand(in *inst, who []watcher, by actor, d descriptor, e elem, rows, sums int, which string) [][32]float64 {
	b := who[0].w.blk
	out := make([][32]float64, rows)
	f, size := e.format(), e.bytes()
	mask := e.mask()
	if e.kind == 't' {
		mask &^= 1<<13 - 1
	}
	lines, unitsOf := rows, sums*size/pieceBytes
	if d.major {
		lines, unitsOf = sums, rows*size/pieceBytes
	}
	boxes := map[boxTag]boxTag{}
	for line := range lines {
		for unit := range unitsOf {
			addr := d.piece(uint64(line), uint64(unit))
			for _, x := range who {
				if block, _ := x.w.sharedAt(in, x.lane, spaceShared, addr, pieceBytes, "read", by.me); block == nil || !x.w.readCells(in, x.lane, b, addr, pieceBytes, by) {
					return nil
				}
			}
			if b.tags != nil && !d.fits(who[0].w, in, b.tags[addr/pieceBytes], boxes, line, unit, addr, which) {
				return nil
			}
			p := b.shared[addr:][:pieceBytes]
			for i := 0; i < pieceBytes; i += size {
				v := f.decode(loadLE(p[i:], size) & mask)
				if at := (unit*pieceBytes + i) / size; d.major {
					out[at][line] = v
				} else {
					out[line][at] = v
				}
			}
		}
	}
	return out
}

// fits holds a piece that a descriptor leads to against what a copy of a box has put there: all
// pieces of one box must be where the product takes them for.
func (d descriptor) fits(w *warp, in *inst, tag boxTag, boxes map[boxTag]boxTag, line, unit int, addr uint64, which string) bool {
	if tag.box == 0 {
		return true
	}
	if units(int(tag.swizzle)) != d.units {
		w.fault(in, 0, BadOperand, "the descriptor of %s has a swizzle of %d bytes, and the box that was copied to %s one of %d (0 and 16 are none)", which, d.units*pieceBytes, w.sharedName(w.blk, addr), tag.swizzle)
		return false
	}
	key := boxTag{box: tag.box, outer: tag.outer}
	at := boxTag{row: tag.row - uint16(line), chunk: tag.chunk - uint16(unit)}
	if was, ok := boxes[key]; ok && was != at {
		w.fault(in, 0, BadOperand, "the strides of %s do not fit the box that was copied there: line %d, piece %d of the operand is row %d, piece %d of the box, at %s", which, line, unit, tag.row, tag.chunk, w.sharedName(w.blk, addr))
		return false
	}
	boxes[key] = at
	return true
}

// run multiplies, when all four warps have come.
func (p *groupProduct) run(w *warp, in *inst, g *group) {
	b := w.blk
	if g.agent == 0 {
		if g.agent = w.newAgent(in, 0, ofGroup); g.agent < 0 {
			return
		}
	}
	g.clock++
	by := actor{me: makeStamp(g.agent, g.clock, in.pc), async: true}
	who := g.watchers(b)
	db, ok := w.descriptor(in, g.b, p.majorB, "B")
	if !ok {
		return
	}
	columns := g.operand(in, who, by, db, p.b, p.n, p.k, "B")
	if columns == nil {
		return
	}
	var rows [][32]float64
	if p.da >= 0 {
		da, ok := w.descriptor(in, g.a, p.majorA, "A")
		if !ok {
			return
		}
		if rows = g.operand(in, who, by, da, p.a, p.m, p.k, "A"); rows == nil {
			return
		}
	}
	if p.minusA != p.minusB {
		for i := range columns {
			for k := range p.k {
				columns[i][k] = -columns[i][k]
			}
		}
	}
	for i, x := range b.warps[g.first:][:warpgroup] {
		if p.da >= 0 {
			p.multiply(x, rows[16*i:], columns, g.add)
		} else {
			p.multiply(x, p.fragment(x), columns, g.add)
		}
		one := issued{p, in.pc, g.clock}
		x.products.list = append(x.products.list, one)
		x.products.own(one)
	}
}

// fragment is A in the registers of a warp: 16 rows.
func (p *groupProduct) fragment(w *warp) [][32]float64 {
	out := make([][32]float64, 16)
	f, mask := p.a.format(), p.a.mask()
	if p.a.kind == 't' {
		mask &^= 1<<13 - 1
	}
	for r, x := range p.ra {
		for l := range lanes {
			for i := range p.perA {
				out[l>>2+r&1*8][p.perA*(l&3)+4*p.perA*(r>>1)+i] = f.decode(w.regs[x][l] >> (i * p.a.bits) & mask)
			}
		}
	}
	return out
}

// multiply computes the 16 rows of a warp. Register 4j+2h+i of lane 4g+t is row g+8h, column 8j+2t+i.
func (p *groupProduct) multiply(w *warp, rows, columns [][32]float64, add bool) {
	for row := range 16 {
		for col := 0; col < p.n; col += 4 {
			var at [4]*uint64
			var c [4]float64
			for i := range c {
				r := p.rd[(col+i)/8*4+row/8*2+i&1]
				at[i] = &w.regs[r][row%8*4+(col+i)%8/2]
				if add {
					c[i] = f32.decode(*at[i])
				}
			}
			if p.approx == Nearest {
				chains(&rows[row], p.k, &columns[col], &columns[col+1], &columns[col+2], &columns[col+3], &c)
			} else {
				for i := range c {
					c[i] = p.sum(rows[row][:p.k], columns[col+i][:p.k], c[i], f32)
				}
			}
			for i := range c {
				*at[i] = f32.encode(c[i], toEven)
			}
		}
	}
	for _, r := range p.rd {
		w.def[r] = ^uint32(0)
	}
}
