package ir

import (
	"mdlc/ir/index"
	"mdlc/ir/loop"
)

// Op makes a node of an op without attribute, by name: the element-wise functions.
func (b *Builder) Op(name string, args ...*Node) *Node { return b.Make(table[name], nil, args...) }

func (b *Builder) Add(x, y *Node) *Node      { return b.Make(OpAdd, nil, x, y) }
func (b *Builder) Sub(x, y *Node) *Node      { return b.Make(OpSub, nil, x, y) }
func (b *Builder) Mul(x, y *Node) *Node      { return b.Make(OpMul, nil, x, y) }
func (b *Builder) Div(x, y *Node) *Node      { return b.Make(OpDiv, nil, x, y) }
func (b *Builder) Neg(x *Node) *Node         { return b.Make(OpNeg, nil, x) }
func (b *Builder) And(x, y *Node) *Node      { return b.Make(OpAnd, nil, x, y) }
func (b *Builder) Or(x, y *Node) *Node       { return b.Make(OpOr, nil, x, y) }
func (b *Builder) Not(x *Node) *Node         { return b.Make(OpNot, nil, x) }
func (b *Builder) Stop(x *Node) *Node        { return b.Make(OpStop, nil, x) }
func (b *Builder) Where(c, x, y *Node) *Node { return b.Make(OpWhere, nil, c, x, y) }

// Cast converts to e; of the same type it is x.
func (b *Builder) Cast(x *Node, e Elem) *Node {
	if x.Type.Elem == e {
		return x
	}
	return b.Make(OpCast, CastAttr{e}, x)
}

// Const is the number v in every element.
func (b *Builder) Const(t Type, v float64) *Node {
	return b.Make(OpConst, ConstAttr{t, []uint64{NumberBits(t.Elem, v)}})
}

// Like is the number v in the type of x.
func (b *Builder) Like(x *Node, v float64) *Node { return b.Const(x.Type, v) }

// Dense is a table of constants, row-major.
func (b *Builder) Dense(t Type, vs []float64) *Node {
	bits := make([]uint64, len(vs))
	for i, v := range vs {
		bits[i] = NumberBits(t.Elem, v)
	}
	return b.Make(OpConst, ConstAttr{t, bits})
}

// Iota is the index along an axis, i32.
func (b *Builder) Iota(dims []Dim, axis int) *Node {
	return b.Make(OpIota, IotaAttr{dims, axis})
}

// Index is x at out of the result's indices (Var) and the data operands (Data); outside nil: never outside.
func (b *Builder) Index(x *Node, shape []Dim, out []*index.Expr, outside *float64, data ...*Node) *Node {
	return b.Make(OpIndex, IndexAttr{len(shape), out, outside, shape}, append([]*Node{x}, data...)...)
}

// Scatter adds x to zeros of the given shape at out of x's indices and the data operands.
func (b *Builder) Scatter(x *Node, shape []Dim, out []*index.Expr, data ...*Node) *Node {
	return b.Make(OpScatter, IndexAttr{x.Type.Rank(), out, nil, shape}, append([]*Node{x}, data...)...)
}

// Broadcast repeats x: axis k of x is axis axes[k] of the result.
func (b *Builder) Broadcast(x *Node, shape []Dim, axes ...int) *Node {
	out := make([]*index.Expr, len(axes))
	for k, a := range axes {
		out[k] = Var(a)
	}
	if len(axes) == len(shape) && identity(axes) {
		return x
	}
	return b.Index(x, shape, out, nil)
}

// Permute reorders axes: axis k of the result is axis axes[k] of x.
func (b *Builder) Permute(x *Node, axes ...int) *Node {
	if identity(axes) {
		return x
	}
	shape := make([]Dim, len(axes))
	out := make([]*index.Expr, len(axes))
	for k, a := range axes {
		shape[k] = x.Type.Dims[a]
		out[a] = Var(k)
	}
	return b.Index(x, shape, out, nil)
}

func identity(axes []int) bool {
	for k, a := range axes {
		if k != a {
			return false
		}
	}
	return true
}

// Reduce reduces x over axes.
func (b *Builder) Reduce(kind ReduceKind, axes []int, x *Node) *Node {
	return b.Make(OpReduce, ReduceAttr{kind, sortedInts(axes)}, x)
}

// Dot is an einsum of two operands, like "bik,kj->bij".
func (b *Builder) Dot(spec string, x, y *Node) *Node {
	attr, err := ParseDot(spec)
	if err != nil {
		panic("ir: " + err.Error())
	}
	return b.Make(OpDot, attr, x, y)
}

// Bits is random bits of draw site `site`: u32 of the given shape.
func (b *Builder) Bits(site string, shape []Dim, seed, step, turn *Node) *Node {
	return b.Make(OpBits, BitsAttr{site, shape}, seed, step, turn)
}

// ArgSort is the permutation that sorts x along its last axis, i32, stable; NaN is the largest.
func (b *Builder) ArgSort(x *Node) *Node { return b.Make(OpArgSort, nil, x) }

// TopK is the indices of the k largest along the last axis, i32, the largest first; the first of equals first.
func (b *Builder) TopK(x *Node, k int) *Node { return b.Make(OpTopK, TopKAttr{k}, x) }

// Digit is byte k of the place of x among all numbers of its type, u8.
func (b *Builder) Digit(x *Node, k int) *Node { return b.Make(OpDigit, DigitAttr{k}, x) }

// Bucket is the last axis of x in the order of the buckets that d names.
func (b *Builder) Bucket(x, d *Node) *Node { return b.Make(OpBucket, nil, x, d) }

// Loop runs region attr.Count times; args are carries, stacked inputs, invariants. The result is a tuple.
func (b *Builder) Loop(attr LoopAttr, region *Graph, args ...*Node) *Node {
	return b.MakeWith(OpLoop, attr, []*Graph{region}, args...)
}

// Get is value i of a tuple.
func (b *Builder) Get(tuple *Node, i int) *Node { return b.Make(OpGet, GetAttr{i}, tuple) }

// Grad is the gradients of the scalar s with respect to xs, a tuple. Equal values are
// one node, so a gradient by x is one by all that equals x.
func (b *Builder) Grad(s *Node, xs ...*Node) *Node {
	return b.Make(OpGrad, nil, append([]*Node{s}, xs...)...)
}

// Cluster is one kernel of ops: a tuple of the region's results.
func (b *Builder) Cluster(kind string, region *Graph, args ...*Node) *Node {
	return b.MakeWith(OpCluster, ClusterAttr{kind}, []*Graph{region}, args...)
}

// I32 is a scalar i32 constant.
func (b *Builder) I32(v int) *Node { return b.Const(TensorOf(loop.I32), float64(v)) }
