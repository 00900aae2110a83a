package passes

import (
	"fmt"
	"math/rand"
	"slices"
	"strings"
	"testing"

	"mdlc/ir"
	"mdlc/ir/index"
	"mdlc/ir/loop"
)

// TestGradientsOnRandomShapes draws shapes of 1, primes and odd sizes for the ops that have axes.
func TestGradientsOnRandomShapes(t *testing.T) {
	for seed := range int64(12) {
		random := rand.New(rand.NewSource(seed))
		for _, c := range []gradCase{randomDot(random), randomReduce(random), randomMap(random), randomGather(random), randomFunction(random)} {
			t.Run(fmt.Sprintf("%d %s", seed, c.name), func(t *testing.T) {
				c.check(t, 1)
				if seed%3 == 0 && !c.once {
					c.check(t, 2)
				}
			})
		}
	}
}

func someSize(random *rand.Rand) int { return []int{1, 2, 3, 5}[random.Intn(4)] }

func someShape(random *rand.Rand, rank int) []int {
	out := make([]int, rank)
	for k := range out {
		out[k] = someSize(random)
	}
	return out
}

// randomDot gives each label to one operand, both, or all three.
func randomDot(random *rand.Rand) gradCase {
	size := map[rune]int{}
	var a, b, out []rune
	for _, l := range "bijkl"[:1+random.Intn(5)] {
		size[l] = someSize(random)
		switch random.Intn(4) {
		case 0:
			a, out = append(a, l), append(out, l)
		case 1:
			b, out = append(b, l), append(out, l)
		case 2:
			a, b = append(a, l), append(b, l)
		case 3:
			a, b, out = append(a, l), append(b, l), append(out, l)
		}
	}
	typ := func(labels []rune) ir.Type {
		random.Shuffle(len(labels), func(i, j int) { labels[i], labels[j] = labels[j], labels[i] })
		var dims []int
		for _, l := range labels {
			dims = append(dims, size[l])
		}
		return f32(dims...)
	}
	x, y := typ(a), typ(b)
	typ(out)
	return dot(string(a)+","+string(b)+"->"+string(out), x, y)
}

func randomReduce(random *rand.Rand) gradCase {
	shape := someShape(random, 1+random.Intn(3))
	var axes []int
	for k := range shape {
		if random.Intn(2) == 0 {
			axes = append(axes, k)
		}
	}
	return reduction([]ir.ReduceKind{ir.Sum, ir.Max, ir.Min, ir.Prod}[random.Intn(4)], axes, shape...)
}

// randomMap is a permutation, broadcast, shift and stride of axes, padded.
func randomMap(random *rand.Rand) gradCase {
	from, to := someShape(random, 1+random.Intn(3)), someShape(random, 1+random.Intn(3))
	var out []*index.Expr
	for range from {
		e := index.Prod(ir.Var(random.Intn(len(to))), index.C(random.Intn(5)-2))
		if random.Intn(3) == 0 {
			e = index.Sum(e, index.Rem(ir.Var(random.Intn(len(to))), index.C(2)))
		}
		out = append(out, index.Sum(e, index.C(random.Intn(3)-1)))
	}
	outside := 0.5
	return gradCase{name: fmt.Sprintf("index %v %v %v", from, to, out), types: []ir.Type{f32(from...)},
		build: func(b *ir.Builder, x []*ir.Node) *ir.Node {
			return b.Index(b.Op("sin", x[0]), f32(to...).Dims, out, &outside)
		}}
}

func randomGather(random *rand.Rand) gradCase {
	from, to := someShape(random, 2), someShape(random, 2)
	data := make([]float64, to[0]*to[1])
	for i := range data {
		data[i] = float64(random.Intn(from[0]))
	}
	return gradCase{name: fmt.Sprintf("gather %v %v", from, to), types: []ir.Type{f32(from...)},
		build: func(b *ir.Builder, x []*ir.Node) *ir.Node {
			d := b.Dense(ir.TensorOf(loop.I32, to...), data)
			return b.Index(x[0], f32(to...).Dims, []*index.Expr{ir.Data(1), index.Rem(ir.Var(1), index.C(from[1]))}, nil, d)
		}}
}

// randomFunction is a chain of functions that are smooth everywhere.
func randomFunction(random *rand.Rand) gradCase {
	names := []string{"tanh", "sigmoid", "sin", "cos", "erf", "exp", "neg", "expm1"}
	random.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	chain := slices.DeleteFunc(names[:3], func(s string) bool { return strings.HasPrefix(s, "exp") && names[0] != s })
	shape := someShape(random, random.Intn(4))
	return gradCase{name: fmt.Sprintf("%v %v", chain, shape), types: []ir.Type{f32(shape...)},
		build: func(b *ir.Builder, x []*ir.Node) *ir.Node {
			y := x[0]
			for _, f := range chain {
				y = b.Op(f, y)
			}
			return b.Mul(y, x[0])
		}}
}
