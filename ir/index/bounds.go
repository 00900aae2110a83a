package index

// Range bounds e, given the bounds of the variables (both ends included).
func (e *Expr) Range(bound func(string) (lo, hi int)) (lo, hi int) {
	switch e.Op {
	case Const:
		return e.K, e.K
	case Var:
		return bound(e.Name)
	}
	lo, hi = e.Args[0].Range(bound)
	for _, a := range e.Args[1:] {
		l, h := a.Range(bound)
		switch e.Op {
		case Add:
			lo, hi = limit(lo+l), limit(hi+h)
		case Mul:
			lo, hi = corners(lo, hi, l, h, times)
		case Div:
			if l <= 0 && h >= 0 {
				return -1 << 62, 1<<62 - 1
			}
			lo, hi = corners(lo, hi, l, h, floorDiv)
		case Mod:
			if l == h && l > 0 {
				if lo >= 0 && hi < l {
					continue
				}
				lo, hi = 0, l-1
			} else if l > 0 {
				lo, hi = 0, h-1
			} else {
				return -1 << 62, 1<<62 - 1
			}
		case Min:
			lo, hi = min(lo, l), min(hi, h)
		case Max:
			lo, hi = max(lo, l), max(hi, h)
		}
	}
	return lo, hi
}

// limit keeps the sum of two bounds a bound.
func limit(x int) int { return max(-1<<61, min(x, 1<<61)) }

// times is x*y, or the limit where that is more.
func times(x, y int) int {
	if f := float64(x) * float64(y); f > 1<<61 || f < -1<<61 {
		return map[bool]int{true: 1 << 61, false: -1 << 61}[f > 0]
	}
	return x * y
}

func corners(a, b, c, d int, f func(x, y int) int) (lo, hi int) {
	lo, hi = f(a, c), f(a, c)
	for _, v := range []int{f(a, d), f(b, c), f(b, d)} {
		lo, hi = min(lo, v), max(hi, v)
	}
	return lo, hi
}

// SimplifyIn simplifies e with the bounds of its variables: products and
// quotients that are constant, remainders that change nothing, one-sided min and max.
func (e *Expr) SimplifyIn(bound func(string) (lo, hi int)) *Expr {
	if e.Op == Const || e.Op == Var {
		return e
	}
	args := make([]*Expr, len(e.Args))
	same := true
	for i, a := range e.Args {
		args[i] = a.SimplifyIn(bound)
		same = same && args[i] == a
	}
	switch e.Op {
	case Add:
		if same {
			return e
		}
		return Sum(args...)
	case Mul:
		p := Prod(args[0], args[1])
		if lo, hi := p.Range(bound); lo == hi {
			return C(lo)
		}
		return p
	case Min, Max:
		lo, hi := Sub(args[0], args[1]).Range(bound)
		if hi <= 0 == (e.Op == Min) && (hi <= 0 || lo >= 0) {
			return args[0]
		}
		if hi <= 0 || lo >= 0 {
			return args[1]
		}
		return extreme(e.Op, args[0], args[1])
	}
	d, ok := args[1].Const()
	if ok && d > 0 {
		lo, hi := args[0].Range(bound)
		if lo > -1<<61 && hi < 1<<61 && floorDiv(lo, d) == floorDiv(hi, d) {
			q := floorDiv(lo, d)
			if e.Op == Div {
				return C(q)
			}
			return Sum(args[0], C(-q*d))
		}
	}
	if e.Op == Div {
		if ok && d > 0 {
			// d*q + r with 0 <= r < d: the remainder part falls away.
			if q, r := split(args[0], d); q != nil && r != nil {
				if lo, hi := r.Range(bound); lo >= 0 && hi < d {
					return q
				}
			}
			if x, _, g := common(args[0], d, bound); g > 1 {
				return Quo(x, C(d/g)).SimplifyIn(bound)
			}
		}
		return Quo(args[0], args[1])
	}
	if ok && d > 0 {
		if x, r, g := common(args[0], d, bound); g > 1 {
			return Sum(Prod(Rem(x, C(d/g)).SimplifyIn(bound), C(g)), r)
		}
	}
	return Rem(args[0], args[1])
}

// common gives x, r and the largest g > 1 that divides d and for which e is g*x + r, 0 <= r < g, so
// that e/d is x/(d/g) and e%d is x%(d/g)*g + r; g is 1 where there is none.
func common(e *Expr, d int, bound func(string) (lo, hi int)) (x, r *Expr, g int) {
	if e.Op != Add {
		return nil, nil, 1
	}
	all := d
	var tries []int
	for _, t := range e.Args {
		if c, v := term(t); v != nil {
			all = gcd(all, c)
			tries = append(tries, gcd(c, d))
		}
	}
	for _, c := range append(tries, all) {
		if c <= max(g, 1) {
			continue
		}
		q, left := split(e, c)
		if left == nil {
			left = C(0)
		}
		if lo, hi := left.Range(bound); lo >= 0 && hi < c {
			x, r, g = q, left, c
		}
	}
	return x, r, max(g, 1)
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return max(a, -a)
}
