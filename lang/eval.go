package lang

import (
	"math"
	"strconv"
	"strings"

	"mdlc/ir"
	"mdlc/ir/index"
	"mdlc/ir/loop"
)

// eval evaluates a term outside index notation.
func (b *builder) eval(t Term) Value {
	if b.work++; b.work > maxWork {
		b.fail(t.Span(), "this file takes more than %d steps at compile time", maxWork)
	}
	v := b.valueOf(t)
	if s, ok := v.(Size); ok && b.f != nil {
		b.ofGraph(s.E, t.Span())
	}
	return v
}

func (b *builder) valueOf(t Term) Value {
	switch t := t.(type) {
	case *NumberTerm:
		return b.number(t)
	case *TextTerm:
		s, err := strconv.Unquote(t.Quoted)
		if err != nil {
			b.failHelp(t.Span(), "`\\n`, `\\t`, `\\\"` and `\\\\` are known", "this text holds an unknown escape")
		}
		return Text(s)
	case *WordTerm:
		switch t.Word {
		case "true", "false":
			return Bool(t.Word == "true")
		case "inf":
			return Num{math.Inf(1), false}
		}
		return None{}
	case *NameTerm:
		return b.standFor(b.name(t), t.Span())
	case *BinaryTerm:
		return b.binaryTerm(t)
	case *UnaryTerm:
		return b.unary(t.Op, b.eval(t.X), t.Span())
	case *WhereTerm:
		return b.whereTerm(t)
	case *FieldTerm:
		each := b.standing
		b.standing = nil // the field of the module itself
		v := b.field(b.eval(t.X), t.Name, t.Span())
		b.standing = each
		return b.standFor(v, t.Span())
	case *CallTerm:
		return b.callTerm(t)
	case *IndexTerm:
		return b.indexTerm(t)
	case *ReduceTerm:
		return b.reduceAlone(t)
	case *ListTerm:
		if t.Counts != nil {
			return b.comprehension(t)
		}
		items := make([]Value, len(t.Items))
		h := b.home
		for i, x := range t.Items {
			b.home = h.sub(strconv.Itoa(i))
			items[i] = b.eval(x)
		}
		b.home = h
		return List{items}
	}
	panic("lang: no such term")
}

func (b *builder) number(t *NumberTerm) Value {
	v, err := strconv.ParseFloat(strings.ReplaceAll(t.Text, "_", ""), 64)
	if err != nil {
		b.fail(t.Span(), "%s is too large for a number", t.Text)
	}
	return Num{v, !strings.ContainsAny(t.Text, ".eE")}
}

// maxWork bounds what the compiler does for one file, so that no file keeps it busy for ever.
const maxWork = 500_000

// name looks a name up; a param or state gives its newest value.
func (b *builder) name(t *NameTerm) Value {
	v, _ := b.sc.find(t.Name)
	if v == nil {
		if b.ix != nil && b.ix.find(t.Name) != nil {
			b.fail(t.Span(), "the index `%s` stands in a whole-array expression: its result cannot depend on an index", t.Name)
		}
		if b.ix != nil {
			b.escaped(t.Name, t.Span())
		}
		b.unknown(t.Name, t.Span())
	}
	switch v := v.(type) {
	case Poison:
		panic(silent{})
	case StateRef:
		return b.readState(v.State, t.Span())
	case Live:
		if v == "step" {
			return b.step(t.Span())
		}
		return Bool(b.training())
	}
	return v
}

// static evaluates a term that must be known to the compiler.
func (c *builder) static(t Term, what string) Value {
	v := c.eval(t)
	if x, ok := v.(Tensor); ok {
		c.needStatic(t.Span(), x, what)
	}
	return v
}

// needStatic refuses a tensor where the compiler must know the value. In a loop
// that may be unrolled, unrolling may make it known.
func (b *builder) needStatic(at Span, v Tensor, what string) {
	help := ""
	switch {
	case what == "the bound of a slice":
		help = "a slice has a length that the compiler knows; in index notation a `where` leaves elements out: `sum[k where k < n] x[k]`"
	case v.N.Type.Rank() > 0:
		help = "`for i in len(x) { … x[i] … }` runs over the first axis of x"
	}
	d := b.diagnostic(at, help, "%s must be known to the compiler, and this is %s", what, v.what())
	if b.unrollable > 0 {
		panic(notStatic{d})
	}
	panic(mistake{d})
}

func (b *builder) whereTerm(t *WhereTerm) Value {
	c := b.eval(t.Cond)
	if known, ok := c.(Bool); ok {
		if known {
			return b.eval(t.Then)
		}
		return b.eval(t.Else)
	}
	var x, y Value
	b.under(c, false, false, func() { x = b.eval(t.Then) })
	b.under(c, true, false, func() { y = b.eval(t.Else) })
	return b.where(c, x, y, t.Span())
}

func (b *builder) binaryTerm(t *BinaryTerm) Value {
	l := b.eval(t.L)
	if k, ok := l.(Bool); ok && (t.Op == "and" && !bool(k) || t.Op == "or" && bool(k)) {
		return k
	}
	return b.binary(t.Op, l, b.eval(t.R), t.Span())
}

func (b *builder) field(v Value, name string, at Span) Value {
	switch x := v.(type) {
	case Namespace:
		w, home := x.Scope.find(name)
		if w == nil || home != x.Scope {
			b.failHelp(at, instead(name, foreignLayers, x.Scope.order), "`%s` has no `%s`", x.Name, name)
		}
		if _, ok := w.(Poison); ok {
			panic(silent{})
		}
		return w
	case InstanceRef:
		return b.memberOf(x, name, at)
	case DataSource:
		switch name {
		case "train", "valid", "test":
			return Split{x.Source, name}
		case "encode", "decode":
			return b.textField(x.Source, name, at)
		}
		b.failHelp(at, "it has train, valid and test", "the data source `%s` has no `%s`", x.Source.Name, name)
	case Draw:
		return b.drawField(x, name, at)
	case Poison:
		panic(silent{})
	case *UnitValue:
		if x.Decl.Kind == "module" {
			b.failHelp(at, "make an instance first: `m = "+x.Decl.Name+"(...)`", "`%s` is a module, not an instance", x.Decl.Name)
		}
	case Tensor:
		b.failHelp(at, b.fieldHelp(name), "a tensor has no fields, so `.%s` means nothing", name)
	}
	b.fail(at, "%s has no `%s`", describe(v), name)
	return nil
}

func (b *builder) memberOf(x InstanceRef, name string, at Span) Value {
	v, home := x.Scope.find(name)
	if v == nil || home != x.Scope || name == "" {
		b.failHelp(at, instead(name, foreignMethods, x.Scope.order), "the module %s has no `%s`", x.Unit.Decl.Name, name)
	}
	switch v := v.(type) {
	case Poison:
		panic(silent{})
	case InstanceRef:
		return InstanceRef{v.Instance, append(append(turns{}, x.Self...), v.Self...), v.Frozen || x.Frozen}
	case Func:
		v.Self = append(append(turns{}, x.Self...), v.Self...)
		v.Frozen = v.Frozen || x.Frozen
		return v
	case StateRef:
		old, frozen := b.turns, b.frozen
		b.turns = append(append(turns{}, b.turns...), x.Self...)
		defer func() { b.turns, b.frozen = old, frozen }()
		if x.Frozen {
			b.frozen++
		}
		return b.readState(v.State, at)
	case StackedList, List:
		if x.Frozen {
			return freeze(v)
		}
	}
	return v
}

// binary is an operator on values of any kind.
func (b *builder) binary(op string, l, r Value, at Span) Value {
	if v := b.fold(op, l, r, at); v != nil {
		return v
	}
	for _, v := range []Value{l, r} {
		switch v.(type) {
		case Tensor, Num, Bool, Size:
		case Poison:
			panic(silent{})
		default:
			help := ""
			if _, ok := v.(List); ok {
				help = "`x: f32[3] = [1, 2, 3]` makes a tensor of a list"
			}
			if _, ok := v.(Range); ok {
				help = "in index notation an index counts: `y[i] = where i >= 2 then x[i] else 0`"
			}
			if _, ok := v.(Draw); ok {
				help = "draw first, and compute with the value: `x ~ normal[n]` and `y = 2 * x + 1`"
			}
			b.failHelp(at, help, "`%s` does not take %s", op, describe(v))
		}
	}
	switch op {
	case "@":
		return b.matmul(l, r, at)
	case "^":
		return b.power(l, r, at)
	case "and", "or":
		x, y := b.logical(l, op, at), b.logical(r, op, at)
		x, y = b.fit(x, y, op, at)
		both := b.elementwise(map[string]*ir.Op{"and": ir.OpAnd, "or": ir.OpOr}[op], x, y)
		b.compared(op, l, r, both)
		return both
	}
	x, y := b.unify(op, l, r, at)
	x, y = b.fit(x, y, op, at)
	v := b.elementwise(operators[op](x.N.Type.Elem), x, y)
	b.compared(op, l, r, v)
	return v
}

var operators = map[string]func(ir.Elem) *ir.Op{
	"+": func(ir.Elem) *ir.Op { return ir.OpAdd }, "-": func(ir.Elem) *ir.Op { return ir.OpSub }, "*": func(ir.Elem) *ir.Op { return ir.OpMul },
	"/": func(ir.Elem) *ir.Op { return ir.OpDiv }, "div": func(ir.Elem) *ir.Op { return ir.OpIDiv }, "%": func(ir.Elem) *ir.Op { return ir.OpMod },
	"==": func(ir.Elem) *ir.Op { return ir.OpEq }, "!=": func(ir.Elem) *ir.Op { return ir.OpNe }, "<": func(ir.Elem) *ir.Op { return ir.OpLt },
	"<=": func(ir.Elem) *ir.Op { return ir.OpLe }, ">": func(ir.Elem) *ir.Op { return ir.OpGt }, ">=": func(ir.Elem) *ir.Op { return ir.OpGe },
	"min": func(ir.Elem) *ir.Op { return ir.OpMin }, "max": func(ir.Elem) *ir.Op { return ir.OpMax },
}

// fold computes with what the compiler knows; nil: a tensor takes part.
func (b *builder) fold(op string, l, r Value, at Span) Value {
	if x, ok := l.(Num); ok {
		if y, ok := r.(Num); ok {
			return b.foldNumbers(op, x, y, at)
		}
	}
	if e, f := exprOf(l), exprOf(r); e != nil && f != nil {
		return b.foldSizes(op, e, f, at)
	}
	switch x := l.(type) {
	case Bool:
		if y, ok := r.(Bool); ok {
			switch op {
			case "and":
				return x && y
			case "or":
				return x || y
			case "==":
				return Bool(x == y)
			case "!=":
				return Bool(x != y)
			}
		}
	case Text:
		if y, ok := r.(Text); ok {
			switch op {
			case "==":
				return Bool(x == y)
			case "!=":
				return Bool(x != y)
			case "+":
				return x + y
			}
		}
	case List:
		if y, ok := r.(List); ok && op == "+" {
			return List{append(append([]Value{}, x.Items...), y.Items...)}
		}
	}
	_, ln := l.(None)
	_, rn := r.(None)
	if ln || rn {
		switch op {
		case "==":
			return Bool(ln && rn)
		case "!=":
			return Bool(ln != rn)
		}
	}
	return nil
}

func (b *builder) foldNumbers(op string, x, y Num, at Span) Value {
	both := x.Whole && y.Whole
	number := func(v float64) Value { return Num{v, both && v == math.Trunc(v) && !math.IsInf(v, 0)} }
	switch op {
	case "+":
		return number(x.V + y.V)
	case "-":
		return number(x.V - y.V)
	case "*":
		return number(x.V * y.V)
	case "/", "div", "%":
		if y.V == 0 && (op != "/" || both) {
			b.fail(at, "%s: division by zero", b.src.text(at))
		}
		switch op {
		case "/":
			return number(x.V / y.V)
		case "div":
			return number(math.Floor(x.V / y.V))
		}
		return number(x.V - y.V*math.Floor(x.V/y.V))
	case "^":
		return number(math.Pow(x.V, y.V))
	case "==":
		return Bool(x.V == y.V)
	case "!=":
		return Bool(x.V != y.V)
	case "<":
		return Bool(x.V < y.V)
	case "<=":
		return Bool(x.V <= y.V)
	case ">":
		return Bool(x.V > y.V)
	case ">=":
		return Bool(x.V >= y.V)
	case "min":
		return number(math.Min(x.V, y.V))
	case "max":
		return number(math.Max(x.V, y.V))
	}
	b.fail(at, "`%s` does not take numbers", op)
	return nil
}

// foldSizes computes with runtime lengths; comparisons only where one answer is certain.
func (b *builder) foldSizes(op string, x, y *index.Expr, at Span) Value {
	size := func(e *index.Expr) Value {
		if k, ok := e.Const(); ok {
			return whole(k)
		}
		return Size{e}
	}
	switch op {
	case "+":
		return size(index.Sum(x, y))
	case "-":
		return size(index.Sub(x, y))
	case "*":
		return size(index.Prod(x, y))
	case "div", "%":
		d, known := y.Const()
		switch {
		case known && d == 0:
			b.fail(at, "%s: division by zero", b.src.text(at))
		case !known || d < 0: // no length: kernels and needs divide by what is not 0 for sure
			return nil
		case op == "div":
			return size(index.Quo(x, y))
		}
		return size(index.Rem(x, y))
	case "min":
		return size(index.Least(x, y))
	case "max":
		return size(index.Most(x, y))
	case "==":
		if index.Equal(x, y) {
			return Bool(true)
		}
	}
	return nil
}

func (b *builder) unary(op string, v Value, at Span) Value {
	switch x := v.(type) {
	case Num:
		if op == "-" {
			return Num{-x.V, x.Whole}
		}
	case Size:
		if op == "-" {
			return b.foldSizes("*", x.E, index.C(-1), at)
		}
	case Bool:
		if op == "not" {
			return !x
		}
	case Tensor:
		if op == "not" {
			y := b.elementwise(ir.OpNot, b.logical(x, op, at))
			b.compared(op, x, nil, y)
			return y
		}
		if x.N.Type.Elem == loop.Bool {
			x = b.cast(x, loop.I32)
		}
		return b.elementwise(ir.OpNeg, x)
	case Poison:
		panic(silent{})
	}
	b.fail(at, "`%s` does not take %s", op, describe(v))
	return nil
}
