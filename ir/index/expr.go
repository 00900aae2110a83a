// Package index holds integer expressions over named variables: the maps of
// the graph op `index`, runtime lengths, loop counts and buffer offsets.
package index

import (
	"sort"
	"strconv"
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

// C is the constant k.
func C(k int) *Expr {
	if k >= 0 && k < len(small) {
		return &small[k]
	}
	return constant(k)
}

// small are the constants that most expressions hold.
var small = func() (s [1 << 10]Expr) {
	for k := range s {
		s[k] = *constant(k)
	}
	return s
}()

func constant(k int) *Expr { return &Expr{Op: Const, K: k, text: strconv.Itoa(k)} }

// V is the variable name.
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

func print(e *Expr) string {
	var buf [128]byte
	b := buf[:0]
	switch e.Op {
	case Min, Max:
		b = append(b, opText[e.Op]...)
		b = append(append(b, '('), e.Args[0].text...)
		b = append(append(b, ", "...), e.Args[1].text...)
		b = append(b, ')')
	case Add:
		for i, a := range e.Args {
			c, x := term(a)
			switch {
			case i == 0:
				b = append(b, a.text...)
			case x == nil && c < 0:
				b = strconv.AppendInt(append(b, " - "...), -int64(c), 10)
			case x != nil && c == -1:
				b = appendFactor(append(b, " - "...), x)
			case x != nil && c < 0:
				b = append(appendFactor(append(b, " - "...), x), '*')
				b = strconv.AppendInt(b, -int64(c), 10)
			default:
				b = append(append(b, " + "...), a.text...)
			}
		}
	default:
		b = append(appendFactor(b, e.Args[0]), opText[e.Op]...)
		if o := e.Args[1].Op; o == Mul || o == Div || o == Mod {
			b = append(append(append(b, '('), e.Args[1].text...), ')')
		} else {
			b = appendFactor(b, e.Args[1])
		}
	}
	return string(b)
}

var opText = [...]string{Mul: "*", Div: "/", Mod: "%", Min: "min", Max: "max"}

// appendFactor writes e as an operand of a product.
func appendFactor(b []byte, e *Expr) []byte {
	if e.Op == Add {
		return append(append(append(b, '('), e.text...), ')')
	}
	return append(b, e.text...)
}
