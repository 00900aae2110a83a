package passes

import (
	"math/rand"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"mdlc/ir"
	"mdlc/ir/index"
	"mdlc/ir/loop"
)

// TestRandomLoops: what passes make of random loops of products, sums and moves has the same values; something leaves
// many of them.
func TestRandomLoops(t *testing.T) {
	left, loops := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		l := &loopDraw{t: t}
		g := l.graph()
		lens := map[string]int{"T": rapid.IntRange(4, 7).Draw(t, "T")}
		want := evaluate(t, g, lens)
		hoisted, err := Hoist(g)
		require.NoError(t, err)
		got, err := Batch(hoisted)
		require.NoError(t, err)
		require.NoError(t, ir.Verify(got))
		requireEqual(t, want, evaluate(t, got, lens), "batch of\n"+hoisted.String()+"gave\n"+got.String())
		loops++
		if got.String() != hoisted.String() {
			left++
		}
		for _, p := range Pipeline(Types{}) {
			before := g
			g, err = runPass(p, g, Options{Shuffle: rand.New(rand.NewSource(1))})
			require.NoError(t, err)
			if p.Name != "grad" && p.Name != "unstop" {
				requireEqual(t, want, evaluate(t, g, lens), p.Name+" of\n"+before.String()+"gave\n"+g.String())
			}
		}
	})
	require.Greater(t, 10*left, loops)
}

// loopDraw draws loops.
type loopDraw struct{ t *rapid.T }

func (l *loopDraw) pick(what string, n int) int { return rapid.IntRange(0, n-1).Draw(l.t, what) }

func (l *loopDraw) one(what string, pool []*ir.Node) *ir.Node { return pool[l.pick(what, len(pool))] }

func (l *loopDraw) graph() *ir.Graph {
	b := ir.NewBuilder("random")
	b.Sym("T", 7, nil)
	pool := []*ir.Node{b.Param(ir.ParamState, "a", f32(2, 8)), b.Param(ir.ParamState, "b", f32(8, 8)), b.Param(ir.ParamState, "c", f32(16, 8)), b.Param(ir.ParamState, "d", f32(3, 2, 8)), b.Param(ir.ParamState, "e", f32(8))}
	for range 1 + l.pick("loops", 2) {
		pool = append(pool, l.loop(b, pool, 0)...)
	}
	return b.FinishValues(pool[5:]...)
}

// loop draws a loop over values of a pool and gives its results.
func (l *loopDraw) loop(b *ir.Builder, pool []*ir.Node, depth int) []*ir.Node {
	a := ir.LoopAttr{Count: index.C(4 + l.pick("count", 2)), Reverse: l.pick("reverse", 2) == 0}
	if l.pick("length", 4) == 0 && depth == 0 {
		a.Count = index.V("T")
	}
	turns := a.Turns(b.Scope())
	r := b.Region("body")
	if l.pick("symbol", 3) == 0 {
		a.Sym = "t" + string(rune('0'+depth))
		r.Sym(a.Sym, turns.Size-1, nil)
	}
	r.Param(ir.ParamValue, "turn", ir.TensorOf(loop.I32))
	var args, carries, inner []*ir.Node
	in := func(x *ir.Node, t ir.Type) *ir.Node {
		args = append(args, x)
		p := r.Param(ir.ParamValue, "", t)
		inner = append(inner, p)
		return p
	}
	for range 1 + l.pick("carries", 3) {
		x := l.one("carry", pool)
		carries = append(carries, in(x, x.Type))
		a.Carry++
		if l.pick("is a sum", 3) > 0 && len(inner) > 1 { // that nothing else reads
			inner = inner[:len(inner)-1]
		}
	}
	for range l.pick("slices", 3) {
		x := l.one("slices of", pool)
		at := make([]int, x.Type.Rank())
		for k := range at {
			at[k] = k + 1
		}
		if x.Type.Rank() > 2 {
			continue
		}
		stacked := b.Op("tanh", b.Broadcast(x, append([]ir.Dim{turns}, x.Type.Dims...), at...))
		stacked = b.Mul(stacked, b.Broadcast(b.Op("sin", b.Cast(b.Iota([]ir.Dim{turns}, 0), x.Type.Elem)), stacked.Type.Dims, 0))
		in(stacked, x.Type)
		a.Xs++
	}
	for range 1 + l.pick("invariants", 3) {
		x := l.one("invariant", pool)
		in(x, x.Type)
	}
	var results []*ir.Node
	for range 3 + l.pick("steps", 8) {
		if y := l.step(r, inner, a, depth); y != nil {
			inner = append(inner, y)
		}
	}
	for _, c := range carries {
		results = append(results, l.next(r, c, inner))
	}
	for range l.pick("outputs", 4) {
		results = append(results, inner[len(inner)-1-l.pick("output", min(6, len(inner)))])
	}
	n := b.Loop(a, r.FinishValues(results...), args...)
	var out []*ir.Node
	for i, t := range n.Type.Tuple {
		if t.Rank() < 4 && !hasLength(t) {
			out = append(out, b.Op("tanh", b.Get(n, i)))
		} else {
			out = append(out, b.Reduce(ir.Sum, []int{0}, b.Get(n, i)))
		}
	}
	return out
}

func hasLength(t ir.Type) bool {
	for _, d := range t.Dims {
		if d.Len != nil {
			return true
		}
	}
	return false
}

// next is the next value of a carry: mostly a sum with something.
func (l *loopDraw) next(r *ir.Builder, c *ir.Node, pool []*ir.Node) *ir.Node {
	same := []*ir.Node{r.Op("sin", c)}
	for i := range pool {
		if x := pool[len(pool)-1-i]; ir.SameDims(x.Type.Dims, c.Type.Dims) {
			same = append(same, x)
		}
	}
	x := l.one("next", same)
	if l.pick("product", 3) > 0 {
		for range 40 {
			y := l.product(r, pool)
			if y == nil {
				continue
			}
			if l.pick("move", 3) == 0 && y.Type.Rank() == 2 {
				y = r.Permute(y, 1, 0)
			}
			if ir.SameDims(y.Type.Dims, c.Type.Dims) {
				x = y
				break
			}
		}
	}
	switch l.pick("add", 6) {
	case 0:
		return r.Op("tanh", r.Add(x, c))
	case 1, 2:
		return r.Add(x, c)
	}
	return r.Add(c, x)
}

// product is one of two values along axes of equal size.
func (l *loopDraw) product(r *ir.Builder, pool []*ir.Node) *ir.Node {
	x, y := l.one("left", pool), l.one("right", pool)
	if l.pick("same", 8) == 0 {
		y = x
	}
	if x.Type.Rank() == 0 || y.Type.Rank() == 0 || x.Type.IsTuple() {
		return nil
	}
	left, right, free := "", "", 'b'
	for range x.Type.Dims {
		left += string(free)
		free++
	}
	taken := map[int]bool{}
	for _, d := range y.Type.Dims {
		k := l.pick("with", x.Type.Rank()+1)
		if k < x.Type.Rank() && !taken[k] && x.Type.Dims[k].Equal(d) {
			taken[k] = true
			right += left[k : k+1]
		} else {
			right += string(free)
			free++
		}
	}
	out, batch := "", ""
	for k := range left {
		if !strings.Contains(right, left[k:k+1]) {
			out += left[k : k+1]
		} else if l.pick("batch", 4) == 0 {
			batch += left[k : k+1]
		}
	}
	for k := range right {
		if !strings.Contains(left, right[k:k+1]) {
			out += right[k : k+1]
		}
	}
	out = batch + out
	if len(out) > 3 || len(taken) == 0 {
		return nil
	}
	z, err := r.TryMake(ir.OpDot, ir.DotAttr{A: left, B: right, Out: out}, x, y)
	if err != nil || z.Type.Size() > 600 {
		return nil
	}
	return z
}

// step draws a value.
func (l *loopDraw) step(r *ir.Builder, pool []*ir.Node, a ir.LoopAttr, depth int) *ir.Node {
	x := l.one("value", pool)
	switch l.pick("op", 9) {
	case 0:
		return r.Op("tanh", x)
	case 1:
		if x.Type.Rank() == 2 {
			return r.Permute(x, 1, 0)
		}
	case 2:
		if x.Type.Rank() > 0 {
			return r.Reduce(ir.Sum, []int{l.pick("axis", x.Type.Rank())}, x)
		}
	case 3: // a shift, by the turn if that has a symbol
		if x.Type.Rank() > 0 {
			zero := []float64{0, 0, 1}[l.pick("outside", 3)]
			out := make([]*index.Expr, x.Type.Rank())
			for k := range out {
				out[k] = ir.Var(k)
			}
			by := index.C(1)
			if a.Sym != "" && l.pick("turn", 2) == 0 {
				by = index.V(a.Sym)
			}
			k := l.pick("axis", len(out))
			out[k] = index.Sub(out[k], by)
			return r.Index(x, x.Type.Dims, out, &zero)
		}
	case 4:
		if depth < 1 && l.pick("inner", 2) == 0 {
			in := pool
			if len(in) > 6 {
				in = in[len(in)-6:]
			}
			ys := l.loop(r, in, depth+1)
			return ys[l.pick("get", len(ys))]
		}
		fallthrough
	case 5:
		for range 5 {
			if y := l.one("other", pool); y != x && ir.SameDims(x.Type.Dims, y.Type.Dims) {
				return r.Mul(x, r.Op("sin", y))
			}
		}
	default:
		return l.product(r, pool)
	}
	return nil
}
