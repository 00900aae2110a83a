package codegen

import (
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/ir"
	"mdlc/passes"
)

// What comes of the states of stacked modules has their number as a length: through loops, and constants that are stored in such a state. What
// only looks like it keeps its number, and so do products, scatters and sums of columns over a stack, and layers that lie inside of others' rows.
func TestStacksAreLengths(t *testing.T) {
	g, err := ir.ParseGraph(`graph train {
  %0 = param state w.# f32[3, 4]
  %1 = param feed x f32[3, 4]
  %2 = param feed rows i32[3, 4]
  %3 = const f32[3, 4] 0.5
  %4 = const f32[3, 4] 0
  %5 = mul %0, %3 : f32[3, 4] "stacked"
  %6 = mul %1, %3 : f32[3, 4] "fed"
  %7 = index %5 {(i0, i1) -> (i1, i0)} [4, 3] : f32[4, 3] "turned"
  %8 = dot %5, %5 {ab,ab->a} : f32[3] "product"
  %9 = loop %5 count(3) carry 0 xs 1 {
    %0 = param value turn i32[]
    %1 = param value row f32[4]
    %2 = tanh %1 : f32[4]
    value %2
  } : (f32[3, 4])
  %10 = get %9 0 : f32[3, 4]
  %11 = reduce %10 sum [1] : f32[3] "sums"
  %12 = reduce %11 sum [0] : f32[] "all"
  %13 = scatter %5, %2 {(i0, i1) -> ($1, i1)} [3, 4] : f32[3, 4] "scattered"
  %14 = param state u.# f32[3, 4, 5]
  %15 = reduce %14 sum [1] : f32[3, 5] "columns"
  %16 = reduce %14 sum [1, 2] : f32[3] "layers"
  state v.# %4
  state f %15
  state g %16
  state a %6
  state b %7
  state c %8
  state d %12
  state e %13
}`)
	require.NoError(t, err)
	b := pagesOf(t, g, passes.Options{NoFusion: true})
	lengths := map[string]bool{}
	for _, k := range b.Kernels {
		for _, buf := range k.Page.Bufs {
			if len(buf.Dims) > 0 {
				lengths[k.Page.Name+" "+buf.Name] = buf.Length != nil
			}
		}
	}
	for name, want := range map[string]bool{
		"mul_v2 w__": true, "mul_v2 stacked": true, "tanh stacked": true, "sum_v3 tanh_1": true, "sum_v3 sums": true, "sum_v4 sums": true, "const_v2 const": true,
		"sum u__": false, "sum columns": false, "sum_v2 u__": true, "sum_v2 layers": true, "mul x": false, "mul fed": false, "index stacked": false, "index turned": false, "dot stacked": false, "dot product": false, "scatter stacked": false, "scatter scattered": false,
	} {
		got, ok := lengths[name]
		require.True(t, ok, "no %s among %v", name, lengths)
		require.Equal(t, want, got, name)
	}
	require.Equal(t, []int{128, 128, 256}, []int{stackCapacity(2), stackCapacity(128), stackCapacity(129)})
}

// What is repeated is one node for all that wants as many, of which some are no layers. A sum that goes along the layers of each of something in turn
// keeps their number: it has no length inside of others.
func TestWhatIsRepeatedIsNoStack(t *testing.T) {
	g, err := ir.ParseGraph(`graph train {
  %0 = param state n.# f32[3]
  %1 = param state s f32[]
  %2 = index %1 {(i0) -> ()} [3] : f32[3]
  %3 = mul %0, %2 : f32[3] "clipped"
  %4 = param state offset f32[3]
  %5 = mul %4, %2 : f32[3] "other"
  %6 = param state w.# f32[3, 4]
  %7 = index %6 {(i0, i1) -> (i1, i0)} [4, 3] : f32[4, 3]
  %8 = reduce %7 sum [0, 1] : f32[] "sideways"
  state n.# %3
  state offset %5
  state sum %8
}`)
	require.NoError(t, err)
	b := pagesOf(t, g, passes.Options{})
	lengths := map[string]bool{}
	for _, k := range b.Kernels {
		for _, buf := range k.Page.Bufs {
			lengths[buf.Name] = lengths[buf.Name] || buf.Length != nil
		}
	}
	require.Subset(t, lengths, map[string]bool{"n__": true, "offset": false, "w__": false})
	for _, target := range []string{"avx2", "sm_80"} {
		target, err := TargetNamed(target)
		require.NoError(t, err)
		require.NoError(t, b.Schedule(target.Machine))
	}
}

// pagesOf are the kernels of a graph.
func pagesOf(t *testing.T, g *ir.Graph, o passes.Options) *Built {
	m := moduleOf(g)
	require.NoError(t, passes.Run(m, o))
	require.NoError(t, passes.Plan(m))
	b, err := Pages(m)
	require.NoError(t, err)
	return b
}
