package emulator

import (
	"math"
	"math/bits"
)

// A format is a binary floating-point format. Arithmetic on formats narrower
// than f64 is done in float64 so that no rounding but the last is seen: the
// result is rounded to odd there (see odd), which keeps what a second rounding
// in any direction needs to know.
type format struct {
	bits, man, bias int
	nan             uint64 // what operations give that have no other result
}

var (
	f16  = format{16, 10, 15, 0x7fff}
	bf16 = format{16, 7, 127, 0x7fff}
	f32  = format{32, 23, 127, 0x7fffffff}
	f64  = format{64, 52, 1023, 0x7ff8000000000000}
	e4m3 = format{8, 3, 7, 0x7f} // without infinities: 0x7f is NaN, and 0x7e the largest number
	e5m2 = format{8, 2, 15, 0x7f}
)

func (e elem) format() format {
	switch {
	case e.kind == 'x':
		return bf16
	case e.kind == 'q':
		return e4m3
	case e.kind == 'r':
		return e5m2
	case e.bits == 16:
		return f16
	case e.bits == 64:
		return f64
	}
	return f32
}

// infinity is the encoding of +∞, the first above those of numbers: all exponent bits.
func (f format) infinity() uint64 {
	if f == e4m3 {
		return 0x7f
	}
	return (1<<(f.bits-1-f.man) - 1) << f.man
}

func (f format) sign() uint64 { return 1 << (f.bits - 1) }

func (f format) isNaN(v uint64) bool { return v&^f.sign() > f.infinity() }

// flush replaces a subnormal number by zero of its sign.
func (f format) flush(v uint64) uint64 {
	if v&f.infinity() == 0 {
		return v & f.sign()
	}
	return v
}

func (f format) decode(v uint64) float64 {
	switch f.bits {
	case 64:
		return math.Float64frombits(v)
	case 32:
		return float64(math.Float32frombits(uint32(v)))
	}
	if f.man == 7 {
		return float64(math.Float32frombits(uint32(v) << 16))
	}
	mag := v &^ f.sign()
	exp, man := int(mag>>f.man), mag&(1<<f.man-1)
	var x float64
	switch {
	case mag > f.infinity() || f == e4m3 && mag == f.infinity():
		return math.NaN()
	case mag == f.infinity():
		x = math.Inf(1)
	case exp == 0:
		x = math.Ldexp(float64(man), 1-f.bias-f.man)
	default:
		x = math.Float64frombits(uint64(exp-f.bias+1023)<<52 | man<<(52-f.man))
	}
	if mag != v {
		x = -x
	}
	return x
}

type rounding uint8

const (
	toEven rounding = iota
	toZero
	down
	up
	awayTies // to nearest, ties away from zero
)

var roundings = map[string]rounding{"rn": toEven, "rz": toZero, "rm": down, "rp": up, "rni": toEven, "rzi": toZero, "rmi": down, "rpi": up, "rna": awayTies}

// encode rounds a float64 to the format.
func (f format) encode(x float64, r rounding) uint64 {
	if r == toEven {
		switch f.bits {
		case 64:
			if x != x {
				return f.nan
			}
			return math.Float64bits(x)
		case 32:
			if x != x {
				return f.nan
			}
			return uint64(math.Float32bits(float32(x)))
		}
	}
	raw := math.Float64bits(x)
	negative := raw>>63 != 0
	sign := raw >> 63 << (f.bits - 1)
	mag, exp := raw&(1<<52-1), int(raw>>52&0x7ff)
	switch {
	case exp == 0x7ff && mag != 0:
		return f.nan
	case exp == 0x7ff:
		return sign | f.infinity()
	case exp == 0 && mag == 0:
		return sign
	case exp == 0:
		exp = 1
	default:
		mag |= 1 << 52
	}
	e := exp - 1075                   // x = mag · 2^e
	top := e + bits.Len64(mag) - 1    // exponent of the leading bit
	lsb := max(top, 1-f.bias) - f.man // exponent of the last bit that stays
	q, rest, half := mag, uint64(0), uint64(0)
	switch shift := lsb - e; {
	case shift > 60:
		q, rest, half = 0, 1, 2
	case shift > 0:
		q, rest, half = mag>>shift, mag&(1<<shift-1), 1<<(shift-1)
	case shift < 0:
		q = mag << -shift
	}
	if rest != 0 {
		switch r {
		case toEven:
			if rest > half || rest == half && q&1 != 0 {
				q++
			}
		case awayTies:
			if rest >= half {
				q++
			}
		case down:
			if negative {
				q++
			}
		case up:
			if !negative {
				q++
			}
		}
	}
	// The leading bit of q is counted by the exponent field itself.
	v := q
	if biased := lsb + f.man + f.bias; biased > 1 {
		v += uint64(biased-1) << f.man
	}
	if v >= f.infinity() {
		v = f.infinity()
		if r == toZero || r == down && !negative || r == up && negative {
			v--
		}
	}
	return sign | v
}

// odd takes x, rounded to nearest from an exact result that is rest away, and
// gives that result rounded to odd: if it is not exact, the last bit says so.
func odd(x, rest float64) float64 {
	if rest == 0 || rest != rest || math.IsInf(x, 0) || x == 0 {
		return x
	}
	raw := math.Float64bits(x)
	if raw&1 != 0 {
		return x
	}
	if (rest > 0) == (x > 0) {
		return math.Float64frombits(raw + 1)
	}
	return math.Float64frombits(raw - 1)
}

// sumOdd is a + b, rounded to odd.
func sumOdd(a, b float64) float64 {
	s := a + b
	t := s - a
	return odd(s, a-(s-t)+(b-t))
}

func quotientOdd(a, b float64) float64 {
	q := a / b
	if math.IsInf(b, 0) || math.IsInf(q, 0) || q == 0 {
		return q
	}
	rest := math.FMA(-q, b, a)
	if b < 0 {
		rest = -rest
	}
	return odd(q, rest)
}

func sqrtOdd(a float64) float64 {
	s := math.Sqrt(a)
	if math.IsInf(s, 0) || s == 0 {
		return s
	}
	return odd(s, math.FMA(-s, s, a))
}

// How an instruction treats subnormal numbers and the range of its result.
type floatMode struct {
	format
	round rounding
	ftz   bool // subnormal operands and results are zeros
	sat   bool // to [0, 1], NaN to 0
	relu  bool // negative numbers to 0
	clamp bool // .satfinite: what is too large becomes the largest number
	fast  bool // f32, to nearest, nothing else: the common case
}

func (d *decoder) floatMode(e elem) floatMode {
	m := d.s.mods
	o := floatMode{format: e.format(), round: roundings[m.one("rn", "rz", "rm", "rp")], ftz: m.has("ftz"), sat: m.has("sat"), relu: m.has("relu"), clamp: m.has("satfinite")}
	o.fast = o.format == f32 && o.round == toEven && !o.ftz && !o.sat && !o.relu
	if o.format == f64 && o.round != toEven {
		d.fail("f64 is rounded to nearest only")
	}
	return o
}

func (m floatMode) in(v uint64) float64 {
	if m.ftz {
		v = m.flush(v)
	}
	return m.decode(v)
}

func (m floatMode) out(x float64) uint64 {
	v := m.encode(x, m.round)
	if m.ftz {
		v = m.flush(v)
	}
	if m.clamp && x == x && v&^m.sign() >= m.infinity() {
		v = v&m.sign() | (m.infinity() - 1)
	}
	if m.sat {
		switch {
		case m.isNaN(v) || v&m.sign() != 0:
			return 0
		case m.decode(v) > 1:
			return m.encode(1, toEven)
		}
	}
	if m.relu && v&m.sign() != 0 && !m.isNaN(v) {
		return 0
	}
	return v
}
