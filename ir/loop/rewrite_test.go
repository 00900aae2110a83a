package loop

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestIndexExpressionsBothWays(t *testing.T) {
	b := NewBuilder("k")
	i0, i1 := b.Index(b.Axis("i0", 5)), b.Index(b.Axis("i1", 8))
	def := b.Op(Add, b.Op(Mul, i0, b.Int(I64, 8)), i1)
	i := b.Index(b.AxisDef("i", b.Int(I64, 37), 37, def))
	e, ok := ToIndex(b.Op(Div, b.Op(Sub, i, b.Int(I64, 3)), b.Int(I64, 4)))
	require.True(t, ok)
	require.Equal(t, "(i + 1)/4 - 1", e.String())
	e, ok = LeafIndex(b.Op(Div, i, b.Int(I64, 8)))
	require.True(t, ok)
	require.Equal(t, "i0 + i1/8", e.String())
	back, ok := LeafIndex(b.FromIndex(e, func(name string) *Value { return b.Index(b.Kernel().AxisNamed(name)) }))
	require.True(t, ok)
	require.Equal(t, e.String(), back.String())
	_, ok = ToIndex(b.Op(Div, i, i0))
	require.False(t, ok, "i0 may be 0")
	x := b.Buffer("X", I64, In, 4)
	_, ok = ToIndex(b.Load(x, []*Value{i0}, nil))
	require.False(t, ok)
}

func TestRanges(t *testing.T) {
	b := NewBuilder("k")
	i0, i1 := b.Index(b.Axis("i0", 5)), b.Index(b.Axis("i1", 8))
	i := b.Index(b.AxisDef("i", b.Int(I64, 37), 37, b.Op(Add, b.Op(Mul, i0, b.Int(I64, 8)), i1)))
	check := func(v *Value, lo, hi int) {
		t.Helper()
		l, h, ok := Range(v)
		require.True(t, ok)
		require.Equal(t, []int{lo, hi}, []int{l, h})
	}
	check(i, 0, 39)
	l, h, ok := LiveRange(i)
	require.True(t, ok)
	require.Equal(t, []int{0, 36}, []int{l, h})
	check(b.Op(Sub, i0, i1), -7, 4)
	check(b.Op(Mul, i0, b.Int(I64, -3)), -12, 0)
	check(b.Op(Div, b.Op(Sub, i0, i1), b.Int(I64, 4)), -2, 1)
	check(b.Op(Mod, i, b.Int(I64, 8)), 0, 7)
	check(b.Op(Mod, i0, b.Int(I64, 8)), 0, 4)
	check(b.Op(Min, i, b.Int(I64, 9)), 0, 9)
	check(b.Where(b.Op(Lt, i0, i1), i0, b.Int(I64, 50)), 0, 50)
	check(b.Cast(I64, b.Cast(I32, i)), 0, 39)
	check(b.Cast(I8, b.Op(Mul, i, b.Int(I64, 8))), -128, 127)
	x := b.Buffer("X", I32, In, 4)
	check(b.Cast(I64, b.Load(x, []*Value{i0}, nil)), -1<<31, 1<<31-1)
	_, _, ok = Range(b.Load(b.Buffer("Z", I64, In), nil, nil))
	require.False(t, ok)
}

func TestInjective(t *testing.T) {
	b := NewBuilder("k")
	a, c, d := b.Axis("a", 4), b.Axis("c", 3), b.Axis("d", 1)
	x := b.Buffer("X", I64, In, 8)
	i, j := b.Index(a), b.Index(c)
	num := func(k int64) *Value { return b.Int(I64, k) }
	for _, test := range []struct {
		index []*Value
		want  Proof
	}{
		{[]*Value{i, j}, Proved},
		{[]*Value{b.Op(Add, b.Op(Mul, i, num(3)), j)}, Proved},
		{[]*Value{b.Op(Add, b.Op(Mul, j, num(4)), b.Op(Sub, num(3), i))}, Proved},
		{[]*Value{b.Op(Add, i, j), j}, Proved},
		{[]*Value{b.Op(Add, b.Op(Mul, i, num(2)), j)}, Refuted},
		{[]*Value{i}, Refuted},
		{[]*Value{b.Load(x, []*Value{i}, nil), j}, Unknown},
		{[]*Value{b.Op(Div, i, num(2)), j}, Unknown},
	} {
		require.Equal(t, test.want, Injective(test.index, []*Axis{a, c, d}), "%v", test)
	}
}

// Unrolling a loop by substitution: the copies carry on from one another.
func TestMapperDuplicatesBodies(t *testing.T) {
	k := one(t, `kernel k(in X: f32[2,3], out Y: f32[2]) { axis i: 2, l: 3 loop
		s = for l carry a = 0.0 { x = X[i,l] * 2.0 yield a + x }
		Y[i] = s }`)
	args := buffers{"X": newSource(13).floats(F32, 2, 3)}
	want := eval(t, k, args, EvalOptions{Typed: true})["Y"]
	u := k.Clone()
	b := Extend(u)
	f := u.Body[0].(*For)
	carried := f.Carry[0].Init
	var body []Stmt
	for n := range int64(3) {
		m := NewMapper(b, func(v *Value) *Value {
			if v.Op == AxisIndex && v.Axis == f.Axis {
				return b.Int(I64, n)
			}
			return nil
		})
		m.Set(f.Carry[0].In, carried)
		body = append(body, m.Block(f.Body)...)
		carried = m.Value(f.Carry[0].Next)
	}
	m := NewMapper(b, nil)
	m.Set(f.Carry[0].Out, carried)
	u.Body = append(body, m.Block(u.Body[1:])...)
	u.Refresh()
	require.NoError(t, Verify(u), "%s", u)
	require.Equal(t, want, eval(t, u, args, EvalOptions{Typed: true})["Y"])
	require.Len(t, k.Body, 2, "the original is as it was")
	require.NoError(t, Verify(k))
}
