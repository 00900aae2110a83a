package lang

import (
	"maps"
	"math"
	"slices"
	"sort"

	"mdlc/ir"
	"mdlc/ir/index"
	"mdlc/ir/loop"
)

// reducers are the reducers that are functions too.
var reducers = []string{"sum", "prod", "max", "min", "mean", "any", "all", "argmax", "argmin", "logsumexp", "softmax", "log_softmax", "cumsum", "cumprod", "cummax", "cummin", "cumlogsumexp"}

// numeric are the element-wise builtins on numbers that the compiler knows.
var numeric = map[string]func(float64) float64{
	"exp": math.Exp, "log": math.Log, "log1p": math.Log1p, "expm1": math.Expm1, "sqrt": math.Sqrt, "sin": math.Sin, "cos": math.Cos,
	"tanh": math.Tanh, "erf": math.Erf, "abs": math.Abs, "floor": math.Floor, "round": math.RoundToEven,
	"rsqrt": func(x float64) float64 { return 1 / math.Sqrt(x) }, "sigmoid": func(x float64) float64 { return 1 / (1 + math.Exp(-x)) },
	"sign": func(x float64) float64 {
		switch {
		case x > 0:
			return 1
		case x < 0:
			return -1
		}
		return x
	},
}

// builtins is the outermost scope.
func builtins() *scope {
	s := newScope(nil, libraryScope)
	def := func(name string, f func(b *builder, c *call) Value) {
		s.define(name, Func{Name: name, Builtin: f})
	}
	var names []string
	for _, op := range ir.Ops() {
		if op.Builtin && op.Arity == 1 {
			names = append(names, op.Name)
		}
	}
	for n := range numeric {
		if !contains(names, n) {
			names = append(names, n)
		}
	}
	sort.Strings(names)
	for _, n := range names {
		def(n, elementwiseBuiltin(n))
	}
	for _, n := range reducers {
		def(n, func(b *builder, c *call) Value { return b.reducerFunction(n, c) })
	}
	for n := range elements {
		if n != "bool" {
			def(n, func(b *builder, c *call) Value { e, _ := b.elemNamed(n); return b.conversion(e, c) })
		}
	}
	for n, f := range arrayBuiltins {
		def(n, f)
	}
	def("assert", assertBuiltin)
	def("print", printBuiltin)
	s.define("step", Live("step"))
	s.define("training", Live("training"))
	s.define("pi", Num{math.Pi, false})
	s.define("bits", Draw{})
	for _, n := range []string{"padded", "pack", "fp8"} {
		def(n, func(b *builder, c *call) Value {
			b.failHelp(c.span, refusedHelp[n], "`%s` is not supported", n)
			return nil
		})
	}
	sort.Strings(s.order)
	return s
}

var refusedHelp = map[string]string{"fp8": "`f8e4m3(x)` converts; `precision { product = f8e4m3 }` makes products of it, with scales", "pack": "rows of one length come from `windows(d.train)` of a text, or from `d.train` of `lines(…)`, filled with 0"}

var arrayBuiltins map[string]func(b *builder, c *call) Value

func init() {
	arrayBuiltins = map[string]func(b *builder, c *call) Value{
		"len": lenBuiltin, "rank": rankBuiltin, "count": countBuiltin, "range": rangeBuiltin, "reverse": reverseBuiltin,
		"frozen": frozenBuiltin, "copy": copyBuiltin, "stop": stopBuiltin, "grad": gradBuiltin, "concat": concatBuiltin, "stack": stackBuiltin, "reshape": reshapeBuiltin, "flatten": flattenBuiltin,
		"transpose": transposeBuiltin, "sort": sortBuiltin, "argsort": argsortBuiltin, "top_k": topKBuiltin, "var": varBuiltin, "std": stdBuiltin,
		"solve": solveBuiltin(ir.General), "solve_lower": solveBuiltin(ir.Lower), "solve_upper": solveBuiltin(ir.Upper),
		"cholesky": choleskyBuiltin, "inverse": inverseBuiltin, "slogdet": slogdetBuiltin,
		"windows": windowsBuiltin, "streams": streamsBuiltin, "clips": clipsBuiltin,
	}
	for _, f := range sourceForms {
		arrayBuiltins[f.name] = f.builtin
	}
}

// take reads the arguments of a builtin into the order of names. required: how many must be there.
func (b *builder) take(c *call, required int, names ...string) []Value {
	out := make([]Value, len(names))
	if len(c.args) > len(names) {
		b.failHelp(c.span, "it has "+list(names), "`%s` takes %s, not %d", c.name, plural(len(names), "argument"), len(c.args))
	}
	copy(out, c.args)
	c.spans = append(c.spans, make([]Span, len(names)-len(c.args))...)
	for _, n := range slices.Sorted(maps.Keys(c.named)) {
		a, i := c.named[n], slices.Index(names, n)
		if i < 0 {
			b.failHelp(a.named, parameterHelp(n, names), "`%s` has no parameter `%s`", c.name, n)
		}
		if i < len(c.args) {
			b.givenTwice(a, n, c.name)
		}
		out[i], c.spans[i] = a.value, a.span
	}
	for i := range required {
		if out[i] == nil {
			b.fail(c.span, "`%s` needs an argument for `%s`", c.name, names[i])
		}
	}
	return out
}

func elementwiseBuiltin(name string) func(b *builder, c *call) Value {
	return func(b *builder, c *call) Value {
		v := b.take(c, 1, "x")[0]
		if n, ok := v.(Num); ok && numeric[name] != nil {
			x := numeric[name](n.V)
			return Num{x, n.Whole && (name == "abs" || name == "sign") || name == "floor" || name == "round"}
		}
		t, ok := b.tensorLike(v, b.float)
		if !ok {
			b.failHelp(c.span, numbersHelp(v), "`%s` takes numbers and tensors, not %s", name, describe(v))
		}
		op := ir.Lookup(name)
		if op == nil {
			panic("lang: the builtin " + name + " has no op")
		}
		e := t.N.Type.Elem
		if !(e.IsInt() && (name == "abs" || name == "sign")) {
			t = b.cast(t, b.floatOf(e))
		}
		if e.IsInt() && (name == "floor" || name == "round") {
			return t
		}
		return b.elementwise(op, t)
	}
}

// numbersHelp says how v is written as a tensor, if it holds numbers, or what lists are joined with.
func numbersHelp(v Value) string {
	switch v.(type) {
	case Range:
		return "`y[i < n] = i` is the tensor 0, 1, …, n - 1"
	case List:
		return "`stack` makes a tensor of a list; `+` joins two lists"
	}
	return ""
}

func (b *builder) conversion(e ir.Elem, c *call) Value {
	v := b.take(c, 1, "x")[0]
	if text, ok := v.(Text); ok && e == loop.I32 {
		return b.textTensor(string(text))
	}
	if n, ok := v.(Num); ok && !e.IsFloat() { // as at run time
		v = Num{float64(loop.ToInt(e, n.V)), true}
	}
	t, ok := b.tensorLike(v, e)
	if !ok {
		b.failHelp(c.span, numbersHelp(v), "`%s` converts numbers and tensors, not %s", c.name, describe(v))
	}
	return b.cast(t, e)
}

func (b *builder) reducerFunction(name string, c *call) Value {
	if (name == "max" || name == "min") && len(c.args) == 2 {
		return b.binary(name, c.args[0], c.args[1], c.span)
	}
	v := b.take(c, 1, "x", "axis", "keep")
	if l, ok := v[0].(List); ok && v[1] == nil {
		if n := foldList(name, l); n != nil {
			return n
		}
	}
	x, ok := b.tensorLike(v[0], b.float)
	if !ok {
		b.fail(c.span, "`%s` reduces a tensor, not %s", name, describe(v[0]))
	}
	rank := x.N.Type.Rank()
	axes := b.axesOf(v[1], rank, c)
	if keepsAxis(name) {
		if v[1] == nil && rank != 1 || len(axes) != 1 && isCumulative(name) {
			b.failHelp(c.span, "`"+name+"(x, axis: -1)`", "`%s` needs one axis", name)
		}
		return b.reduceTensor(name, x, axes, nil, c.span)
	}
	if (name == "argmax" || name == "argmin") && v[1] == nil && rank != 1 {
		b.failHelp(c.span, "`"+name+"(x, axis: -1)`", "`%s` needs an axis", name)
	}
	r := b.reduceTensor(name, x, axes, nil, c.span)
	if keep, ok := v[2].(Bool); ok && bool(keep) {
		return b.kept(r, x, axes)
	} else if v[2] != nil && !ok {
		b.fail(c.span, "`keep` is true or false, not %s", describe(v[2]))
	}
	return r
}

func foldList(name string, l List) Value {
	if name != "sum" && name != "max" && name != "min" && name != "prod" || len(l.Items) == 0 {
		return nil
	}
	acc, ok := l.Items[0].(Num)
	for _, v := range l.Items[1:] {
		n, isNum := v.(Num)
		ok = ok && isNum
		switch name {
		case "sum":
			acc.V += n.V
		case "prod":
			acc.V *= n.V
		case "max":
			acc.V = math.Max(acc.V, n.V)
		case "min":
			acc.V = math.Min(acc.V, n.V)
		}
		acc.Whole = acc.Whole && n.Whole
	}
	if !ok {
		return nil
	}
	return acc
}

// axesOf reads `axis:`; none is all axes.
func (b *builder) axesOf(v Value, rank int, c *call) []int {
	var out []int
	add := func(v Value) {
		n, ok := v.(Num)
		if !ok || !n.isWhole() {
			b.failHelp(c.span, "`axis: 0` is the first, `axis: -1` the last; index notation names them: `y[i] = mean[j] x[i, j]`", "an axis is a whole number, not %s", describe(v))
		}
		k := int(n.V)
		if k < 0 {
			k += rank
		}
		if k < 0 || k >= rank {
			b.fail(c.span, "there is no axis %s: the tensor has %s", n, axes(rank))
		}
		if hasAxis(out, k) {
			b.fail(c.span, "axis %s is there twice", n)
		}
		out = append(out, k)
	}
	switch v := v.(type) {
	case nil, None:
		for k := range rank {
			out = append(out, k)
		}
	case List:
		for _, x := range v.Items {
			add(x)
		}
	default:
		add(v)
	}
	sort.Ints(out)
	return out
}

// kept puts reduced axes back as axes written as 1.
func (b *builder) kept(r, x Tensor, axes []int) Tensor {
	dims := append([]ir.Dim{}, x.N.Type.Dims...)
	one := make([]bool, len(dims))
	var out []int
	for k := range dims {
		if hasAxis(axes, k) {
			dims[k], one[k] = ir.Dim{Size: 1}, true
		} else {
			one[k] = x.isOne(k)
			out = append(out, k)
		}
	}
	return Tensor{N: b.f.b.Broadcast(b.node(r), dims, out...), F: b.f, One: one}
}

func lenBuiltin(b *builder, c *call) Value {
	v := b.take(c, 1, "x", "axis")
	switch x := v[0].(type) {
	case List:
		return whole(len(x.Items))
	case StackedList:
		return whole(x.Level.n)
	case Text:
		return whole(len(x))
	case Split:
		return Size{index.V("len." + x.Source.Name + "." + x.Part)}
	case DataSource:
		b.failHelp(c.span, "`len("+x.Source.Name+".train)`", "a data source has parts, each with its length")
	case Tensor:
		if x.N.Type.Rank() == 0 {
			b.fail(c.span, "a scalar has no length")
		}
		axis := 0
		if v[1] != nil {
			axis = b.axesOf(v[1], x.N.Type.Rank(), c)[0]
		}
		return sizeOf(x.N.Type.Dims[axis])
	}
	b.fail(c.span, "%s has no length", describe(v[0]))
	return nil
}

func rankBuiltin(b *builder, c *call) Value {
	x, ok := b.tensorLike(b.take(c, 1, "x")[0], b.float)
	if !ok {
		b.fail(c.span, "`rank` takes a tensor")
	}
	return whole(x.N.Type.Rank())
}

func countBuiltin(b *builder, c *call) Value {
	x, ok := b.take(c, 1, "x")[0].(Tensor)
	if !ok {
		b.fail(c.span, "`count` takes a tensor")
	}
	n := index.C(1)
	for _, d := range x.N.Type.Dims {
		n = index.Prod(n, d.Length())
	}
	return b.foldSizes("+", n, index.C(0), c.span)
}

func rangeBuiltin(b *builder, c *call) Value {
	v := b.take(c, 1, "from", "to")
	if v[1] == nil {
		return Range{From: whole(0), To: v[0]}
	}
	return Range{From: v[0], To: v[1]}
}

func reverseBuiltin(b *builder, c *call) Value {
	v := b.take(c, 1, "x", "axis")
	switch x := v[0].(type) {
	case List:
		out := make([]Value, len(x.Items))
		for i, y := range x.Items {
			out[len(out)-1-i] = y
		}
		return List{out}
	case StackedList:
		var out []Value
		for i := x.Level.n - 1; i >= 0; i-- {
			out = append(out, x.at(i))
		}
		return List{out}
	case Num, Size:
		return Range{From: whole(0), To: x, Down: true}
	case Range:
		return Range{x.From, x.To, !x.Down}
	case Tensor:
		axis := b.axesOf(v[1], x.N.Type.Rank(), c)
		if v[1] == nil {
			axis = []int{0}
		}
		return b.backwards(x, axis)
	}
	b.fail(c.span, "`reverse` takes a list, a count or a tensor, not %s", describe(v[0]))
	return nil
}

// backwards is x with its elements along some axes in the opposite order.
func (b *builder) backwards(x Tensor, axes []int) Tensor {
	out := make([]*index.Expr, x.N.Type.Rank())
	for k, d := range x.N.Type.Dims {
		out[k] = ir.Var(k)
		if hasAxis(axes, k) {
			out[k] = index.Sub(index.Sub(d.Length(), index.C(1)), ir.Var(k))
		}
	}
	return Tensor{N: b.f.b.Index(b.node(x), x.N.Type.Dims, out, nil), F: b.f, One: x.One}
}

// rangeItems lists the numbers of a count or a range.
func (b *builder) rangeItems(v Value, at Span) []Value {
	r, ok := v.(Range)
	if !ok {
		r = Range{From: whole(0), To: v}
	}
	from, ok1 := r.From.(Num)
	to, ok2 := r.To.(Num)
	if !ok1 || !ok2 || !from.isWhole() || !to.isWhole() {
		b.fail(at, "the bounds of a range are whole numbers known to the compiler")
	}
	if to.V-from.V > 1<<16 {
		b.fail(at, "a list of %v elements is too long", to.V-from.V)
	}
	var out []Value
	for i := int(from.V); i < int(to.V); i++ {
		out = append(out, whole(i))
	}
	if r.Down {
		slices.Reverse(out)
	}
	return out
}

func (b *builder) tensorArg(v Value, c *call) Tensor {
	x, ok := b.tensorLike(v, b.float)
	if !ok {
		b.failHelp(c.span, numbersHelp(v), "`%s` takes a tensor, not %s", c.name, describe(v))
	}
	return x
}

func stopBuiltin(b *builder, c *call) Value {
	x := b.tensorArg(b.take(c, 1, "x")[0], c)
	return Tensor{N: b.f.b.Stop(b.node(x)), F: b.f, One: x.One}
}

func gradBuiltin(b *builder, c *call) Value {
	v := b.take(c, 2, "s", "x")
	s := b.tensorArg(v[0], c)
	if s.N.Type.Rank() != 0 || !s.N.Type.Elem.IsFloat() {
		b.failHelp(c.span, "`grad(sum(y), x)`", "`grad` differentiates a scalar, not %s", typeText(s.N.Type))
	}
	by, several := v[1].(List)
	if !several {
		by = List{[]Value{v[1]}}
	}
	if len(by.Items) == 0 {
		by.Items = []Value{by}
	}
	sn := b.node(s)
	var xs []*ir.Node
	for _, y := range by.Items {
		x, ok := y.(Tensor)
		if !ok {
			b.failHelp(c.span, "a gradient with respect to a module belongs to `minimize`", "`grad` takes the tensor to differentiate by, not %s", describe(y))
		}
		if !x.N.Type.Elem.IsFloat() {
			b.fail(c.span, "there is no gradient by %s", typeText(x.N.Type))
		}
		xs = append(xs, b.node(x))
		if !reaches(sn, xs[len(xs)-1]) {
			b.failHelp(c.span, b.changedSince(x.N), "the scalar does not depend on `%s`, so there is no gradient", b.src.text(c.spans[1]))
		}
	}
	g := b.f.b.Grad(sn, xs...)
	var out []Value
	for i := range xs {
		out = append(out, b.tensor(b.f.b.Get(g, i)))
	}
	if !several {
		return out[0]
	}
	return Tuple{out}
}

// reaches reports whether n depends on x.
func reaches(n, x *ir.Node) bool {
	seen := map[*ir.Node]bool{}
	var visit func(n *ir.Node) bool
	visit = func(n *ir.Node) bool {
		if n == x {
			return true
		}
		if seen[n] || n.ID < x.ID {
			return false
		}
		seen[n] = true
		for _, a := range n.Args {
			if visit(a) {
				return true
			}
		}
		return false
	}
	return visit(n)
}
