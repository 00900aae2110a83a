package lang

import (
	"slices"
	"strings"

	"mdlc/ir"
	"mdlc/ir/index"
	"mdlc/ir/loop"
)

// node gives t as a node of the graph being built.
func (b *builder) node(t Tensor) *ir.Node { return b.f.use(t) }

func (b *builder) tensor(n *ir.Node) Tensor {
	return Tensor{N: n, F: b.f, One: make([]bool, len(n.Type.Dims))}
}

// set gives new nodes the position of the expression being evaluated.
func (b *builder) at(s Span) {
	b.current = s
	if b.f != nil {
		b.f.b.Pos = b.trailOf(s)
	}
}

// needGraph refuses a tensor operation outside train, eval, sample and first values.
func (b *builder) needGraph(at Span) {
	if b.f == nil {
		b.failHelp(at, "a value that is computed from tensors belongs in train, eval or sample; a state keeps one, as in `state x: f32[4] = f()`", "tensors cannot be computed at file level")
	}
}

// constant is a number as a scalar tensor.
func (b *builder) constant(v Num, e ir.Elem) Tensor {
	return b.tensor(b.f.b.Const(ir.TensorOf(e), v.V))
}

// tensorLike gives a value as a tensor; numbers get the element type e.
func (b *builder) tensorLike(v Value, e ir.Elem) (Tensor, bool) {
	switch v := v.(type) {
	case Tensor:
		return v, true
	case Num:
		b.needGraph(b.current)
		return b.constant(v, e), true
	case Bool:
		b.needGraph(b.current)
		n := Num{0, true}
		if v {
			n.V = 1
		}
		return b.constant(n, loop.Bool), true
	case Size:
		b.needGraph(b.current)
		return b.cast(b.length(v.E), e), true
	case List:
		if t, ok := b.table(v, e); ok {
			return t, true
		}
	}
	return Tensor{}, false
}

// length is what a runtime length, or an expression of some, is: an i32 scalar. It may be negative, as N - 1 where N is 0.
func (b *builder) length(e *index.Expr) Tensor {
	g := b.f.b
	low, top := e.Range(g.Scope().Bound)
	low = min(low, 0)
	ramp := g.Iota([]ir.Dim{{Size: top - low + 1}}, 0)
	n := g.Index(ramp, nil, []*index.Expr{index.Sub(e, index.C(low))}, nil)
	if low < 0 {
		n = g.Add(n, g.Like(n, float64(low)))
	}
	return b.tensor(n)
}

// table is a list of numbers, or of lists of equal length, as a constant. Axes
// of one element are written as 1. An empty list stays a list: whatever it is of may be added.
func (b *builder) table(l List, e ir.Elem) (Tensor, bool) {
	if len(l.Items) == 0 {
		return Tensor{}, false
	}
	var values []float64
	var dims []int
	var walk func(v Value, depth int) bool
	walk = func(v Value, depth int) bool {
		switch v := v.(type) {
		case Num:
			values = append(values, v.V)
			return depth == len(dims)
		case List:
			if depth == len(dims) && len(values) == 0 {
				dims = append(dims, len(v.Items))
			}
			if depth >= len(dims) || dims[depth] != len(v.Items) {
				return false
			}
			for _, x := range v.Items {
				if !walk(x, depth+1) {
					return false
				}
			}
			return true
		}
		return false
	}
	if !walk(l, 0) {
		return Tensor{}, false
	}
	b.needGraph(b.current)
	t := b.tensor(b.f.b.Dense(ir.TensorOf(e, dims...), values))
	for i, d := range dims {
		t.One[i] = d == 1
	}
	return t, true
}

func (b *builder) cast(t Tensor, e ir.Elem) Tensor {
	if t.N.Type.Elem == e {
		return t
	}
	return Tensor{N: b.f.b.Cast(b.node(t), e), F: b.f, One: t.One}
}

func (b *builder) elementwise(op *ir.Op, args ...Tensor) Tensor {
	nodes := make([]*ir.Node, len(args))
	one := append([]bool{}, args[0].One...)
	for i, a := range args {
		nodes[i] = b.node(a)
		for k := range one {
			one[k] = one[k] && k < len(a.One) && a.One[k]
		}
	}
	return Tensor{N: b.f.b.Make(op, nil, nodes...), F: b.f, One: one}
}

func (b *builder) logical(v Value, op string, at Span) Tensor {
	t, ok := b.tensorLike(v, loop.Bool)
	if !ok || t.N.Type.Elem != loop.Bool {
		b.failHelp(at, "compare first, as in `x != 0`", "`%s` wants truth values, not %s", op, describe(v))
	}
	return t
}

// unify gives the operands of an operator one element type: bools and integers
// that meet floats become floats, numbers take the type of the tensor.
func (b *builder) unify(op string, l, r Value, at Span) (Tensor, Tensor) {
	b.at(at)
	b.needGraph(at)
	e := b.join(l, r)
	arithmetic := op != "==" && op != "!="
	if arithmetic && e == loop.Bool {
		e = loop.I32
	}
	switch op {
	case "/":
		if !e.IsFloat() {
			e = b.float
		}
	case "div", "%":
		if e.IsFloat() {
			b.failHelp(at, "`floor(a / b)` for floats", "`%s` divides whole numbers, not %s and %s", op, describe(l), describe(r))
		}
	}
	return b.toElem(l, e, at), b.toElem(r, e, at)
}

func (b *builder) toElem(v Value, e ir.Elem, at Span) Tensor {
	t, ok := b.tensorLike(v, e)
	if !ok {
		b.fail(at, "%s is not a tensor", describe(v))
	}
	return b.cast(t, e)
}

// join is the element type of two operands together.
func (b *builder) join(l, r Value) ir.Elem {
	x, xok := b.elemOf(l)
	y, yok := b.elemOf(r)
	switch {
	case xok && yok:
		return b.joinElems(x, y)
	case xok:
		return b.joinNumber(x, r)
	case yok:
		return b.joinNumber(y, l)
	}
	for _, v := range []Value{l, r} {
		if n, ok := v.(Num); ok && !n.Whole {
			return b.float
		}
	}
	return loop.I32
}

func (b *builder) elemOf(v Value) (ir.Elem, bool) {
	switch v := v.(type) {
	case Tensor:
		return v.N.Type.Elem, true
	case Bool:
		return loop.Bool, true
	case Size:
		return loop.I32, true
	}
	return 0, false
}

func (b *builder) joinElems(x, y ir.Elem) ir.Elem {
	switch {
	case x == y:
		return x
	case x == loop.Bool:
		return y
	case y == loop.Bool:
		return x
	case x.IsFloat() && y.IsFloat():
		return b.float
	case x.IsFloat():
		return x
	case y.IsFloat():
		return y
	}
	return loop.I32
}

// joinNumber: a whole number takes the tensor's type, another makes it a float.
func (b *builder) joinNumber(e ir.Elem, v Value) ir.Elem {
	n, ok := v.(Num)
	switch {
	case e.IsFloat():
		return e
	case ok && !n.Whole:
		return b.float
	case e == loop.Bool:
		return loop.I32
	}
	return e
}

// fit broadcasts two operands to one shape, from the right; only axes written as 1 stretch.
func (b *builder) fit(x, y Tensor, op string, at Span) (Tensor, Tensor) {
	dims, one, why := b.joint(x, y)
	if why != "" {
		d := b.diagnostic(at, "", "these shapes do not fit: %s %s %s", typeText(x.N.Type), op, typeText(y.N.Type))
		d.Help = missingAxis(x.N.Type.Dims, y.N.Type.Dims)
		panic(mistake{b.withNotes(d, why)})
	}
	return b.stretch(x, dims, one), b.stretch(y, dims, one)
}

// missingAxis tells how to give one of two operands the axis that it lacks, or is "".
func missingAxis(x, y []ir.Dim) string {
	if len(x) < len(y) {
		x, y = y, x
	}
	if len(x) != len(y)+1 {
		return ""
	}
	for k := len(y) - 1; k >= 0; k-- { // behind all axes it would fit as it is
		if slices.EqualFunc(slices.Delete(slices.Clone(x), k+1, k+2), y, ir.Dim.Equal) {
			return "`keep: true` in a reducer leaves an axis of 1, and `v[" + strings.Repeat(":, ", k+1) + "none]` makes one"
		}
	}
	return ""
}

// joint is the shape of two operands together.
func (b *builder) joint(x, y Tensor) (dims []ir.Dim, one []bool, why string) {
	dx, dy := x.N.Type.Dims, y.N.Type.Dims
	n := max(len(dx), len(dy))
	dims, one = make([]ir.Dim, n), make([]bool, n)
	for k := 1; k <= n; k++ {
		i, j := len(dx)-k, len(dy)-k
		switch {
		case i < 0:
			dims[n-k], one[n-k] = dy[j], y.isOne(j)
		case j < 0:
			dims[n-k], one[n-k] = dx[i], x.isOne(i)
		case dx[i].Equal(dy[j]) || index.Equal(dx[i].Length(), dy[j].Length()):
			dims[n-k], one[n-k] = dx[i], x.isOne(i) && y.isOne(j)
		case x.isOne(i):
			dims[n-k] = dy[j]
		case y.isOne(j):
			dims[n-k] = dx[i]
		default:
			why = "axis " + itoa(-k) + " has " + dimText(dx[i]) + " on the left and " + dimText(dy[j]) + " on the right"
			if dx[i].Size == 1 || dy[j].Size == 1 {
				why += "; only an axis written as 1 stretches"
			}
			return
		}
	}
	return dims, one, ""
}

func (t Tensor) isOne(axis int) bool { return axis < len(t.One) && t.One[axis] }

// stretch broadcasts to dims, which joint found to fit.
func (b *builder) stretch(x Tensor, dims []ir.Dim, one []bool) Tensor {
	have := x.N.Type.Dims
	if ir.SameDims(have, dims) {
		return Tensor{N: x.N, F: x.F, One: one}
	}
	n := b.node(x)
	if len(have) == 0 {
		if a, ok := n.Attr.(ir.ConstAttr); ok && len(a.Bits) == 1 {
			return Tensor{N: b.f.b.Make(ir.OpConst, ir.ConstAttr{Type: ir.OfDims(n.Type.Elem, dims), Bits: a.Bits}), F: b.f, One: one}
		}
	}
	shift := len(dims) - len(have)
	out := make([]*index.Expr, len(have))
	for k := range have {
		out[k] = ir.Var(k + shift)
		if x.isOne(k) && !have[k].Equal(dims[k+shift]) {
			out[k] = index.C(0)
		}
	}
	return Tensor{N: b.f.b.Index(n, dims, out, nil), F: b.f, One: one}
}

// broadcastTo is fit with one side fixed.
func (b *builder) broadcastTo(x Tensor, dims []ir.Dim) (Tensor, string) {
	have := x.N.Type.Dims
	if len(have) > len(dims) {
		return x, "it has " + axes(len(have))
	}
	for k := 1; k <= len(have); k++ {
		h, w := have[len(have)-k], dims[len(dims)-k]
		if !h.Equal(w) && !x.isOne(len(have)-k) {
			return x, "axis " + itoa(-k) + " has " + dimText(h) + ", not " + dimText(w)
		}
	}
	return b.stretch(x, dims, make([]bool, len(dims))), ""
}

func (b *builder) where(c, x, y Value, at Span) Value {
	b.at(at)
	b.needGraph(at)
	cond := b.logical(c, "where", at)
	e := b.join(x, y)
	l, r := b.toElem(x, e, at), b.toElem(y, e, at)
	l, r = b.fit(l, r, "or", at)
	dims, one, why := b.joint(cond, l)
	if why != "" {
		b.fail(at, "the condition %s and the values %s do not fit: %s", dimsText(cond.N.Type.Dims), typeText(l.N.Type), why)
	}
	return b.elementwise(ir.OpWhere, b.stretch(cond, dims, one), b.stretch(l, dims, one), b.stretch(r, dims, one))
}

// power: small whole exponents are products.
func (b *builder) power(l, r Value, at Span) Value {
	b.at(at)
	b.needGraph(at)
	if n, ok := r.(Num); ok {
		x, isTensor := l.(Tensor)
		if isTensor && n.isWhole() && n.V >= 1 && n.V <= 4 && x.N.Type.Elem != loop.Bool {
			y := x
			for i := 1; i < int(n.V); i++ {
				y = b.elementwise(ir.OpMul, y, x)
			}
			return y
		}
		if isTensor && n.V == 0.5 && x.N.Type.Elem.IsFloat() {
			return b.elementwise(ir.OpSqrt, x)
		}
	}
	e := b.join(l, r)
	if !e.IsFloat() {
		e = b.float
	}
	x, y := b.toElem(l, e, at), b.toElem(r, e, at)
	x, y = b.fit(x, y, "^", at)
	return b.elementwise(ir.OpPow, x, y)
}

// matmul is a @ b: the last axis of a with the last but one of b.
func (b *builder) matmul(l, r Value, at Span) Value {
	b.at(at)
	x, xok := l.(Tensor)
	y, yok := r.(Tensor)
	if !xok || !yok || x.N.Type.Rank() == 0 || y.N.Type.Rank() == 0 {
		b.failHelp(at, "`*` multiplies by a number", "`@` is the product of matrices, not of %s and %s", describe(l), describe(r))
	}
	x, y = b.unify("@", x, y, at)
	if !x.N.Type.Elem.IsFloat() {
		x, y = b.cast(x, b.float), b.cast(y, b.float)
	}
	dx, dy := x.N.Type.Dims, y.N.Type.Dims
	inner := max(len(dy)-2, 0)
	bad := func(why string) {
		d := b.diagnostic(at, "", "these shapes do not fit: %s @ %s", typeText(x.N.Type), typeText(y.N.Type))
		panic(mistake{b.withNotes(d, why)})
	}
	if !dx[len(dx)-1].Equal(dy[inner]) {
		bad("the last axis of the left side has " + dimText(dx[len(dx)-1]) + ", the axis of the right side to sum over has " + dimText(dy[inner]))
	}
	letters := "abcdefghijklmnopqrstuvw"
	if len(dx) > 20 || len(dy) > 20 {
		bad("there are too many axes")
	}
	left := letters[:len(dx)-1]
	right, out := "x", left
	if len(dy) > 1 {
		out += "y"
		right = "xy"
	}
	if batch := len(dy) - 2; batch > 0 {
		if batch > len(dx)-2 {
			bad("the right side has more leading axes")
		}
		first := len(dx) - 2 - batch
		for k := range batch {
			if !dx[first+k].Equal(dy[k]) {
				bad("leading axes differ: " + dimText(dx[first+k]) + " and " + dimText(dy[k]))
			}
		}
		right = left[first:first+batch] + right
	}
	return b.tensor(b.f.b.Dot(left+"x,"+right+"->"+out, b.node(x), b.node(y)))
}

// textTensor is a text's bytes, i32[1, n].
func (b *builder) textTensor(s string) Tensor {
	b.needGraph(b.current)
	values := make([]float64, len(s))
	for i := range len(s) {
		values[i] = float64(s[i])
	}
	return b.tensor(b.f.b.Dense(ir.TensorOf(loop.I32, 1, len(s)), values))
}
