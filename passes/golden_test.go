package passes

import (
	"math/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/ir"
	"mdlc/ir/loop"
)

// A golden file is cases of the form
//
//	=== title: pass, pass
//	graph before
//	---
//	graph after
//
// Each case is also evaluated before and after, and run in random orders of construction.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("../testdata/passes/*.txt")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		var out strings.Builder
		for _, c := range strings.Split(string(text), "=== ")[1:] {
			title, rest, _ := strings.Cut(c, "\n")
			before, after, _ := strings.Cut(rest, "---\n")
			t.Run(filepath.Base(file)+"/"+title, func(t *testing.T) {
				got := goldenCase(t, title, before)
				if !*updatePlans {
					require.Equal(t, after, got)
				}
				out.WriteString("=== " + title + "\n" + before + "---\n" + got)
			})
		}
		if *updatePlans && !t.Failed() {
			require.NoError(t, os.WriteFile(file, []byte(out.String()), 0o644))
		}
	}
}

func goldenCase(t *testing.T, title, before string) string {
	_, list, ok := strings.Cut(title, ": ")
	if i := strings.LastIndex(title, ": "); ok && i >= 0 {
		list = title[i+2:]
	}
	g, err := ir.ParseGraph(before)
	require.NoError(t, err)
	run := func(opt Options) *ir.Graph {
		g := g
		for _, name := range strings.Split(list, ", ") {
			g, err = runPass(passNamed(t, name), g, opt)
			require.NoError(t, err)
		}
		return g
	}
	out := run(Options{})
	tolerance := 1e-9
	switch {
	case strings.Contains(list, "precision"): // it rounds: 8 bits of significand
		tolerance = 0.05
	case strings.Contains(list, "product"): // 4 bits of each number
		tolerance = 0.2
	case strings.Contains(list, "triple"): // 16 bits
		tolerance = 1e-3
	case strings.Contains(list, "weights"): // 7 bits of the largest of a block; TestWeights is exact
		tolerance = 0.2
	}
	requireNear(t, evaluate(t, g, someLengths), evaluate(t, out, someLengths), tolerance, title)
	for seed := range int64(3) {
		require.Equal(t, out.String(), run(Options{Shuffle: rand.New(rand.NewSource(seed))}).String())
	}
	return out.String()
}

func passNamed(t *testing.T, name string) Pass {
	for _, p := range Pipeline(Types{Compute: loop.BF16, Product: loop.F8E4M3, Params: map[string]bool{"w": true}, Triple: true, Keep: map[string]bool{"kept": true}, Weights: loop.I8}) {
		if p.Name == name {
			return p
		}
	}
	require.Fail(t, "no pass "+name)
	return Pass{}
}

// someLengths is the run-time lengths of golden cases.
var someLengths = map[string]int{"T": 0}
