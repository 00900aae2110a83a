package lang

import (
	"mdlc/ir"
)

// matrices takes an argument whose last two axes are square matrices, as floats.
func (b *builder) matrices(v Value, c *call) *ir.Node {
	x := b.tensorArg(v, c)
	dims := x.N.Type.Dims
	square := len(dims) >= 2 && dims[len(dims)-1].Len == nil && dims[len(dims)-1].Size > 0 && dims[len(dims)-1].Equal(dims[len(dims)-2])
	if !square {
		b.failHelp(c.span, "axes before the last two are a batch", "`%s` takes square matrices, f32[.., N, N] with a known size N of 1 or more, not %s", c.name, typeText(x.N.Type))
	}
	return b.node(b.cast(x, b.float))
}

// solveBuiltin is `solve(a, b)`: x of a x = b. b is matrices, whose columns are solved for, or, with one axis less than a,
// vectors. Where b has more axes, a is the same for all.
func solveBuiltin(kind ir.SolveKind) func(b *builder, c *call) Value {
	return func(b *builder, c *call) Value {
		v := b.take(c, 2, "a", "b")
		a := b.matrices(v[0], c)
		y := b.tensorArg(v[1], c)
		g, right := b.f.b, b.node(b.cast(y, b.float))
		rank, given := a.Type.Rank(), typeText(right.Type)
		vectors := right.Type.Rank() == rank-1
		if vectors {
			dims := append(append([]ir.Dim{}, right.Type.Dims...), ir.Dim{Size: 1})
			right = g.Broadcast(right, dims, axesFrom(0, rank-1)...)
		}
		dims := right.Type.Dims
		more := len(dims) - rank
		if more < 0 || !ir.SameDims(dims[max(more, 0):len(dims)-1], a.Type.Dims[:rank-1]) {
			b.failHelp(c.span, "`"+c.name+"(f32[.., N, N], f32[.., N, M])` solves for M columns, `"+c.name+"(f32[.., N, N], f32[.., N])` for one",
				"these shapes do not fit: %s of %s and %s", c.name, typeText(a.Type), given)
		}
		if more > 0 {
			all := append(append([]ir.Dim{}, dims[:len(dims)-1]...), dims[len(dims)-2])
			a = g.Broadcast(a, all, axesFrom(more, len(dims))...)
		}
		x := g.Solve(kind, a, right)
		if vectors {
			x = g.Reduce(ir.Sum, []int{rank - 1}, x)
		}
		return b.tensor(x)
	}
}

func choleskyBuiltin(b *builder, c *call) Value {
	return b.tensor(b.f.b.Make(ir.OpCholesky, nil, b.matrices(b.take(c, 1, "a")[0], c)))
}

// inverseBuiltin solves for the unit vectors.
func inverseBuiltin(b *builder, c *call) Value {
	a := b.matrices(b.take(c, 1, "a")[0], c)
	g, dims := b.f.b, a.Type.Dims
	unit := g.Cast(g.Make(ir.OpEq, nil, g.Iota(dims, len(dims)-2), g.Iota(dims, len(dims)-1)), b.float)
	return b.tensor(g.Solve(ir.General, a, unit))
}

// slogdetBuiltin is the sign of the determinant and the logarithm of its size.
func slogdetBuiltin(b *builder, c *call) Value {
	a := b.matrices(b.take(c, 1, "a")[0], c)
	return Tuple{[]Value{b.tensor(b.f.b.Make(ir.OpDetSign, nil, a)), b.tensor(b.f.b.Make(ir.OpLogAbsDet, nil, a))}}
}
