package main

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Long axes are sorted, too, such as the logits of a vocabulary; without fusion the same way.
func TestLongAxesAreSorted(t *testing.T) {
	t.Chdir(t.TempDir())
	require.NoError(t, os.WriteFile("long.mdl", []byte(`sample s {
  x ~ normal[3, 5000]
  o = argsort(x)
  y = sort(x)
  z[b, i] = x[b, o[b, i]]
  best = top_k(x, k: 2)
  p ~ permutation()[2100]
  show all(y[:, 1:] >= y[:, :-1]) and all(z == y) and all(best[:, 0] == argmax(x, axis: 1)) and all(best[:, 1] == o[:, 4998])
  more = top_k(x, k: 100)
  q[b < 2, i < 3000] = (i * i) % 10 - b
  ties = top_k(q, k: 90)
  show all(more == reverse(o, axis: 1)[:, :100]) and all(ties == argsort(-q)[:, :90])
  show all(sort(p) == argsort(sort(p)))
  show y[:, :3]
}
`), 0o644))
	stdout, stderr, code := call("run", "long.mdl", "sample", "-q")
	require.Equal(t, 0, code, stderr)
	require.Regexp(t, `^1\n1\n1\n(-[0-9.]+ -[0-9.]+ -[0-9.]+\n){3}$`, stdout)
	alone, stderr, code := call("run", "long.mdl", "sample", "-q", "--no-fusion", "--threads=1")
	require.Equal(t, 0, code, stderr)
	require.Equal(t, stdout, alone)
}

// Axes whose length the run decides are sorted as a stable sort of what is there, on each device: longer and shorter than a block, and of nothing.
func TestRunLengthsAreSorted(t *testing.T) {
	t.Setenv("MDLC_CACHE", filepath.Join(os.TempDir(), "mdlc-test-cache"))
	t.Chdir(t.TempDir())
	require.NoError(t, os.WriteFile("m.mdl", []byte("sample s(x: f32[N]) {\n  show argsort(x)\n  show argsort(i32(x * 2))\n}\n"), 0o644))
	r := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{0, 1, 2, 255, 257, 1000} {
		x, data := make([]float64, n), []byte{}
		for i := range x {
			special := []float64{math.NaN(), math.Inf(1), math.Inf(-1), math.Copysign(0, -1), 0, 1, -1, 2, -2, 3, r.Float64(), r.NormFloat64()}
			x[i] = float64(float32(special[r.IntN(len(special))]))
			data = binary.LittleEndian.AppendUint32(data, math.Float32bits(float32(x[i])))
		}
		writeNpy(t, "x.npy", "<f4", []int{n}, data)
		want := permutation(n, func(i, j int) bool { return x[i] < x[j] || x[i] == x[i] && x[j] != x[j] })
		whole := func(i int) float64 { // as casts do it
			if x[i] != x[i] {
				return 0
			}
			return math.Trunc(2 * x[i])
		}
		want += permutation(n, func(i, j int) bool { return whole(i) < whole(j) })
		for _, args := range [][]string{{"--threads", "1"}, {"--threads", "2"}, {"--device", "emulator"}} {
			stdout, stderr, code := call(append([]string{"run", "m.mdl", "sample", "s", "--x", "x.npy", "-q"}, args...)...)
			require.Equal(t, 0, code, stderr)
			require.Equal(t, want, stdout, "%d %v", n, args)
		}
	}
}

// permutation is the numbers below n in order, as shown.
func permutation(n int, less func(i, j int) bool) string {
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	sort.SliceStable(order, func(i, j int) bool { return less(order[i], order[j]) })
	return strings.Trim(fmt.Sprint(order), "[]") + "\n"
}
