package loop

import "math/bits"

// span is a range of integers, both ends included.
type span struct{ lo, hi int }

// unbounded is past every index; sums and products stop there.
const unbounded = 1 << 60

var everything = span{-unbounded, unbounded}

// spans is the interval arithmetic of ops on two integers.
var spans = map[Op]func(a, b span) span{
	Add: func(a, b span) span { return clip(a.lo+b.lo, a.hi+b.hi) },
	Sub: func(a, b span) span { return clip(a.lo-b.hi, a.hi-b.lo) },
	Mul: func(a, b span) span { return corners(a, b, times) },
	Div: func(a, b span) span {
		if b.lo <= 0 {
			return everything
		}
		return corners(a, b, func(x, y int) int {
			q, _ := floorDiv(int64(x), int64(y))
			return int(q)
		})
	},
	Mod: func(a, b span) span {
		switch {
		case b.lo <= 0:
			return everything
		case a.lo >= 0 && a.hi < b.lo:
			return a
		}
		return span{0, b.hi - 1}
	},
	Min: func(a, b span) span { return span{min(a.lo, b.lo), min(a.hi, b.hi)} },
	Max: func(a, b span) span { return span{max(a.lo, b.lo), max(a.hi, b.hi)} },
}

func clip(lo, hi int) span { return span{max(lo, -unbounded), min(hi, unbounded)} }

// times is x*y, stopped at unbounded.
func times(x, y int) int {
	h, l := bits.Mul64(uint64(max(x, -x)), uint64(max(y, -y)))
	p := unbounded
	if h == 0 && l < unbounded {
		p = int(l)
	}
	if (x < 0) != (y < 0) {
		return -p
	}
	return p
}

func corners(a, b span, f func(x, y int) int) span {
	lo, hi := f(a.lo, b.lo), f(a.lo, b.lo)
	for _, x := range []int{f(a.lo, b.hi), f(a.hi, b.lo), f(a.hi, b.hi)} {
		lo, hi = min(lo, x), max(hi, x)
	}
	return clip(lo, hi)
}

func bound(v *Value, live bool) span {
	if n, ok := v.IntConst(); ok {
		return clip(int(n), int(n))
	}
	switch {
	case !v.Elem.IsInt():
		return everything
	case v.Op == AxisIndex:
		return axisSpan(v.Axis, live)
	case v.Op == Neg:
		a := bound(v.Args[0], live)
		return span{-a.hi, -a.lo}
	case v.Op == Where:
		a, b := bound(v.Args[1], live), bound(v.Args[2], live)
		return span{min(a.lo, b.lo), max(a.hi, b.hi)}
	case v.Op == Cast && v.Args[0].Elem.IsInt():
		a := bound(v.Args[0], live)
		if lo, hi := elemSpan(v.Elem); a.lo >= lo && a.hi <= hi {
			return a
		}
	}
	s := everything
	if f := spans[v.Op]; f != nil {
		s = f(bound(v.Args[0], live), bound(v.Args[1], live))
	}
	lo, hi := elemSpan(v.Elem)
	if s.lo < lo || s.hi > hi { // wraps, or is unknown
		return span{lo, hi}
	}
	return s
}

// elemSpan is the range of a type.
func elemSpan(e Elem) (lo, hi int) {
	l, h := intRange(e)
	return max(int(l), -unbounded), min(int(h), unbounded)
}

func axisSpan(a *Axis, live bool) span {
	inside := span{0, a.Max - 1}
	if a.Def == nil {
		return inside
	}
	d := bound(a.Def, live)
	if live {
		return span{max(d.lo, inside.lo), min(d.hi, inside.hi)}
	}
	return d
}
