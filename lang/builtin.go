package lang

import (
	"math"
	"sort"

	"mdlc/ir"
	"mdlc/ir/index"
	"mdlc/ir/loop"
)

// reducers are the reducers that are functions too.
var reducers = []string{"sum", "prod", "max", "min", "mean", "any", "all", "argmax", "argmin", "logsumexp", "softmax", "log_softmax", "cumsum"}

// numeric are the element-wise builtins on numbers that the compiler knows.
var numeric = map[string]func(float64) float64{
	"exp": math.Exp, "log": math.Log, "log1p": math.Log1p, "expm1": math.Expm1, "sqrt": math.Sqrt, "sin": math.Sin, "cos": math.Cos,
	"tanh": math.Tanh, "erf": math.Erf, "abs": math.Abs, "floor": math.Floor, "round": math.RoundToEven,
	"rsqrt": func(x float64) float64 { return 1 / math.Sqrt(x) },
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
	for n, e := range elements {
		if n != "bool" {
			def(n, func(b *builder, c *call) Value { return b.conversion(e, c) })
		}
	}
	for n, f := range arrayBuiltins {
		def(n, f)
	}
	for _, n := range []string{"step", "training"} {
		def(n, func(b *builder, c *call) Value {
			b.failHelp(c.span, "`"+n+"`", "`%s` is a value, not a function", n)
			return nil
		})
	}
	s.define("pi", Num{math.Pi, false})
	s.define("bits", Draw{})
	for _, n := range []string{"copy", "frozen", "padded", "tokens", "lines", "csv", "mnist", "images", "streams", "clips", "pack", "fp8"} {
		def(n, func(b *builder, c *call) Value {
			b.failHelp(c.span, refusedHelp[n], "`%s` is not supported", n)
			return nil
		})
	}
	sort.Strings(s.order)
	return s
}

var refusedHelp = map[string]string{
	"tokens": "`bytes(path)` reads text byte by byte", "lines": "`bytes(path)` reads text byte by byte", "csv": "convert the table to .npy and use `npy(path)`",
	"mnist": "convert the images to .npy and use `npy(path)`", "images": "convert the images to .npy and use `npy(path)`",
	"streams": "`windows(d.train)` cuts at random places", "pack": "`windows(d.train)` gives rows of one length",
	"frozen": "leave the module out of `over`, and use `stop(x)` on its results", "copy": "make a second instance",
}

var arrayBuiltins map[string]func(b *builder, c *call) Value

func init() {
	arrayBuiltins = map[string]func(b *builder, c *call) Value{
		"len": lenBuiltin, "rank": rankBuiltin, "count": countBuiltin, "range": rangeBuiltin, "reverse": reverseBuiltin,
		"stop": stopBuiltin, "grad": gradBuiltin, "concat": concatBuiltin, "stack": stackBuiltin, "reshape": reshapeBuiltin, "flatten": flattenBuiltin,
		"transpose": transposeBuiltin, "sort": sortBuiltin, "argsort": argsortBuiltin, "top_k": topKBuiltin, "var": varBuiltin, "std": stdBuiltin,
		"bytes": bytesBuiltin, "npy": npyBuiltin, "windows": windowsBuiltin,
	}
}

// take reads the arguments of a builtin into the order of names. required: how many must be there.
func (b *builder) take(c *call, required int, names ...string) []Value {
	out := make([]Value, len(names))
	if len(c.args) > len(names) {
		b.fail(c.span, "`%s` takes %s, not %d", c.name, plural(len(names), "argument"), len(c.args))
	}
	copy(out, c.args)
	for n, v := range c.named {
		found := false
		for i, m := range names {
			if m == n {
				out[i], found = v, true
			}
		}
		if !found {
			b.failHelp(c.span, "it has "+list(names), "`%s` has no parameter `%s`", c.name, n)
		}
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
		t, ok := b.tensorLike(v, loop.F32)
		if !ok {
			b.fail(c.span, "`%s` takes numbers and tensors, not %s", name, describe(v))
		}
		op := ir.Lookup(name)
		if op == nil {
			b.fail(c.span, "`%s` of a tensor is not supported", name)
		}
		e := t.N.Type.Elem
		if !(e.IsInt() && (name == "abs" || name == "sign")) {
			t = b.cast(t, floatOf(e))
		}
		if e.IsInt() && (name == "floor" || name == "round") {
			return t
		}
		return b.elementwise(op, t)
	}
}

func (b *builder) conversion(e ir.Elem, c *call) Value {
	v := b.take(c, 1, "x")[0]
	if text, ok := v.(Text); ok && e == loop.I32 {
		return b.textTensor(string(text))
	}
	t, ok := b.tensorLike(v, e)
	if !ok {
		b.fail(c.span, "`%s` converts numbers and tensors, not %s", c.name, describe(v))
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
	x, ok := b.tensorLike(v[0], loop.F32)
	if !ok {
		b.fail(c.span, "`%s` reduces a tensor, not %s", name, describe(v[0]))
	}
	rank := x.N.Type.Rank()
	axes := b.axesOf(v[1], rank, c)
	if keepsAxis[name] {
		if v[1] == nil || len(axes) != 1 && name == "cumsum" {
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
			b.fail(c.span, "an axis is a whole number, not %s", describe(v))
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
	x, ok := b.tensorLike(b.take(c, 1, "x")[0], loop.F32)
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
		return Range{whole(0), v[0]}
	}
	return Range{v[0], v[1]}
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
	case Num, Range:
		items := b.rangeItems(x, c.span)
		for i, j := 0, len(items)-1; i < j; i, j = i+1, j-1 {
			items[i], items[j] = items[j], items[i]
		}
		return List{items}
	case Tensor:
		axis := b.axesOf(v[1], x.N.Type.Rank(), c)
		if v[1] == nil {
			axis = []int{0}
		}
		out := make([]*index.Expr, x.N.Type.Rank())
		for k, d := range x.N.Type.Dims {
			out[k] = ir.Var(k)
			if hasAxis(axis, k) {
				out[k] = index.Sub(index.Sub(d.Length(), index.C(1)), ir.Var(k))
			}
		}
		return Tensor{N: b.f.b.Index(b.node(x), x.N.Type.Dims, out, nil), F: b.f, One: x.One}
	}
	b.fail(c.span, "`reverse` takes a list, a count or a tensor, not %s", describe(v[0]))
	return nil
}

// rangeItems lists the numbers of a count or a range.
func (b *builder) rangeItems(v Value, at Span) []Value {
	r, ok := v.(Range)
	if !ok {
		r = Range{whole(0), v}
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
	return out
}

func (b *builder) tensorArg(v Value, c *call) Tensor {
	x, ok := b.tensorLike(v, loop.F32)
	if !ok {
		b.fail(c.span, "`%s` takes a tensor, not %s", c.name, describe(v))
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
	x, ok := v[1].(Tensor)
	if !ok {
		b.failHelp(c.span, "a gradient with respect to a module belongs to `minimize`", "`grad` takes the tensor to differentiate by, not %s", describe(v[1]))
	}
	if s.N.Type.Rank() != 0 || !s.N.Type.Elem.IsFloat() {
		b.failHelp(c.span, "`grad(sum(y), x)`", "`grad` differentiates a scalar, not %s", typeText(s.N.Type))
	}
	if !x.N.Type.Elem.IsFloat() {
		b.fail(c.span, "there is no gradient by %s", typeText(x.N.Type))
	}
	sn, xn := b.node(s), b.node(x)
	if !reaches(sn, xn) {
		b.fail(c.span, "the scalar does not depend on `%s`, so there is no gradient", b.src.text(c.spans[min(1, len(c.spans)-1)]))
	}
	return b.tensor(b.f.b.Get(b.f.b.Grad(sn, xn), 0))
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

func (b *builder) tensorList(v Value, c *call) []Tensor {
	l, ok := v.(List)
	if !ok || len(l.Items) == 0 {
		b.failHelp(c.span, "`"+c.name+"([a, b], axis: 0)`", "`%s` takes a list of tensors", c.name)
	}
	var out []Tensor
	e := ir.Elem(loop.Bool)
	for i, x := range l.Items {
		t := b.tensorArg(x, c)
		out = append(out, t)
		if i == 0 {
			e = t.N.Type.Elem
		}
		e = joinElems(e, t.N.Type.Elem)
	}
	for i := range out {
		out[i] = b.cast(out[i], e)
	}
	return out
}

// concatBuiltin reads each part at its offset, 0 outside, and chooses.
func concatBuiltin(b *builder, c *call) Value {
	v := b.take(c, 1, "parts", "axis")
	parts := b.tensorList(v[0], c)
	rank := parts[0].N.Type.Rank()
	axis := 0
	if v[1] != nil {
		axis = b.axesOf(v[1], rank, c)[0]
	}
	total := 0
	for _, p := range parts {
		if p.N.Type.Rank() != rank {
			b.fail(c.span, "`concat` joins tensors of equal rank, not %s and %s", typeText(parts[0].N.Type), typeText(p.N.Type))
		}
		for k, d := range p.N.Type.Dims {
			if k != axis && !d.Equal(parts[0].N.Type.Dims[k]) {
				b.fail(c.span, "these shapes do not fit: %s and %s differ in axis %d, which `concat` does not join", typeText(parts[0].N.Type), typeText(p.N.Type), k)
			}
		}
		if p.N.Type.Dims[axis].Len != nil {
			b.fail(c.span, "`concat` along an axis whose length is known at run time only")
		}
		total += p.N.Type.Dims[axis].Size
	}
	shape := append([]ir.Dim{}, parts[0].N.Type.Dims...)
	shape[axis] = ir.Dim{Size: total}
	zero := 0.0
	offset := 0
	var acc *ir.Node
	for i, p := range parts {
		out := make([]*index.Expr, rank)
		for k := range out {
			out[k] = ir.Var(k)
		}
		out[axis] = index.Sub(ir.Var(axis), index.C(offset))
		n := b.f.b.Index(b.node(p), shape, out, &zero)
		if i == 0 {
			acc = n
		} else {
			here := b.f.b.Iota(shape, axis)
			acc = b.f.b.Where(b.f.b.Make(ir.OpLt, nil, here, b.f.b.Like(here, float64(offset))), acc, n)
		}
		offset += p.N.Type.Dims[axis].Size
	}
	return b.tensor(acc)
}

func stackBuiltin(b *builder, c *call) Value {
	v := b.take(c, 1, "parts", "axis")
	l, ok := v[0].(List)
	if !ok {
		b.fail(c.span, "`stack` takes a list of tensors")
	}
	var parts []Value
	axis := 0
	for i, x := range l.Items {
		t := b.tensorArg(x, c)
		if i == 0 && v[1] != nil {
			axis = b.axesOf(v[1], t.N.Type.Rank()+1, c)[0]
		}
		dims := append([]ir.Dim{}, t.N.Type.Dims...)
		dims = append(dims[:axis], append([]ir.Dim{{Size: 1}}, dims[axis:]...)...)
		var at []int
		for k := range dims {
			if k != axis {
				at = append(at, k)
			}
		}
		parts = append(parts, b.tensor(b.f.b.Broadcast(b.node(t), dims, at...)))
	}
	return concatBuiltin(b, &call{name: c.name, args: []Value{List{parts}, whole(axis)}, span: c.span})
}

func reshapeBuiltin(b *builder, c *call) Value {
	v := b.take(c, 2, "x", "shape")
	x := b.tensorArg(v[0], c)
	l, ok := v[1].(List)
	if !ok {
		b.failHelp(c.span, "`reshape(x, [a, b])`", "the shape is a list of sizes, not %s", describe(v[1]))
	}
	var dims []ir.Dim
	for _, s := range l.Items {
		dims = append(dims, b.dimOf(s, c.span))
	}
	return b.reshape(x, dims, c.span)
}

func flattenBuiltin(b *builder, c *call) Value {
	v := b.take(c, 1, "x", "axis")
	x := b.tensorArg(v[0], c)
	first := 0
	if v[1] != nil {
		first = b.axesOf(v[1], x.N.Type.Rank(), c)[0]
	}
	n := 1
	for _, d := range x.N.Type.Dims[first:] {
		n *= d.Size
	}
	return b.reshape(x, append(append([]ir.Dim{}, x.N.Type.Dims[:first]...), ir.Dim{Size: n}), c.span)
}

// reshape maps the flat index of the result to the indices of x. Runtime lengths must lead both shapes alike.
func (b *builder) reshape(x Tensor, dims []ir.Dim, at Span) Tensor {
	have := x.N.Type.Dims
	same := 0
	for same < len(have) && same < len(dims) && have[same].Equal(dims[same]) {
		same++
	}
	a, n := 1, 1
	for _, d := range have[same:] {
		a *= d.Size
		if d.Len != nil {
			b.fail(at, "`reshape` over an axis whose length is known at run time only")
		}
	}
	for _, d := range dims[same:] {
		n *= d.Size
		if d.Len != nil {
			b.fail(at, "`reshape` over an axis whose length is known at run time only")
		}
	}
	if a != n {
		b.fail(at, "these shapes do not fit: %s cannot become %s: %d elements and %d", typeText(x.N.Type), dimsText(dims), x.N.Type.Size(), ir.OfDims(loop.F32, dims).Size())
	}
	flat := index.C(0)
	for k := same; k < len(dims); k++ {
		flat = index.Sum(index.Prod(flat, index.C(dims[k].Size)), ir.Var(k))
	}
	bound := func(name string) (int, int) {
		for k := range dims {
			if ir.Var(k).Name == name {
				return 0, max(dims[k].Size-1, 0)
			}
		}
		return 0, 0
	}
	out := make([]*index.Expr, len(have))
	stride := 1
	for k := len(have) - 1; k >= same; k-- {
		out[k] = index.Rem(index.Quo(flat, index.C(stride)), index.C(have[k].Size)).SimplifyIn(bound)
		stride *= have[k].Size
	}
	for k := range same {
		out[k] = ir.Var(k)
	}
	return b.tensor(b.f.b.Index(b.node(x), dims, out, nil))
}

func transposeBuiltin(b *builder, c *call) Value {
	v := b.take(c, 1, "x", "axes")
	x := b.tensorArg(v[0], c)
	rank := x.N.Type.Rank()
	if rank < 2 {
		b.fail(c.span, "`transpose` wants at least 2 axes, `%s` has %d", b.src.text(c.spans[0]), rank)
	}
	order := make([]int, rank)
	for k := range order {
		order[k] = k
	}
	if v[1] == nil {
		order[rank-1], order[rank-2] = rank-2, rank-1
	} else {
		l, ok := v[1].(List)
		if !ok || len(l.Items) != rank || len(b.axesOf(l, rank, c)) != rank {
			b.fail(c.span, "`axes` lists each axis once")
		}
		for k, a := range l.Items {
			order[k] = (int(a.(Num).V) + rank) % rank
		}
	}
	n := b.f.b.Permute(b.node(x), order...)
	one := make([]bool, rank)
	for k, a := range order {
		one[k] = x.isOne(a)
	}
	return Tensor{N: n, F: b.f, One: one}
}

// lastAxis moves an axis to the end for ops that work there, and back.
func (b *builder) lastAxis(x Tensor, v Value, c *call, f func(n *ir.Node) *ir.Node) Tensor {
	rank := x.N.Type.Rank()
	if rank == 0 {
		b.fail(c.span, "`%s` wants at least one axis", c.name)
	}
	axis := rank - 1
	if v != nil {
		axis = b.axesOf(v, rank, c)[0]
	}
	order := make([]int, rank)
	for k := range order {
		order[k] = k
	}
	order[axis], order[rank-1] = rank-1, axis
	return b.tensor(b.f.b.Permute(f(b.f.b.Permute(b.node(x), order...)), order...))
}

func argsortBuiltin(b *builder, c *call) Value {
	v := b.take(c, 1, "x", "axis")
	return b.lastAxis(b.tensorArg(v[0], c), v[1], c, func(n *ir.Node) *ir.Node { return b.f.b.ArgSort(n) })
}

func sortBuiltin(b *builder, c *call) Value {
	v := b.take(c, 1, "x", "axis")
	return b.lastAxis(b.tensorArg(v[0], c), v[1], c, func(n *ir.Node) *ir.Node {
		return b.gatherLast(n, b.f.b.ArgSort(n))
	})
}

func (b *builder) gatherLast(n, order *ir.Node) *ir.Node {
	out := make([]*index.Expr, n.Type.Rank())
	for k := range out {
		out[k] = ir.Var(k)
	}
	out[len(out)-1] = ir.Data(1)
	return b.f.b.Index(n, order.Type.Dims, out, nil, order)
}

func topKBuiltin(b *builder, c *call) Value {
	v := b.take(c, 2, "x", "k", "axis")
	k, ok := v[1].(Num)
	x := b.tensorArg(v[0], c)
	if !ok || !k.isWhole() || k.V < 1 {
		b.fail(c.span, "`k` is a whole number from 1 on that the compiler knows, not %s", describe(v[1]))
	}
	return b.lastAxis(x, v[2], c, func(n *ir.Node) *ir.Node {
		if d := n.Type.Dims[n.Type.Rank()-1]; int(k.V) > d.Size {
			b.fail(c.span, "there are no %s largest of %s", k, dimText(d))
		}
		return b.f.b.TopK(n, int(k.V))
	})
}

func varBuiltin(b *builder, c *call) Value {
	v := b.take(c, 1, "x", "axis", "keep")
	x := b.tensorArg(v[0], c)
	x = b.cast(x, floatOf(x.N.Type.Elem))
	at := b.axesOf(v[1], x.N.Type.Rank(), c)
	center := b.kept(b.mean(x, at, nil), x, at)
	d := b.binary("-", x, center, c.span).(Tensor)
	r := b.mean(b.elementwise(ir.OpMul, d, d), at, nil)
	if keep, ok := v[2].(Bool); ok && bool(keep) {
		return b.kept(r, x, at)
	}
	return r
}

func stdBuiltin(b *builder, c *call) Value {
	return b.elementwise(ir.OpSqrt, varBuiltin(b, c).(Tensor))
}
