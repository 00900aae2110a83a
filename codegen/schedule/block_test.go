package schedule

import (
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/ir/loop"
)

// What passes between the products of attention is never in memory as a whole where blocks of rows pay, and the gradient that
// sums over rows goes through them in turns.
func TestNoScoresInMemory(t *testing.T) {
	for name, loops := range map[string]bool{"schedule/attention": false, "schedule/attention_grad": true, "block/attention_lengths": true} {
		text, err := os.ReadFile("../../testdata/" + name + ".kir")
		require.NoError(t, err)
		for _, m := range []*Machine{AVX2, AVX512} {
			in := parse(t, string(text))
			steps, err := Run(in, m)
			require.NoError(t, err)
			if m == AVX2 {
				right(t, in, steps, 7)
			}
			k := steps[len(steps)-1].Kernel
			require.NotEmpty(t, ofKind(k.Opts, Block))
			for _, b := range k.Bufs {
				if b.Mode == loop.Work {
					require.False(t, b.Dims[len(b.Dims)-1] >= 130 && b.Dims[len(b.Dims)-2] >= 130, "%s of %s on %s", b.Name, name, m.Name)
				}
			}
			blocks := ofKind(k.Opts, Block)
			rows, err := axisNamed(k, blocks[len(blocks)-1].Word)
			require.NoError(t, err)
			require.Equal(t, loops, rows.Bind == loop.Loop, name)
		}
	}
}

// Where all fits the cache, pages stay apart.
func TestNoBlocksOfFewRows(t *testing.T) {
	text, err := os.ReadFile(cases + "/attention_short.kir")
	require.NoError(t, err)
	for _, m := range []*Machine{AVX2, AVX512} {
		steps, err := Run(parse(t, string(text)), m)
		require.NoError(t, err)
		require.Empty(t, ofKind(steps[len(steps)-1].Kernel.Opts, Block))
	}
}

// Blocks of a schedule that is not legal are an error.
func TestBlockRefuses(t *testing.T) {
	const text = `kernel k(in X: f32[64,8], out Y: f32[64,8], work W: f32[64,8]) {
  axis i: 64, j: 8, k: 64, l: 8
  W[i,j] = X[i,j] * 2.0
  phase
  Y[k,l] = %s
}`
	for _, c := range []struct {
		read, says string
		opts       []loop.Opt
	}{
		{"W[k,l]", "", []loop.Opt{opt(Bind, "i", 0, "par"), opt(Bind, "k", 0, "par"), opt(Block, "k", 0, "i")}},
		{"W[63 - k,l]", "W is not each i's own", []loop.Opt{opt(Bind, "i", 0, "par"), opt(Bind, "k", 0, "par"), opt(Block, "k", 0, "i")}},
		{"W[k,l]", "are not the same points or turns", []loop.Opt{opt(Bind, "i", 0, "par"), opt(Bind, "k", 0, "loop"), opt(Block, "k", 0, "i")}},
		{"W[k,l]", "are not the same points or turns", []loop.Opt{opt(Bind, "i", 0, "par"), opt(Bind, "l", 0, "par"), opt(Block, "l", 0, "i")}},
		{"max[l](W[k,l]) + f32(l)", "", []loop.Opt{opt(Bind, "i", 0, "loop"), opt(Bind, "k", 0, "loop"), opt(Block, "k", 0, "i")}},
		{"max[k](W[k,l]) + f32(k)", "not in one outer loop", []loop.Opt{opt(Bind, "i", 0, "loop"), opt(Bind, "k", 0, "loop"), opt(Block, "k", 0, "i")}},
	} {
		steps, err := loops(parse(t, fmt.Sprintf(text, c.read)), c.opts)
		if c.says == "" {
			require.NoError(t, err)
			require.Len(t, pages(steps[len(steps)-1].Kernel.Body), 1)
			continue
		}
		require.ErrorContains(t, err, c.says)
	}
}
