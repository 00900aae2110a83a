// Package index holds integer expressions over named variables: the maps of
// the graph op `index`, runtime lengths, loop counts and buffer offsets.
package index

import (
	"sort"
	"strconv"
	"strings"
)

// Op is the operation of an Expr.
type Op uint8

const (
	Const Op = iota
	Var
	Add // any number of arguments, sorted, at most one constant (last)
	Mul // two arguments: a non-constant one and, last, another or a constant
	Div // floored
	Mod // floored: the result has the sign of the divisor
	Min
	Max
)

// Expr is an immutable integer expression. Build it with the constructors,
// which keep it in canonical form, so that Equal is structural.
type Expr struct {
	Op   Op
	K    int    // Const
	Name string // Var
	Args []*Expr
	text string
}

// C is the constant k, V the variable name.
func C(k int) *Expr       { return &Expr{Op: Const, K: k, text: strconv.Itoa(k)} }
func V(name string) *Expr { return &Expr{Op: Var, Name: name, text: name} }

// IsConst reports whether e is the constant k.
func (e *Expr) IsConst(k int) bool { return e.Op == Const && e.K == k }

// Const returns the value of a constant expression.
func (e *Expr) Const() (int, bool) { return e.K, e.Op == Const }

// String is the canonical text, which Parse reads back.
func (e *Expr) String() string { return e.text }

// Equal reports whether a and b are the same expression.
func Equal(a, b *Expr) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.text == b.text
}

func make2(op Op, args ...*Expr) *Expr {
	e := &Expr{Op: op, Args: args}
	e.text = print(e)
	return e
}

// term splits e into coefficient and rest: 3*i is (3, i), 5 is (5, nil).
func term(e *Expr) (int, *Expr) {
	switch e.Op {
	case Const:
		return e.K, nil
	case Mul:
		if k, ok := e.Args[1].Const(); ok {
			return k, e.Args[0]
		}
	}
	return 1, e
}

// Sum is a + b + …, collecting equal terms. It folds d*(x/d) + x%d to x.
func Sum(args ...*Expr) *Expr {
	k := 0
	coef := map[string]int{}
	part := map[string]*Expr{}
	var add func(m int, e *Expr)
	add = func(m int, e *Expr) {
		if e.Op == Add {
			for _, a := range e.Args {
				add(m, a)
			}
			return
		}
		c, x := term(e)
		if x == nil {
			k += m * c
			return
		}
		if x.Op == Add { // c*(a+b)
			for _, a := range x.Args {
				add(m*c, a)
			}
			return
		}
		coef[x.text] += m * c
		part[x.text] = x
	}
	for _, a := range args {
		add(1, a)
	}
	for again := true; again; {
		again = false
		for _, name := range sortedKeys(part) {
			x := part[name]
			if coef[name] == 0 || x.Op != Mod {
				continue
			}
			d, ok := x.Args[1].Const()
			if !ok {
				continue
			}
			q := Quo(x.Args[0], C(d))
			qc, qx := term(q)
			if qx == nil || qc != 1 {
				continue
			}
			if c := coef[name]; coef[qx.text] == c*d {
				coef[name], coef[qx.text] = 0, 0
				add(c, x.Args[0])
				again = true
				break
			}
		}
	}
	if e := sumExtremes(coef, part, k); e != nil {
		return e
	}
	var out []*Expr
	for _, name := range sortedKeys(part) {
		if c := coef[name]; c != 0 {
			if c == 1 {
				out = append(out, part[name])
			} else {
				out = append(out, make2(Mul, part[name], C(c)))
			}
		}
	}
	if k != 0 || len(out) == 0 {
		out = append(out, C(k))
	}
	if len(out) == 1 {
		return out[0]
	}
	return make2(Add, out...)
}

// sumExtremes folds max(a, b) + min(a + k, b + k) to a + b + k, and gives the whole sum; nil: it holds no such pair.
func sumExtremes(coef map[string]int, part map[string]*Expr, k int) *Expr {
	names := sortedKeys(part)
	for _, hi := range names {
		if part[hi].Op != Max || coef[hi] == 0 {
			continue
		}
		for _, lo := range names {
			if part[lo].Op != Min || coef[lo] != coef[hi] {
				continue
			}
			a, b := part[hi].Args[0], part[hi].Args[1]
			c, d := part[lo].Args[0], part[lo].Args[1]
			if !Equal(Sub(c, a), Sub(d, b)) && !Equal(Sub(d, a), Sub(c, b)) {
				continue
			}
			terms := []*Expr{C(k)}
			for _, name := range names {
				if name != hi && name != lo {
					terms = append(terms, Prod(part[name], C(coef[name])))
				}
			}
			// In both cases the four arguments add up to twice the sum: a + d = b + c, or a + c = b + d.
			sum := Sum(a, d)
			if !Equal(Sub(c, a), Sub(d, b)) {
				sum = Sum(a, c)
			}
			return Sum(append(terms, Prod(sum, C(coef[hi])))...)
		}
	}
	return nil
}

func sortedKeys(m map[string]*Expr) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

// Sub is a - b.
func Sub(a, b *Expr) *Expr { return Sum(a, Prod(b, C(-1))) }

// Prod is a * b; a constant is distributed over a sum.
func Prod(a, b *Expr) *Expr {
	if a.Op == Const {
		a, b = b, a
	}
	if k, ok := b.Const(); ok {
		switch {
		case k == 0:
			return C(0)
		case k == 1:
			return a
		case a.Op == Const:
			return C(a.K * k)
		case a.Op == Add:
			args := make([]*Expr, len(a.Args))
			for i, x := range a.Args {
				args[i] = Prod(x, b)
			}
			return Sum(args...)
		}
		c, x := term(a)
		if x != nil && c != 1 {
			return Prod(x, C(c*k))
		}
		return make2(Mul, a, b)
	}
	if ca, xa := term(a); ca != 1 {
		return Prod(Prod(xa, b), C(ca))
	}
	if cb, xb := term(b); cb != 1 {
		return Prod(Prod(a, xb), C(cb))
	}
	if b.text < a.text {
		a, b = b, a
	}
	return make2(Mul, a, b)
}

// floorDiv and floorMod round toward minus infinity.
func floorDiv(a, b int) int {
	q := a / b
	if a%b != 0 && (a < 0) != (b < 0) {
		q--
	}
	return q
}
func floorMod(a, b int) int { return a - b*floorDiv(a, b) }

// Quo is the floored quotient a / b.
func Quo(a, b *Expr) *Expr {
	if d, ok := b.Const(); ok && d > 0 {
		if d == 1 {
			return a
		}
		if a.Op == Const {
			return C(floorDiv(a.K, d))
		}
		// (d*q + r) / d = q + r/d
		if q, r := split(a, d); q != nil {
			if r == nil {
				return q
			}
			return Sum(q, Quo(r, b))
		}
		if a.Op == Div {
			if d2, ok := a.Args[1].Const(); ok && d2 > 0 {
				return Quo(a.Args[0], C(d*d2))
			}
		}
	}
	return make2(Div, a, b)
}

// Rem is the floored remainder a mod b.
func Rem(a, b *Expr) *Expr {
	if d, ok := b.Const(); ok && d > 0 {
		if d == 1 {
			return C(0)
		}
		if a.Op == Const {
			return C(floorMod(a.K, d))
		}
		if q, r := split(a, d); q != nil {
			if r == nil {
				return C(0)
			}
			return Rem(r, b)
		}
		if a.Op == Mod {
			if d2, ok := a.Args[1].Const(); ok && d2 > 0 && d2%d == 0 {
				return Rem(a.Args[0], b)
			}
		}
	}
	return make2(Mod, a, b)
}

// split writes e as d*q + r, taking out the terms whose coefficient d divides
// and the multiple of d in the constant. q is nil where there is none, r nil where it is 0.
func split(e *Expr, d int) (q, r *Expr) {
	terms := []*Expr{e}
	if e.Op == Add {
		terms = e.Args
	}
	var qs, rs []*Expr
	for _, t := range terms {
		c, x := term(t)
		switch {
		case x == nil:
			if k := floorDiv(c, d); k != 0 {
				qs = append(qs, C(k))
			}
			if k := floorMod(c, d); k != 0 {
				rs = append(rs, C(k))
			}
		case c%d == 0:
			qs = append(qs, Prod(x, C(c/d)))
		default:
			rs = append(rs, t)
		}
	}
	if len(qs) == 0 {
		return nil, e
	}
	q = Sum(qs...)
	if len(rs) > 0 {
		r = Sum(rs...)
	}
	return q, r
}

// Least and Most are min and max.
func Least(a, b *Expr) *Expr { return extreme(Min, a, b) }
func Most(a, b *Expr) *Expr  { return extreme(Max, a, b) }

// extreme is the min or max of the operands of a and b, each once and none that another one beats
// always: min(b, min(a, a + 1)) is min(a, b). They are nested to the right, in the order of their texts.
func extreme(op Op, a, b *Expr) *Expr {
	var all []*Expr
	for _, x := range append(operands(op, a), operands(op, b)...) {
		all = without(op, all, x)
	}
	sort.Slice(all, func(i, j int) bool { return all[i].text < all[j].text })
	out := all[len(all)-1]
	for i := len(all) - 2; i >= 0; i-- {
		out = make2(op, all[i], out)
	}
	return out
}

// operands are what e is the min or max of.
func operands(op Op, e *Expr) []*Expr {
	if e.Op != op {
		return []*Expr{e}
	}
	return append(operands(op, e.Args[0]), operands(op, e.Args[1])...)
}

// without is xs and x, without those that another one always beats.
func without(op Op, xs []*Expr, x *Expr) []*Expr {
	var out []*Expr
	for i, y := range xs {
		d, ok := Sub(x, y).Const()
		switch {
		case !ok:
			out = append(out, y)
		case d == 0 || (d > 0) == (op == Min):
			return append(out, xs[i:]...)
		}
	}
	return append(out, x)
}

// Eval gives the value of e; env gives the variables'.
func (e *Expr) Eval(env func(string) int) int {
	switch e.Op {
	case Const:
		return e.K
	case Var:
		return env(e.Name)
	}
	v := e.Args[0].Eval(env)
	for _, a := range e.Args[1:] {
		w := a.Eval(env)
		switch e.Op {
		case Add:
			v += w
		case Mul:
			v *= w
		case Div:
			v = floorDiv(v, w)
		case Mod:
			v = floorMod(v, w)
		case Min:
			v = min(v, w)
		case Max:
			v = max(v, w)
		}
	}
	return v
}

// Subst replaces variables; f returns nil to keep one.
func (e *Expr) Subst(f func(name string) *Expr) *Expr {
	switch e.Op {
	case Const:
		return e
	case Var:
		if r := f(e.Name); r != nil {
			return r
		}
		return e
	}
	args := make([]*Expr, len(e.Args))
	same := true
	for i, a := range e.Args {
		args[i] = a.Subst(f)
		same = same && args[i] == a
	}
	if same {
		return e
	}
	switch e.Op {
	case Add:
		return Sum(args...)
	case Mul:
		return Prod(args[0], args[1])
	case Div:
		return Quo(args[0], args[1])
	case Mod:
		return Rem(args[0], args[1])
	case Min:
		return Least(args[0], args[1])
	}
	return Most(args[0], args[1])
}

// Vars calls f with each variable of e, with repetition.
func (e *Expr) Vars(f func(name string)) {
	if e.Op == Var {
		f(e.Name)
	}
	for _, a := range e.Args {
		a.Vars(f)
	}
}

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
	for i, a := range e.Args {
		args[i] = a.SimplifyIn(bound)
	}
	switch e.Op {
	case Add:
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
		}
		return Quo(args[0], args[1])
	}
	return Rem(args[0], args[1])
}

func print(e *Expr) string {
	var b strings.Builder
	switch e.Op {
	case Min, Max:
		b.WriteString(map[Op]string{Min: "min", Max: "max"}[e.Op])
		b.WriteString("(" + e.Args[0].text + ", " + e.Args[1].text + ")")
	case Add:
		for i, a := range e.Args {
			c, x := term(a)
			switch {
			case i == 0:
				b.WriteString(a.text)
			case x == nil && c < 0:
				b.WriteString(" - " + strconv.Itoa(-c))
			case x != nil && c == -1:
				b.WriteString(" - " + factor(x))
			case x != nil && c < 0:
				b.WriteString(" - " + factor(x) + "*" + strconv.Itoa(-c))
			default:
				b.WriteString(" + " + a.text)
			}
		}
	default:
		b.WriteString(factor(e.Args[0]))
		b.WriteString(map[Op]string{Mul: "*", Div: "/", Mod: "%"}[e.Op])
		s := factor(e.Args[1])
		if o := e.Args[1].Op; o == Mul || o == Div || o == Mod {
			s = "(" + s + ")"
		}
		b.WriteString(s)
	}
	return b.String()
}

// factor is e as an operand of a product.
func factor(e *Expr) string {
	if e.Op == Add {
		return "(" + e.text + ")"
	}
	return e.text
}
