package passes

import (
	"fmt"
	"math/rand"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/ir/index"
)

func exprs(t *testing.T, texts ...string) []*index.Expr {
	var out []*index.Expr
	for _, s := range texts {
		e, err := index.Parse(s)
		require.NoError(t, err)
		out = append(out, e)
	}
	return out
}

// Each map is inverted and both sides are counted over all points.
func TestInvert(t *testing.T) {
	names := []string{"i", "j", "k", "l"}
	for _, c := range []struct {
		maps  []string
		vars  []int
		sizes []int
		free  int
	}{
		{[]string{"i", "j"}, []int{3, 4}, []int{3, 4}, 0},
		{[]string{"j", "i"}, []int{3, 4}, []int{4, 3}, 0},
		{[]string{"i + 2"}, []int{5}, []int{9}, 0},
		{[]string{"i - 2"}, []int{9}, []int{5}, 0},
		{[]string{"4 - i"}, []int{5}, []int{5}, 0},
		{[]string{"i*2 + 1"}, []int{5}, []int{11}, 0},
		{[]string{"i/4", "i%4"}, []int{12}, []int{3, 4}, 0},
		{[]string{"i/4", "i%4"}, []int{11}, []int{3, 4}, 0},
		{[]string{"i*4 + j"}, []int{3, 4}, []int{12}, 0},
		{[]string{"i*6 + j"}, []int{3, 4}, []int{18}, 0},
		{[]string{"i/2"}, []int{7}, []int{4}, 1},
		{[]string{"i/2 - 1"}, []int{8}, []int{2}, 1},
		{[]string{"i + j - 1"}, []int{8, 3}, []int{8}, 1},
		{[]string{"i*2 + j - 1"}, []int{4, 4}, []int{8}, 1},
		{[]string{"i*2 + j - 1", "k*2 + l - 1"}, []int{4, 3, 3, 4}, []int{8, 6}, 2},
		{[]string{"i*2 + j*3"}, []int{4, 3}, []int{14}, 1},
		{[]string{"i*3 + j - 2"}, []int{9, 7}, []int{29}, 1},
		{[]string{"j*-1 - i*3 + 40"}, []int{9, 7}, []int{29}, 1},
		{[]string{"i*4 + j*2"}, []int{9, 5}, []int{41}, 1},
		{[]string{"i*4 + j*2 + k"}, []int{9, 5, 3}, []int{41}, 2},
		{[]string{"i*6 + j"}, []int{5, 13}, []int{40}, 1},
		{[]string{"j"}, []int{5, 4}, []int{4}, 1},
		{[]string{"0", "i"}, []int{5}, []int{1, 5}, 0},
		{[]string{"2", "i"}, []int{5}, []int{4, 5}, 0},
		{[]string{"i", "i"}, []int{5}, []int{5, 5}, 0},
		{[]string{"i%4 - 1", "i/4"}, []int{12}, []int{2, 3}, 0},
		{[]string{"i%3*5", "i/3 + j"}, []int{12, 2}, []int{11, 6}, 1},
		{[]string{"j - i"}, []int{3, 5}, []int{4}, 1},
		{[]string{"i - j"}, []int{1, 3}, []int{6}, 0},
		{[]string{"j"}, []int{1, 3}, []int{3}, 0},
		{[]string{"(i + 1)/2"}, []int{7}, []int{4}, 1},
		{[]string{"(i + j)/2"}, []int{4, 4}, []int{4}, 2},
		{[]string{"(i + j + 1)/2 - 1"}, []int{8, 3}, []int{4}, 2},
		{[]string{"(i*2 + j - 1)/3", "k"}, []int{6, 3, 4}, []int{4, 4}, 2},
		{[]string{"(i + 1)%2", "(i + 1)/2"}, []int{9}, []int{2, 5}, 0},
		{[]string{"(i + j)/3", "(i + j)%3"}, []int{6, 4}, []int{3, 3}, 1},
		{[]string{"(i + j)/3", "(i + j)%3"}, []int{6, 4}, []int{3, 5}, 1},
	} {
		name := fmt.Sprint(c.maps, c.vars, c.sizes)
		maps := exprs(t, c.maps...)
		vars := make([]variable, len(c.vars))
		for i, n := range c.vars {
			vars[i] = variable{name: names[i], size: n}
		}
		at := []string{"r0", "r1"}[:len(c.sizes)]
		in, ok := invert(maps, vars, c.sizes, at)
		require.True(t, ok, name)
		require.Len(t, in.free, c.free, name)
		requireInverse(t, in, maps, vars, c.sizes, at)
	}
}

// Where a window steps over several places, a place gathers one tap of as many.
func TestInvertStrided(t *testing.T) {
	for _, c := range []struct{ stride, windows, taps, terms int }{{1, 9, 5, 5}, {2, 9, 4, 2}, {2, 9, 5, 3}, {3, 9, 7, 3}, {3, 9, 3, 1}, {4, 9, 6, 2}} {
		vars := []variable{{name: "i", size: c.windows}, {name: "j", size: c.taps}}
		in, ok := invert(exprs(t, fmt.Sprintf("i*%d + j", c.stride)), vars, []int{c.stride*c.windows + c.taps}, []string{"r0"})
		require.True(t, ok)
		terms := 1
		for _, f := range in.free {
			terms *= f.size
		}
		require.Equal(t, c.terms, terms, "%+v", c)
	}
}

// requireInverse counts the points and their images by the map, and by its inverse.
func requireInverse(t *testing.T, in *inverse, maps []*index.Expr, vars []variable, sizes []int, at []string) {
	t.Helper()
	eval := func(es []*index.Expr, names []string, p, sizes []int) ([]int, bool) {
		var out []int
		for i, e := range es {
			x := e.Eval(func(s string) int { return p[slices.Index(names, s)] })
			if x < 0 || x >= sizes[i] {
				return nil, false
			}
			out = append(out, x)
		}
		return out, true
	}
	var extents []int
	var names []string
	for _, v := range vars {
		extents, names = append(extents, v.size), append(names, v.name)
	}
	want, got := map[string]int{}, map[string]int{}
	points(extents, func(p []int) {
		if r, ok := eval(maps, names, p, sizes); ok {
			want[fmt.Sprint(p, r)]++
		}
	})
	results, all := slices.Clone(at), slices.Clone(sizes)
	for _, f := range in.free {
		results, all = append(results, f.name), append(all, f.size)
	}
	points(all, func(p []int) {
		if src, ok := eval(in.source, results, p, extents); ok {
			got[fmt.Sprint(src, p[:len(at)])]++
		}
	})
	require.Equal(t, want, got, "%v of %v into %v: %v", maps, vars, sizes, in.source)
}

// Quotients and remainders of equal and of different sums, with offsets and into sizes that are too small or too large.
func TestInvertRandom(t *testing.T) {
	r := rand.New(rand.NewSource(1))
	inverted := 0
	for range 2000 {
		vars := []variable{{name: "i"}, {name: "j"}, {name: "k"}}[:1+r.Intn(3)]
		for i := range vars {
			vars[i].size = 1 + r.Intn(6)
		}
		sum := func() *index.Expr {
			e := index.C(r.Intn(7) - 3)
			for _, v := range vars {
				e = index.Sum(e, index.Prod(index.V(v.name), index.C([]int{0, 0, 1, 1, 1, 2, 3, 4, -1, -2}[r.Intn(10)])))
			}
			return e
		}
		same, m := sum(), index.C(2+r.Intn(4))
		var maps []*index.Expr
		var sizes []int
		at := []string{"r0", "r1"}[:1+r.Intn(2)]
		for range at {
			e := []*index.Expr{sum(), index.Quo(sum(), m), index.Quo(same, m), index.Rem(same, m)}[r.Intn(4)]
			maps = append(maps, index.Sum(e, index.C(max(r.Intn(5)-2, 0)-r.Intn(2))))
			sizes = append(sizes, 1+r.Intn(7))
		}
		if in, ok := invert(maps, vars, sizes, at); ok {
			inverted++
			requireInverse(t, in, maps, vars, sizes, at)
		}
	}
	require.Greater(t, inverted, 1000)
}

func TestInvertRefuses(t *testing.T) {
	vars := []variable{{name: "i", size: 4}, {name: "j", size: 4}}
	for _, m := range []string{"$0", "i*j", "min(i, j)", "(i + j)%2", "(i*j + 1)/2"} {
		_, ok := invert(exprs(t, m), vars, []int{4}, []string{"r0"})
		require.False(t, ok, m)
	}
}

func TestBijective(t *testing.T) {
	vars := []variable{{name: "i", size: 6}, {name: "j", size: 4}}
	for _, c := range []struct {
		maps  []string
		sizes []int
		want  bool
	}{
		{[]string{"i", "j"}, []int{6, 4}, true},
		{[]string{"i*4 + j"}, []int{24}, true},
		{[]string{"j*6 + i"}, []int{24}, true},
		{[]string{"i/2", "i%2", "j"}, []int{3, 2, 4}, true},
		{[]string{"i/2", "i%2*4 + j"}, []int{3, 8}, true},
		{[]string{"i*5 + j"}, []int{24}, false},
		{[]string{"i", "0"}, []int{6, 4}, false},
		{[]string{"i + 1", "j"}, []int{6, 4}, false},
	} {
		r, ok := newRadix(exprs(t, c.maps...), vars)
		require.True(t, ok)
		require.Equal(t, c.want, r.bijective(vars, c.sizes), c.maps)
	}
}

func points(sizes []int, f func([]int)) {
	p := make([]int, len(sizes))
	for {
		f(p)
		i := len(p) - 1
		for ; i >= 0; i-- {
			if p[i]++; p[i] < sizes[i] {
				break
			}
			p[i] = 0
		}
		if i < 0 {
			return
		}
	}
}
