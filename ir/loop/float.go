package loop

import "math"

// Format describes a binary floating-point format narrower than f64.
type Format struct {
	Bits    int     // of the significand, with the hidden one
	MinExp  int     // of the smallest normal number, as in 1.x * 2^MinExp
	Largest float64 // finite
	Inf     bool    // has infinities; else overflow is NaN
}

// FormatOf is that of a float type narrower than f32.
func FormatOf(e Elem) Format { return formats[e] }

var formats = [numElems]Format{
	F8E4M3: {4, -6, 448, false},
	F8E5M2: {3, -14, 57344, true},
	F16:    {11, -14, 65504, true},
	BF16:   {8, -126, 0x1.fep127, true},
}

// round rounds x to the nearest value of a float type, ties to even.
func round(e Elem, x float64) float64 {
	switch e {
	case F64:
		return x
	case F32:
		return float64(float32(x))
	}
	f := &formats[e]
	if f.Bits == 0 || x == 0 || math.IsNaN(x) {
		return x
	}
	if math.IsInf(x, 0) {
		if !f.Inf {
			return math.NaN()
		}
		return x
	}
	exp := max(math.Ilogb(x), f.MinExp)
	ulp := math.Ldexp(1, exp-f.Bits+1) // at least 2^-133: x/ulp is exact
	y := math.RoundToEven(x/ulp) * ulp
	if math.Abs(y) > f.Largest {
		if !f.Inf {
			return math.NaN()
		}
		return math.Inf(int(math.Copysign(1, x)))
	}
	return math.Copysign(y, x)
}

// fmaRound is x*y + z rounded once to e.
func fmaRound(x, y, z float64, e Elem) float64 {
	if e == F64 {
		return math.FMA(x, y, z)
	}
	p := x * y // exact: at most 48 bits
	s := p + z
	if math.IsInf(s, 0) || math.IsNaN(s) || s == 0 {
		return round(e, s)
	}
	// Make s odd where it is inexact: then rounding it again rounds the exact sum.
	t := s - p
	err := (p - (s - t)) + (z - t)
	if err != 0 {
		s = toOdd(s, err)
	}
	return round(e, s)
}

// toOdd moves s, the rounded value of s+err, to the neighbour with an odd significand.
func toOdd(s, err float64) float64 {
	bits := math.Float64bits(s)
	if bits&1 == 1 {
		return s
	}
	if (err > 0) == (s > 0) {
		return math.Float64frombits(bits + 1)
	}
	return math.Float64frombits(bits - 1)
}

// fromInt is the integer x rounded once to e.
func fromInt(e Elem, x int64) float64 {
	f := float64(x)
	if f == 1<<63 { // x near the largest: rounding up left i64
		return round(e, f)
	}
	if d := x - int64(f); d != 0 && e != F64 {
		f = toOdd(f, float64(d))
	}
	return round(e, f)
}

// ToInt truncates x to an integer type, saturating; NaN is 0.
func ToInt(e Elem, x float64) int64 {
	lo, hi := intRange(e)
	switch {
	case math.IsNaN(x):
		return 0
	case x <= float64(lo):
		return lo
	case x >= float64(hi):
		return hi
	}
	return int64(x)
}

func intRange(e Elem) (lo, hi int64) {
	switch e {
	case Bool:
		return 0, 1
	case U8, U32:
		return 0, 1<<(8*e.Size()) - 1
	}
	return -1 << (8*e.Size() - 1), 1<<(8*e.Size()-1) - 1
}

// Lowest is the number that none of an element type is less than: -Inf of floats that have it.
func Lowest(e Elem) float64 {
	if !e.IsFloat() {
		lo, _ := intRange(e)
		return float64(lo)
	}
	if e == F8E4M3 { // has none
		return -formats[e].Largest
	}
	return math.Inf(-1)
}

// wrap reduces x to the range of an integer type; bool keeps the lowest bit.
func wrap(e Elem, x int64) int64 {
	switch e {
	case Bool:
		return x & 1
	case U8:
		return int64(uint8(x))
	case I8:
		return int64(int8(x))
	case I32:
		return int64(int32(x))
	case U32:
		return int64(uint32(x))
	}
	return x
}

// ToBits is the memory form of the float x, rounded to e.
func ToBits(e Elem, x float64) uint64 {
	x = round(e, x)
	switch e {
	case F64:
		return math.Float64bits(x)
	case F32:
		return uint64(math.Float32bits(float32(x)))
	case BF16:
		return uint64(math.Float32bits(float32(x)) >> 16)
	}
	f := &formats[e]
	width := 8 * e.Size()
	man := f.Bits - 1
	var sign uint64
	if math.Signbit(x) {
		sign = 1 << (width - 1)
		x = -x
	}
	expMask := uint64(1)<<(width-1-man) - 1
	switch {
	case math.IsNaN(x):
		if !f.Inf {
			return sign | expMask<<man | (1<<man - 1)
		}
		return sign | expMask<<man | 1<<(man-1)
	case math.IsInf(x, 0):
		return sign | expMask<<man
	case x == 0:
		return sign
	}
	exp := math.Ilogb(x)
	if exp < f.MinExp {
		return sign | uint64(math.Ldexp(x, man-f.MinExp))
	}
	frac := uint64(math.Ldexp(x, man-exp)) - 1<<man
	return sign | uint64(exp-f.MinExp+1)<<man | frac
}

// FromBits is the float whose memory form is b.
func FromBits(e Elem, b uint64) float64 {
	switch e {
	case F64:
		return math.Float64frombits(b)
	case F32:
		return float64(math.Float32frombits(uint32(b)))
	case BF16:
		return float64(math.Float32frombits(uint32(b) << 16))
	}
	f := &formats[e]
	width := 8 * e.Size()
	man := f.Bits - 1
	sign := 1.0
	if b>>(width-1)&1 == 1 {
		sign = -1
	}
	expMask := uint64(1)<<(width-1-man) - 1
	exp, frac := b>>man&expMask, b&(1<<man-1)
	switch {
	case exp == expMask && f.Inf && frac == 0:
		return math.Inf(int(sign))
	case exp == expMask && (f.Inf || frac == 1<<man-1):
		return math.NaN()
	case exp == 0:
		return sign * math.Ldexp(float64(frac), f.MinExp-man)
	}
	return sign * math.Ldexp(float64(frac|1<<man), int(exp)-1+f.MinExp-man)
}

// RoundTo rounds x to the nearest value of the float type e, ties to even.
func RoundTo(e Elem, x float64) float64 { return round(e, x) }
