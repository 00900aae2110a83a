package emulator

import (
	"math"
	"math/bits"
)

var matrixBuilders = map[string]func(d *decoder){"mma": multiplyMatrices, "ldmatrix": loadMatrix, "movmatrix": refuse("this instruction is not supported"), "stmatrix": storeMatrix}

// A product is what an mma does. Fragments: with g = lane/4, t = lane%4 and e
// elements in a register, register r of A holds row g+8·(r mod 2) and columns
// from e·t + 4e·(r/2) on; that of B column g and rows from e·t + 4e·r on; the
// results are rows g, then g+8, columns 2t and 2t+1.
type product struct {
	m, n, k    int
	a, b       elem
	c          elem
	ra, rb     []int32
	rc, rd     []int32
	saturate   bool
	approx     Approx
	perA, perB int // elements in a register
}

// shapes of the products that sm_80 has, with the operand types of each.
var productShapes = map[string][]string{
	"m16n8k4":  {"tf32"},
	"m16n8k8":  {"f16", "bf16", "tf32"},
	"m16n8k16": {"f16", "bf16", "s8", "u8"},
	"m16n8k32": {"s8", "u8"},
	"m8n8k16":  {"s8", "u8"},
	"m8n8k4":   {"f64"},
}

func multiplyMatrices(d *decoder) {
	mods := d.s.mods
	var p *product
	for name, types := range productShapes {
		if !mods.has(name) {
			continue
		}
		t := mods.types()
		if len(t) != 4 || mods.one(types...) == "" || t[0].kind != t[3].kind {
			break
		}
		p = &product{a: t[1], b: t[2], c: t[0], saturate: mods.has("satfinite"), approx: d.k.approx}
		p.m, p.n, p.k = shapeOf(name)
	}
	if p == nil {
		d.fail("this product is not supported")
	}
	d.needs("sync", "aligned", "row", "col")
	integer := p.a.bits == 8
	if !integer && p.a != p.b || integer && (p.c != elems["s32"] || p.b.bits != 8) || p.a == elems["f64"] && p.c != elems["f64"] ||
		!integer && p.a.bits < 64 && p.c != elems["f32"] && (p.c != elems["f16"] || p.a != elems["f16"]) {
		d.fail("these types do not go together")
	}
	args := d.args(4)
	reg := func(e elem) elem {
		if e.bits < 32 {
			return elems["b32"]
		}
		return elem{'b', e.bits, false}
	}
	p.perA, p.perB = reg(p.a).bits/p.a.bits, reg(p.b).bits/p.b.bits
	perC := reg(p.c).bits / p.c.bits
	rows := func(o operand, n int, e elem, f func(operand, elem, bool) int32) []int32 {
		list := elementsOf(o)
		if len(list) != n {
			d.fail("a fragment has %d registers, not %d", n, len(list))
		}
		var out []int32
		for _, o := range list {
			out = append(out, f(o, reg(e), false))
		}
		return out
	}
	p.rd = rows(args[0], p.m*p.n/lanes/perC, p.c, d.dst)
	p.ra = rows(args[1], p.m*p.k/lanes/p.perA, p.a, d.src)
	p.rb = rows(args[2], p.k*p.n/lanes/p.perB, p.b, d.src)
	p.rc = rows(args[3], p.m*p.n/lanes/perC, p.c, d.src)
	d.emit(inst{op: opWarpSync, mma: p, run: runProduct, sync: &syncing{name: "mma.sync", aligned: true}})
}

func shapeOf(s string) (m, n, k int) {
	var v [3]int
	at := -1
	for _, c := range s {
		if c < '0' || c > '9' {
			at++
			continue
		}
		v[at] = 10*v[at] + int(c-'0')
	}
	return v[0], v[1], v[2]
}

// wholeWarp: instructions on fragments need all 32 lanes.
func (w *warp) wholeWarp(in *inst, m uint32) bool {
	if m == 1<<lanes-1 {
		return true
	}
	w.fault(in, bits.TrailingZeros32(m), Divergence, "%s needs all 32 lanes of the warp; lanes %s execute it", in.sync.name, laneSet(m))
	return false
}

func runProduct(w *warp, in *inst, m uint32) {
	p := in.mma
	if !w.wholeWarp(in, m) {
		return
	}
	for _, list := range [3][]int32{p.ra, p.rb, p.rc} {
		for _, r := range list {
			if w.undefined(in, r, m, "an operand of the product") {
				return
			}
		}
	}
	if p.a.bits == 8 {
		p.integers(w)
	} else {
		p.floats(w)
	}
	for _, r := range p.rd {
		w.def[r] = ^uint32(0)
	}
}

// operands spreads the fragments of A and B, element by element: b[column][row].
func (p *product) operands(w *warp, a, b *[16][32]uint64) {
	maskA, maskB := p.a.mask(), p.b.mask()
	for r, x := range p.ra {
		v := &w.regs[x]
		for l := range lanes {
			row := &a[l>>2+r&1*8]
			for i := range p.perA {
				row[p.perA*(l&3)+4*p.perA*(r>>1)+i] = v[l] >> (i * p.a.bits) & maskA
			}
		}
	}
	for r, x := range p.rb {
		v := &w.regs[x]
		for l := range lanes {
			column := &b[l>>2]
			for i := range p.perB {
				column[p.perB*(l&3)+4*p.perB*r+i] = v[l] >> (i * p.b.bits) & maskB
			}
		}
	}
}

func (p *product) floats(w *warp) {
	var rawA, rawB [16][32]uint64
	var a, b [16][32]float64
	f, fc := p.a.format(), p.c.format()
	mask := ^uint64(0)
	if p.a.kind == 't' {
		mask = ^uint64(1<<13 - 1) // the low bits of a tf32 are not looked at
	}
	p.operands(w, &rawA, &rawB)
	for i := range 16 {
		for k := range p.k {
			a[i][k], b[i][k] = f.decode(rawA[i][k]&mask), f.decode(rawB[i][k]&mask)
		}
	}
	d := p.accumulator(w)
	for row := range p.m {
		for col := 0; col < p.n; col += 4 {
			var c [4]float64
			for i := range c {
				c[i] = fc.decode(d[row][col+i])
			}
			if p.approx == Nearest && fc != f64 {
				chains(&a[row], p.k, &b[col], &b[col+1], &b[col+2], &b[col+3], &c)
			} else {
				for i := range c {
					c[i] = p.sum(a[row][:p.k], b[col+i][:p.k], c[i], fc)
				}
			}
			for i := range c {
				d[row][col+i] = fc.encode(c[i], toEven)
			}
		}
	}
	p.put(w, d)
}

// chains adds to each c[i] the first k products of a with column i: a fused
// multiply-add in float32 for each, ascending. Four columns at once keep the processor busy.
func chains(a *[32]float64, k int, b0, b1, b2, b3 *[32]float64, c *[4]float64) {
	s0, s1, s2, s3 := float32(c[0]), float32(c[1]), float32(c[2]), float32(c[3])
	for i := range k {
		i &= 31
		p0, p1, p2, p3 := a[i]*b0[i], a[i]*b1[i], a[i]*b2[i], a[i]*b3[i]
		t0, t1, t2, t3 := p0+float64(s0), p1+float64(s1), p2+float64(s2), p3+float64(s3)
		if roundsOnce(t0) && roundsOnce(t1) && roundsOnce(t2) && roundsOnce(t3) {
			s0, s1, s2, s3 = float32(t0), float32(t1), float32(t2), float32(t3)
		} else {
			s0, s1, s2, s3 = multiplyAdd32(p0, s0), multiplyAdd32(p1, s1), multiplyAdd32(p2, s2), multiplyAdd32(p3, s3)
		}
	}
	*c = [4]float64{float64(s0), float64(s1), float64(s2), float64(s3)}
}

// multiplyAdd32 adds to s a product that is exact in float64.
func multiplyAdd32(product float64, s float32) float32 {
	t := product + float64(s)
	if roundsOnce(t) {
		return float32(t)
	}
	return float32(sumOdd(product, float64(s)))
}

// sum is one element of a result in f64, or at an end of what the manual allows. It
// promises products and sums of at least single precision in any order: as far from the
// exact sum as k roundings towards zero can lead. The nearest result is the
// project's own order (chains).
func (p *product) sum(a, b []float64, c float64, fc format) float64 {
	if fc == f64 {
		for i, x := range a {
			c = math.FMA(x, b[i], c)
		}
		return c
	}
	exact, size := c, math.Abs(c)
	for i, x := range a {
		exact += x * b[i]
		size += math.Abs(x * b[i])
	}
	err := size * float64(len(a)) * 0x1p-23
	if p.a.bits == 8 { // of which nothing is promised
		err = size * 0x1p-13
	}
	if p.approx == Low {
		err = -err
	}
	return exact + err
}

func (p *product) integers(w *warp) {
	var rawA, rawB [16][32]uint64
	p.operands(w, &rawA, &rawB)
	var a, b [16][32]int64
	for i := range 16 {
		for k := range p.k {
			a[i][k], b[i][k] = int64(p.a.extend(rawA[i][k])), int64(p.b.extend(rawB[i][k]))
		}
	}
	d := p.accumulator(w)
	for row := range p.m {
		for col := range p.n {
			s := int64(int32(d[row][col]))
			for k := range p.k {
				s += a[row][k] * b[col][k]
			}
			if p.saturate {
				s = min(max(s, math.MinInt32), math.MaxInt32)
			}
			d[row][col] = uint64(uint32(s))
		}
	}
	p.put(w, d)
}

// accumulator is C, gathered from the lanes.
func (p *product) accumulator(w *warp) *[16][8]uint64 {
	var c [16][8]uint64
	per := 32 / min(p.c.bits, 32)
	for i := range p.m * p.n / lanes {
		v, shift := &w.regs[p.rc[i/per]], i%per*p.c.bits
		for l := range lanes {
			c[l>>2+i>>1*8][2*(l&3)+i&1] = v[l] >> shift & p.c.mask()
		}
	}
	return &c
}

// put spreads D over the lanes.
func (p *product) put(w *warp, d *[16][8]uint64) {
	per := 32 / min(p.c.bits, 32)
	for i := range p.m * p.n / lanes {
		v, shift := &w.regs[p.rd[i/per]], i%per*p.c.bits
		for l := range lanes {
			x := d[l>>2+i>>1*8][2*(l&3)+i&1] << shift
			if shift != 0 {
				x |= v[l]
			}
			v[l] = x
		}
	}
}

// loadMatrix is ldmatrix: lanes 8i to 8i+7 give the rows of 16 bytes of matrix i;
// lane l gets of each matrix row l/4, elements 2(l%4) and 2(l%4)+1, or of its transpose.
func loadMatrix(d *decoder) {
	x, rows := d.matrices(d.s.args, 0, 1, d.dst)
	trans := d.s.mods.has("trans")
	d.emit(inst{op: opWarpSync, sync: &syncing{name: "ldmatrix.sync", aligned: true}, run: func(w *warp, in *inst, m uint32) {
		if !w.wholeWarp(in, m) || w.undefined(in, x.addr, ones32(8*len(rows)), "the address of a row") {
			return
		}
		base := w.regs[x.addr]
		for i, r := range rows {
			var tile [8][8]uint16
			for j := range 8 {
				lane := 8*i + j
				p := w.read(in, lane, x.space, base[lane]+x.offset, 16, false)
				if p == nil {
					return
				}
				for e := range 8 {
					tile[j][e] = uint16(p[2*e]) | uint16(p[2*e+1])<<8
				}
			}
			for l := range lanes {
				g, t := l>>2, l&3
				lo, hi := tile[g][2*t], tile[g][2*t+1]
				if trans {
					lo, hi = tile[2*t][g], tile[2*t+1][g]
				}
				w.regs[r][l] = uint64(lo) | uint64(hi)<<16
			}
			w.def[r] = ^uint32(0)
		}
	}})
}

// storeMatrix is stmatrix, the reverse.
func storeMatrix(d *decoder) {
	x, rows := d.matrices(d.s.args, 1, 0, d.src)
	trans := d.s.mods.has("trans")
	d.emit(inst{op: opWarpSync, sync: &syncing{name: "stmatrix.sync", aligned: true}, run: func(w *warp, in *inst, m uint32) {
		if !w.wholeWarp(in, m) || w.undefined(in, x.addr, ones32(8*len(rows)), "the address of a row") {
			return
		}
		base := w.regs[x.addr]
		for i, r := range rows {
			if w.undefined(in, r, m, "an element of a matrix") {
				return
			}
			for j := range 8 {
				lane := 8*i + j
				p := w.write(in, lane, x.space, base[lane]+x.offset, 16)
				if p == nil {
					return
				}
				for e := range 8 {
					from, half := 4*j+e/2, e&1
					if trans {
						from, half = 4*e+j/2, j&1
					}
					v := w.regs[r][from] >> (16 * half)
					p[2*e], p[2*e+1] = byte(v), byte(v>>8)
				}
			}
		}
	}})
}

func ones32(n int) uint32 { return uint32(ones(n)) }

func (d *decoder) matrices(args []operand, list, addr int, f func(operand, elem, bool) int32) (*access, []int32) {
	m := d.s.mods
	n := map[string]int{"x1": 1, "x2": 2, "x4": 4}[m.one("x1", "x2", "x4")]
	d.needs("sync", "aligned", "m8n8", "b16")
	if len(args) != 2 || n == 0 {
		d.fail("this form is not supported")
	}
	x := &access{space: d.space()}
	if x.space != generic && x.space != spaceShared {
		d.fail("matrices are in shared memory")
	}
	d.addressOf(args[addr], x)
	d.narrow(spaceShared, 16)
	regs := elementsOf(args[list])
	if len(regs) != n {
		d.fail("%d matrices go into %d registers, not %d", n, n, len(regs))
	}
	var rows []int32
	for _, o := range regs {
		rows = append(rows, f(o, elems["b32"], false))
	}
	return x, rows
}
