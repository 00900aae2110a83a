package codegen

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/codegen/schedule"
	"mdlc/ir/loop"
)

// boxed are products whose operands the hardware copies, for m rows, n columns and k summands: whole buffers, dimensions of one element, slices, margins of zeros,
// fewer than there are, and of lengths that only a run knows.
var boxed = []string{
	"kernel p(in A: bf16[%[1]d,%[3]d], in B: bf16[%[3]d,%[2]d], out C: f32[%[1]d,%[2]d]) { axis i: %[1]d, j: %[2]d, l: %[3]d   C[i,j] = dot[l](A[i,l], B[l,j]) }",
	"kernel p(in A: f16[%[3]d,%[1]d], in B: f16[%[2]d,%[3]d], out C: f32[%[1]d,%[2]d]) { axis i: %[1]d, j: %[2]d, l: %[3]d   C[i,j] = dot[l](A[l,i], B[j,l]) }",
	"kernel p(in A: bf16[%[1]d,1,%[3]d,1], in B: bf16[%[3]d,%[2]d], out C: f32[%[1]d,%[2]d]) { axis i: %[1]d, j: %[2]d, l: %[3]d   C[i,j] = dot[l](A[i,0,l,0], B[l,j]) }",
	"kernel p(in A: bf16[600,2,%[3]d], in B: bf16[2,%[2]d,%[3]d], out C: f32[2,600,%[2]d]) { axis b: 2, i: 600, j: %[2]d, l: %[3]d   C[b,i,j] = dot[l](A[i,b,l], B[b,j,l]) }",
	"kernel p(in A: bf16[3,%[1]d,%[3]d], in B: bf16[%[3]d,%[2]d], out C: f32[%[1]d,%[2]d]) { axis i: %[1]d, j: %[2]d - 8, l: %[3]d - 9   C[i,j] = dot[l](A[1,i,l + 9], B[l + 3,j + 8]) }",
	"kernel p(in A: bf16[%[1]d,%[3]d], in B: bf16[%[3]d,%[2]d], out C: f32[%[1]d,%[2]d]) { axis i: %[1]d, j: %[2]d, l: %[3]d   C[i,j] = dot[l](A[i - 5,l; i >= 5 & i < %[1]d], B[l + 3,j; l + 3 < %[3]d - 20]) }",
	"kernel p(in L: i64[], in A: bf16[%[1]d,%[3]d], in B: bf16[%[3]d,%[2]d], out C: f32[%[1]d,%[2]d]) { axis i: L[] <= %[1]d, j: %[2]d, l: L[] * 2 - 1 <= %[3]d   C[i,j] = dot[l](A[i,l], B[l,j]) }",
}

// owned are products of tiles of rows that belong to groups: which matrix each is multiplied with is data.
var owned = []string{
	"kernel p(in O: i32[3], in A: bf16[3,%[1]d,%[3]d], in B: bf16[5,%[3]d,%[2]d], out C: f32[3,%[1]d,%[2]d]) { axis b: 3, i: %[1]d, j: %[2]d, l: %[3]d   C[b,i,j] = dot[l](A[b,i,l], B[max(0, min(i64(O[b]), 4)),l,j]) }",
	"kernel p(in O: i32[3], in A: bf16[3,%[1]d,%[3]d], in B: bf16[5,%[2]d,%[3]d], out C: f32[3,%[1]d,%[2]d]) { axis b: 3, i: %[1]d, j: %[2]d, l: %[3]d   C[b,i,j] = dot[l](A[b,i,l], B[max(0, min(i64(O[b]), 4)),j,l]) }",
}

// sent are products whose results the hardware stores: rounded, added to what is there, two of them, in a slice, with a dimension between, of as many rows
// as a run has.
var sent = []string{
	"kernel p(in A: bf16[%[1]d,%[3]d], in B: bf16[%[3]d,%[2]d], in D: f32[%[2]d], out C: bf16[%[1]d,%[2]d]) { axis i: %[1]d, j: %[2]d, l: %[3]d   C[i,j] = bf16(dot[l](A[i,l], B[l,j]) + D[j]) }",
	"kernel p(in A: f16[%[1]d,%[3]d], in B: f16[%[3]d,%[2]d], inout C: f16[%[1]d,%[2]d]) { axis i: %[1]d, j: %[2]d, l: %[3]d   C[i,j] = f16(dot[l](A[i,l], B[l,j]) + f32(C[i,j])) }",
	"kernel p(in A: bf16[%[1]d,%[3]d], in B: bf16[%[3]d,%[2]d], out C: bf16[%[1]d,%[2]d], out D: f16[%[1]d,%[2]d]) { axis i: %[1]d, j: %[2]d, l: %[3]d   z = dot[l](A[i,l], B[l,j])   C[i,j] = bf16(z)   D[i,j] = f16(z * 0.5) }",
	"kernel p(in A: bf16[%[1]d,%[3]d], in B: bf16[%[3]d,%[2]d], inout C: f32[2,%[1]d + 8,%[2]d + 8]) { axis i: %[1]d, j: %[2]d, l: %[3]d   C[1,i + 3,j + 4] = dot[l](A[i,l], B[l,j]) }",
	"kernel p(in A: bf16[%[1]d,2,%[3]d], in B: bf16[2,%[2]d,%[3]d], out C: bf16[%[1]d,2,%[2]d]) { axis b: 2, i: %[1]d, j: %[2]d, l: %[3]d   C[i,b,j] = bf16(dot[l](A[i,b,l], B[b,j,l])) }",
	"kernel p(in L: i64[], in A: bf16[%[1]d,%[3]d], in B: bf16[%[3]d,%[2]d], out C: bf16[%[1]d,%[2]d]) { axis i: L[] <= %[1]d, j: %[2]d, l: %[3]d   C[i,j] = bf16(dot[l](A[i,l], B[l,j])) }",
}

// What the hardware copies and stores is what the evaluator reads and stores, zeros and nothing where a tile goes beyond, in whatever order warps run.
func TestBoxes(t *testing.T) {
	target := gpuTarget(t, "sm_90a")
	rng := rand.New(rand.NewPCG(7, 8))
	count := map[string]int{}
	var equations, kernels []*loop.Kernel
	for n, form := range slices.Concat(boxed, owned, sent) {
		for large, tile := range []string{"", "wgmma128x64", "wgmma128x64, 3 processors", "wgmma128x64, 2 processors", "wgmma128x128, 2 processors"} {
			if tile == "wgmma128x128, 2 processors" && n < len(boxed)+len(owned) {
				continue
			}
			rows, cols := 72+120*min(large, 1)+8*rng.IntN(8), 80+8*rng.IntN(8)+64*(large/4)
			p := parseKernel(t, sized(form, rows, cols, 144+8*rng.IntN(20)))
			p.Name = fmt.Sprintf("boxes_%d_%d", n, len(kernels))
			steps, err := schedule.Run(p, withTile(target.Machine, tile))
			require.NoError(t, err)
			last := steps[len(steps)-1].Kernel
			for _, o := range last.Opts {
				count[o.Kind]++
			}
			require.True(t, slices.ContainsFunc(last.Opts, func(o loop.Opt) bool { return o.Kind == schedule.Bulk }), last.String())
			require.Contains(t, last.String(), "send {")
			equations, kernels = append(equations, schedule.Expand(p)), append(kernels, last)
		}
	}
	t.Log(count)
	require.GreaterOrEqual(t, count[schedule.Roles], 24)
	require.GreaterOrEqual(t, count[schedule.Persist], 14)
	require.GreaterOrEqual(t, count[schedule.Cluster], 8)
	for i, m := range runners(t, target, kernels...) {
		t.Run(kernels[i].Name, func(t *testing.T) {
			m.(*emulated).device.Seed = uint64(i % 2) // copies land at any time, or when they are waited for
			checkAgainst(t, equations[i], m, -5)
		})
	}
}

// ofLengths are products that points make tile by tile, of lengths that only a run knows: rows, summands, columns, and two of them, in more than one block of
// tiles that are near each other.
var ofLengths = []string{
	"kernel p(in M: i64[], in A: bf16[400,136], in B: bf16[136,136], out C: bf16[400,136]) { axis i: M[] <= 400, j: 136, l: 136   C[i,j] = bf16(dot[l](A[i,l], B[l,j])) }",
	"kernel p(in M: i64[], in A: bf16[400,400], in B: bf16[400,128], in D: f32[128], out C: f32[400,128]) { axis i: 400, j: 128, l: M[] <= 400   C[i,j] = dot[l](A[i,l], B[l,j]) + D[j] }",
	"kernel p(in M: i64[], in A: bf16[256,136], in B: bf16[400,136], out C: bf16[256,400]) { axis i: 256, j: M[] <= 400, l: 136   C[i,j] = bf16(dot[l](A[i,l], B[j,l])) }",
	"kernel p(in M: i64[], in A: bf16[2,400,400], in B: bf16[2,400,128], out C: f32[2,400,128]) { axis b: 2, i: M[] <= 400, j: 128, l: M[] <= 400   C[b,i,j] = dot[l](A[b,i,l], B[b,l,j]) }",
	"kernel p(in M: i64[], in A: bf16[2200,136], in B: bf16[136,128], out C: bf16[2200,128]) { axis i: M[] * 5 + 195 <= 2200, j: 128, l: 136   C[i,j] = bf16(dot[l](A[i,l], B[l,j])) }",
	"kernel p(in M: i64[], in A: bf16[2170,136], in B: bf16[136,128], out C: bf16[2170,128]) { axis i: 2170, j: 128, l: 136   C[i,j] = bf16(dot[l](A[i,l], B[l,j])) }",
}

// A dear function of results that wait in shared memory, some columns at a time, is what the evaluator has, also for points of a cluster, and where the run
// knows how many rows there are.
func TestDearResults(t *testing.T) {
	target := gpuTarget(t, "sm_90a")
	var equations, kernels []*loop.Kernel
	for n, c := range []struct{ tile, rows string }{
		{"wgmma128x128, 3 processors", "250"}, {"wgmma128x128, 2 processors", "250"}, {"wgmma128x256, 2 processors", "250"}, {"wgmma128x128, 2 processors", "M[] <= 250"},
	} {
		p := parseKernel(t, fmt.Sprintf(`kernel p(in M: i64[], in A: bf16[250,136], in B: bf16[136,592], in D: f32[592], inout C: bf16[250,592]) {
  axis i: %s, j: 592, l: 136
  z = dot[l](A[i,l], B[l,j]) + D[j]
  C[i,j] = bf16(f32(C[i,j]) + z / (1.0 + exp(-z)))
}`, c.rows))
		p.Name = fmt.Sprintf("dear_%d", n)
		steps, err := schedule.Run(p, withTile(target.Machine, c.tile))
		require.NoError(t, err)
		last := steps[len(steps)-1].Kernel
		require.Contains(t, last.String(), "for tile")
		require.Regexp(t, `result\[.* == part`, last.String())
		equations, kernels = append(equations, schedule.Expand(p)), append(kernels, last)
	}
	for i, m := range runners(t, target, kernels...) {
		t.Run(kernels[i].Name, func(t *testing.T) {
			m.(*emulated).device.Seed = uint64(i)
			checkAgainst(t, equations[i], m, -251)
		})
	}
}

// Points make as many tiles as a run has, of as many turns, none of either too.
func TestTilesOfLengths(t *testing.T) {
	target := gpuTarget(t, "sm_90a")
	clusters := 0
	var equations, kernels []*loop.Kernel
	for n, form := range ofLengths {
		for _, points := range []int{2, 3} {
			p := parseKernel(t, form)
			p.Name = fmt.Sprintf("lengths_%d_%d", n, points)
			steps, err := schedule.Run(p, withTile(target.Machine, fmt.Sprintf("wgmma128x64, %d processors", points)))
			require.NoError(t, err)
			last := steps[len(steps)-1].Kernel
			has := func(kind string) bool {
				return slices.ContainsFunc(last.Opts, func(o loop.Opt) bool { return o.Kind == kind })
			}
			require.True(t, has(schedule.Persist), last.String())
			if has(schedule.Cluster) {
				clusters++
			}
			equations, kernels = append(equations, schedule.Expand(p)), append(kernels, last)
		}
	}
	require.Equal(t, 5, clusters)
	p := parseKernel(t, "kernel p(in M: i64[], in A: bf16[8000,136], in B: bf16[136,8000], out C: bf16[8000,8000]) { axis i: M[] <= 8000, j: 8000, l: 136   C[i,j] = bf16(dot[l](A[i,l], B[l,j])) }")
	steps, err := schedule.Run(p, withTile(target.Machine, "wgmma128x256"))
	require.NoError(t, err)
	e, err := Emit(steps[len(steps)-1].Kernel, target)
	require.NoError(t, err)
	text, err := Compile([]*Emitted{e}, Options{Target: target})
	require.NoError(t, err)
	require.Equal(t, 2, strings.Count(string(text), "\tdiv."), "each role divides once a tile")
	require.NotContains(t, string(text), "rem.")
	for i, m := range runners(t, target, kernels...) {
		below := []int64{1, 2, 66, 200, 401}
		if strings.Contains(kernels[i].String(), "axis i: 2") || strings.Contains(kernels[i].String(), "<= 2200") { // large
			below = []int64{401}
		}
		for n, most := range below {
			t.Run(fmt.Sprint(kernels[i].Name, " ", most), func(t *testing.T) {
				m.(*emulated).device.Seed = uint64(n)
				checkAgainst(t, equations[i], m, -most)
			})
		}
	}
}

// Results are rounded two at a time as one by one: ties to even, too large ones to infinity, small ones to what is no normal number, and NaN.
func TestRoundedInPairs(t *testing.T) {
	target := gpuTarget(t, "sm_90a")
	var equations, kernels []*loop.Kernel
	for n, form := range []string{"f32(N[j]) * 0.00390625 + 0.0 * z", "z * 1.0e38 * 100.0", "z * 1.0e-38 * 0.01", "z * 1.0e38 * 100.0 - z * 1.0e38 * 100.0"} {
		p := parseKernel(t, fmt.Sprintf(`kernel rounded_%d(in N: i32[64], in A: bf16[64,128], in B: bf16[128,64], out C: bf16[64,64]) {
  axis i: 64, j: 64, l: 128
  z = dot[l](A[i,l], B[l,j])
  C[i,j] = bf16(%s)
}`, n, form))
		steps, err := schedule.Run(p, withTile(target.Machine, "wgmma64x64"))
		require.NoError(t, err)
		require.Contains(t, steps[len(steps)-1].Kernel.String(), "send {")
		equations, kernels = append(equations, schedule.Expand(p)), append(kernels, steps[len(steps)-1].Kernel)
	}
	for i, m := range runners(t, target, kernels...) {
		t.Run(kernels[i].Name, func(t *testing.T) { checkAgainst(t, equations[i], m, 2000) })
	}
	text, err := os.ReadFile(goldenFile("send_product", target))
	require.NoError(t, err)
	require.Equal(t, 128*128/256/2, strings.Count(string(text), "cvt.rn.bf16x2.f32"))
}

// sized is a form for m rows, n columns and k summands. Sizes that are sums are added up.
func sized(form string, m, n, k int) string {
	form = strings.ReplaceAll(strings.ReplaceAll(form, "%[1]d + 8", fmt.Sprint(m+8)), "%[2]d + 8", fmt.Sprint(n+8))
	return fmt.Sprintf(form, m, n, k)
}
