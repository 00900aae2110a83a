package emulator

import "math"

var floatBuilders = map[string]func(d *decoder){
	"fma": floatFma, "rcp": floatUnary, "sqrt": floatUnary, "rsqrt": floatUnary, "ex2": floatUnary, "lg2": floatUnary,
	"sin": floatUnary, "cos": floatUnary, "tanh": floatUnary, "copysign": copySign, "testp": testProperty,
}

// float emits an instruction on one floating-point type; packed types apply it to both halves.
func (d *decoder) float(e elem, n int, f func(a, b, c uint64) uint64) {
	if e.pair {
		f = lanes2(f)
	}
	d.ternary(e, n, f)
}

func bits32(f float32) uint64 {
	if f != f {
		return f32.nan
	}
	return uint64(math.Float32bits(f))
}

func from32(v uint64) float32 { return math.Float32frombits(uint32(v)) }

func floatAdd(d *decoder, e elem) {
	m := d.floatMode(e)
	minus := d.s.op == "sub"
	var f func(a, b, c uint64) uint64
	switch {
	case m.fast && !minus:
		f = func(a, b, _ uint64) uint64 { return bits32(from32(a) + from32(b)) }
	case m.fast:
		f = func(a, b, _ uint64) uint64 { return bits32(from32(a) - from32(b)) }
	case m.format == f64:
		sign := 1.0
		if minus {
			sign = -1
		}
		f = func(a, b, _ uint64) uint64 {
			return m.out(math.Float64frombits(a) + sign*math.Float64frombits(b))
		}
	default:
		f = func(a, b, _ uint64) uint64 {
			x, y := m.in(a), m.in(b)
			if minus {
				y = -y
			}
			return m.out(zeroSum(sumOdd(x, y), x, y, m.round))
		}
	}
	d.float(e, 2, f)
}

// zeroSum gives an exact sum of zero the sign that rounding down asks for.
func zeroSum(s, x, y float64, r rounding) float64 {
	if s == 0 && r == down && !(x == 0 && y == 0 && !math.Signbit(x) && !math.Signbit(y)) {
		return math.Copysign(0, -1)
	}
	return s
}

func floatMul(d *decoder, e elem) {
	m := d.floatMode(e)
	var f func(a, b, c uint64) uint64
	switch {
	case m.fast:
		f = func(a, b, _ uint64) uint64 { return bits32(from32(a) * from32(b)) }
	default: // exact in float64 but for f64 itself
		f = func(a, b, _ uint64) uint64 { return m.out(m.in(a) * m.in(b)) }
	}
	d.float(e, 2, f)
}

func floatFma(d *decoder) {
	e := d.typ()
	m := d.floatMode(e)
	var f func(a, b, c uint64) uint64
	switch {
	case m.fast:
		f = func(a, b, c uint64) uint64 { return bits32(fma32(from32(a), from32(b), from32(c))) }
	case m.format == f64:
		f = func(a, b, c uint64) uint64 {
			return m.out(math.FMA(math.Float64frombits(a), math.Float64frombits(b), math.Float64frombits(c)))
		}
	default:
		f = func(a, b, c uint64) uint64 {
			x, y := m.in(a)*m.in(b), m.in(c)
			return m.out(zeroSum(sumOdd(x, y), x, y, m.round))
		}
	}
	d.float(e, 3, f)
}

// fma32 is a·b + c, rounded once. The product is exact in float64; rounding the sum
// twice goes wrong only if the first rounding ends in the middle between two float32.
func fma32(a, b, c float32) float32 { return multiplyAdd32(float64(a)*float64(b), c) }

// roundsOnce: s, rounded to float64, may be rounded to float32 as if it were the exact
// value. Not so in the middle between two float32, and among their subnormals.
func roundsOnce(s float64) bool {
	const half, smallest = 1 << 28, (1023 - 126) << 52
	v := math.Float64bits(s)
	return v&(1<<29-1) != half && v<<1-1 >= smallest<<1-1 // zero, less one, is the largest
}

func floatDiv(d *decoder, e elem) {
	m := d.floatMode(e)
	if e == elems["f32"] && (d.s.mods.has("approx") || d.s.mods.has("full")) {
		full := d.s.mods.has("full")
		approx := d.k.approx
		d.float(e, 2, func(a, b, _ uint64) uint64 {
			x, y := m.in(a), m.in(b)
			if !full && math.Abs(y) > 0x1p126 && !math.IsInf(y, 0) {
				if math.IsInf(x, 0) {
					return f32.nan
				}
				return m.out(math.Copysign(0, x) * math.Copysign(1, y))
			}
			return m.ulps(x/y, 2, approx)
		})
		return
	}
	if m.format == f64 {
		d.float(e, 2, func(a, b, _ uint64) uint64 { return m.out(math.Float64frombits(a) / math.Float64frombits(b)) })
		return
	}
	d.float(e, 2, func(a, b, _ uint64) uint64 { return m.out(quotientOdd(m.in(a), m.in(b))) })
}

func floatMinMax(d *decoder, e elem) {
	m := d.floatMode(e)
	nan, least := d.s.mods.has("NaN"), d.s.op == "min"
	if d.s.mods.has("xorsign") {
		d.fail("this form is not supported")
	}
	d.float(e, 2, func(a, b, _ uint64) uint64 {
		if m.ftz {
			a, b = m.flush(a), m.flush(b)
		}
		switch an, bn := m.isNaN(a), m.isNaN(b); {
		case an && bn, nan && (an || bn):
			return m.nan
		case an:
			a = b
		case bn:
			b = a
		}
		x, y := m.decode(a), m.decode(b)
		less := x < y || x == y && a&m.sign() != 0 // -0 < +0
		if less != least {
			a = b
		}
		if m.relu && a&m.sign() != 0 {
			return 0
		}
		return a
	})
}

func floatSign(d *decoder, e elem) {
	m := d.floatMode(e)
	neg := d.s.op == "neg"
	d.float(e, 1, func(a, _, _ uint64) uint64 {
		if m.ftz {
			a = m.flush(a)
		}
		if neg {
			return a ^ m.sign()
		}
		return a &^ m.sign()
	})
}

func copySign(d *decoder) {
	e := d.typ()
	s := e.format().sign()
	d.float(e, 2, func(a, b, _ uint64) uint64 { return b&^s | a&s })
}

func testProperty(d *decoder) {
	e := d.typ()
	f := e.format()
	what := d.s.mods.one("finite", "infinite", "number", "notanumber", "normal", "subnormal")
	args := d.args(2)
	in := inst{op: opSetp, d: d.predDst(args[0]), a: d.src(args[1], e, false)}
	in.cmp = func(a, _ uint64) bool {
		mag := a &^ f.sign()
		switch what {
		case "finite":
			return mag < f.infinity()
		case "infinite":
			return mag == f.infinity()
		case "number":
			return mag <= f.infinity()
		case "notanumber":
			return mag > f.infinity()
		case "normal":
			return mag < f.infinity() && mag >= 1<<f.man
		}
		return mag != 0 && mag < 1<<f.man
	}
	if what == "" {
		d.fail("it must say which property")
	}
	d.emit(in)
}

func floatUnary(d *decoder) {
	e := d.typ()
	m := d.floatMode(e)
	op := d.s.op
	if !d.s.mods.has("approx") {
		switch {
		case op == "rcp" && m.format == f64:
			d.float(e, 1, func(a, _, _ uint64) uint64 { return m.out(1 / math.Float64frombits(a)) })
		case op == "rcp":
			d.float(e, 1, func(a, _, _ uint64) uint64 { return m.out(quotientOdd(1, m.in(a))) })
		case op == "sqrt" && m.format == f64:
			d.float(e, 1, func(a, _, _ uint64) uint64 { return m.out(math.Sqrt(math.Float64frombits(a))) })
		case op == "sqrt":
			d.float(e, 1, func(a, _, _ uint64) uint64 { return m.out(sqrtOdd(m.in(a))) })
		default:
			d.fail("it must say .approx")
		}
		return
	}
	if m.format == f64 {
		d.fail("this approximation of f64 is not supported")
	}
	rows := approximations[op]
	bound, ok := rows.bound[m.format]
	if !ok {
		d.fail("there is no such approximation of this type")
	}
	approx, f := d.k.approx, rows.f
	d.float(e, 1, func(a, _, _ uint64) uint64 { return bound(m, f(m.in(a)), m.in(a), approx) })
}
