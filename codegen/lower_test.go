package codegen

import (
	"fmt"
	"math"
	"math/rand"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/ir"
	"mdlc/ir/index"
	"mdlc/ir/loop"
)

// maker builds one node of an op with random attributes over parameters that the case makes.
type maker func(c *lowerCase) *ir.Node

// lowerCase is a graph of one op with random arguments.
type lowerCase struct {
	t      *testing.T
	r      *rand.Rand
	b      *ir.Builder
	params map[string]*ir.Tensor
	lens   map[string]int
}

// size is a length with edges: 1, primes, around a vector's width, a power of two; sometimes 0.
func (c *lowerCase) size() int {
	return []int{1, 1, 2, 3, 5, 7, 8, 9, 16, 17, 31}[c.r.Intn(11)]
}

// dim is an axis, in one of four cases of runtime length.
func (c *lowerCase) dim() ir.Dim {
	n := c.size()
	if c.r.Intn(4) > 0 {
		return ir.Dim{Size: n}
	}
	name := fmt.Sprintf("n%c", 'a'+len(c.lens))
	c.lens[name] = c.r.Intn(n + 1)
	return ir.Dim{Size: n, Len: c.b.Sym(name, n, nil)}
}

func (c *lowerCase) dims(rank int) []ir.Dim {
	out := make([]ir.Dim, rank)
	for i := range out {
		out[i] = c.dim()
	}
	return out
}

// param is a parameter with random values at its actual lengths.
func (c *lowerCase) param(t ir.Type) *ir.Node {
	return c.paramIn(t, -3, 3)
}

func (c *lowerCase) paramIn(t ir.Type, lo, hi float64) *ir.Node {
	name := fmt.Sprintf("x%d", len(c.params))
	x := ir.NewTensor(t.Elem, c.lengths(t)...)
	for i := range x.F {
		x.F[i] = lo + (hi-lo)*c.r.Float64()
	}
	for i := range x.I {
		x.I[i] = int64(math.Floor(lo + (hi-lo+1)*c.r.Float64()))
		switch {
		case t.Elem == loop.Bool:
			x.I[i] &= 1
		case t.Elem == loop.U8 || t.Elem == loop.U32:
			x.I[i] = max(x.I[i], -x.I[i])
		}
	}
	c.params[name] = x
	return c.b.Param(ir.ParamFlag, name, t)
}

func (c *lowerCase) lengths(t ir.Type) []int {
	out := make([]int, len(t.Dims))
	for i, d := range t.Dims {
		out[i] = d.Length().Eval(func(name string) int { return c.lens[name] })
	}
	return out
}

// makers build the ops that are more than element-wise.
var makers = map[string]maker{
	"const": func(c *lowerCase) *ir.Node {
		t := ir.TensorOf(loop.F64, c.size(), c.size())
		if c.r.Intn(2) == 0 {
			return c.b.Const(t, 1.5)
		}
		vs := make([]float64, t.Size())
		for i := range vs {
			vs[i] = float64(i) - 3
		}
		return c.b.Dense(t, vs)
	},
	"iota": func(c *lowerCase) *ir.Node { return c.b.Iota(c.dims(2), c.r.Intn(2)) },
	"cast": func(c *lowerCase) *ir.Node {
		from := []ir.Elem{loop.F64, loop.I32, loop.Bool, loop.I8, loop.U8, loop.U32, loop.I64}
		return c.b.Make(ir.OpCast, ir.CastAttr{To: from[c.r.Intn(len(from))]}, c.param(ir.OfDims(from[c.r.Intn(len(from))], c.dims(2))))
	},
	"index":   indexCase,
	"scatter": scatterCase,
	"digit": func(c *lowerCase) *ir.Node {
		e := []ir.Elem{loop.F32, loop.F64, loop.I32, loop.U32, loop.I64, loop.I8, loop.U8}[c.r.Intn(7)]
		return c.b.Digit(c.param(ir.OfDims(e, c.dims(2))), c.r.Intn(ir.Digits(e)))
	},
	"bucket": func(c *lowerCase) *ir.Node {
		dims := c.dims(1 + c.r.Intn(3))
		if c.r.Intn(2) == 0 { // several blocks
			last := &dims[len(dims)-1]
			*last = ir.Dim{Size: []int{255, 256, 257, 700}[c.r.Intn(4)]}
			if c.r.Intn(2) == 0 {
				c.lens["n"] = c.r.Intn(last.Size + 1)
				last.Len = c.b.Sym("n", last.Size, nil)
			}
		}
		e := []ir.Elem{loop.F64, loop.I32}[c.r.Intn(2)]
		return c.b.Bucket(c.param(ir.OfDims(e, dims)), c.paramIn(ir.OfDims(loop.U8, dims), 0, []float64{3, 255}[c.r.Intn(2)]))
	},
	"reduce": func(c *lowerCase) *ir.Node {
		kinds := []ir.ReduceKind{ir.Sum, ir.Prod, ir.Max, ir.Min, ir.ArgMax, ir.ArgMin, ir.Any, ir.All}
		kind := kinds[c.r.Intn(len(kinds))]
		e := []ir.Elem{loop.F64, loop.I32}[c.r.Intn(2)]
		if kind == ir.Any || kind == ir.All {
			e = loop.Bool
		}
		axes := [][]int{{2}, {1, 2}, {0, 1, 2}, {0}, {1}, {0, 1}}[c.r.Intn(6)]
		dims := c.dims(3)
		if kind == ir.ArgMax || kind == ir.ArgMin {
			axes = axes[:1]
			dims[axes[0]] = ir.Dim{Size: c.size()} // of nothing there is no largest
		}
		return c.b.Reduce(kind, axes, c.paramIn(ir.OfDims(e, dims), -2, 2))
	},
	"dot": func(c *lowerCase) *ir.Node {
		spec := []string{"ik,kj->ij", "ki,kj->ij", "bik,bjk->ijb", "ikl,klj->ji", "i,j->ij", "k,k->", "bi,bi->b", "iqk,jk->ijq"}[c.r.Intn(8)]
		d, err := ir.ParseDot(spec)
		require.NoError(c.t, err)
		e := []ir.Elem{loop.F64, loop.I32}[c.r.Intn(2)]
		dims := map[rune]ir.Dim{}
		operand := func(labels string) *ir.Node {
			t := ir.Type{Elem: e}
			for _, l := range labels {
				if _, ok := dims[l]; !ok {
					dims[l] = c.dim()
				}
				t.Dims = append(t.Dims, dims[l])
			}
			return c.param(t)
		}
		x := operand(d.A)
		return c.b.Dot(spec, x, operand(d.B))
	},
	"groupdot": groupDotCase,
	"bits": func(c *lowerCase) *ir.Node {
		scalar := ir.TensorOf(loop.I32)
		return c.b.Bits("a.b", c.dims(2), c.paramIn(ir.TensorOf(loop.U32, 2), 0, 99), c.paramIn(scalar, 0, 9), c.paramIn(scalar, 0, 9))
	},
}

// groupDotCase has rows of groups with none, one or many of them, in any order, and rows of no group.
func groupDotCase(c *lowerCase) *ir.Node {
	spec := []string{"nki,nkj->nij", "ikn,nkj->nji", "n,nj->nj", "nbik,nbk->bin", "nkli,nkl->ni"}[c.r.Intn(5)]
	d, err := ir.ParseDot(spec)
	require.NoError(c.t, err)
	dims := map[rune]ir.Dim{'n': c.dim()}
	operand := func(labels string) *ir.Node {
		t := ir.Type{Elem: loop.F64}
		for _, l := range labels {
			if _, ok := dims[l]; !ok {
				dims[l] = c.dim()
				if strings.ContainsRune("kl", l) { // summed over
					dims[l] = ir.Dim{Size: c.size()}
				}
			}
			t.Dims = append(t.Dims, dims[l])
		}
		return c.param(t)
	}
	x, y := operand(d.A), operand(d.B)
	rows := ir.OfDims(loop.I32, []ir.Dim{dims['n']})
	order, start := c.param(rows), c.param(ir.TensorOf(loop.I32, 1+c.size()))
	perm := c.params[order.Attr.(ir.ParamAttr).Name].I
	for i, row := range c.r.Perm(len(perm)) {
		perm[i] = int64(row)
	}
	begin := c.params[start.Attr.(ir.ParamAttr).Name].I
	for i := range begin {
		begin[i] = int64(c.r.Intn(len(perm) + 1))
	}
	slices.Sort(begin)
	return c.b.Make(ir.OpGroupDot, ir.GroupDotAttr{DotAttr: d, Rows: "n"}, x, y, order, start)
}

func indexCase(c *lowerCase) *ir.Node {
	v, k := ir.Var, index.C
	n, m := c.size(), c.size()
	x := func(dims ...ir.Dim) *ir.Node { return c.param(ir.OfDims(loop.F64, dims)) }
	fixed := func(n int) ir.Dim { return ir.Dim{Size: n} }
	outside := -7.5
	switch c.r.Intn(8) {
	case 0: // transpose
		p := x(c.dims(2)...)
		return c.b.Permute(p, 1, 0)
	case 1: // broadcast
		p := x(c.dim())
		return c.b.Broadcast(p, []ir.Dim{c.dim(), p.Type.Dims[0], c.dim()}, 1)
	case 2: // reshape
		return c.b.Index(x(fixed(n), fixed(m)), []ir.Dim{fixed(n * m)}, []*index.Expr{index.Quo(v(0), k(m)), index.Rem(v(0), k(m))}, nil)
	case 3: // reverse
		return c.b.Index(x(fixed(n)), []ir.Dim{fixed(n)}, []*index.Expr{index.Sub(k(n-1), v(0))}, nil)
	case 4: // pad
		return c.b.Index(x(c.dim(), fixed(m)), []ir.Dim{fixed(n + 2), fixed(m + 3)}, []*index.Expr{index.Sub(v(0), k(1)), index.Sub(v(1), k(2))}, &outside)
	case 5: // window with stride
		return c.b.Index(x(fixed(2*n+3)), []ir.Dim{fixed(n), fixed(4)}, []*index.Expr{index.Sum(index.Prod(v(0), k(2)), v(1))}, nil)
	case 6: // gather
		d := c.dim()
		return c.b.Index(x(fixed(n), fixed(m)), []ir.Dim{d, fixed(m)}, []*index.Expr{ir.Data(1), v(1)}, nil,
			c.paramIn(ir.OfDims(loop.I32, []ir.Dim{d, fixed(m)}), 0, float64(n-1)))
	}
	d := c.dim() // gather that may lead outside
	return c.b.Index(x(c.dim()), []ir.Dim{d}, []*index.Expr{ir.Data(1)}, &outside, c.paramIn(ir.OfDims(loop.I32, []ir.Dim{d}), -3, float64(n+3)))
}

func scatterCase(c *lowerCase) *ir.Node {
	v, k := ir.Var, index.C
	e := []ir.Elem{loop.F64, loop.I32}[c.r.Intn(2)]
	fixed := func(n int) ir.Dim { return ir.Dim{Size: n} }
	n, d := c.size(), c.dim()
	switch c.r.Intn(4) {
	case 0: // embedding gradient
		rows := []ir.Dim{c.dim(), d}
		return c.b.Scatter(c.param(ir.OfDims(e, rows)), []ir.Dim{fixed(n), d}, []*index.Expr{ir.Data(1), v(1)}, c.paramIn(ir.OfDims(loop.I32, rows), -1, float64(n)))
	case 1: // one place a row
		return c.b.Scatter(c.param(ir.OfDims(e, []ir.Dim{d})), []ir.Dim{d, fixed(n)}, []*index.Expr{v(0), ir.Data(1)}, c.paramIn(ir.OfDims(loop.I32, []ir.Dim{d}), -1, float64(n)))
	case 2: // overlapping windows
		return c.b.Scatter(c.param(ir.TensorOf(e, n, 4, 3)), []ir.Dim{fixed(2*n + 2), fixed(3)}, []*index.Expr{index.Sum(index.Prod(v(0), k(2)), v(1)), v(2)})
	}
	// everything to one place, from beyond a runtime length too
	return c.b.Scatter(c.param(ir.TensorOf(e, n, 3)), []ir.Dim{d}, []*index.Expr{index.Sub(v(0), k(2))})
}

// elementwise is the default maker: arguments of one random type that the op takes.
func elementwise(op *ir.Op) maker {
	return func(c *lowerCase) *ir.Node {
		elems := []ir.Elem{loop.F64, loop.I32, loop.Bool, loop.U32, loop.I64, loop.I8}
		dims := c.dims(c.r.Intn(4))
		first := c.r.Intn(len(elems))
		for k := range elems {
			e := elems[(first+k)%len(elems)]
			args := make([]*ir.Node, op.Arity)
			for i := range args {
				t := ir.OfDims(e, dims)
				if op == ir.OpWhere && i == 0 {
					t.Elem = loop.Bool
				}
				args[i] = c.param(t)
			}
			if n, err := c.b.TryMake(op, nil, args...); err == nil {
				return n
			}
		}
		c.t.Fatalf("op %s takes none of %v", op.Name, elems)
		return nil
	}
}

// Every op that kernels know, on random shapes with edges, equals the reference evaluator.
func TestLowerOps(t *testing.T) {
	for _, op := range ir.Ops() {
		if op.Lower == nil && op.Class != ir.ClassScatter {
			continue
		}
		m := makers[op.Name]
		if m == nil {
			require.Equal(t, ir.ClassElementwise, op.Class, "op %s has no test case", op.Name)
			m = elementwise(op)
		}
		rounds := 12
		if makers[op.Name] != nil {
			rounds = 60
		}
		t.Run(op.Name, func(t *testing.T) {
			for seed := range rounds {
				c := &lowerCase{t, rand.New(rand.NewSource(int64(seed))), ir.NewBuilder(op.Name), map[string]*ir.Tensor{}, map[string]int{}}
				n := m(c)
				if !lowerable(n) {
					continue
				}
				c.check(n, fmt.Sprintf("%s, seed %d", op.Name, seed))
			}
		})
	}
}

// lowerable: sums over both kinds of axes are split by a pass.
func lowerable(n *ir.Node) bool {
	a, ok := n.Attr.(ir.ReduceAttr)
	return !ok || a.Kind != ir.Sum || ir.IsRow(n.Args[0].Type.Rank(), a.Axes) || ir.IsColumn(n.Args[0].Type.Rank(), a.Axes)
}

// check compares the kernel of n with the evaluator.
func (c *lowerCase) check(n *ir.Node, what string) {
	t := c.t
	g := c.b.FinishValues(n)
	e := &ir.Evaluator{Params: func(_ ir.ParamKind, name string) *ir.Tensor { return c.params[name] }, Lens: c.lens}
	want, err := e.Run(g)
	require.NoError(t, err, what)

	l := &ir.PlanLaunch{Node: n, Scope: c.b.Scope(), Type: n.Type, InPlace: []int{-1}}
	p, err := lower(l, func(int) bool { return false }, nil)
	require.NoError(t, err, what)
	text := p.kernel.String()
	require.Equal(t, text, mustLower(t, l).kernel.String(), what)
	args := map[string]*loop.Data{}
	out := ""
	for i, b := range arguments(p.kernel) {
		switch a := p.args[i]; a.role {
		case argument:
			args[b.Name] = spread(c.params[n.Args[a.i].Name], n.Args[a.i].Type)
		case symbol:
			args[b.Name] = loop.Ints(loop.I64, []int64{int64(c.lens[a.sym])})
		case words:
			d := loop.NewData(loop.U32, len(a.words))
			for k, w := range a.words {
				d.I[k] = int64(w)
			}
			args[b.Name] = d
		case result:
			out = b.Name
		}
	}
	require.NoError(t, loop.Eval(p.kernel, args, loop.EvalOptions{}), "%s\n%s", what, text)
	same(t, want[0], gather(args[out], want[0].Dims), what+"\n"+text)
}

func mustLower(t *testing.T, l *ir.PlanLaunch) *page {
	p, err := lower(l, func(int) bool { return false }, nil)
	require.NoError(t, err)
	return p
}

// spread lays a tensor of actual lengths out by capacity; the rest is poison.
func spread(x *ir.Tensor, t ir.Type) *loop.Data {
	d := loop.NewData(t.Elem, sizes(t)...)
	d.Poison = make([]bool, d.Len())
	for i := range d.Poison {
		d.Poison[i] = true
	}
	places(x.Dims, d.Dims, func(from, to int) {
		d.Poison[to] = false
		if x.F != nil {
			d.F[to] = x.F[from]
		} else {
			d.I[to] = x.I[from]
		}
	})
	return d
}

// gather takes the actual lengths out of a buffer.
func gather(d *loop.Data, dims []int) *ir.Tensor {
	x := ir.NewTensor(d.Elem, dims...)
	places(dims, d.Dims, func(to, from int) {
		switch {
		case d.Poison != nil && d.Poison[from]:
			if x.F != nil {
				x.F[to] = math.Inf(-1)
			} else {
				x.I[to] = math.MinInt64
			}
		case x.F != nil:
			x.F[to] = d.F[from]
		default:
			x.I[to] = d.I[from]
		}
	})
	return x
}

// places calls f with the flat places in arrays of dims and capacity, for each index in dims.
func places(dims, capacity []int, f func(small, large int)) {
	n := 1
	for _, d := range dims {
		n *= d
	}
	for i := range n {
		rest, at, stride := i, 0, 1
		for k := len(dims) - 1; k >= 0; k-- {
			at += rest % dims[k] * stride
			rest /= dims[k]
			stride *= capacity[k]
		}
		f(i, at)
	}
}

// same compares floats to a relative error of 1e-9, integers exactly.
func same(t *testing.T, want, got *ir.Tensor, what string) {
	t.Helper()
	require.Equal(t, want.I, got.I, what)
	require.Len(t, got.F, len(want.F), what)
	for i, x := range want.F {
		y := got.F[i]
		if x == y || math.IsNaN(x) && math.IsNaN(y) {
			continue
		}
		require.InDelta(t, x, y, 1e-9*max(1, math.Abs(x)), "%s: element %d", what, i)
	}
}
