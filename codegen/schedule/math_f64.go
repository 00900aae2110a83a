package schedule

import (
	"math"

	"mdlc/ir/loop"
)

// The functions of f64: a few units in the last place. sin and cos hold to
// 1e-16 absolutely up to 2^50 and give NaN beyond; pow loses a bit for each
// doubling of |y*log2(x)|. f64 is for checking models, not for speed.

// expOf64 is exp(r) on |r| <= ln2/2.
var expOf64 = []float64{1, 1, 0.5, 0.16666666666666666, 0.04166666666666671, 0.008333333333333342, 0.0013888888888864152, 0.00019841269841235605, 2.4801587364513068e-05, 2.7557319292149005e-06, 2.7557240036151413e-07, 2.50520376491358e-08, 2.092516234344372e-09, 1.6095946715624045e-10}

func exp64(a arith, x val) val    { return a.expAny(x, expOf64, 710) }
func expNeg64(a arith, x val) val { return a.expNeg(x, expOf64) }

func expm164(a arith, x val) val {
	r, n := a.reduceExp(a.atLeast(a.atMost(x, 710), -40), double.bias-1)
	s := a.power(n)
	y := a.fma(s, a.fma(a.mul(r, r), a.poly(r, expOf64[2:]...), r), a.sub(s, a.c(0.5)))
	return a.where(a.eq(x, a.c(0)), x, a.add(y, y))
}

var logTail64 = []float64{0.33333333333333337, -0.25000000000000266, 0.1999999999999725, -0.16666666666571017, 0.1428571428616162, -0.12500000012449716, 0.11111111083861981, -0.0999999918234875, 0.09090909607819465, -0.08333364149764551, 0.07692323109245912, -0.07142158319449579, 0.06665673585169976, -0.06259426908407681, 0.05904057060899907, -0.0548741818945759, 0.05023926869172109, -0.051510455044109664, 0.06040417532346548, -0.0548901483968286, 0.02322273637022066}

func log64(a arith, x val) val {
	m, e, _ := a.frexp(x)
	return a.logEnds(x, a.logOf(a.sub(m, a.c(1)), e, logTail64), x)
}

func log1p64(a arith, x val) val {
	u := a.add(x, a.c(1))
	lost := a.sub(x, a.sub(u, a.c(1)))
	m, e, n := a.frexp(u)
	power := a.b.Op(loop.Sub, a.i(1023), n)
	power = a.where(a.gt(power, a.i(0)), power, a.i(0))
	f := a.fma(lost, a.fromBits(a.shl(power, 52)), a.sub(m, a.c(1)))
	y := a.logEnds(x, a.logOf(f, e, logTail64), u)
	return a.where(a.eq(x, a.c(0)), x, y)
}

var tanhTail64 = []float64{-0.3333333333333333, 0.13333333333333264, -0.053968253968187566, 0.02186948853332226, -0.00886323546245543, 0.003592127034771103, -0.0014558245008034364, 0.0005899602338830307, -0.000238808581241238, 9.58386895407355e-05, -3.675691210310427e-05, 1.1909524960506808e-05, -2.3163158493288855e-06}

func tanh64(a arith, x val) val {
	ax := a.abs(x)
	z := a.mul(x, x)
	small := a.fma(a.mul(z, x), a.poly(z, tanhTail64...), x)
	e := exp64(a, a.mul(a.atMost(ax, 20), a.c(2)))
	large := a.sub(a.c(1), a.div(a.c(2), a.add(e, a.c(1))))
	return a.copySign(a.where(a.lt(ax, a.c(0.625)), small, large), x) // of -0 too, which fma(0, …, -0) forgets
}

func sigmoid64(a arith, x val) val {
	e := expNeg64(a, a.neg(a.abs(x)))
	return a.div(a.where(a.lt(x, a.c(0)), e, a.c(1)), a.add(e, a.c(1)))
}

// erfcLog64 is -ln(1 - erf(3.5 + 2.5u)) on |u| <= 1.
var (
	erfSmall64 = []float64{1.1283791670955126, -0.37612638903183754, 0.11283791670955126, -0.026866170645131218, 0.005223977625441639, -0.0008548327023400211, 0.00012055332978736182, -1.4925650231966563e-05, 1.6462110660334596e-06, -1.6365766562219464e-07, 1.4806002029933098e-08, -1.2277526808188674e-09, 9.322600188095965e-11, -6.1931574951493196e-12, 2.801620728614741e-13}
	erfcLog64  = []float64{14.112437402148155, 18.1652489709127, 6.042206592141234, 0.08165090977588703, -0.03412841074648942, 0.014384548657406643, -0.005953708265637532, 0.0023739825218103503, -0.0008935839605741185, 0.0003078863468565724, -9.076314594147745e-05, 1.8435436239808012e-05, 1.0634925841720945e-06, -4.888940905456057e-06, 3.8711335735112985e-06, -1.1268952527397612e-06, 9.11956734997675e-07, -1.1099376989003961e-06, -2.2096536357476907e-07, 2.315062214026547e-07, 2.408153039016837e-07, -7.731323414549704e-09, -5.301839107576552e-08}
)

func erf64(a arith, x val) val {
	ax := a.abs(x)
	z := a.mul(x, x)
	small := a.mul(x, a.poly(z, erfSmall64...))
	u := a.fma(a.atMost(ax, 6), a.c(0.4), a.c(-1.4))
	large := a.sub(a.c(1), expNeg64(a, a.neg(a.poly(u, erfcLog64...))))
	return a.where(a.lt(ax, a.c(1)), small, a.copySign(large, x))
}

var (
	sinTail64 = []float64{-0.16666666666666666, 0.008333333333333325, -0.00019841269841256682, 2.75573192148896e-06, -2.5052105068270818e-08, 1.6058384163116266e-10, -7.579473462901247e-13}
	cosTail64 = []float64{0.041666666666666664, -0.0013888888888888885, 2.4801587301579943e-05, -2.7557319218730875e-07, 2.0876755067926403e-09, -1.1470367557721672e-11, 4.7412489410134663e-14}
)

func sin64(a arith, x val) val {
	r, q := a.reduceTrig64(x)
	return a.where(a.eq(x, a.c(0)), x, a.quadrant64(r, q))
}

func cos64(a arith, x val) val {
	r, q := a.reduceTrig64(x)
	return a.quadrant64(r, a.b.Op(loop.Add, q, a.i(1)))
}

// reduceTrig64 subtracts multiples of pi/2 given as three numbers.
func (a arith) reduceTrig64(x val) (r, q val) {
	k, q := a.roundInt(x, a.c(2/math.Pi), 0)
	r = a.fma(k, a.c(-1.5707963267948966), x)
	r = a.fma(k, a.c(-6.123233995736766e-17), r)
	r = a.fma(k, a.c(1.4973849048591698e-33), r)
	return a.where(a.gt(a.c(1<<50), a.abs(x)), r, a.c(math.NaN())), q
}

func (a arith) quadrant64(r, q val) val {
	z := a.mul(r, r)
	sin := a.fma(a.mul(z, r), a.poly(z, sinTail64...), r)
	cos := a.fma(a.mul(z, z), a.poly(z, cosTail64...), a.fma(z, a.c(-0.5), a.c(1)))
	odd := a.eq(a.and(q, a.i(1)), a.i(1))
	sign := a.shl(a.and(q, a.i(2)), 62)
	return a.fromBits(a.b.Op(loop.Xor, a.toBits(a.where(odd, cos, sin)), sign))
}

func pow64(a arith, x, y val) val {
	t := a.mul(y, log64(a, a.abs(x)))
	return a.powEnds(x, y, exp64(a, t))
}
