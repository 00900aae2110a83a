package codegen

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/codegen/schedule"
	"mdlc/ir/loop"
)

// Rows of weights in few bits, whose lanes lie apart, are transposed and not gathered, and give the same sums; where the summed axis
// is no multiple of the lanes they are gathered.
func TestTransposedWeights(t *testing.T) {
	eachLevel(t, func(t *testing.T, target *Target) {
		var equations, kernels []*loop.Kernel
		for _, elem := range []string{"i8", "bf16", "f16", "f32"} {
			for _, size := range []struct{ rows, sum, columns int }{{1, 768, 203}, {1, 64, 160}, {4, 96, 401}, {1, 300, 130}} {
				weight := "f32(W[j,k])"
				if elem == "f32" {
					weight = "W[j,k]"
				}
				text := fmt.Sprintf(`kernel far%[7]d(in X: f32[%[1]d,%[2]d], in W: %[5]s[%[3]d,%[2]d], in S: f32[%[4]d,%[3]d], out Y: f32[%[1]d,%[3]d]) {
  axis i: %[1]d, j: %[3]d, k: %[2]d
  Y[i,j] = dot[k](X[i,k], %[6]s * S[k/32,j])
}`, size.rows, size.sum, size.columns, (size.sum+31)/32, elem, weight, len(kernels))
				ks, err := loop.Parse("far", text)
				require.NoError(t, err)
				steps, err := schedule.Run(ks[0], target.Machine)
				require.NoError(t, err)
				k := steps[len(steps)-1].Kernel
				equations, kernels = append(equations, schedule.Expand(ks[0])), append(kernels, k)
				e, err := Emit(k, target)
				require.NoError(t, err)
				gathers := strings.Contains(ModuleText([]*Emitted{e}, target), "@llvm.masked.gather")
				require.Equal(t, size.sum%target.Machine.Lanes != 0, gathers, text)
			}
		}
		for i, m := range runners(t, target, kernels...) {
			checkAgainst(t, equations[i], m, 100)
		}
	})
}

// TestTransposedLoads: what has lanes that lie apart and registers that lie side by side is loaded by rows, the rest lane by lane.
func TestTransposedLoads(t *testing.T) {
	cases := []struct {
		name, load string
		gathers    bool
	}{
		{"transposed", "X[j,i]", false},
		{"rows that are guarded away", "X[j,i; j < 41]", false},
		{"all guarded away together", "X[j,i; p > 1]", false},
		{"integers", "f32(U[j,i])", false},
		{"a guard along the registers", "X[j,i; i < 29]", true},
		{"registers that lie apart", "X[j,i*2 % 32]", true},
		{"halves", "f32(H[j,i])", false},
		{"lanes side by side", "X[i,j]", false},
	}
	eachLevel(t, func(t *testing.T, target *Target) {
		n := strconv.Itoa(target.Lanes())
		for _, c := range cases {
			t.Run(c.name, func(t *testing.T) {
				k := parseKernel(t, strings.NewReplacer("N", n, "P", strconv.Itoa(48/target.Lanes()), "Q", strconv.Itoa(32/target.Lanes()), "LOAD", c.load).Replace(`
kernel turned(in X: f32[48,48], in U: u32[48,48], in H: f16[48,48], out Y: f32[32,48]) guarded {
  axis p: P par, l: N lane, j: 48 = p*N + l, q: Q loop, r: N reg, i: 32 = q*N + r
  for q { Y[i,j] = LOAD * 2.0 }
}`))
				text := ""
				e, err := Emit(k, target)
				require.NoError(t, err)
				for _, f := range e.funcs {
					text += f.text
				}
				require.Equal(t, c.gathers, strings.Contains(text, "masked.gather"), text)
				checkKernel(t, load(t, target, k)[0])
			})
		}
	})
}

// Where what is side by side wraps among the registers, it is not read as a row.
func TestTransposedWraps(t *testing.T) {
	eachLevel(t, func(t *testing.T, target *Target) {
		var texts []string
		for i, column := range []string{"k%4", "k%12", "(k + 3)%64", "k/64*3 + k%2", "min(k, 13)"} {
			texts = append(texts, fmt.Sprintf(`kernel wraps%d(in X: f32[1,768], in W: f32[203,768], in S: f32[203,64], out Y: f32[1,203]) {
  axis i: 1, j: 203, k: 768
  Y[i,j] = dot[k](X[i,k], W[j,k] * S[j,%s])
}`, i, column))
		}
		checkTexts(t, target, texts...)
	})
}
