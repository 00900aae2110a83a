package ir

import (
	"math"

	"mdlc/ir/loop"
)

// A function is an element-wise row in short: result[i] depends on args[i] only.
// The gradient gets the cotangent and returns one for each argument.
type function struct {
	name  string
	arity int
	doc   string
	in    domain
	bool  bool // the result is bool
	cost  float64
	inner bool // not callable by name from mdl: an operator or a word of the language

	scalar func(c *LowerCtx, n *Node, x []*loop.Value) *loop.Value // kernel IR
	float  func(x []float64) float64                               // reference, floats; bool results are 0 or 1
	int    func(x []int64) int64                                   // reference, integers and bools; wrapped to the type
	grad   func(b *Builder, n *Node, dy *Node) []*Node
	noGrad string
}

// domain is the element types that a function takes; all operands have the same.
type domain uint8

const (
	floats domain = iota
	integers
	numbers // floats and integers
	logical // bool and integers
	anything
)

func (d domain) has(e Elem) bool {
	switch d {
	case floats:
		return e.IsFloat()
	case integers:
		return e.IsInt()
	case numbers:
		return e.IsFloat() || e.IsInt()
	case logical:
		return !e.IsFloat()
	}
	return true
}

var domainNames = []string{"floats", "integers", "numbers", "bools or integers", "any elements"}

func defineFunction(f function) *Op {
	op := define(&Op{
		Name: f.name, Arity: f.arity, Doc: f.doc, Class: ClassElementwise, Builtin: !f.inner,
		Infer: f.infer,
		Grad:  f.grad, NoGrad: f.noGrad,
		Lower: func(c *LowerCtx, n *Node, idx []*loop.Value) *loop.Value {
			x := make([]*loop.Value, len(n.Args))
			for i := range x {
				x[i] = c.Args[i](idx)
			}
			return f.scalar(c, n, x)
		},
		Cost: func(*Node) float64 { return f.cost },
		Eval: f.eval,
	})
	return op
}

func (f function) infer(_ *Scope, n *Node) (Type, error) {
	t := n.Args[0].Type
	if err := sameTypes(n.Args); err != nil {
		return t, err
	}
	if t.IsTuple() || !f.in.has(t.Elem) {
		return t, takes(domainNames[f.in], t)
	}
	if f.bool {
		t = t.WithElem(loop.Bool)
	}
	return t, nil
}

// instr is the rule of a function that the kernel IR has.
func instr(op loop.Op) func(c *LowerCtx, n *Node, x []*loop.Value) *loop.Value {
	return func(c *LowerCtx, n *Node, x []*loop.Value) *loop.Value { return c.B.Op(op, x...) }
}

func unary(f func(float64) float64) func([]float64) float64 {
	return func(x []float64) float64 { return f(x[0]) }
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// compare is a row of a comparison.
func compare(name, doc string, in domain, op loop.Op, float func(a, b float64) bool, int func(a, b int64) bool) *Op {
	return defineFunction(function{name: name, arity: 2, doc: doc, in: in, bool: true, cost: 1, inner: true,
		scalar: instr(op),
		float:  func(x []float64) float64 { return truth(float(x[0], x[1])) },
		int:    func(x []int64) int64 { return int64(truth(int(x[0], x[1]))) },
		noGrad: "a comparison is constant almost everywhere"})
}

const flat = "constant almost everywhere"

func init() {
	OpAdd = defineFunction(function{name: "add", arity: 2, doc: "x + y", in: numbers, cost: 1, inner: true,
		scalar: instr(loop.Add),
		float:  func(x []float64) float64 { return x[0] + x[1] },
		int:    func(x []int64) int64 { return x[0] + x[1] },
		grad:   func(b *Builder, n, dy *Node) []*Node { return []*Node{dy, dy} }})
	OpSub = defineFunction(function{name: "sub", arity: 2, doc: "x - y", in: numbers, cost: 1, inner: true,
		scalar: instr(loop.Sub),
		float:  func(x []float64) float64 { return x[0] - x[1] },
		int:    func(x []int64) int64 { return x[0] - x[1] },
		grad:   func(b *Builder, n, dy *Node) []*Node { return []*Node{dy, b.Neg(dy)} }})
	OpMul = defineFunction(function{name: "mul", arity: 2, doc: "x * y", in: numbers, cost: 1, inner: true,
		scalar: instr(loop.Mul),
		float:  func(x []float64) float64 { return x[0] * x[1] },
		int:    func(x []int64) int64 { return x[0] * x[1] },
		grad: func(b *Builder, n, dy *Node) []*Node {
			return []*Node{b.Mul(dy, n.Args[1]), b.Mul(dy, n.Args[0])}
		}})
	OpDiv = defineFunction(function{name: "div", arity: 2, doc: "x / y of floats", in: floats, cost: 4, inner: true,
		scalar: instr(loop.Div),
		float:  func(x []float64) float64 { return x[0] / x[1] },
		grad: func(b *Builder, n, dy *Node) []*Node {
			q := b.Div(dy, n.Args[1])
			return []*Node{q, b.Neg(b.Mul(q, n))}
		}})
	OpIDiv = defineFunction(function{name: "idiv", arity: 2, doc: "x / y of integers, rounded down; 0 where y is 0", in: integers, cost: 8, inner: true,
		scalar: nonZero(loop.Div),
		int: func(x []int64) int64 {
			if x[1] == 0 {
				return 0
			}
			return floorDiv(x[0], x[1])
		},
		noGrad: flat})
	OpMod = defineFunction(function{name: "mod", arity: 2, doc: "remainder of idiv, with the sign of y; 0 where y is 0", in: integers, cost: 8, inner: true,
		scalar: nonZero(loop.Mod),
		int: func(x []int64) int64 {
			if x[1] == 0 {
				return 0
			}
			return x[0] - x[1]*floorDiv(x[0], x[1])
		},
		noGrad: flat})
	OpPow = defineFunction(function{name: "pow", arity: 2, doc: "x to the power y", in: floats, cost: 30, inner: true,
		scalar: instr(loop.Pow),
		float:  func(x []float64) float64 { return math.Pow(x[0], x[1]) },
		grad:   powGrad})
	OpNeg = defineFunction(function{name: "neg", arity: 1, doc: "-x", in: numbers, cost: 1, inner: true,
		scalar: instr(loop.Neg),
		float:  func(x []float64) float64 { return -x[0] },
		int:    func(x []int64) int64 { return -x[0] },
		grad:   func(b *Builder, n, dy *Node) []*Node { return []*Node{b.Neg(dy)} }})

	defineChoices()
	defineComparisons()
	defineLogic()
	defineRounding()
	defineTranscendental()
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b != 0 && (a < 0) != (b < 0) {
		q--
	}
	return q
}

// nonZero guards an integer division: it gives 0 where the divisor is 0.
func nonZero(op loop.Op) func(c *LowerCtx, n *Node, x []*loop.Value) *loop.Value {
	return func(c *LowerCtx, n *Node, x []*loop.Value) *loop.Value {
		zero, one := number(c, n.Type.Elem, 0), number(c, n.Type.Elem, 1)
		ok := c.B.Op(loop.Ne, x[1], zero)
		return c.B.Where(ok, c.B.Op(op, x[0], c.B.Where(ok, x[1], one)), zero)
	}
}

// powGrad: the gradient with respect to the exponent is 0 where x <= 0, and that
// with respect to x is 0 where the exponent is 0.
func powGrad(b *Builder, n, dy *Node) []*Node {
	x, y := n.Args[0], n.Args[1]
	zero, one := b.Like(x, 0), b.Like(x, 1)
	dx := b.Where(b.Op("eq", y, zero), zero, b.Mul(y, b.Op("pow", x, b.Sub(y, one))))
	positive := b.Op("gt", x, zero)
	ly := b.Where(positive, b.Mul(n, b.Op("log", b.Where(positive, x, one))), zero)
	return []*Node{b.Mul(dy, dx), b.Mul(dy, ly)}
}

// defineChoices: max and min give the cotangent to the first operand where both are equal.
func defineChoices() {
	choose := func(name, doc string, op loop.Op, cmp string, float func(a, b float64) float64, int func(a, b int64) int64) *Op {
		return defineFunction(function{name: name, arity: 2, doc: doc, in: numbers, cost: 1,
			scalar: instr(op),
			float:  func(x []float64) float64 { return float(x[0], x[1]) },
			int:    func(x []int64) int64 { return int(x[0], x[1]) },
			grad: func(b *Builder, n, dy *Node) []*Node {
				first, zero := b.Op(cmp, n.Args[0], n.Args[1]), b.Like(dy, 0)
				return []*Node{b.Where(first, dy, zero), b.Where(first, zero, dy)}
			}})
	}
	OpMax = choose("max", "the larger one; NaN if either is; gradient of equals: to x", loop.Max, "ge",
		func(a, b float64) float64 { return max(a, b) }, func(a, b int64) int64 { return max(a, b) })
	OpMin = choose("min", "the smaller one; NaN if either is; gradient of equals: to x", loop.Min, "le",
		func(a, b float64) float64 { return min(a, b) }, func(a, b int64) int64 { return min(a, b) })
	OpWhere = define(&Op{
		Name: "where", Arity: 3, Doc: "x where c, else y", Class: ClassElementwise,
		Infer: func(_ *Scope, n *Node) (Type, error) {
			c, x := n.Args[0].Type, n.Args[1].Type
			if err := sameTypes(n.Args[1:]); err != nil {
				return x, err
			}
			if x.IsTuple() || !c.Equal(x.WithElem(loop.Bool)) {
				return x, shapesDiffer(c, x.WithElem(loop.Bool))
			}
			return x, nil
		},
		Grad: func(b *Builder, n, dy *Node) []*Node {
			c, zero := n.Args[0], b.Like(dy, 0)
			return []*Node{nil, b.Where(c, dy, zero), b.Where(c, zero, dy)}
		},
		Lower: func(c *LowerCtx, n *Node, idx []*loop.Value) *loop.Value {
			return c.B.Where(c.Args[0](idx), c.Args[1](idx), c.Args[2](idx))
		},
		Cost: func(*Node) float64 { return 1 },
		Eval: evalWhere,
	})
}

func defineComparisons() {
	OpEq = compare("eq", "x == y", anything, loop.Eq, func(a, b float64) bool { return a == b }, func(a, b int64) bool { return a == b })
	OpNe = compare("ne", "x != y", anything, loop.Ne, func(a, b float64) bool { return a != b }, func(a, b int64) bool { return a != b })
	OpLt = compare("lt", "x < y", numbers, loop.Lt, func(a, b float64) bool { return a < b }, func(a, b int64) bool { return a < b })
	OpLe = compare("le", "x <= y", numbers, loop.Le, func(a, b float64) bool { return a <= b }, func(a, b int64) bool { return a <= b })
	OpGt = compare("gt", "x > y", numbers, loop.Gt, func(a, b float64) bool { return a > b }, func(a, b int64) bool { return a > b })
	OpGe = compare("ge", "x >= y", numbers, loop.Ge, func(a, b float64) bool { return a >= b }, func(a, b int64) bool { return a >= b })
}

func defineLogic() {
	logic := func(name string, arity int, doc string, op loop.Op, int func(x []int64) int64) *Op {
		return defineFunction(function{name: name, arity: arity, doc: doc, in: logical, cost: 1, inner: true,
			scalar: instr(op), int: int, noGrad: "bools and integers have no gradient"})
	}
	OpAnd = logic("and", 2, "x and y, bit by bit for integers", loop.And, func(x []int64) int64 { return x[0] & x[1] })
	OpOr = logic("or", 2, "x or y, bit by bit for integers", loop.Or, func(x []int64) int64 { return x[0] | x[1] })
	logic("xor", 2, "exclusive or, bit by bit for integers", loop.Xor, func(x []int64) int64 { return x[0] ^ x[1] })
	OpNot = logic("not", 1, "not x, bit by bit for integers", loop.Not, func(x []int64) int64 { return ^x[0] })
}

func defineRounding() {
	defineFunction(function{name: "abs", arity: 1, doc: "the absolute value; gradient at 0: 0", in: numbers, cost: 1,
		scalar: instr(loop.Abs),
		float:  unary(math.Abs),
		int:    func(x []int64) int64 { return max(x[0], -x[0]) },
		grad: func(b *Builder, n, dy *Node) []*Node {
			return []*Node{b.Mul(dy, b.Op("sign", n.Args[0]))}
		}})
	defineFunction(function{name: "sign", arity: 1, doc: "-1, 0 or 1", in: numbers, cost: 2,
		scalar: func(c *LowerCtx, n *Node, x []*loop.Value) *loop.Value {
			e := n.Type.Elem
			zero, one := number(c, e, 0), number(c, e, 1)
			neg := zero // of an unsigned integer
			if e != loop.U8 && e != loop.U32 {
				neg = c.B.Where(c.B.Op(loop.Lt, x[0], zero), number(c, e, -1), zero)
			}
			s := c.B.Where(c.B.Op(loop.Gt, x[0], zero), one, neg)
			if e.IsFloat() {
				return c.B.Where(c.B.Op(loop.Ne, x[0], x[0]), x[0], s)
			}
			return s
		},
		float: func(x []float64) float64 {
			if x[0] != x[0] {
				return x[0]
			}
			return truth(x[0] > 0) - truth(x[0] < 0)
		},
		int:    func(x []int64) int64 { return int64(truth(x[0] > 0) - truth(x[0] < 0)) },
		noGrad: flat})
	defineFunction(function{name: "floor", arity: 1, doc: "rounded down", in: floats, cost: 1,
		scalar: instr(loop.Floor), float: unary(math.Floor), noGrad: flat})
	defineFunction(function{name: "round", arity: 1, doc: "rounded to the nearest integer, halves to even", in: floats, cost: 1,
		scalar: instr(loop.Round), float: unary(math.RoundToEven), noGrad: flat})
	OpStop = defineFunction(function{name: "stop", arity: 1, doc: "x, without gradient", in: anything,
		scalar: func(_ *LowerCtx, _ *Node, x []*loop.Value) *loop.Value { return x[0] },
		float:  func(x []float64) float64 { return x[0] }, int: func(x []int64) int64 { return x[0] },
		noGrad: "it takes a value without its gradient"})
	OpCast = define(&Op{
		Name: "cast", Arity: 1, Doc: "x converted to another element type", Class: ClassElementwise,
		Infer: func(_ *Scope, n *Node) (Type, error) {
			if n.Args[0].Type.IsTuple() {
				return Type{}, takes("tensors", n.Args[0].Type)
			}
			return n.Args[0].Type.WithElem(n.Attr.(CastAttr).To), nil
		},
		Grad: func(b *Builder, n, dy *Node) []*Node {
			if x := n.Args[0].Type.Elem; x.IsFloat() && dy.Type.Elem.IsFloat() {
				return []*Node{b.Cast(dy, x)}
			}
			return []*Node{nil}
		},
		Lower: func(c *LowerCtx, n *Node, idx []*loop.Value) *loop.Value {
			return convert(c, c.Args[0](idx), n.Type.Elem)
		},
		Cost:      func(*Node) float64 { return 1 },
		Eval:      evalCast,
		ParseAttr: parseCast,
	})
}

func defineTranscendental() {
	smooth := func(name, doc string, cost float64, op loop.Op, float func(float64) float64, d func(b *Builder, x, y *Node) *Node) *Op {
		return defineFunction(function{name: name, arity: 1, doc: doc, in: floats, cost: cost,
			scalar: instr(op), float: unary(float),
			grad: func(b *Builder, n, dy *Node) []*Node { return []*Node{b.Mul(dy, d(b, n.Args[0], n))} }})
	}
	one := func(b *Builder, x *Node) *Node { return b.Like(x, 1) }
	OpSqrt = smooth("sqrt", "the square root", 6, loop.Sqrt, math.Sqrt,
		func(b *Builder, x, y *Node) *Node { return b.Div(b.Like(x, 0.5), y) })
	smooth("rsqrt", "1/sqrt(x)", 6, loop.Rsqrt, func(x float64) float64 { return 1 / math.Sqrt(x) },
		func(b *Builder, x, y *Node) *Node { return b.Mul(b.Like(x, -0.5), b.Div(y, x)) })
	smooth("exp", "e to the power x", 12, loop.Exp, math.Exp,
		func(b *Builder, x, y *Node) *Node { return y })
	smooth("log", "the natural logarithm", 14, loop.Log, math.Log,
		func(b *Builder, x, y *Node) *Node { return b.Div(one(b, x), x) })
	smooth("log1p", "log(1 + x)", 16, loop.Log1p, math.Log1p,
		func(b *Builder, x, y *Node) *Node { return b.Div(one(b, x), b.Add(one(b, x), x)) })
	smooth("expm1", "exp(x) - 1", 14, loop.Expm1, math.Expm1,
		func(b *Builder, x, y *Node) *Node { return b.Add(y, one(b, x)) })
	smooth("tanh", "the hyperbolic tangent", 16, loop.Tanh, math.Tanh,
		func(b *Builder, x, y *Node) *Node { return b.Sub(one(b, x), b.Mul(y, y)) })
	smooth("sigmoid", "1/(1 + exp(-x))", 16, loop.Sigmoid, func(x float64) float64 { return 1 / (1 + math.Exp(-x)) },
		func(b *Builder, x, y *Node) *Node { return b.Mul(y, b.Sub(one(b, x), y)) })
	smooth("erf", "the error function", 18, loop.Erf, math.Erf,
		func(b *Builder, x, y *Node) *Node {
			return b.Mul(b.Like(x, 2/math.Sqrt(math.Pi)), b.Op("exp", b.Neg(b.Mul(x, x))))
		})
	defineFunction(function{name: "atan", arity: 1, doc: "the arc tangent", in: floats, cost: 40,
		scalar: atan, float: unary(math.Atan),
		grad: func(b *Builder, n, dy *Node) []*Node {
			x := n.Args[0]
			return []*Node{b.Div(dy, b.Add(one(b, x), b.Mul(x, x)))}
		}})
	smooth("sin", "the sine", 16, loop.Sin, math.Sin,
		func(b *Builder, x, y *Node) *Node { return b.Op("cos", x) })
	smooth("cos", "the cosine", 16, loop.Cos, math.Cos,
		func(b *Builder, x, y *Node) *Node { return b.Neg(b.Op("sin", x)) })
}

// atan is that of fdlibm: |x| is turned towards 0, 1/2, 1, 3/2 or infinity, whose arc tangents are known, and what is left is
// below 7/16, where the arc tangent is a polynomial (the coefficients are fdlibm's, s_atan.c).
func atan(c *LowerCtx, n *Node, x []*loop.Value) *loop.Value {
	b, e := c.B, n.Type.Elem
	num := func(f float64) *loop.Value { return number(c, e, f) }
	one, size := num(1), b.Op(loop.Abs, x[0])
	top, bottom, known := size, one, num(0)
	for _, r := range []struct{ from, near float64 }{{7. / 16, .5}, {11. / 16, 1}, {19. / 16, 1.5}} {
		beyond, near := b.Op(loop.Ge, size, num(r.from)), num(r.near)
		top = b.Where(beyond, b.Op(loop.Sub, size, near), top)
		bottom = b.Where(beyond, b.Op(loop.Add, one, b.Op(loop.Mul, near, size)), bottom)
		known = b.Where(beyond, num(math.Atan(r.near)), known)
	}
	far := b.Op(loop.Ge, size, num(39./16))
	top, bottom, known = b.Where(far, num(-1), top), b.Where(far, size, bottom), b.Where(far, num(math.Pi/2), known)
	t := b.Op(loop.Div, top, bottom)
	t2 := b.Op(loop.Mul, t, t)
	sum := num(1.62858201153657823623e-02)
	for _, k := range []float64{-3.65315727442169155270e-02, 4.97687799461593236017e-02, -5.83357013379057348645e-02, 6.66107313738753120669e-02, -7.69187620504482999495e-02,
		9.09088713343650656196e-02, -1.11111104054623557880e-01, 1.42857142725034663711e-01, -1.99999999998764832476e-01, 3.33333333333329318027e-01} {
		sum = b.Op(loop.Add, b.Op(loop.Mul, sum, t2), num(k))
	}
	y := b.Op(loop.Add, known, b.Op(loop.Sub, t, b.Op(loop.Mul, t, b.Op(loop.Mul, t2, sum))))
	y = b.Where(b.Op(loop.Lt, x[0], num(0)), b.Op(loop.Neg, y), y)
	return b.Where(b.Op(loop.Eq, x[0], num(0)), x[0], y) // keeps the sign of a zero
}
