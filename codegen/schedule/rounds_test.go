package schedule

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"mdlc/ir/loop"
)

// fewRows is a GPU whose rounds have as few rows as a tile, and that has no room for attention in one launch.
func fewRows() *Machine {
	m := *SM80
	m.Round, m.Processors, m.Slots = 1, 1, 16<<10
	return &m
}

// inRoundsOf requires that the pages of k that pass values over pairs on are in rounds of so many rows, and that these are all that memory has.
func inRoundsOf(t require.TestingT, k *loop.Kernel, rows, pairs int) {
	require.NotEmpty(t, ofKind(k.Opts, Rounds))
	for _, b := range k.Bufs {
		if n := len(b.Dims); b.Mode == loop.Work && n > 1 && b.Dims[n-1] >= pairs {
			require.LessOrEqual(t, b.Dims[n-2], rows, b.Name)
		}
	}
}

// What attention passes on is of a block of rows, and its schedule keeps the bits.
func TestGoldenRounds(t *testing.T) {
	eachKernelFile(t, "rounds", fewRows(), func(t *testing.T, file string, steps []Step) {
		inRoundsOf(t, steps[len(steps)-1].Kernel, 256, 97)
		if _, err := os.Stat(strings.TrimSuffix(file, ".kir") + ".steps"); err == nil { // of some: each is long
			golden(t, file, steps[:len(steps)-1])
		}
	})
}

// eachKernelFile calls look with the steps of the schedule of each kernel of a folder of testdata, all of which are right.
func eachKernelFile(t *testing.T, folder string, m *Machine, look func(t *testing.T, file string, steps []Step)) {
	files, err := filepath.Glob("../../testdata/" + folder + "/*.kir")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".kir"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			k := parse(t, string(text))
			steps, err := Run(k, m)
			require.NoError(t, err)
			right(t, k, steps, 7)
			look(t, file, steps)
		})
	}
}

// Attention of any size, forward and backward, has the same bits in rounds of few rows.
func TestAnyAttentionInRounds(t *testing.T) {
	m := fewRows()
	m.Tiles = []Row{{Rows: 16, Cols: 16, Speed: 100, Warps: [2]int{1, 1}}}
	inRounds := 0
	for _, name := range []string{"attention", "gradient of attention"} {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				k := parse(t, shapes[name](rapid.IntRange(65, 130).Draw(t, "a"), rapid.IntRange(1, 9).Draw(t, "b"), rapid.IntRange(1, 70).Draw(t, "c")))
				steps, err := Run(k, m)
				require.NoError(t, err)
				right(t, k, steps, rapid.Uint64().Draw(t, "seed"))
				inRounds += min(len(ofKind(steps[len(steps)-1].Kernel.Opts, Rounds)), 1)
			})
		})
	}
	require.Greater(t, inRounds, 6)
}

// Rows are cut into what divides a round, whatever work there is for a point.
func TestPiecesOfARoundDivideIt(t *testing.T) {
	for n := range 64 {
		m := *SM80
		m.Chunk = 10*n + 1
		for name, cuts := range map[string]func(c *chooser, stores []*loop.Store){
			"product": func(c *chooser, _ []*loop.Store) { c.tiles(c.inRound, 2, 32, n, false) },
			"nest":    func(c *chooser, stores []*loop.Store) { c.page(stores) },
		} {
			k := parse(t, "kernel k(in X: f32[64,40], out Y: f32[64,40]) {\n axis i: 64, j: 40\n Y[i,j] = X[i,j]\n}")
			c := &chooser{k: k, m: &m, inRound: k.Axes[0]}
			stores, _ := equations(k.Body)
			cuts(c, stores)
			require.NoError(t, c.err)
			size := 1
			for _, a := range newDepends().axis(k.Axes[0]) {
				size *= a.Max
			}
			require.Equal(t, 64, size, "%s %d", name, n)
		}
	}
}

// A sum over many rows with few results is not chopped where the rows go through rounds, and is where they do not.
func TestRoundsRatherThanParts(t *testing.T) {
	m := *SM80
	k := parse(t, `kernel k(in Q: bf16[20000,64], in K: bf16[256,64], in V: bf16[256,64], in L: f32[20000], in D: bf16[20000,64], out O: f32[20000,64], out DV: f32[256,64]) {
  axis t: 20000, s: 256, d: 64, e: 64, g: 64
  p = exp(dot[d](Q[t,d], K[s,d]) - L[t])
  O[t,e] = dot[s](bf16(p), V[s,e])
  DV[s,g] = dot[t](bf16(p), D[t,g])
}`)
	steps, err := Run(k, &m)
	require.NoError(t, err)
	inRoundsOf(t, steps[len(steps)-1].Kernel, 8192, 256)
	m.Round = 0
	steps, err = Run(k, &m)
	require.NoError(t, err)
	require.NotEmpty(t, ofKind(steps[len(steps)-1].Kernel.Opts, Chop))
}

// What all rounds need alike, as a sum of a batch, each of them computes: launches leave each other nothing but memory.
func TestRoundsComputeWhatIsAlike(t *testing.T) {
	for _, p := range []string{"z * exp(A[0,0])", "z * sum[u](A[i,u])", "z - log(sum[u](exp(A[i,u])))"} {
		k := parse(t, fmt.Sprintf(`kernel k(in Q: f32[2,150,32], in K: f32[2,140,32], in A: f32[2,140], in D: f32[2,150,32], out O: f32[2,150,32], out DV: f32[2,140,32]) {
  axis i: 2, k: 150, l: 140, m: 32, n: 32, q: 32, u: 140
  z = dot[n](Q[i,k,n], K[i,l,n])
  p = exp(%s)
  O[i,k,q] = dot[l](p, K[i,l,q])
  DV[i,l,m] = dot[k](p, D[i,k,m])
}`, p))
		steps, err := Run(k, fewRows())
		require.NoError(t, err)
		inRoundsOf(t, steps[len(steps)-1].Kernel, 64, 140)
		right(t, k, steps, 7)
	}
}

// Rounds do not go on with a sum that a launch has in a panel, and pages do not take one that has not ended.
func TestRoundsHaveNoPanels(t *testing.T) {
	for at, says := range map[string]string{"S[n]": "panel acc would outlive a launch", "A[n]": "A is not each i0's own"} {
		k := parse(t, fmt.Sprintf(`kernel k(in X: f32[64,8], out Y: f32[64,8], out S: f32[8], work W: f32[64,8], work A: f32[8]) {
  axis i: 64, j: 8, k: 64, l: 8, m: 64, n: 8
  W[i,j] = X[i,j] * 2.0
  phase
  %s = dot[m](W[m,n], X[m,n])
  phase
  Y[k,l] = W[k,l] + A[l]
}`, at))
		opts := []loop.Opt{opt(Bind, "n", 0, "loop"), opt(Order, "n", 0, "")}
		for _, a := range []string{"i", "k", "m"} {
			opts = append(opts, opt(Cut, a, 16, ""), opt(Bind, a+"0", 0, "loop"), opt(Rounds, a+"0", 0, ""))
		}
		_, err := loops(k, append(opts, opt(Block, "k0", 0, "i0"), opt(Block, "m0", 0, "i0")))
		require.ErrorContains(t, err, says)
	}
}

// Rounds of a schedule that is not legal are an error.
func TestRoundsRefuse(t *testing.T) {
	const text = `kernel k(in X: f32[64,8], out Y: f32[64,8], out S: f32[8], work W: f32[64,8]) {
  axis i: 64, j: 8, k: 64, l: 8, m: 64, n: 8
  W[i,j] = X[i,j] * 2.0
  phase
  Y[k,l] = W[k,l]
  phase
  S[n] = %s
}`
	all := []loop.Opt{opt(Bind, "i", 0, "loop"), opt(Bind, "k", 0, "loop"), opt(Rounds, "i", 0, ""), opt(Rounds, "k", 0, ""), opt(Block, "k", 0, "i")}
	more := append(slices.Clone(all), opt(Bind, "m", 0, "loop"), opt(Block, "m", 0, "i"))
	for _, c := range []struct {
		sum, says string
		opts      []loop.Opt
	}{
		{"X[0,n]", "", all},
		{"max[m](W[m,n])", "", append(slices.Clone(all), opt(Bind, "m", 0, "loop"))},
		{"max[m](W[m,n])", "panel acc would outlive a launch", append(more, opt(Rounds, "m", 0, ""))},
		{"max[m](W[m,n])", "are not the same points or turns", more},
		{"X[0,n]", "there is no axis", more[:len(more)-1]},
		{"W[63 - n,n]", "", all},
		{"f32(n)", "are not the same points or turns", append(slices.Clone(all[:2]), all[3:]...)},
	} {
		in := parse(t, fmt.Sprintf(text, c.sum))
		steps, err := loops(in, c.opts)
		if c.says == "" {
			require.NoError(t, err, c.sum)
			same(t, in, steps[len(steps)-1].Kernel, inputs(in, 3))
			continue
		}
		require.ErrorContains(t, err, c.says, c.sum)
	}
}

// Products that a launch makes without a loop of its own have no slots, whatever the operands of others are called.
func TestRoundsOfLengths(t *testing.T) {
	text, err := os.ReadFile("../../testdata/block/attention_lengths.kir")
	require.NoError(t, err)
	k := parse(t, string(text))
	steps, err := Run(k, fewRows())
	require.NoError(t, err)
	require.NotEmpty(t, ofKind(steps[len(steps)-1].Kernel.Opts, Rounds, Stage))
	same(t, Expand(k), Expand(steps[len(steps)-1].Kernel), inputs(k, 7))
}
