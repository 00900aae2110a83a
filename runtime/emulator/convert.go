package emulator

import "math"

var convertBuilders = map[string]func(d *decoder){"cvt": convert, "cvta": convertAddress}

// convert decodes cvt: from and to integers and floats of every width.
func convert(d *decoder) {
	types := d.s.mods.types()
	if len(types) != 2 {
		d.fail("it needs two types")
	}
	to, from := types[0], types[1]
	if to.pair {
		convertPair(d, to, from)
		return
	}
	if from.pair {
		d.fail("this form is not supported")
	}
	args := d.args(2)
	in := inst{op: opALU, d: d.dst(args[0], to, true), a: d.src(args[1], from, true)}
	wide := ones(64)
	if args[0].kind == argReg {
		wide = ones(d.f.regs[args[0].reg].elem.width())
	}
	switch {
	case !to.float() && !from.float():
		in.f = d.intToInt(to, from, wide)
	case !to.float():
		in.f = d.floatToInt(to, from, wide)
	case !from.float():
		m := d.floatMode(to)
		if m.format == f64 {
			in.f = func(a, _, _ uint64) uint64 {
				if from.kind == 's' {
					return math.Float64bits(float64(signExtend(a, from.bits)))
				}
				return math.Float64bits(float64(from.extend(a)))
			}
			break
		}
		in.f = func(a, _, _ uint64) uint64 { return m.out(intToFloat(from, a)) }
	default:
		in.f = d.floatToFloat(to, from)
	}
	d.emit(in)
}

func (d *decoder) intToInt(to, from elem, wide uint64) func(a, b, c uint64) uint64 {
	sat := d.s.mods.has("sat")
	return func(a, _, _ uint64) uint64 {
		v := from.extend(a)
		if sat {
			v = saturate(to, from.kind == 's' && int64(v) < 0, v)
		}
		return to.extend(v) & wide
	}
}

// saturate clamps v, which is negative or not, to the range of to.
func saturate(to elem, negative bool, v uint64) uint64 {
	top := to.mask()
	if to.kind == 's' {
		top >>= 1
		if negative {
			return uint64(max(int64(v), -int64(top)-1))
		}
	} else if negative {
		return 0
	}
	return min(v, top)
}

// intToFloat is exact, or rounded to odd where float64 has too few bits.
func intToFloat(from elem, a uint64) float64 {
	v := from.extend(a)
	negative := from.kind == 's' && int64(v) < 0
	if negative {
		v = -v
	}
	x := float64(v)
	if v >= 1<<53 && x < 0x1p64 {
		if back := uint64(x); back != v {
			rest := 1.0
			if back > v {
				rest = -1
			}
			x = odd(x, rest)
		}
	} else if x == 0x1p64 {
		x = odd(x, -1)
	}
	if negative {
		return -x
	}
	return x
}

// floatToInt rounds, then clamps; NaN becomes 0.
func (d *decoder) floatToInt(to, from elem, wide uint64) func(a, b, c uint64) uint64 {
	name := d.s.mods.one("rni", "rzi", "rmi", "rpi")
	if name == "" {
		d.fail("it must say how to round")
	}
	r := roundings[name]
	m := floatMode{format: from.format(), ftz: d.s.mods.has("ftz")}
	return func(a, _, _ uint64) uint64 {
		x := roundToInt(m.in(a), r)
		var v uint64
		switch {
		case x != x:
		case x < 0:
			i := int64(math.MinInt64)
			if x > math.MinInt64 {
				i = int64(x)
			}
			v = saturate(to, true, uint64(i))
		case x >= 0x1p64:
			v = saturate(to, false, math.MaxUint64)
		default:
			v = saturate(to, false, uint64(x))
		}
		return to.extend(v) & wide
	}
}

func roundToInt(x float64, r rounding) float64 {
	switch r {
	case toZero:
		return math.Trunc(x)
	case down:
		return math.Floor(x)
	case up:
		return math.Ceil(x)
	}
	return math.RoundToEven(x)
}

func (d *decoder) floatToFloat(to, from elem) func(a, b, c uint64) uint64 {
	in := floatMode{format: from.format(), ftz: d.s.mods.has("ftz") && from.bits == 32}
	if to.kind == 't' {
		return d.toTF32(in)
	}
	if name := d.s.mods.one("rni", "rzi", "rmi", "rpi"); name != "" {
		r := roundings[name]
		m := floatMode{format: to.format(), ftz: in.ftz, sat: d.s.mods.has("sat")}
		return func(a, _, _ uint64) uint64 { return m.out(roundToInt(in.in(a), r)) }
	}
	if to.format() == f64 {
		return func(a, _, _ uint64) uint64 { return f64.encode(in.in(a), toEven) }
	}
	m := d.floatMode(to)
	m.ftz = m.ftz && (to.bits == 32 || from.bits == 32)
	if to.bits == 16 {
		m.ftz = false // only f32 operands and results are flushed
	}
	return func(a, _, _ uint64) uint64 { return m.out(in.in(a)) }
}

// toTF32 keeps 10 bits of an f32's mantissa.
func (d *decoder) toTF32(in floatMode) func(a, b, c uint64) uint64 {
	name := d.s.mods.one("rna", "rn", "rz")
	if name == "" {
		d.fail("it must say how to round")
	}
	r, relu, clamp := roundings[name], d.s.mods.has("relu"), d.s.mods.has("satfinite")
	tf32 := format{19, 10, 127, f32.nan >> 13}
	return func(a, _, _ uint64) uint64 {
		x := in.in(a)
		if x != x {
			return f32.nan
		}
		if relu && x < 0 {
			return 0
		}
		v := tf32.encode(x, r) << 13
		if clamp && v&0x7fffffff == f32.infinity() {
			v -= 1 << 13
		}
		return v
	}
}

// convertPair packs two f32, the first operand into the upper half, or converts both
// halves of a pair.
func convertPair(d *decoder, to, from elem) {
	m := d.floatMode(to)
	m.ftz = false
	if from.pair {
		args := d.args(2)
		half := floatMode{format: from.format()}
		in, out, mask := from.bits, to.bits, ones(from.bits)
		d.emit(inst{op: opALU, d: d.dst(args[0], to, false), a: d.src(args[1], from, false), f: func(a, _, _ uint64) uint64 {
			return m.out(half.decode(a>>in&mask))<<out | m.out(half.decode(a&mask))
		}})
		return
	}
	if from != elems["f32"] {
		d.fail("two f32 are packed")
	}
	args := d.args(3)
	d.emit(inst{op: opALU, d: d.dst(args[0], to, false), a: d.src(args[1], from, false), b: d.src(args[2], from, false), f: func(a, b, _ uint64) uint64 {
		return m.out(f32.decode(a))<<to.bits | m.out(f32.decode(b))
	}})
}

// convertAddress is between generic addresses and those of a space.
func convertAddress(d *decoder) {
	e := elems["u64"]
	if d.typ().bits != 64 {
		d.fail("only 64-bit addresses are supported")
	}
	args := d.args(2)
	in := inst{op: opMov, d: d.dst(args[0], e, false), a: d.src(args[1], e, false)}
	var window uint64
	back := d.s.mods.has("to")
	switch d.s.mods.one("global", "shared", "local", "const", "param") {
	case "shared":
		window = windowShared
	case "local":
		window = windowLocal
	case "param":
		window = windowParam
	case "":
		d.fail("it must say which space")
	}
	if window != 0 {
		in.op = opALU
		if back {
			in.f = func(a, _, _ uint64) uint64 { return a - window }
		} else {
			in.f = func(a, _, _ uint64) uint64 { return a + window }
		}
	}
	d.emit(in)
}
