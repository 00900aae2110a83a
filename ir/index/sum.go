package index

import "slices"

// addend is a term of a sum: coef times x, which is no constant, sum or multiple.
// whole is that as one expression, nil where it has yet to be made.
type addend struct {
	coef     int
	x, whole *Expr
}

// gather adds m*e to terms, which are sorted by the text of x, and to the constant k.
func gather(terms []addend, k, m int, e *Expr) ([]addend, int) {
	c, x := 1, e
	if e.Op != Add {
		c, x = term(e)
	}
	if x == nil {
		return terms, k + m*c
	}
	if x.Op == Add { // c*(a + b) too
		for _, a := range x.Args {
			terms, k = gather(terms, k, m*c, a)
		}
		return terms, k
	}
	i, found := slices.BinarySearchFunc(terms, x, compare)
	if found {
		terms[i].coef, terms[i].whole = terms[i].coef+m*c, nil
		return terms, k
	}
	if m != 1 {
		e = nil
	}
	return slices.Insert(terms, i, addend{m * c, x, e}), k
}

// compare orders terms by their texts.
func compare(t addend, x *Expr) int {
	switch {
	case t.x == x || t.x.text == x.text:
		return 0
	case t.x.text < x.text:
		return -1
	}
	return 1
}

// Sum is a + b + …, collecting equal terms. It folds d*(x/d) + x%d to x.
func Sum(args ...*Expr) *Expr {
	var few [8]addend // without allocation
	terms, k := few[:0], 0
	for _, a := range args {
		terms, k = gather(terms, k, 1, a)
	}
	for {
		i, j := remainder(terms)
		if i < 0 {
			break
		}
		t := terms[i]
		terms[i].coef, terms[j].coef = 0, 0
		terms, k = gather(terms, k, t.coef, t.x.Args[0])
	}
	if e := sumExtremes(terms, k); e != nil {
		return e
	}
	var buf [8]*Expr
	out := buf[:0]
	for _, t := range terms {
		switch {
		case t.coef == 0:
		case t.whole != nil:
			out = append(out, t.whole)
		case t.coef == 1:
			out = append(out, t.x)
		default:
			out = append(out, make2(Mul, t.x, C(t.coef)))
		}
	}
	if k != 0 || len(out) == 0 {
		out = append(out, C(k))
	}
	if len(out) == 1 {
		return out[0]
	}
	for _, a := range args { // + 0
		if a.Op == Add && slices.Equal(a.Args, out) {
			return a
		}
	}
	return make2(Add, slices.Clone(out)...)
}

// remainder finds the first pair c*(x%d) and c*d*(x/d) of a sum: together they are c*x. There is none: -1.
func remainder(terms []addend) (i, j int) {
	for i, t := range terms {
		if t.coef == 0 || t.x.Op != Mod {
			continue
		}
		d, ok := t.x.Args[1].Const()
		if !ok {
			continue
		}
		if c, q := term(Quo(t.x.Args[0], C(d))); q != nil && c == 1 {
			if j, found := slices.BinarySearchFunc(terms, q, compare); found && terms[j].coef == t.coef*d {
				return i, j
			}
		}
	}
	return -1, -1
}

// sumExtremes folds max(a, b) + min(a + k, b + k) to a + b + k, and gives the whole sum; nil: it holds no such pair.
func sumExtremes(terms []addend, k int) *Expr {
	for i, hi := range terms {
		if hi.x.Op != Max || hi.coef == 0 {
			continue
		}
		for j, lo := range terms {
			if lo.x.Op != Min || lo.coef != hi.coef {
				continue
			}
			a, b := hi.x.Args[0], hi.x.Args[1]
			c, d := lo.x.Args[0], lo.x.Args[1]
			crossed := !Equal(Sub(c, a), Sub(d, b))
			if crossed && !Equal(Sub(d, a), Sub(c, b)) {
				continue
			}
			rest := []*Expr{C(k)}
			for n, t := range terms {
				if n != i && n != j {
					rest = append(rest, Prod(t.x, C(t.coef)))
				}
			}
			// In both cases the four arguments add up to twice the sum: a + d = b + c, or a + c = b + d.
			sum := Sum(a, d)
			if crossed {
				sum = Sum(a, c)
			}
			return Sum(append(rest, Prod(sum, C(hi.coef)))...)
		}
	}
	return nil
}
