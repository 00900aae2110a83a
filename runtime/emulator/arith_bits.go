package emulator

import "math/bits"

var bitBuilders = map[string]func(d *decoder){
	"and": bitwise, "or": bitwise, "xor": bitwise, "not": bitwise, "cnot": bitwise,
	"shl": shift, "shr": shift, "shf": funnelShift, "prmt": permuteBytes, "lop3": lop3,
	"popc": countBits, "clz": countBits, "brev": countBits, "bfind": findBit,
	"bfe": extractBits, "bfi": insertBits, "szext": signZeroExtend,
}

func bitwise(d *decoder) {
	e := d.typ()
	if e.kind == 'p' {
		predicateLogic(d)
		return
	}
	switch d.s.op {
	case "and":
		d.ternary(e, 2, func(a, b, _ uint64) uint64 { return a & b })
	case "or":
		d.ternary(e, 2, func(a, b, _ uint64) uint64 { return a | b })
	case "xor":
		d.ternary(e, 2, func(a, b, _ uint64) uint64 { return a ^ b })
	case "not":
		d.ternary(e, 1, func(a, _, _ uint64) uint64 { return ^a & e.mask() })
	case "cnot":
		d.ternary(e, 1, func(a, _, _ uint64) uint64 {
			if a == 0 {
				return 1
			}
			return 0
		})
	}
}

func predicateLogic(d *decoder) {
	n := 2
	if d.s.op == "not" {
		n = 1
	}
	args := d.args(n + 1)
	in := inst{op: opRun, d: d.predDst(args[0])}
	var ainv, binv bool
	in.a, ainv = d.predSrc(args[1])
	if n == 2 {
		in.b, binv = d.predSrc(args[2])
	}
	op := d.s.op
	in.run = func(w *warp, i *inst, m uint32) {
		a, b := w.preds[i.a]^allOf(ainv), w.preds[i.b]^allOf(binv)
		known := w.pdef[i.a] & w.pdef[i.b]
		switch op { // one side alone may decide
		case "and":
			known |= w.pdef[i.a]&^a | w.pdef[i.b]&^b
			a &= b
		case "or":
			known |= w.pdef[i.a]&a | w.pdef[i.b]&b
			a |= b
		case "xor":
			a ^= b
		default:
			a, known = ^a, w.pdef[i.a]
		}
		w.setPred(i.d, m, a, known)
	}
	d.emit(in)
}

func shift(d *decoder) {
	e := d.typ()
	args := d.args(3)
	in := inst{op: opALU, d: d.dst(args[0], e, false), a: d.src(args[1], e, false), b: d.src(args[2], elems["u32"], false)}
	n, mask := uint64(e.bits), e.mask()
	switch {
	case d.s.op == "shl":
		in.f = func(a, b, _ uint64) uint64 {
			if b >= n {
				return 0
			}
			return a << b & mask
		}
	case e.kind == 's':
		in.f = func(a, b, _ uint64) uint64 { return uint64(signExtend(a, e.bits)>>min(b, n-1)) & mask }
	default:
		in.f = func(a, b, _ uint64) uint64 {
			if b >= n {
				return 0
			}
			return a >> b
		}
	}
	d.emit(in)
}

func funnelShift(d *decoder) {
	d.needs("b32")
	left, wraps := d.s.mods.has("l"), d.s.mods.has("wrap")
	if !left && !d.s.mods.has("r") || !wraps && !d.s.mods.has("clamp") {
		d.fail("this form is not supported")
	}
	d.ternary(elems["b32"], 3, func(a, b, c uint64) uint64 {
		n := c & 31
		if !wraps {
			n = min(c, 32)
		}
		v := b<<32 | a
		if left {
			return v << n >> 32
		}
		return uint64(uint32(v >> n))
	})
}

func permuteBytes(d *decoder) {
	d.needs("b32")
	mode := d.s.mods.one("f4e", "b4e", "rc8", "ecl", "ecr", "rc16")
	d.ternary(elems["b32"], 3, func(a, b, c uint64) uint64 {
		v := b<<32 | a&0xffffffff
		var r uint64
		for i := range uint64(4) {
			s := c & 3
			sign := false
			switch mode {
			case "":
				s, sign = c>>(4*i)&7, c>>(4*i)&8 != 0
			case "f4e":
				s = (s + i) & 7
			case "b4e":
				s = (s - i) & 7
			case "rc8":
			case "ecl":
				s = max(s, i)
			case "ecr":
				s = min(s, i)
			case "rc16":
				s = s&1*2 + i&1
			}
			x := v >> (8 * s) & 0xff
			if sign {
				x = uint64(int8(x)>>7) & 0xff
			}
			r |= x << (8 * i)
		}
		return r
	})
}

func lop3(d *decoder) {
	d.needs("b32")
	args := d.args(5)
	if args[4].kind != argImm {
		d.fail("the table must be a constant")
	}
	e, table := elems["b32"], args[4].value
	d.emit(inst{op: opALU, d: d.dst(args[0], e, false), a: d.src(args[1], e, false), b: d.src(args[2], e, false), c: d.src(args[3], e, false),
		f: func(a, b, c uint64) uint64 {
			var r uint64
			for i := range uint64(8) {
				if table>>i&1 != 0 {
					x := ^uint64(0)
					x &= a ^ (i>>2&1 - 1) // a where bit 2 of i is set, else ^a
					x &= b ^ (i>>1&1 - 1)
					x &= c ^ (i&1 - 1)
					r |= x
				}
			}
			return r & 0xffffffff
		}})
}

func countBits(d *decoder) {
	e := d.typ()
	var f func(a, b, c uint64) uint64
	result := elems["u32"]
	switch d.s.op {
	case "popc":
		f = func(a, _, _ uint64) uint64 { return uint64(bits.OnesCount64(a)) }
	case "clz":
		f = func(a, _, _ uint64) uint64 { return uint64(bits.LeadingZeros64(a) - (64 - e.bits)) }
	default:
		result = e
		f = func(a, _, _ uint64) uint64 { return bits.Reverse64(a) >> (64 - e.bits) }
	}
	args := d.args(2)
	d.emit(inst{op: opALU, f: f, d: d.dst(args[0], result, false), a: d.src(args[1], e, false)})
}

func findBit(d *decoder) {
	e, amount := d.typ(), d.s.mods.has("shiftamt")
	args := d.args(2)
	d.emit(inst{op: opALU, d: d.dst(args[0], elems["u32"], false), a: d.src(args[1], e, false), f: func(a, _, _ uint64) uint64 {
		if e.kind == 's' && signExtend(a, e.bits) < 0 {
			a = ^a & e.mask()
		}
		if a == 0 {
			return 0xffffffff
		}
		at := 63 - bits.LeadingZeros64(a)
		if amount {
			at = e.bits - 1 - at
		}
		return uint64(at)
	}})
}

func extractBits(d *decoder) {
	e := d.typ()
	args := d.args(4)
	u := elems["u32"]
	d.emit(inst{op: opALU, d: d.dst(args[0], e, false), a: d.src(args[1], e, false), b: d.src(args[2], u, false), c: d.src(args[3], u, false), f: func(a, b, c uint64) uint64 {
		pos, n := b&0xff, c&0xff
		if n == 0 {
			return 0
		}
		top := uint64(e.bits - 1)
		var sign uint64 // the bit that fills what lies beyond
		if e.kind == 's' {
			sign = a >> min(pos+n-1, top) & 1
		}
		v := uint64(0)
		if pos <= top {
			v = a >> pos & ones(int(min(n, top+1-pos)))
		}
		if sign != 0 {
			have := uint64(0)
			if pos <= top {
				have = min(n, top+1-pos)
			}
			v |= ^ones(int(have)) & e.mask()
		}
		return v
	}})
}

func insertBits(d *decoder) {
	e := d.typ()
	args := d.args(5)
	u := elems["u32"]
	// Four sources: position and length are packed into one row first.
	at := d.newRow("bfi")
	pos, n := d.src(args[3], u, false), d.src(args[4], u, false)
	d.emit(inst{op: opALU, d: at, a: pos, b: n, f: func(a, b, _ uint64) uint64 { return a&0xff | b&0xff<<8 }})
	d.emit(inst{op: opALU, d: d.dst(args[0], e, false), a: d.src(args[1], e, false), b: d.src(args[2], e, false), c: at, f: func(a, b, c uint64) uint64 {
		pos, n := c&0xff, c>>8
		if pos >= uint64(e.bits) {
			return b
		}
		mask := ones(int(n)) << pos & e.mask()
		return b&^mask | a<<pos&mask
	}})
}

func signZeroExtend(d *decoder) {
	e := d.typ()
	clamp := d.s.mods.has("clamp")
	if !clamp && !d.s.mods.has("wrap") {
		d.fail("it must say .clamp or .wrap")
	}
	args := d.args(3)
	d.emit(inst{op: opALU, d: d.dst(args[0], e, false), a: d.src(args[1], e, false), b: d.src(args[2], elems["u32"], false), f: func(a, b, _ uint64) uint64 {
		n := int(b & 31)
		if clamp {
			n = int(min(b, 32))
		}
		if n == 0 {
			return 0
		}
		if e.kind == 's' {
			return uint64(signExtend(a&ones(n), n)) & e.mask()
		}
		return a & ones(n)
	}})
}
