package schedule

import (
	"math"

	"mdlc/ir/loop"
)

// arith builds arithmetic of one float type; bits is the integer type of its size.
type arith struct {
	b    *loop.Builder
	elem loop.Elem
	bits loop.Elem
}

type val = *loop.Value

func (a arith) c(x float64) val        { return a.b.Float(a.elem, x) }
func (a arith) i(k int64) val          { return a.b.Int(a.bits, k) }
func (a arith) add(x, y val) val       { return a.b.Op(loop.Add, x, y) }
func (a arith) sub(x, y val) val       { return a.b.Op(loop.Sub, x, y) }
func (a arith) mul(x, y val) val       { return a.b.Op(loop.Mul, x, y) }
func (a arith) div(x, y val) val       { return a.b.Op(loop.Div, x, y) }
func (a arith) fma(x, y, z val) val    { return a.b.Op(loop.FMA, x, y, z) }
func (a arith) neg(x val) val          { return a.b.Op(loop.Neg, x) }
func (a arith) abs(x val) val          { return a.b.Op(loop.Abs, x) }
func (a arith) where(c, x, y val) val  { return a.b.Where(c, x, y) }
func (a arith) lt(x, y val) val        { return a.b.Op(loop.Lt, x, y) }
func (a arith) gt(x, y val) val        { return a.b.Op(loop.Gt, x, y) }
func (a arith) eq(x, y val) val        { return a.b.Op(loop.Eq, x, y) }
func (a arith) and(x, y val) val       { return a.b.Op(loop.And, x, y) }
func (a arith) or(x, y val) val        { return a.b.Op(loop.Or, x, y) }
func (a arith) not(x val) val          { return a.b.Op(loop.Not, x) }
func (a arith) shl(x val, k int64) val { return a.b.Op(loop.Shl, x, a.i(k)) }
func (a arith) shr(x val, k int64) val { return a.b.Op(loop.Shr, x, a.i(k)) }
func (a arith) toBits(x val) val       { return a.b.Bitcast(a.bits, x) }
func (a arith) fromBits(x val) val     { return a.b.Bitcast(a.elem, x) }

// atMost and atLeast clamp and let NaN through.
func (a arith) atMost(x val, hi float64) val  { return a.where(a.gt(x, a.c(hi)), a.c(hi), x) }
func (a arith) atLeast(x val, lo float64) val { return a.where(a.lt(x, a.c(lo)), a.c(lo), x) }

// scaled are coefficients times 2^n.
func scaled(c []float64, n int) []float64 {
	out := make([]float64, len(c))
	for i, x := range c {
		out[i] = math.Ldexp(x, n)
	}
	return out
}

// poly is c[0] + c[1]*x + c[2]*x^2 + … by Horner's rule.
func (a arith) poly(x val, c ...float64) val {
	p := a.c(c[len(c)-1])
	for i := len(c) - 2; i >= 0; i-- {
		p = a.fma(p, x, a.c(c[i]))
	}
	return p
}

// format is what the algorithms need to know of a float type.
type format struct {
	mantissa int64   // stored bits of the significand
	bias     int64   // of the exponent
	magic    float64 // adding it rounds to an integer, which stands in the low bits
	ln2Hi    float64 // ln 2 with so few bits that multiples by exponents are exact
	ln2Lo    float64 // and the rest
}

var (
	single = format{23, 127, 3 << 22, 0.693145751953125, 1.428606765330187e-06}
	double = format{52, 1023, 3 << 51, 0.6931471803691238, 1.9082149292705877e-10}
)

func (a arith) format() format {
	if a.elem == loop.F64 {
		return double
	}
	return single
}

// roundInt rounds x*times (of modest size) to an integer, as a float and as bits whose low ones
// are the integer plus.
func (a arith) roundInt(x, times val, plus int64) (f, i val) {
	magic := a.c(a.format().magic + float64(plus))
	t := a.fma(x, times, magic)
	return a.sub(t, magic), a.toBits(t)
}

// power is 2^n for bits of n plus the bias, as reduceExp makes them, where it is a normal number:
// what stands above them is shifted out.
func (a arith) power(n val) val { return a.fromBits(a.shl(n, a.format().mantissa)) }

// scale is p*2^n with one rounding, also where the result is subnormal or overflows, for bits of
// n plus twice the bias.
func (a arith) scale(p, n val) val {
	half := a.shl(a.shr(n, 1), a.format().mantissa)
	rest := a.b.Op(loop.Sub, a.shl(n, a.format().mantissa), half)
	return a.mul(a.mul(p, a.fromBits(half)), a.fromBits(rest))
}

// reduceExp writes x as n*ln2 + r with |r| <= ln2/2; n are bits whose low ones are n + plus.
func (a arith) reduceExp(x val, plus int64) (r, n val) {
	f := a.format()
	k, n := a.roundInt(x, a.c(1/math.Ln2), plus)
	r = a.fma(k, a.c(-f.ln2Hi), x)
	return a.fma(k, a.c(-f.ln2Lo), r), n
}

// frexp writes a positive finite x as m*2^e with m in [sqrt(1/2), sqrt(2)); e is
// a float, n the same as an integer unless x is subnormal.
func (a arith) frexp(x val) (m, e, n val) {
	f := a.format()
	lift := float64(f.mantissa + 1)
	small := a.lt(x, a.c(math.Ldexp(1, int(1-f.bias))))
	bits := a.toBits(a.where(small, a.mul(x, a.c(math.Ldexp(1, int(lift)))), x))
	root := int64(math.Float32bits(float32(math.Sqrt2 / 2)))
	if a.elem == loop.F64 {
		root = int64(math.Float64bits(math.Sqrt2 / 2))
	}
	n = a.shr(a.b.Op(loop.Sub, bits, a.i(root)), f.mantissa)
	m = a.fromBits(a.b.Op(loop.Sub, bits, a.shl(n, f.mantissa)))
	e = a.b.Cast(a.elem, n)
	return m, a.where(small, a.sub(e, a.c(lift)), e), n
}

// logOf is ln of e*ln2 + ln(1+f), given ln(1+f) = f - f²/2 + f³*tail(f).
func (a arith) logOf(f, e val, tail []float64) val {
	k := a.format()
	ff := a.mul(f, f)
	t := a.fma(e, a.c(k.ln2Lo), a.mul(a.mul(ff, f), a.poly(f, tail...)))
	return a.fma(e, a.c(k.ln2Hi), a.add(f, a.fma(ff, a.c(-0.5), t)))
}

// special gives log functions their values at the ends: zero → -inf, below → NaN, inf and NaN → themselves.
func (a arith) logEnds(x, y, arg val) val {
	inf, zero := a.c(math.Inf(1)), a.c(0)
	y = a.where(a.lt(arg, inf), y, x)
	y = a.where(a.eq(arg, zero), a.c(math.Inf(-1)), y)
	return a.where(a.lt(arg, zero), a.c(math.NaN()), y)
}

// copySign is x, which is not negative, with the sign of y.
func (a arith) copySign(x, y val) val {
	sign := int64(math.MinInt32)
	if a.elem == loop.F64 {
		sign = math.MinInt64
	}
	return a.fromBits(a.or(a.toBits(x), a.and(a.toBits(y), a.i(sign))))
}
