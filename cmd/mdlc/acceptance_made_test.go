package main

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A sample that shows what a trained MADE of 10 dimensions says of every vector.
const everyVector = `
sample all(s: i32 = 0) {
  x[b < 1024, i < n] = floor(b / 2 ^ (n - 1 - i)) - 2 * floor(b / 2 ^ (n - i))
  show made.place[s]
  show x
  show made.log_prob(x, s)
  show made.logits(x, s)
}
`

// A trained MADE of 10 dimensions is a distribution, and autoregressive in each of its
// orders, bit for bit: where x_j changes, no logit at its place or before it does.
func TestAcceptanceMADEOfTenDimensions(t *testing.T) {
	acceptance(t)
	const n = 10
	model, err := os.ReadFile(library(t, "made.mdl"))
	require.NoError(t, err)
	dir := t.TempDir()
	file := filepath.Join(dir, "made.mdl")
	require.NoError(t, os.WriteFile(file, append(model, everyVector...), 0o644))
	flags := []string{"--set", "n=10", "--set", "hidden=40", "--set", "orders=2", "--out", filepath.Join(dir, "run"), "-q"}
	data := writeBits(t, n, map[string]int{"train": 2000, "test": 500})
	out, _ := mdlc(t, slices.Concat([]string{"run", file, "train", "--data", "digits=" + data, "--seed", "1", "--steps", "2000", "--json"}, flags)...)
	t.Logf("%.4f nats after 2000 steps", lastRecord(t, out, "eval test").One)
	for _, order := range []string{"0", "1"} {
		out, _ := mdlc(t, slices.Concat([]string{"run", file, "sample", "all", "--s", order}, flags)...)
		rows := numbers(t, string(out))
		require.Len(t, rows, 1+1<<n+1+1<<n)
		place, vectors, logP, logits := rows[0], rows[1:1+1<<n], rows[1+1<<n], rows[2+1<<n:]
		require.Len(t, logP, 1<<n)
		sum := 0.0
		for b, lp := range logP {
			for i, x := range vectors[b] {
				require.Equal(t, float32(b>>(n-1-i)&1), x)
			}
			sum += math.Exp(float64(lp))
		}
		same, changed := autoregressive(t, place, logits)
		t.Logf("order %v: p adds up to %.8f; %d logits keep their bits, %d others change", place, sum, same, changed)
		require.InDelta(t, 1, sum, 1e-5)
		require.NotZero(t, changed, "no conditional depends on anything")
	}
}

// autoregressive compares the logits of all pairs of vectors that differ in one bit.
func autoregressive(t *testing.T, place []float32, logits [][]float32) (same, changed int) {
	n := len(place)
	for b := range logits {
		for j := range n {
			other := b ^ 1<<(n-1-j)
			for i := range n {
				equal := math.Float32bits(logits[b][i]) == math.Float32bits(logits[other][i])
				switch {
				case place[i] <= place[j]:
					require.True(t, equal, "logit %d of vector %d depends on element %d, which is not before it", i, b, j)
					same++
				case !equal:
					changed++
				}
			}
		}
	}
	return same, changed
}

// numbers reads rows of f32, which are shown with all their bits.
func numbers(t *testing.T, text string) (rows [][]float32) {
	for line := range strings.Lines(text) {
		var row []float32
		for _, word := range strings.Fields(line) {
			x, err := strconv.ParseFloat(word, 32)
			require.NoError(t, err)
			row = append(row, float32(x))
		}
		rows = append(rows, row)
	}
	return rows
}
