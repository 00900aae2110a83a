package ir

import (
	"fmt"
	"math"

	"mdlc/ir/index"
	"mdlc/ir/loop"
)

// Linear algebra of small matrices. A matrix is the last two axes of an array, the axes before them are a
// batch. Kernels do not know these ops: they expand to a loop over the columns (expand_linear.go). Their
// gradients are written in these ops again, so there are gradients of every order.

func init() {
	OpSolve = define(&Op{
		Name: "solve", Arity: 2, Doc: "x of a x = b: a lower or upper triangle (the rest is not read), or any matrix, by elimination with row exchanges",
		Infer:  inferSolve,
		Grad:   solveGrad,
		Expand: expandSolve,
		Cost:   func(n *Node) float64 { return rows(n.Args[0]) },
		Eval: func(e *Evaluator, n *Node, args []*Tensor) *Tensor {
			return evalMatrices(e, n, args, n.Attr.(SolveAttr).Kind.solve)
		},
		ParseAttr: parseSolve,
	})
	OpCholesky = define(&Op{
		Name: "cholesky", Arity: 1, Doc: "the lower triangle l of l lᵀ = a; only the lower triangle of a is read",
		Infer:  inferSquare,
		Grad:   choleskyGrad,
		Expand: expandCholesky,
		Cost:   func(n *Node) float64 { return rows(n.Args[0]) },
		Eval:   func(e *Evaluator, n *Node, args []*Tensor) *Tensor { return evalMatrices(e, n, args, cholesky) },
	})
	OpLogAbsDet = define(&Op{
		Name: "log_abs_det", Arity: 1, Doc: "log |det a|; -inf where a is singular",
		Infer: inferDet,
		Grad: func(b *Builder, n, dy *Node) []*Node { // d log|det a| = tr(a⁻¹ da)
			a := n.Args[0]
			inverse := b.Solve(General, transposed(b, a), unit(b, a.Type.Dims, a.Type.Elem))
			return []*Node{b.Mul(overMatrix(b, dy, a.Type.Dims), inverse)}
		},
		Expand: expandLogAbsDet,
		Cost:   func(n *Node) float64 { return math.Pow(rows(n.Args[0]), 3) },
		Eval:   func(e *Evaluator, n *Node, args []*Tensor) *Tensor { return evalMatrices(e, n, args, logAbsDet) },
	})
	OpDetSign = define(&Op{
		Name: "det_sign", Arity: 1, Doc: "the sign of det a: -1, 0 or 1",
		Infer:  inferDet,
		NoGrad: "a sign is constant almost everywhere",
		Expand: expandDetSign,
		Cost:   func(n *Node) float64 { return math.Pow(rows(n.Args[0]), 3) },
		Eval:   func(e *Evaluator, n *Node, args []*Tensor) *Tensor { return evalMatrices(e, n, args, detSign) },
	})
}

// rows is the number of rows of the matrices x.
func rows(x *Node) float64 { return float64(x.Type.Dims[x.Type.Rank()-2].Size) }

func inferSquare(_ *Scope, n *Node) (Type, error) {
	x := n.Args[0].Type
	if x.IsTuple() || x.Rank() < 2 || x.Elem != loop.F32 && x.Elem != loop.F64 {
		return x, takes("matrices of floats", x)
	}
	r, c := x.Dims[x.Rank()-2], x.Dims[x.Rank()-1]
	if r.Len != nil || c.Len != nil || r.Size != c.Size || r.Size == 0 {
		return x, takes("square matrices of one row or more", x)
	}
	return x, nil
}

func inferSolve(s *Scope, n *Node) (Type, error) {
	a, err := inferSquare(s, n)
	if err != nil {
		return a, err
	}
	b := n.Args[1].Type
	if b.IsTuple() || b.Elem != a.Elem || b.Rank() != a.Rank() || !SameDims(b.Dims[:b.Rank()-1], a.Dims[:a.Rank()-1]) {
		return b, fmt.Errorf("the matrices %s and the right sides %s do not fit", a, b)
	}
	return b, nil
}

func inferDet(s *Scope, n *Node) (Type, error) {
	a, err := inferSquare(s, n)
	if err != nil {
		return a, err
	}
	return OfDims(a.Elem, a.Dims[:a.Rank()-2]), nil
}

// Solve is x of a x = y.
func (b *Builder) Solve(kind SolveKind, a, y *Node) *Node {
	return b.Make(OpSolve, SolveAttr{kind}, a, y)
}

// transposed exchanges the last two axes: it is free.
func transposed(b *Builder, x *Node) *Node {
	order := make([]int, x.Type.Rank())
	for k := range order {
		order[k] = k
	}
	last := len(order) - 1
	order[last-1], order[last] = last, last-1
	return b.Permute(x, order...)
}

// overMatrix repeats x, one number for each matrix, over the last two of dims.
func overMatrix(b *Builder, x *Node, dims []Dim) *Node {
	axes := make([]int, x.Type.Rank())
	for k := range axes {
		axes[k] = k
	}
	return b.Broadcast(x, dims, axes...)
}

// compareAxes is op (lt, eq, …) of the row and the column of each element.
func compareAxes(b *Builder, op string, dims []Dim) *Node {
	return b.Op(op, b.Iota(dims, len(dims)-2), b.Iota(dims, len(dims)-1))
}

// unit is identity matrices.
func unit(b *Builder, dims []Dim, e Elem) *Node { return b.Cast(compareAxes(b, "eq", dims), e) }

// matmul is the product of matrices: x y, or x yᵀ.
func matmul(b *Builder, x, y *Node, transposeY bool) *Node {
	batch := "abcdefghijklmnopqrstuvw"[:x.Type.Rank()-2]
	right := "zy"
	if transposeY {
		right = "yz"
	}
	return b.Dot(batch+"xz,"+batch+right+"->"+batch+"xy", x, y)
}

// solveGrad: with x = a⁻¹ y, the cotangent of y is g = a⁻ᵀ dx, that of a is -g xᵀ on the triangle that is read.
func solveGrad(b *Builder, n, dx *Node) []*Node {
	kind, a := n.Attr.(SolveAttr).Kind, n.Args[0]
	g := b.Solve(kind.transposed(), transposed(b, a), dx)
	da := b.Neg(matmul(b, g, n, true))
	switch kind {
	case Lower:
		da = triangle(b, da)
	case Upper:
		da = b.Where(compareAxes(b, "le", a.Type.Dims), da, b.Like(da, 0))
	}
	return []*Node{da, g}
}

// choleskyGrad (Murray, Differentiation of the Cholesky decomposition, 2016, arXiv 1602.07527): with Φ the lower
// triangle and half of the diagonal, s = l⁻ᵀ Φ(lᵀ dl) l⁻¹; the cotangent of the lower triangle of a is Φ(s + sᵀ).
func choleskyGrad(b *Builder, l, dl *Node) []*Node {
	dims := l.Type.Dims
	half := func(x *Node) *Node {
		return triangle(b, b.Where(compareAxes(b, "eq", dims), b.Mul(x, b.Like(x, 0.5)), x))
	}
	up := transposed(b, l)
	z := b.Solve(Upper, up, half(matmul(b, up, triangle(b, dl), false)))
	s := b.Solve(Upper, up, transposed(b, z))
	return []*Node{half(b.Add(s, transposed(b, s)))}
}

// triangle is the lower triangle of x.
func triangle(b *Builder, x *Node) *Node {
	return b.Where(compareAxes(b, "ge", x.Type.Dims), x, b.Like(x, 0))
}

// evalMatrices applies f to the matrices of a batch: out and in are row-major, in.a of n rows, b and out of m columns.
func evalMatrices(e *Evaluator, node *Node, args []*Tensor, f func(out []float64, n, m int, in ...[]float64)) *Tensor {
	t := e.zeros(node.Type)
	last := args[len(args)-1]
	n, m := last.Dims[len(last.Dims)-2], last.Dims[len(last.Dims)-1]
	batch := 1
	for _, d := range last.Dims[:len(last.Dims)-2] {
		batch *= d
	}
	for k := range batch {
		in := make([][]float64, len(args))
		for i, a := range args {
			size := len(a.F) / batch
			in[i] = a.F[k*size : (k+1)*size]
		}
		size := len(t.F) / batch
		f(t.F[k*size:(k+1)*size], n, m, in...)
	}
	return t
}

func (k SolveKind) solve(x []float64, n, m int, in ...[]float64) {
	a := append([]float64(nil), in[0]...)
	copy(x, in[1])
	if k == General {
		eliminate(a, x, n, m)
		k = Upper
	}
	for turn := range n {
		i := turn
		if k == Upper {
			i = n - 1 - turn
		}
		for c := range m {
			for j := range n {
				if k == Lower && j < i || k == Upper && j > i {
					x[i*m+c] -= a[i*n+j] * x[j*m+c]
				}
			}
			x[i*m+c] /= a[i*n+i]
		}
	}
}

// eliminate makes a an upper triangle by exchanging and subtracting rows, of x too, and gives the sign of the exchanges.
func eliminate(a, x []float64, n, m int) (sign float64) {
	sign = 1
	for k := range n {
		p := k
		for i := k; i < n; i++ {
			if math.Abs(a[i*n+k]) > math.Abs(a[p*n+k]) {
				p = i
			}
		}
		if p != k {
			sign = -sign
			for j := range n {
				a[k*n+j], a[p*n+j] = a[p*n+j], a[k*n+j]
			}
			for j := range m {
				x[k*m+j], x[p*m+j] = x[p*m+j], x[k*m+j]
			}
		}
		for i := k + 1; i < n && a[k*n+k] != 0; i++ {
			f := a[i*n+k] / a[k*n+k]
			for j := range n {
				a[i*n+j] -= f * a[k*n+j]
			}
			for j := range m {
				x[i*m+j] -= f * x[k*m+j]
			}
		}
	}
	return sign
}

func cholesky(l []float64, n, _ int, in ...[]float64) {
	for i := range n {
		for j := range i + 1 {
			s := in[0][i*n+j]
			for k := range j {
				s -= l[i*n+k] * l[j*n+k]
			}
			if i == j {
				l[i*n+i] = math.Sqrt(s)
			} else {
				l[i*n+j] = s / l[j*n+j]
			}
		}
	}
}

func logAbsDet(out []float64, n, _ int, in ...[]float64) {
	a := append([]float64(nil), in[0]...)
	eliminate(a, nil, n, 0)
	for k := range n {
		out[0] += math.Log(math.Abs(a[k*n+k]))
	}
}

func detSign(out []float64, n, _ int, in ...[]float64) {
	a := append([]float64(nil), in[0]...)
	out[0] = eliminate(a, nil, n, 0)
	for k := range n {
		switch d := a[k*n+k]; {
		case d < 0:
			out[0] = -out[0]
		case d != d || d == 0:
			out[0] *= d
		}
	}
}

// turnSymbol is a name for the turn of a loop that b does not see yet.
func turnSymbol(b *Builder) string {
	for k := 0; ; k++ {
		name := fmt.Sprintf("column%d", k)
		if _, taken := b.Scope().Lookup(name); !taken {
			return name
		}
	}
}

// at is x with axis at the given place: it leaves the shape.
func at(b *Builder, x *Node, axis int, place *index.Expr, data ...*Node) *Node {
	dims := without(x.Type.Dims, []int{axis})
	out := make([]*index.Expr, x.Type.Rank())
	for k := range out {
		switch {
		case k < axis:
			out[k] = Var(k)
		case k > axis:
			out[k] = Var(k - 1)
		default:
			out[k] = place
		}
	}
	return b.Index(x, dims, out, nil, data...)
}
