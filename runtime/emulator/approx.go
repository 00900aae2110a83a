package emulator

import "math"

// Approximate instructions. The manual gives each a bound on its error; the
// result is the exact value rounded, or at either end of what the bound allows.
// Values that the manual lists (of zeros, infinities, NaN) are given as they are.

// A bounder turns the exact result y for operand x into bits.
type bounder func(m floatMode, y, x float64, approx Approx) uint64

type approximation struct {
	f     func(x float64) float64
	bound map[format]bounder
}

// ulps is off by up to n units in the last place.
func (m floatMode) ulps(y float64, n uint64, approx Approx) uint64 {
	v := m.encode(y, toEven)
	mag := v &^ m.sign()
	if mag == 0 || mag >= m.infinity() || approx == Nearest {
		return m.out(m.decode(v))
	}
	if (approx == High) == (v&m.sign() == 0) {
		mag = min(mag+n, m.infinity()-1)
	} else {
		mag -= min(n, mag)
	}
	return m.out(m.decode(mag | v&m.sign()))
}

func withinUlps(n uint64) bounder {
	return func(m floatMode, y, _ float64, approx Approx) uint64 { return m.ulps(y, n, approx) }
}

// shifted is y moved by an absolute error to the asked end, never out of the bound by its own rounding.
func (m floatMode) shifted(y, err float64, approx Approx) uint64 {
	if y != y || math.IsInf(y, 0) || y == 0 {
		return m.out(y)
	}
	switch approx {
	case Low:
		m.round = up
		return m.out(y - err)
	case High:
		m.round = down
		return m.out(y + err)
	}
	return m.out(y)
}

func within(relative float64) bounder {
	return func(m floatMode, y, _ float64, approx Approx) uint64 {
		return m.shifted(y, math.Abs(y)*relative, approx)
	}
}

// sineError holds on [-2π, 2π] and [-100π, 100π]; nothing is promised beyond, where any value of a sine may come.
func sineError(m floatMode, y, x float64, approx Approx) uint64 {
	switch a := math.Abs(x); {
	case x == 0 || y != y:
		return m.out(y)
	case a <= 2*math.Pi:
		return m.shifted(y, math.Exp2(-20.5), approx)
	case a <= 100*math.Pi:
		return m.shifted(y, math.Exp2(-14.7), approx)
	}
	switch approx {
	case Low:
		return m.out(-1)
	case High:
		return m.out(1)
	}
	return m.out(y)
}

func logError(m floatMode, y, x float64, approx Approx) uint64 {
	err := 0x1p-22
	if x <= 0.5 || x >= 2 {
		err *= math.Abs(y)
	}
	return m.shifted(y, err, approx)
}

// tanhError keeps the result of a relative error within what a tangent can be.
func tanhError(relative float64) bounder {
	return func(m floatMode, y, x float64, approx Approx) uint64 {
		v := m.shifted(y, math.Abs(y)*relative, approx)
		if math.Abs(m.decode(v)) > 1 {
			return m.out(math.Copysign(1, y))
		}
		return v
	}
}

func ex2(x float64) float64 {
	if x == 0 {
		return 1
	}
	return math.Exp2(x)
}

var approximations = map[string]approximation{
	"rcp":   {func(x float64) float64 { return 1 / x }, map[format]bounder{f32: withinUlps(1)}},
	"sqrt":  {math.Sqrt, map[format]bounder{f32: within(0x1p-23)}},
	"rsqrt": {func(x float64) float64 { return 1 / math.Sqrt(x) }, map[format]bounder{f32: within(math.Exp2(-22.9))}},
	"sin":   {math.Sin, map[format]bounder{f32: sineError}},
	"cos":   {math.Cos, map[format]bounder{f32: sineError}},
	"lg2":   {math.Log2, map[format]bounder{f32: logError}},
	"ex2":   {ex2, map[format]bounder{f32: ex2Error, f16: within(math.Exp2(-9.9)), bf16: within(0x1p-7)}},
	"tanh":  {math.Tanh, map[format]bounder{f32: tanhError(0x1p-11), f16: tanhError(math.Exp2(-10.987)), bf16: tanhError(0x1p-8)}},
}

// ex2Error is 2 ulp; 2^0 is listed as exactly 1.
func ex2Error(m floatMode, y, x float64, approx Approx) uint64 {
	if x == 0 {
		return m.out(y)
	}
	return m.ulps(y, 2, approx)
}
