package codegen

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/codegen/schedule"
	"mdlc/ir"
	"mdlc/ir/loop"
)

// groupProduct is a groupdot of some rows, to some groups, of axes i, k, j of some sizes.
func groupProduct(spec string, rows, groups, i, k, j int) func(*ir.Builder, loop.Elem) *ir.Node {
	return func(b *ir.Builder, e loop.Elem) *ir.Node {
		d, err := ir.ParseDot(spec)
		if err != nil {
			panic(err)
		}
		operand := func(labels string) *ir.Node {
			var dims []int
			for _, l := range labels {
				dims = append(dims, map[rune]int{'n': rows, 'i': i, 'k': k, 'j': j}[l])
			}
			return given(b, e, dims...)
		}
		x, y := operand(d.A), operand(d.B)
		return b.Make(ir.OpGroupDot, ir.GroupDotAttr{DotAttr: d, Rows: "n"}, x, y, given(b, loop.I32, rows), b.Param(ir.ParamFlag, "start", ir.TensorOf(loop.I32, groups+1)))
	}
}

// Sums of the rows of groups are those of the evaluator on every machine, of random shapes: groups with no row, with one, and with many, in any order, also such that are
// in several; summands of a row that are no multiple of a slot, or one; few results of many summands, which are sums of parts.
func TestGroupProducts(t *testing.T) {
	eachLevel(t, checkGroupProducts)
	for _, name := range []string{"sm_80", "sm_90a"} {
		t.Run(name, func(t *testing.T) { checkGroupProducts(t, gpuTarget(t, name)) })
	}
}

func checkGroupProducts(t *testing.T, target *Target) {
	rng := rand.New(rand.NewPCG(7, 8))
	var equations, kernels []*loop.Kernel
	var rows []int
	specs := []string{"nki,nkj->nij", "nik,nkj->nij", "nki,nkj->nji", "kni,njk->inj", "nki,nk->ni", "ni,nj->nij", "nki,nkj->ijn", "nki,nkj->inj"}
	sizes := []int{1, 3, 16, 33, 64, 72, 136}
	for range 14 {
		spec, e := specs[rng.IntN(len(specs))], []loop.Elem{loop.F32, loop.BF16, loop.F16}[rng.IntN(3)]
		n, groups, k := 1+rng.IntN(6), 1+rng.IntN(4), []int{1, 5, 16, 64, 100, 128}[rng.IntN(6)]
		i, j := sizes[rng.IntN(len(sizes))], sizes[rng.IntN(len(sizes))]
		b := ir.NewBuilder("g")
		p := groupProduct(spec, n, groups, i, k, j)(b, e)
		kernel := mustLower(t, &ir.PlanLaunch{Node: p, Scope: b.Scope(), Type: p.Type, InPlace: []int{-1}}).kernel
		steps, err := schedule.Run(kernel, target.Machine)
		require.NoError(t, err)
		last := steps[len(steps)-1].Kernel
		kernel.Name = fmt.Sprintf("k%d", len(kernels))
		last.Name = kernel.Name
		equations, kernels, rows = append(equations, schedule.Expand(kernel)), append(kernels, last), append(rows, n)
	}
	for i, m := range runners(t, target, kernels...) {
		t.Run(fmt.Sprint(equations[i]), func(t *testing.T) {
			if slices.ContainsFunc(kernels[i].Opts, func(o loop.Opt) bool { return o.Kind == schedule.Chop }) {
				checkNear(t, equations[i], m)
				return
			}
			checkAgainst(t, equations[i], m, int64(-1-rows[i]))
		})
	}
}

// What is packed of the operands is packed once for all groups, not for each of them.
func TestGroupsSharePacks(t *testing.T) {
	target := leastTarget(t)
	b := ir.NewBuilder("g")
	p := groupProduct("nki,nkj->nij", 12, 8, 96, 64, 80)(b, loop.BF16)
	kernel := mustLower(t, &ir.PlanLaunch{Node: p, Scope: b.Scope(), Type: p.Type, InPlace: []int{-1}}).kernel
	steps, err := schedule.Run(kernel, target.Machine)
	require.NoError(t, err)
	packs := 0
	for _, buf := range steps[len(steps)-1].Kernel.Bufs {
		if strings.HasPrefix(buf.Name, "pack") {
			packs++
			require.LessOrEqual(t, buf.Bytes(), 12*64*(96+16)*4, buf.Name)
		}
	}
	require.Equal(t, 2, packs)
}
