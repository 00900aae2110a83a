package emulator

import "math/bits"

var integerBuilders = map[string]func(d *decoder){
	"add": addSub, "sub": addSub, "mul": multiply, "mad": multiplyAdd,
	"addc": addSub, "subc": addSub,
	"div": divide, "rem": divide, "min": minMax, "max": minMax,
	"abs": absolute, "neg": negate, "sad": sumAbsDiff, "dp4a": dot4,
}

// wrap keeps the low bits of a result.
func wrap(width int, f func(a, b, c uint64) uint64) func(a, b, c uint64) uint64 {
	switch width {
	case 32:
		return func(a, b, c uint64) uint64 { return uint64(uint32(f(a, b, c))) }
	case 64:
		return f
	}
	m := ones(width)
	return func(a, b, c uint64) uint64 { return f(a, b, c) & m }
}

func add(a, b, _ uint64) uint64 { return a + b }
func sub(a, b, _ uint64) uint64 { return a - b }

// lanes2 applies f to both 16-bit halves.
func lanes2(f func(a, b, c uint64) uint64) func(a, b, c uint64) uint64 {
	return func(a, b, c uint64) uint64 {
		lo := f(a&0xffff, b&0xffff, c&0xffff)
		hi := f(a>>16&0xffff, b>>16&0xffff, c>>16&0xffff)
		return lo&0xffff | hi&0xffff<<16
	}
}

func addSub(d *decoder) {
	if x := d.s.mods.one("s16x2", "u16x2"); x != "" {
		f := add
		if d.s.op == "sub" {
			f = sub
		}
		d.ternary(elems["b32"], 2, lanes2(f))
		return
	}
	e := d.typ()
	if e.float() {
		floatAdd(d, e)
		return
	}
	if d.s.mods.has("cc") || d.s.op == "addc" || d.s.op == "subc" {
		addCarry(d, e)
		return
	}
	if d.s.mods.has("sat") {
		if e != elems["s32"] {
			d.fail("saturation is of s32")
		}
		sign := int64(1)
		if d.s.op == "sub" {
			sign = -1
		}
		d.ternary(e, 2, func(a, b, _ uint64) uint64 {
			v := int64(int32(a)) + sign*int64(int32(b))
			return uint64(uint32(min(max(v, -1<<31), 1<<31-1)))
		})
		return
	}
	f := add
	if d.s.op == "sub" {
		f = sub
	}
	switch {
	case e.bits == 32 && d.s.op == "add":
		f = func(a, b, _ uint64) uint64 { return uint64(uint32(a + b)) }
	case e.bits == 32:
		f = func(a, b, _ uint64) uint64 { return uint64(uint32(a - b)) }
	default:
		f = wrap(e.bits, f)
	}
	d.ternary(e, 2, f)
}

// addCarry is extended precision: the carry of a lane is kept in a predicate row.
func addCarry(d *decoder, e elem) {
	args := d.args(3)
	minus, in, out := d.s.op[:3] == "sub", d.s.op[3:] == "c", d.s.mods.has("cc")
	x := inst{op: opRun, d: d.dst(args[0], e, false), a: d.src(args[1], e, false), b: d.src(args[2], e, false)}
	carry := d.carry()
	x.run = func(w *warp, i *inst, m uint32) {
		if in && m&^w.pdef[carry] != 0 {
			w.fault(i, bits.TrailingZeros32(m&^w.pdef[carry]), Undefined, "the carry was never set")
			return
		}
		var set uint32
		for l := range eachLane(m) {
			a, b, c := w.regs[i.a][l], w.regs[i.b][l], uint64(0)
			if in {
				c = uint64(w.preds[carry] >> l & 1)
			}
			var r, over uint64
			if minus {
				r, over = bits.Sub64(a, b, c)
			} else {
				r, over = bits.Add64(a, b, c)
			}
			if e.bits == 32 {
				over = r >> 32 & 1
			}
			w.regs[i.d][l] = r & e.mask()
			set |= uint32(over) << l
		}
		w.def[i.d] = w.def[i.d]&^m | w.def[i.a]&w.def[i.b]&m
		if out {
			w.setPred(carry, m, set, m)
		}
	}
	d.emit(x)
}

func (d *decoder) carry() int32 {
	key := regKey{d.f, -1}
	p, ok := d.predOf[key]
	if !ok {
		p = int32(d.k.preds)
		d.k.preds++
		d.predOf[key] = p
	}
	return p
}

// productBits gives the low and high halves of a product.
func mulPart(e elem, part string) func(a, b uint64) uint64 {
	switch {
	case part == "lo":
		return func(a, b uint64) uint64 { return a * b & e.mask() }
	case e.bits < 64 && e.kind == 's':
		return func(a, b uint64) uint64 {
			p := signExtend(a, e.bits) * signExtend(b, e.bits)
			if part == "hi" {
				return uint64(p>>e.bits) & e.mask()
			}
			return uint64(p) & ones(2*e.bits)
		}
	case e.bits < 64:
		return func(a, b uint64) uint64 {
			p := (a & e.mask()) * (b & e.mask())
			if part == "hi" {
				return p >> e.bits
			}
			return p
		}
	case e.kind == 's':
		return func(a, b uint64) uint64 {
			hi, _ := bits.Mul64(a, b)
			if int64(a) < 0 {
				hi -= b
			}
			if int64(b) < 0 {
				hi -= a
			}
			return hi
		}
	}
	return func(a, b uint64) uint64 {
		hi, _ := bits.Mul64(a, b)
		return hi
	}
}

func (d *decoder) mulPart(e elem) (f func(a, b uint64) uint64, result elem) {
	part := d.s.mods.one("lo", "hi", "wide")
	result = e
	switch {
	case part == "":
		d.fail("it must say .lo, .hi or .wide")
	case part == "wide" && e.bits == 64:
		d.fail("there is no product of 128 bits")
	case part == "wide":
		result.bits *= 2
	}
	return mulPart(e, part), result
}

func multiply(d *decoder) {
	e := d.typ()
	if e.float() {
		floatMul(d, e)
		return
	}
	mul, result := d.mulPart(e)
	args := d.args(3)
	d.emit(inst{op: opALU, d: d.dst(args[0], result, false), a: d.src(args[1], e, false), b: d.src(args[2], e, false), f: func(a, b, _ uint64) uint64 { return mul(a, b) }})
}

func multiplyAdd(d *decoder) {
	e := d.typ()
	if e.float() {
		floatFma(d)
		return
	}
	if d.s.mods.has("sat") || d.s.mods.has("cc") {
		d.fail("this form is not supported")
	}
	mul, result := d.mulPart(e)
	args := d.args(4)
	mask := result.mask()
	d.emit(inst{op: opALU, d: d.dst(args[0], result, false), a: d.src(args[1], e, false), b: d.src(args[2], e, false), c: d.src(args[3], result, false),
		f: func(a, b, c uint64) uint64 { return (mul(a, b) + c) & mask }})
}

// divide reports a division by zero, whose result a GPU leaves open.
func divide(d *decoder) {
	e := d.typ()
	if e.float() {
		floatDiv(d, e)
		return
	}
	args := d.args(3)
	in := inst{op: opRun, d: d.dst(args[0], e, false), a: d.src(args[1], e, false), b: d.src(args[2], e, false)}
	rem := d.s.op == "rem"
	in.run = func(w *warp, i *inst, m uint32) {
		w.def[i.d] = w.def[i.d]&^m | w.def[i.a]&w.def[i.b]&m
		for l := range eachLane(m) {
			a, b := e.extend(w.regs[i.a][l]), e.extend(w.regs[i.b][l])
			if b == 0 {
				if w.def[i.b]>>l&1 != 0 {
					w.fault(i, l, BadOperand, "a division by zero")
					return
				}
				b = 1
			}
			var r uint64
			switch {
			case e.kind == 's' && rem:
				r = uint64(int64(a) % int64(b))
			case e.kind == 's':
				r = uint64(int64(a) / int64(b))
			case rem:
				r = a % b
			default:
				r = a / b
			}
			w.regs[i.d][l] = r & e.mask()
		}
	}
	d.emit(in)
}

func minMax(d *decoder) {
	if x := d.s.mods.one("s16x2", "u16x2"); x != "" {
		if d.s.mods.has("relu") {
			d.fail("this form is not supported")
		}
		d.ternary(elems["b32"], 2, lanes2(minMaxInt(elem{x[0], 16, false}, d.s.op == "min")))
		return
	}
	e := d.typ()
	if e.float() {
		floatMinMax(d, e)
		return
	}
	if d.s.mods.has("relu") {
		d.fail("this form is not supported")
	}
	d.ternary(e, 2, minMaxInt(e, d.s.op == "min"))
}

func minMaxInt(e elem, least bool) func(a, b, c uint64) uint64 {
	return func(a, b, _ uint64) uint64 {
		less := e.extend(a) < e.extend(b)
		if e.kind == 's' {
			less = int64(e.extend(a)) < int64(e.extend(b))
		}
		if less == least {
			return a
		}
		return b
	}
}

func absolute(d *decoder) {
	e := d.typ()
	if e.float() {
		floatSign(d, e)
		return
	}
	d.ternary(e, 1, func(a, _, _ uint64) uint64 {
		if v := signExtend(a, e.bits); v < 0 {
			return uint64(-v) & e.mask()
		}
		return a
	})
}

func negate(d *decoder) {
	e := d.typ()
	if e.float() {
		floatSign(d, e)
		return
	}
	d.ternary(e, 1, wrap(e.bits, func(a, _, _ uint64) uint64 { return -a }))
}

func sumAbsDiff(d *decoder) {
	e := d.typ()
	d.ternary(e, 3, wrap(e.bits, func(a, b, c uint64) uint64 {
		less := e.extend(a) < e.extend(b)
		if e.kind == 's' {
			less = int64(e.extend(a)) < int64(e.extend(b))
		}
		if less {
			return c + b - a
		}
		return c + a - b
	}))
}

// dot4 is d = c + the sum of four products of bytes.
func dot4(d *decoder) {
	types := d.s.mods.types()
	if len(types) != 2 || types[0].bits != 32 || types[1].bits != 32 {
		d.fail("it needs two types of 32 bits")
	}
	byteOf := func(v uint64, i int, e elem) int64 { return int64(elem{e.kind, 8, false}.extend(v >> (8 * i))) }
	d.ternary(elems["b32"], 3, wrap(32, func(a, b, c uint64) uint64 {
		for i := range 4 {
			c += uint64(byteOf(a, i, types[0]) * byteOf(b, i, types[1]))
		}
		return c
	}))
}
