package loop

import (
	"math"
	"strconv"
)

// operand is a parsed expression. A literal takes the type of its place: the
// other operand's, a buffer's; without one it is i64 or f32.
type operand struct {
	val *Value // nil for a literal
	lit bool
	flt bool // a float literal
	n   int64
	x   float64
	pos Pos
}

// value gives o its own type.
func (p *parser) value(o operand) *Value {
	switch {
	case !o.lit:
		return o.val
	case o.flt:
		return p.b.Float(F32, o.x)
	}
	return p.b.Int(I64, o.n)
}

// typed is o as a value of type e; a literal becomes one.
func (p *parser) typed(o operand, e Elem) *Value {
	if !o.lit {
		if o.val.Elem != e {
			p.fail(o.pos, "%s expected, found %s; write %s(…) to convert", e, o.val.Elem, e)
		}
		return o.val
	}
	switch {
	case e.IsFloat() && o.flt:
		return p.b.Float(e, o.x)
	case e.IsFloat():
		return p.b.Float(e, float64(o.n))
	case e.IsInt() && !o.flt:
		if lo, hi := intRange(e); o.n < lo || o.n > hi {
			p.fail(o.pos, "%d does not fit %s", o.n, e)
		}
		return p.b.Int(e, o.n)
	}
	p.fail(o.pos, "%s expected, found a number", e)
	return nil
}

func (p *parser) expr() operand { return p.binary(0) }

// binary reads infix operators that bind at least as tight as prec.
func (p *parser) binary(prec int) operand {
	p.deeper()
	defer func() { p.depth-- }()
	a := p.unary()
	for {
		t := p.peek()
		op, ok := infixNames[t.text]
		if !ok || t.kind != tokSign || op.Info().Prec < prec {
			return a
		}
		p.i++
		x := p.binary(op.Info().Prec + 1)
		a = p.infix(op, a, x, t.pos)
	}
}

func (p *parser) infix(op Op, a, x operand, pos Pos) operand {
	args := p.unify([]operand{a, x})
	o := p.op(op, args, pos)
	if a.lit && x.lit && !a.flt && !x.flt { // still a literal
		if n, ok := o.val.IntConst(); ok {
			return operand{lit: true, n: n, pos: a.pos}
		}
	}
	o.pos = a.pos
	return o
}

// unify gives literals the type of the first operand that is none.
func (p *parser) unify(in []operand) []*Value {
	want, flt := -1, false
	for i, o := range in {
		flt = flt || o.flt
		if want < 0 && !o.lit {
			want = i
		}
	}
	out := make([]*Value, len(in))
	for i, o := range in {
		switch {
		case !o.lit:
			out[i] = o.val
		case want >= 0:
			out[i] = p.typed(o, in[want].val.Elem)
		case flt:
			out[i] = p.typed(o, F32)
		default:
			out[i] = p.typed(o, I64)
		}
	}
	return out
}

func (p *parser) op(op Op, args []*Value, pos Pos) operand {
	p.b.SetPos(pos)
	v, err := p.b.apply(op, args)
	if err != nil {
		p.fail(pos, "%v", err)
	}
	return operand{val: v, pos: pos}
}

func (p *parser) unary() operand {
	t := p.peek()
	if t.kind == tokSign && (t.text == "-" || t.text == "!") {
		p.i++
		if n := p.peek(); n.kind == tokInt && n.text == "9223372036854775808" && t.text == "-" {
			p.i++
			return operand{lit: true, n: math.MinInt64, x: math.MinInt64, pos: t.pos}
		}
		p.deeper()
		o := p.unary()
		p.depth--
		if t.text == "!" {
			return p.op(Not, []*Value{p.value(o)}, t.pos)
		}
		if o.lit {
			o.n, o.x, o.pos = -o.n, -o.x, t.pos
			return o
		}
		return p.op(Neg, []*Value{o.val}, t.pos)
	}
	return p.primary()
}

func (p *parser) primary() operand {
	t := p.next()
	switch t.kind {
	case tokInt:
		n, err := strconv.ParseUint(t.text, 10, 63)
		if err != nil {
			p.fail(t.pos, "%s is too large", t.text)
		}
		return operand{lit: true, n: int64(n), x: float64(n), pos: t.pos}
	case tokFloat:
		x, err := strconv.ParseFloat(t.text, 64)
		if err != nil {
			p.fail(t.pos, "%s is too large", t.text)
		}
		return operand{lit: true, flt: true, x: x, pos: t.pos}
	case tokName:
		return p.named(t)
	}
	if t.text == "(" {
		o := p.expr()
		p.expect(")")
		return o
	}
	p.fail(t.pos, "expression expected, found %s", t)
	return operand{}
}

func (p *parser) named(t token) operand {
	p.b.SetPos(t.pos)
	if p.is("[") {
		if buf := p.bufs[t.text]; buf != nil {
			index, guard := p.access()
			p.b.SetPos(t.pos)
			return p.result(t)(p.b.load(buf, index, guard))
		}
		if op, ok := bracketNames[t.text]; ok {
			return p.bracket(op, t)
		}
		if t.text == "bitcast" {
			p.expect("[")
			e := p.elem()
			p.expect("]")
			return p.result(t)(p.b.bitcast(e, p.value(p.args(1, t)[0])))
		}
	}
	if p.is("(") {
		if e, err := ParseElem(t.text); err == nil {
			return p.cast(e, t)
		}
		if op, ok := opNames[t.text]; ok && op != Bitcast {
			return p.call(op, t)
		}
		p.fail(t.pos, "no function %s", t.text)
	}
	switch t.text {
	case "inf":
		return operand{lit: true, flt: true, x: math.Inf(1), pos: t.pos}
	case "nan":
		return operand{lit: true, flt: true, x: math.NaN(), pos: t.pos}
	case "true", "false":
		return operand{val: p.b.Bool(t.text == "true"), pos: t.pos}
	}
	if v := p.lookup(t.text); v != nil {
		return operand{val: v, pos: t.pos}
	}
	if a := p.axes[t.text]; a != nil {
		return operand{val: p.b.Index(a), pos: t.pos}
	}
	p.fail(t.pos, "no value %s", t.text)
	return operand{}
}

func (p *parser) result(t token) func(*Value, error) operand {
	return func(v *Value, err error) operand {
		if err != nil {
			p.fail(t.pos, "%v", err)
		}
		return operand{val: v, pos: t.pos}
	}
}

// args reads `(e, …)`; n < 0: any number.
func (p *parser) args(n int, t token) []operand {
	var out []operand
	p.expect("(")
	for !p.accept(")") {
		out = append(out, p.expr())
		if !p.is(")") {
			p.expect(",")
		}
	}
	if n >= 0 && len(out) != n {
		p.fail(t.pos, "%s takes %s, not %d", t.text, count(n, "argument"), len(out))
	}
	return out
}

// cast converts; a literal is a constant of the type.
func (p *parser) cast(e Elem, t token) operand {
	o := p.args(1, t)[0]
	p.b.SetPos(t.pos)
	if o.lit && e != Bool && (e.IsFloat() || !o.flt) {
		return operand{val: p.typed(o, e), pos: t.pos}
	}
	return operand{val: p.b.Cast(e, p.value(o)), pos: t.pos}
}

func (p *parser) call(op Op, t token) operand {
	in := p.args(op.Info().Arity, t)
	if op == Where {
		args := append([]*Value{p.value(in[0])}, p.unify(in[1:])...)
		return p.op(op, args, t.pos)
	}
	if op == Philox {
		args := make([]*Value, len(in))
		for i, o := range in {
			args[i] = p.typed(o, U32)
		}
		return p.op(op, args, t.pos)
	}
	return p.op(op, p.unify(in), t.pos)
}

// bracket reads reductions, dot and at.
func (p *parser) bracket(op Op, t token) operand {
	if op == At {
		p.expect("[")
		a := p.axis()
		p.expect("=")
		i := p.typed(p.expr(), I64)
		p.expect("]")
		v := p.value(p.args(1, t)[0])
		p.b.SetPos(t.pos)
		return p.result(t)(p.b.at(a, i, v))
	}
	over := p.axisList()
	if len(over) == 0 {
		p.fail(t.pos, "%s needs an axis", t.text)
	}
	if op != Dot {
		v := p.value(p.args(1, t)[0])
		p.b.SetPos(t.pos)
		return p.result(t)(p.b.reduce(op, over, v))
	}
	in := p.args(-1, t)
	if len(in) != 2 && len(in) != 3 {
		p.fail(t.pos, "dot takes 2 or 3 arguments, not %d", len(in))
	}
	ab := p.unify(in[:2])
	var acc *Value
	if len(in) == 3 {
		want, err := dotRule([]Elem{ab[0].Elem, ab[1].Elem})
		if err != nil {
			p.fail(t.pos, "dot: %v", err)
		}
		acc = p.typed(in[2], want)
	}
	instr := ""
	if p.accept("@") {
		instr = p.kernelName()
	}
	p.b.SetPos(t.pos)
	return p.result(t)(p.b.dot(over, ab[0], ab[1], acc, instr))
}
