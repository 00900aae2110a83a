package schedule

import (
	"math"

	"mdlc/ir/loop"
)

// The functions of f32. Each is within 2 units in the last place of the exact
// value. The largest errors over all 2^32 arguments, in units: exp 0.909, log 0.850,
// tanh 1.954, sigmoid 1.967, erf 1.107, sin 1.581, cos 1.585; pow over every 23rd
// argument, each with an exponent between -40 and 40: 0.750. codegen/math_test.go
// measures them, all arguments with MDLC_FLOAT_STEP=1. Coefficients are minimax fits of our own.

// expOf32 is exp(r) on |r| <= ln2/2.
var expOf32 = []float64{1, 1, 0.49999991059303284, 0.1666651964187622, 0.0416690893471241, 0.008368883281946182, 0.0013780383160337806}

// exp32 is within 1 unit.
func exp32(a arith, x val) val { return a.expAny(x, expOf32, 89) }

// expNeg32 has the bits of exp32.
func expNeg32(a arith, x val) val { return a.expNeg(x, expOf32) }

// expAny is exp(x) by the polynomial p on |r| <= ln2/2; beyond hi all results are equal, and from where on a power of two is 0: so
// are those of -inf, which masks make, and a product with 0 is fast where one that underflows is not.
func (a arith) expAny(x val, p []float64, hi float64) val {
	bias := 2 * a.format().bias
	r, n := a.reduceExp(a.atLeast(a.atMost(x, hi), -float64(bias)*math.Ln2), bias)
	return a.scale(a.poly(r, p...), n)
}

// expNeg is expAny for x <= 0. The powers of two are all below 1: the polynomial is made small and
// they large by a power in the middle of the exponents, so that one product, the only one that
// rounds a subnormal result, does for the two of scale, and has their bits.
func (a arith) expNeg(x val, p []float64) val {
	f := a.format()
	lift := (f.bias + 1) / 2
	r, n := a.reduceExp(a.atLeast(x, -float64(f.bias+lift)*math.Ln2), f.bias+lift)
	return a.mul(a.poly(r, scaled(p, -int(lift))...), a.power(n))
}

// expNormal is exp(x) for arguments whose result is a normal number.
func (a arith) expNormal(x val) val {
	r, n := a.reduceExp(x, a.format().bias)
	return a.mul(a.poly(r, expOf32...), a.power(n))
}

func expm132(a arith, x val) val {
	r, n := a.reduceExp(a.atLeast(a.atMost(x, 89), -18), single.bias-1)
	p := a.fma(a.mul(r, r), a.poly(r, expOf32[2:]...), r)
	// 2*(2^(n-1)*p + (2^(n-1) - 1/2)): 2^n itself may overflow.
	s := a.power(n)
	y := a.fma(s, p, a.sub(s, a.c(0.5)))
	return a.where(a.eq(x, a.c(0)), x, a.add(y, y))
}

// logTail32 is (ln(1+f) - f + f²/2) / f³.
var logTail32 = []float64{0.3333331346511841, -0.24999986588954926, 0.2000199258327484, -0.16669146716594696, 0.14222653210163116,
	-0.1238793134689331, 0.11849906295537949, -0.11762735247612, 0.06931910663843155}

func log32(a arith, x val) val {
	m, e, _ := a.frexp(x)
	return a.logEnds(x, a.logOf(a.sub(m, a.c(1)), e, logTail32), x)
}

// log1p32 adds what 1+x lost to the reduced argument.
func log1p32(a arith, x val) val {
	u := a.add(x, a.c(1))
	lost := a.sub(x, a.sub(u, a.c(1)))
	m, e, n := a.frexp(u)
	// 2^-e, or 0 where u is so large that nothing of the 1 is left.
	power := a.b.Op(loop.Sub, a.i(127), n)
	power = a.where(a.gt(power, a.i(0)), power, a.i(0))
	f := a.fma(lost, a.fromBits(a.shl(power, 23)), a.sub(m, a.c(1)))
	y := a.logEnds(x, a.logOf(f, e, logTail32), u)
	return a.where(a.eq(x, a.c(0)), x, y)
}

// tanh32 is y = (1-u)/(1+u) for u = exp(-2|x|): of large arguments as 1 - 2*u/(1+u), of small ones, whose digits e = 1-u keeps,
// as e/2 + e/2*y, where a small y counts little.
func tanh32(a arith, x val) val {
	ax := a.abs(x)
	r, n := a.reduceExp(a.mul(a.atMost(ax, 10), a.c(-2)), single.bias)
	p := a.fma(a.mul(r, r), a.poly(r, expOf32[2:]...), r)
	s := a.power(n)
	u, e := a.fma(s, p, s), a.fma(a.neg(s), p, a.sub(a.c(1), s))
	small := a.lt(ax, a.c(0.625))
	y := a.div(a.where(small, e, u), a.add(u, a.c(1)))
	half := a.mul(e, a.c(0.5))
	return a.copySign(a.where(small, a.fma(half, y, half), a.fma(y, a.c(-2), a.c(1))), x)
}

// sigmoid32 uses exp of a negative number only, so that small results keep
// their digits, and makes up for the rounding of 1+e.
func sigmoid32(a arith, x val) val {
	e := expNeg32(a, a.neg(a.abs(x)))
	sum := a.add(e, a.c(1))
	lost := a.sub(e, a.sub(sum, a.c(1)))
	negative := a.lt(x, a.c(0))
	y := a.div(a.where(negative, e, a.c(1)), sum)
	inverse := a.where(negative, a.sub(a.c(1), y), y)
	return a.fma(a.mul(y, inverse), a.neg(lost), y)
}

// erfSmall32 is erf(x)/x - 1 in x², |x| < 1; erfcLog32 is -ln(1 - erf(x)) on 1..4.
var (
	erfSmall32 = []float64{0.1283791670580234, -0.37612637877464294, 0.11283782124519348, -0.0268654003739357, 0.005220945458859205, -0.0008482828852720559, 0.0001125694761867635, -9.641515134717338e-06}
	erfcLog32  = []float64{-0.00018803596321959049, 1.1295783519744873, 0.6332199573516846, 0.1084185391664505, -0.025208234786987305, 0.0042045540176332, -0.00044133487972430885, 2.1686728359782137e-05}
)

func erf32(a arith, x val) val {
	ax := a.abs(x)
	z := a.mul(x, x)
	small := a.fma(x, a.poly(z, erfSmall32...), x)
	g := a.poly(a.atMost(ax, 4), erfcLog32...)
	large := a.sub(a.c(1), a.expNormal(a.neg(g)))
	return a.where(a.lt(ax, a.c(1)), small, a.copySign(large, x))
}

func rsqrt32(a arith, x val) val { return a.div(a.c(1), a.b.Op(loop.Sqrt, x)) }
func rsqrt64(a arith, x val) val { return a.div(a.c(1), a.b.Op(loop.Sqrt, x)) }

// sinTail32 is (sin(r) - r) / r³ and cosTail32 (cos(r) - 1 + r²/2) / r⁴, in r², |r| <= pi/4.
var (
	sinTail32 = []float64{-0.1666666716337204, 0.008333329111337662, -0.00019839376909658313, 2.7186247280042153e-06}
	cosTail32 = []float64{0.0416666679084301, -0.0013888885732740164, 2.4799935999908485e-05, -2.724040371049341e-07}
)

func sin32(a arith, x val) val {
	r, q := a.reduceTrig(x)
	return a.where(a.eq(x, a.c(0)), x, a.quadrant(r, q))
}

func cos32(a arith, x val) val {
	r, q := a.reduceTrig(x)
	return a.quadrant(r, a.b.Op(loop.Add, q, a.i(1)))
}

// quadrant is sin(r + q*pi/2).
func (a arith) quadrant(r, q val) val {
	z := a.mul(r, r)
	sin := a.fma(a.mul(z, r), a.poly(z, sinTail32...), r)
	cos := a.fma(a.mul(z, z), a.poly(z, cosTail32...), a.fma(z, a.c(-0.5), a.c(1)))
	odd := a.eq(a.and(q, a.i(1)), a.i(1))
	sign := a.shl(a.and(q, a.i(2)), 30)
	return a.fromBits(a.b.Op(loop.Xor, a.toBits(a.where(odd, cos, sin)), sign))
}

// twoOverPi are the bits of 2/pi after the point, behind a word of zeros.
var twoOverPi = []int64{0, 0xa2f9836e, 0x4e441529, 0xfc2757d1, 0xf534ddc0, 0xdb629599, 0x3c439041, 0xfe5163ab}

// reduceTrig writes x as r + q*pi/2 with |r| <= pi/4, for every finite x: the
// significand times the 96 bits of 2/pi that matter at x's exponent, modulo 4
// (Payne and Hanek's method). inf and NaN give NaN.
func (a arith) reduceTrig(x val) (r, q val) {
	b := a.b
	u := func(k int64) val { return b.Int(loop.U32, k) }
	op := func(o loop.Op, x, y val) val { return b.Op(o, x, y) }
	bits := b.Bitcast(loop.U32, a.abs(x))
	m := op(loop.Or, op(loop.And, bits, u(0x7fffff)), u(0x800000))
	// The window starts exponent+7 bits into twoOverPi; arguments below pi/4 do not come here.
	exp := op(loop.Shr, bits, u(23))
	exp = b.Where(op(loop.Lt, exp, u(126)), u(126), exp)
	start := op(loop.Sub, exp, u(120))
	word, shift := op(loop.Shr, start, u(5)), op(loop.And, start, u(31))
	var words [4]val
	for i := range words {
		words[i] = u(twoOverPi[i])
		for j := 1; j <= 4 && i+j < len(twoOverPi); j++ {
			words[i] = b.Where(op(loop.Ge, word, u(int64(j))), u(twoOverPi[i+j]), words[i])
		}
	}
	var w [3]val
	back := op(loop.Sub, u(31), shift)
	for i := range w {
		w[i] = op(loop.Or, op(loop.Shl, words[i], shift), op(loop.Shr, op(loop.Shr, words[i+1], u(1)), back))
	}
	// The product modulo 2^96; its lowest word is of no account.
	low := op(loop.Mul, m, w[1])
	mid := op(loop.Add, low, op(loop.MulHi, m, w[2]))
	carry := b.Cast(loop.U32, op(loop.Lt, mid, low))
	high := op(loop.Add, op(loop.Add, op(loop.Mul, m, w[0]), op(loop.MulHi, m, w[1])), carry)
	turn := op(loop.Shr, op(loop.Add, high, u(1<<29)), u(30))
	rest := b.Bitcast(loop.I32, op(loop.Sub, high, op(loop.Shl, turn, u(30))))
	wide := b.Op(loop.FMA, b.Cast(loop.F64, rest), b.Float(loop.F64, 1<<32), b.Cast(loop.F64, mid))
	reduced := b.Cast(loop.F32, b.Op(loop.Mul, wide, b.Float(loop.F64, math.Pi/2/(1<<62))))
	negative := a.lt(x, a.c(0))
	q = b.Bitcast(loop.I32, turn)
	small := a.lt(a.abs(x), a.c(math.Pi/4))
	q = a.where(small, a.i(0), a.where(negative, b.Op(loop.Sub, a.i(0), q), q))
	r = a.where(small, x, a.where(negative, a.neg(reduced), reduced))
	finite := a.lt(a.abs(x), a.c(math.Inf(1)))
	return a.where(finite, r, a.c(math.NaN())), q
}

// log2Of is log2((1+s)/(1-s)) / s in s²; exp2Of is 2^t on |t| <= 1/2.
var (
	log2Of = []float64{2.885390081777927, 0.9617966939242147, 0.5770780172994028, 0.41219839355561827, 0.32061699640382274, 0.2614243314174248, 0.24315900504373705}
	exp2Of = []float64{1.0000000000000275, 0.6931471805457042, 0.24022650695460007, 0.05550410942118044, 0.00961812923000524, 0.0013333449695789147, 0.00015403410658001353, 1.5310311222551898e-05, 1.326426622000414e-06}
)

// pow32 computes 2^(y*log2|x|) in f64 and then mends signs and special cases.
func pow32(a arith, x, y val) val {
	w := arith{a.b, loop.F64, loop.I64}
	wide := func(v val) val { return a.b.Cast(loop.F64, v) }
	ax := a.abs(x)
	m, e, _ := a.frexp(ax)
	f := w.sub(wide(m), w.c(1))
	s := w.div(f, w.add(f, w.c(2)))
	log := w.fma(s, w.poly(w.mul(s, s), log2Of...), wide(e))
	inf := a.c(math.Inf(1))
	log = w.where(a.lt(ax, inf), log, wide(ax))
	log = w.where(a.eq(ax, a.c(0)), w.c(math.Inf(-1)), log)
	t := w.mul(wide(y), log)
	t = w.atLeast(w.atMost(t, 200), -200)
	k := a.b.Op(loop.Round, t)
	p := a.b.Cast(loop.F32, w.poly(w.sub(t, k), exp2Of...))
	n := a.toBits(a.add(a.b.Cast(loop.F32, k), a.c(single.magic+2*float64(single.bias))))
	return a.powEnds(x, y, a.scale(p, n))
}

// powEnds mends signs and special cases of |x|^y, given as mag.
func (a arith) powEnds(x, y, mag val) val {
	zero, one := a.c(0), a.c(1)
	mag = a.where(a.eq(a.abs(x), one), one, mag)
	whole := a.eq(a.b.Op(loop.Floor, y), y)
	half := a.mul(y, a.c(0.5))
	odd := a.and(whole, a.b.Op(loop.Ne, a.b.Op(loop.Floor, half), half))
	negative := a.lt(a.toBits(x), a.i(0))
	r := a.where(a.and(negative, odd), a.neg(mag), mag)
	impossible := a.and(a.and(a.lt(x, zero), a.gt(x, a.c(math.Inf(-1)))), a.not(whole))
	r = a.where(impossible, a.c(math.NaN()), r)
	return a.where(a.or(a.eq(y, zero), a.eq(x, one)), one, r)
}
