package codegen

import (
	"fmt"
	"math"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/codegen/schedule"
	"mdlc/ir/loop"
)

// gemvText is a product of rows times a matrix that lies along columns or, turned, along summands; with data, n and k are what
// data say.
func gemvText(elem string, rows, n, k int, turned, data bool) string {
	w, at := fmt.Sprintf("%d,%d", k, n), "k,j"
	if turned {
		w, at = fmt.Sprintf("%d,%d", n, k), "j,k"
	}
	cols, sums := fmt.Sprint(n), fmt.Sprint(k)
	if data {
		cols, sums = fmt.Sprintf("len[0] <= %d", n), fmt.Sprintf("len[1] <= %d", k)
	}
	return fmt.Sprintf(`kernel gemv(in X: %[1]s[%[2]d,%[4]d], in W: %[1]s[%[5]s], in B: f32[%[3]d], in len: i64[2], out Y: f32[%[2]d,%[3]d]) {
  axis i: %[2]d, j: %[6]s, k: %[7]s
  z = dot[k](X[i,k], W[%[8]s]) + B[j]
  Y[i,j] = where(z > 0.5, z, 0.5 * z)
}`, elem, rows, n, k, w, cols, sums, at)
}

// Products of few rows, of any size: the machine has the bits of the scheduled equations, and these those of the kernel, if the
// sum is not chopped, and else nearly so. No thread reads outside, or what is not written.
func TestGemv(t *testing.T) {
	target := gpuTarget(t, gpuArch())
	rng := rand.New(rand.NewPCG(5, 6))
	var equations, kernels []*loop.Kernel
	chopped := map[string]int{}
	for _, elem := range []string{"bf16", "f16", "f32"} {
		for i := range 12 {
			turned, data := i%2 == 1, i%5 == 4
			n, k := 32+rng.IntN(300), 1+rng.IntN(500)
			if i%4 < 2 {
				n, k = 8*(4+rng.IntN(40)), 8*(1+rng.IntN(60))
			}
			p := parseKernel(t, gemvText(elem, 1+rng.IntN(7), n, k, turned, data))
			p.Name = fmt.Sprintf("gemv_%s_%d_%dx%d", elem, i, n, k)
			steps, err := schedule.Run(p, target.Machine)
			require.NoError(t, err)
			last := steps[len(steps)-1].Kernel
			require.Contains(t, fmt.Sprint(last.Opts), "reg", "%s is scheduled otherwise", p.Name)
			for _, o := range last.Opts {
				if o.Kind == schedule.Chop {
					chopped[elem+o.Word]++
				}
			}
			equations, kernels = append(equations, schedule.Expand(p)), append(kernels, last)
		}
	}
	require.Positive(t, min(chopped["bf16"], chopped["f16"], chopped["bf16lanes"], chopped["f16lanes"]), "%v", chopped)
	require.Zero(t, chopped["f32"]+chopped["f32lanes"], "the order of f32 is the contract's")
	for i, m := range runners(t, target, kernels...) {
		t.Run(kernels[i].Name, func(t *testing.T) {
			checkAgainst(t, kernels[i], m, 1)
			if !slices.ContainsFunc(kernels[i].Opts, func(o loop.Opt) bool { return o.Kind == schedule.Chop }) {
				checkAgainst(t, equations[i], m, 1)
				return
			}
			beside(t, equations[i], m, 1, func(b *loop.Buffer, want *loop.Data, got []byte) {
				for j, w := range want.F {
					require.InDelta(t, w, elementAt(b.Elem, got, j), 1.0/256*(1+math.Abs(w)), "%s[%d]", b.Name, j)
				}
			})
		})
	}
}

// Of the PTX: warps, and what a thread has on its way in the loop that a product spends its time in.
func TestGemvLoops(t *testing.T) {
	target := gpuTarget(t, "sm_90a")
	for _, c := range []struct {
		elem         string
		rows, n, k   int
		turned       bool
		points       int // warps
		wide, narrow int // loads of 16 bytes in a turn, and of fewer
	}{
		{"bf16", 1, 4096, 4096, false, 1024, 9, 0}, // eight of the matrix, one of the vector
		{"f16", 4, 4096, 4096, false, 1024, 12, 0},
		{"bf16", 1, 4096, 4096, true, 2048, 12, 0}, // four of each of two columns, and of the vector
		{"bf16", 1, 16384, 4096, true, 4096, 10, 0},
		{"bf16", 1, 50264, 768, false, 1576, 9, 0},
		{"f32", 1, 131072, 1024, false, 1024, 10, 0},
		{"f32", 1, 4096, 1024, false, 128, 16, 64}, // columns are what there are: a thread has one, and twice as many rows
		{"f32", 1, 4096, 1024, true, 128, 32, 0},
	} {
		k := parseKernel(t, gemvText(c.elem, c.rows, c.n, c.k, c.turned, false))
		steps, err := schedule.Run(k, target.Machine)
		require.NoError(t, err)
		e, err := Emit(steps[len(steps)-1].Kernel, target)
		require.NoError(t, err)
		text, err := Compile([]*Emitted{e}, Options{Target: target})
		require.NoError(t, err)
		wide, narrow := loopLoads(t, string(text))
		require.Equal(t, []int{c.points, c.wide, c.narrow}, []int{pointsOf(e.Phases[0].Par), wide, narrow}, "%v", c)
		// f32 has columns for 128 of the 132 processors
		require.GreaterOrEqual(t, (c.points+e.Phases[0].PerBlock-1)/e.Phases[0].PerBlock, target.Machine.Processors*96/100, "blocks of %v", c)
	}
}

var globalLoad = regexp.MustCompile(`ld\.global\S*`)

// loopLoads counts the loads in the first loop of PTX: those of 16 bytes, and others.
func loopLoads(t *testing.T, text string) (wide, narrow int) {
	_, text, ok := strings.Cut(text, "Inner Loop Header")
	require.True(t, ok, "there is no loop")
	text, _, _ = strings.Cut(text, "bra")
	for _, load := range globalLoad.FindAllString(text, -1) {
		if strings.Contains(load, ".v4") && strings.HasSuffix(load, "32") {
			wide++
		} else {
			narrow++
		}
	}
	return wide, narrow
}

// As they run: the matrix is read once, in as many sectors of memory as it has, and little else.
func TestGemvReadsOnce(t *testing.T) {
	target := gpuTarget(t, gpuArch())
	const n, k = 256, 512
	for _, c := range []struct {
		elem    string
		turned  bool
		sectors float64 // asked for, for each of the matrix
	}{
		{"bf16", false, 1.05},
		{"f16", false, 1.05},
		{"f32", false, 1.1},
		{"bf16", true, 2},  // a column of each warp: as much again of the vector, from a cache
		{"f32", true, 2.1}, // half a sector after the other
	} {
		w, at := fmt.Sprintf("%d,%d", k, n), "k,j"
		if c.turned {
			w, at = fmt.Sprintf("%d,%d", n, k), "j,k"
		}
		p := parseKernel(t, fmt.Sprintf(`kernel gemv(in X: %[1]s[%[3]d], in W: %[1]s[%[4]s], out Y: f32[%[2]d]) {
  axis j: %[2]d, k: %[3]d
  Y[j] = dot[k](X[k], W[%[5]s])
}`, c.elem, n, k, w, at))
		steps, err := schedule.Run(p, target.Machine)
		require.NoError(t, err)
		m := emulate(t, target, steps[len(steps)-1].Kernel)[0]
		checkAgainst(t, m.k, m, 1)
		bytes := n * k * p.Bufs[1].Elem.Size()
		require.InDelta(t, c.sectors, float64(m.stats[0].Sectors)/float64(bytes/32), 0.05, "%v: %+v", c, m.stats[0])
	}
}

// A GPU makes a matrix that stands still once what products take, where that has fewer bytes: whoever hoists it reads half as many from then on.
// One that does not is made of what it is as it is read, and one of as many bytes is read as it is.
func TestStandingMatrixIsNarrowed(t *testing.T) {
	target := gpuTarget(t, gpuArch())
	var equations, kernels []*loop.Kernel
	for _, c := range []struct {
		elem, cast string
		rows, k    int
		still      bool
		made       bool // once
		shared     bool // each column's sum, by the threads of a warp
	}{
		{"f32", "bf16", 1, 136, true, true, false},
		{"f32", "bf16", 1, 264, true, true, true},
		{"f32", "bf16", 1, 270, true, true, false}, // rows of it would begin anywhere
		{"f32", "f16", 5, 264, true, true, true},
		{"f32", "bf16", 64, 264, true, true, false},
		{"f32", "bf16", 1, 264, false, false, false},
		{"bf16", "bf16", 1, 136, true, false, false},
		{"u8", "bf16", 1, 136, true, false, false}, // a byte each
	} {
		for _, at := range []string{"k,j", "j,k"} {
			shape := map[string]string{"k,j": fmt.Sprintf("%d,96", c.k), "j,k": fmt.Sprintf("96,%d", c.k)}[at]
			cast := fmt.Sprintf("%s(W[%s])", c.cast, at)
			if c.elem == c.cast {
				cast = fmt.Sprintf("W[%s]", at)
			}
			p := parseKernel(t, fmt.Sprintf(`kernel narrow(in X: %[1]s[%[2]d,%[6]d], in W: %[3]s[%[4]s], out Y: f32[%[2]d,96]) {
  axis i: %[2]d, j: 96, k: %[6]d
  Y[i,j] = dot[k](X[i,k], %[5]s)
}`, c.cast, c.rows, c.elem, shape, cast, c.k))
			p.Name = fmt.Sprintf("narrow_%s_%s_%dx%d_%t_%s", c.elem, c.cast, c.rows, c.k, c.still, at[:1])
			page := p
			if c.still {
				page = schedule.Still(p, map[string]bool{"W": true})
			}
			steps, err := schedule.Run(page, target.Machine)
			require.NoError(t, err)
			last := steps[len(steps)-1].Kernel
			require.Equal(t, c.made, slices.ContainsFunc(last.Bufs, func(b *loop.Buffer) bool { return b.Mode == loop.Work && b.Elem.Size() == 2 && b.Bytes() >= 96*c.k*2 }), p.Name)
			if c.made && at == "k,j" {
				require.Equal(t, c.shared, slices.ContainsFunc(last.Opts, func(o loop.Opt) bool { return o.Kind == schedule.Chop && o.Word == "lanes" }), p.Name)
			}
			equations, kernels = append(equations, schedule.Expand(p)), append(kernels, last)
		}
	}
	for i, m := range runners(t, target, kernels...) {
		t.Run(kernels[i].Name, func(t *testing.T) {
			checkAgainst(t, kernels[i], m, 1)
			beside(t, equations[i], m, 1, func(b *loop.Buffer, want *loop.Data, got []byte) {
				for j, w := range want.F {
					require.InDelta(t, w, elementAt(b.Elem, got, j), 1.0/256*(1+math.Abs(w)), "%s[%d]", b.Name, j)
				}
			})
		})
	}
}

// What is of indices alone reads nothing that stands still, and a window has fewer bytes than what it would be made to: a GPU makes both as it reads
// them.
func TestWhatIsNotNarrowed(t *testing.T) {
	target := gpuTarget(t, gpuArch())
	for _, text := range []string{
		"kernel mask(in W: bf16[264,96], out Y: f32[64,96]) {\n  axis i: 64, j: 96, k: 264\n  Y[i,j] = dot[k](bf16(i32(k) <= i32(i)), W[k,j])\n}",
		"kernel mask(in X: f32[1,264], out Y: f32[1,96]) {\n  axis i: 1, j: 96, k: 264\n  Y[i,j] = dot[k](X[i,k], f32(i32(k) <= i32(j)))\n}",
		"kernel window(in X: bf16[1,264], in P: f32[360] still, out Y: f32[1,96]) {\n  axis i: 1, j: 96, k: 264\n  Y[i,j] = dot[k](X[i,k], bf16(P[j + k]))\n}",
	} {
		steps, err := schedule.Run(parseKernel(t, text), target.Machine)
		require.NoError(t, err)
		for _, o := range steps[len(steps)-1].Kernel.Opts { // a result's parts are packed, too
			require.False(t, o.Kind == schedule.Pack && (strings.HasSuffix(o.Axis, "_a") || strings.HasSuffix(o.Axis, "_b")), "%s\n%s", text, o)
		}
	}
}
