package codegen

import (
	"fmt"
	"math/rand"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/codegen/schedule"
	"mdlc/ir"
	"mdlc/ir/index"
	"mdlc/ir/loop"
	"mdlc/passes"
)

// randomGraph makes graphs of small tensors of one shape with nested loops whose
// carries stay, swap, are collected at the start and at the end of a turn, or become
// what another becomes; and states that are read, swapped and written.
type randomGraph struct {
	r        *rand.Rand
	products bool // loops multiply
	kept     int  // values that `every` blocks may read, half of them new values of states
}

// The length is more than a vector and no multiple of one.
const length = 150

var small = ir.TensorOf(loop.F64, length)

func (x *randomGraph) pick(from []*ir.Node) *ir.Node { return from[x.r.Intn(len(from))] }

// grow adds a few ops over the values.
func (x *randomGraph) grow(b *ir.Builder, values []*ir.Node, depth int) []*ir.Node {
	for range 2 + x.r.Intn(5) {
		v, w := x.pick(values), x.pick(values)
		switch x.r.Intn(9) {
		case 0, 1:
			v = b.Add(v, w)
		case 2:
			v = b.Mul(v, b.Like(v, 0.5))
		case 3: // reads other elements
			v = b.Index(v, small.Dims, []*index.Expr{index.Sub(index.C(length-1), ir.Var(0))}, nil)
		case 4:
			v = b.Op("max", v, w)
		case 5:
			v = b.Const(small, float64(x.r.Intn(3)))
		case 6:
			table := make([]float64, length)
			table[x.r.Intn(length)] = 2
			v = b.Dense(small, table)
		case 7:
			mean := b.Broadcast(b.Reduce(ir.Sum, []int{0}, b.Mul(v, b.Like(v, 1.0/length))), small.Dims)
			v = b.Sub(w, mean)
		default:
			if depth == 0 {
				v = b.Sub(v, w)
				break
			}
			values = append(values, x.loop(b, values, depth-1)...)
			continue
		}
		values = append(values, v)
	}
	return values
}

// matrixProduct multiplies v and the beginning of w as matrices.
func matrixProduct(b *ir.Builder, v, w *ir.Node) *ir.Node {
	dims := func(n ...int) []ir.Dim { return ir.TensorOf(loop.F64, n...).Dims }
	matrix := []*index.Expr{index.Sum(index.Prod(ir.Var(0), index.C(10)), ir.Var(1))}
	z := b.Dot("ab,bc->ac", b.Index(v, dims(15, 10), matrix, nil), b.Index(w, dims(10, 10), matrix, nil))
	return b.Index(b.Mul(z, b.Like(z, 0.1)), small.Dims, []*index.Expr{index.Quo(ir.Var(0), index.C(10)), index.Rem(ir.Var(0), index.C(10))}, nil)
}

// loop makes a loop and gives values of it.
func (x *randomGraph) loop(b *ir.Builder, values []*ir.Node, depth int) []*ir.Node {
	count := index.C(x.r.Intn(4))
	dim := ir.Dim{Size: count.K}
	if x.r.Intn(2) == 0 {
		count, dim = index.V("n"), ir.Dim{Size: 3, Len: index.V("n")}
	}
	a := ir.LoopAttr{Count: count, Carry: 1 + x.r.Intn(3), Xs: x.r.Intn(2), Reverse: x.r.Intn(2) == 0, While: x.r.Intn(4) == 0}
	var args []*ir.Node
	if a.While { // or a branch, where it is one turn
		args = append(args, x.condition(b, values))
	}
	for len(args) < a.Carry {
		args = append(args, x.pick(values))
	}
	for range a.Xs {
		args = append(args, b.Broadcast(x.pick(values), append([]ir.Dim{dim}, small.Dims...), 1))
	}
	args = append(args, x.pick(values))
	region := b.Region("")
	turn := region.Param(ir.ParamValue, "turn", ir.TensorOf(loop.I32))
	var params, inner []*ir.Node
	for i := range args {
		if a.While && i == 0 {
			params = append(params, region.Param(ir.ParamValue, "again", ir.TensorOf(loop.Bool)))
			continue
		}
		params = append(params, region.Param(ir.ParamValue, "", small))
		inner = append(inner, params[i])
	}
	if x.r.Intn(2) == 0 {
		inner = append(inner, region.Broadcast(region.Cast(turn, loop.F64), small.Dims))
	}
	grown := x.grow(region, inner, depth)
	var results []*ir.Node
	ys := x.r.Intn(4)
	if a.While {
		ys = 0 // turns that are not made have none
		if results = append(results, x.condition(region, grown)); x.r.Intn(4) == 0 {
			results[0] = params[0]
		}
	}
	for len(results) < a.Carry {
		results = append(results, x.pick(grown))
	}
	if last := a.Carry - 1; x.products && (last > 0 || !a.While) {
		results[last] = matrixProduct(region, results[last], x.pick(inner[max(len(inner)-2, 0):])) // by what stays, mostly
	}
	for range ys {
		switch x.r.Intn(3) {
		case 0:
			results = append(results, params[x.r.Intn(a.Carry)])
		case 1:
			results = append(results, results[x.r.Intn(a.Carry)])
		default:
			results = append(results, x.pick(grown))
		}
	}
	n := b.Loop(a, region.FinishValues(results...), args...)
	var out []*ir.Node
	for i := range results {
		if a.While && i == 0 {
			continue
		}
		v := b.Get(n, i)
		if i >= a.Carry {
			v = b.Reduce(ir.Sum, []int{0}, v)
		}
		out = append(out, v)
	}
	return out
}

// condition is a truth value that no rounding decides: two sums may be the same but for their order.
func (x *randomGraph) condition(b *ir.Builder, values []*ir.Node) *ir.Node {
	v := b.Reduce(ir.Sum, []int{0}, x.pick(values))
	return b.Op("lt", v, b.Add(b.Reduce(ir.Sum, []int{0}, x.pick(values)), b.Like(v, 1.0/3)))
}

var randomStates = []string{"p", "q", "r"}

func (x *randomGraph) graph() *ir.Graph {
	b := ir.NewBuilder("random")
	b.Sym("n", 3, nil)
	var values []*ir.Node
	for _, s := range randomStates {
		values = append(values, b.Param(ir.ParamState, s, small))
	}
	values = append(values, b.Param(ir.ParamFeed, "x", small))
	grown := x.grow(b, values, 2)
	var results []ir.Result
	for _, s := range randomStates {
		results = append(results, ir.Result{Kind: ir.ResultState, Name: s, Value: x.pick(grown)})
	}
	for range x.kept {
		v := x.pick(grown)
		if x.r.Intn(2) == 0 {
			v = results[x.r.Intn(len(randomStates))].Value
		}
		results = append(results, ir.Result{Kind: ir.ResultKept, Name: fmt.Sprint("kept", len(results)), Value: v})
	}
	for i := range 2 {
		results = append(results, ir.Result{Kind: ir.ResultReport, Name: fmt.Sprint("out", i), Value: x.pick(grown)})
	}
	x.r.Shuffle(len(results), func(i, j int) { results[i], results[j] = results[j], results[i] })
	return b.Finish(results...)
}

// Random graphs: orders, lifetimes, slots and updates in place never change a value.
func TestRandomPlans(t *testing.T) {
	inPlace, loops := 0, 0
	for seed := range 400 {
		x := &randomGraph{r: rand.New(rand.NewSource(int64(seed)))}
		g := x.graph()
		require.NoError(t, ir.Verify(g))
		f := fusions[seed/2%len(fusions)]
		kernels, err := f.pass(g)
		require.NoError(t, err)
		lens := map[string]int{"n": x.r.Intn(4)}
		c := comparisonOf(t, g, moduleOf(kernels), lens)
		c.what = fmt.Sprintf("seed %d, %s, n = %d\n%s\n%s\n", seed, f.name, lens["n"], kernels, kernels.Plan)
		c.step(0)
		if seed%3 == 0 {
			c.schedule()
		}
		c.step(1)
		countPlan(kernels.Plan.Code, &inPlace, &loops)
	}
	require.Greater(t, inPlace, 50)
	require.Greater(t, loops, 50)
}

// Random graphs whose products pack an operand, all or where it stands still: what of it goes before loops is the same there.
func TestRandomPanels(t *testing.T) {
	all, still := *schedule.AVX2, *schedule.AVX2
	all.PackRows, still.PackCost, still.Rows = 1, 0, []schedule.Row{{Rows: 4, Cols: 8, Speed: 100}}
	var ahead [2]int
	for seed := range 400 {
		x := &randomGraph{r: rand.New(rand.NewSource(int64(seed))), products: true}
		g := x.graph()
		kernels, err := passes.Fuse(g)
		require.NoError(t, err)
		c := comparisonOf(t, g, moduleOf(kernels), map[string]int{"n": x.r.Intn(4)})
		c.what = fmt.Sprintf("seed %d, %v\n%s\n%s\n", seed, c.lens, kernels, kernels.Plan)
		c.step(0)
		c.scheduleFor([]*schedule.Machine{&all, &still}[seed%2])
		c.step(1)
		c.step(2)
		block := &c.built.Program.Entries[0].Block
		ahead[seed%2] += strings.Count(codeText(c.built, block, block.Code), "_ahead")
	}
	require.Greater(t, ahead[0], 25)
	require.Greater(t, ahead[1], 25)
}

// block is an `every` block after g. It reads values of the step and states, and writes some states.
func (x *randomGraph) block(g *ir.Graph) *ir.Graph {
	b := ir.NewBuilder("every")
	b.Sym("n", 3, nil)
	var values []*ir.Node
	for _, r := range g.Results {
		if r.Kind == ir.ResultKept && x.r.Intn(3) > 0 {
			values = append(values, b.Param(ir.ParamValueOf, r.Name, small))
		}
	}
	for _, s := range randomStates {
		if x.r.Intn(2) == 0 {
			values = append(values, b.Param(ir.ParamState, s, small))
		}
	}
	values = x.grow(b, append(values, b.Const(small, 1)), 1)
	var results []ir.Result
	for _, s := range randomStates {
		if x.r.Intn(2) == 0 {
			results = append(results, ir.Result{Kind: ir.ResultState, Name: s, Value: x.pick(values)})
		}
	}
	for i := range 2 {
		results = append(results, ir.Result{Kind: ir.ResultReport, Name: fmt.Sprint("out", i), Value: x.pick(values)})
	}
	return b.Finish(results...)
}

// `every` blocks that read values of their step which are also new values of states, and write those states.
func TestRandomEvery(t *testing.T) {
	for seed := range 150 {
		x := &randomGraph{r: rand.New(rand.NewSource(int64(seed))), kept: 3}
		g := x.graph()
		f := fusions[seed/2%len(fusions)]
		kernels, err := f.pass(g)
		require.NoError(t, err)
		m := moduleOf(kernels)
		var every []*ir.Graph
		for range 1 + x.r.Intn(3) {
			every = append(every, x.block(g))
			block, err := f.pass(every[len(every)-1])
			require.NoError(t, err)
			m.Entries[0].Every = append(m.Entries[0].Every, &ir.Every{N: 1, Graph: block})
		}
		c := comparisonOf(t, g, m, map[string]int{"n": x.r.Intn(4)})
		c.every = every
		c.what = fmt.Sprintf("seed %d, %s, %v\n%s\n%s\n", seed, f.name, c.lens, m, kernels.Plan)
		c.step(0)
		c.step(1)
	}
}

func countPlan(code []ir.PlanInstr, inPlace, loops *int) {
	for _, in := range code {
		if in.Loop != nil {
			*loops++
			countPlan(in.Loop.Code, inPlace, loops)
			continue
		}
		for _, a := range in.Launch.InPlace {
			if a >= 0 {
				*inPlace++
			}
		}
	}
}
