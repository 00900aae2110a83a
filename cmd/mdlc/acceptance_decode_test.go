package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Twenty texts of 250 tokens, each token the likeliest one: a step a token writes what computing from the whole prefix does. Weights in
// eight bits are other weights, and write other texts.
func TestAcceptanceGreedyTokens(t *testing.T) {
	acceptance(t)
	model, err := filepath.Abs("../../testdata/bench/sampling.mdl")
	require.NoError(t, err)
	t.Chdir(t.TempDir())
	const texts, tokens = 20, 250
	set := []string{"--quiet", "--set", "dim=64", "--set", "heads=4", "--set", "layers=3", "--set", "ctx=256",
		"--set", "many=" + strconv.Itoa(texts), "--set", "n=" + strconv.Itoa(tokens)}
	mdlc(t, append([]string{"run", model, "train"}, set...)...)
	write := func(flags ...string) []string {
		stdout, _ := mdlc(t, append(append([]string{"run", model, "sample", "write"}, set...), flags...)...)
		return strings.Fields(string(stdout))
	}
	keepsCaches := func(flags ...string) bool {
		mdlc(t, append(append([]string{"compile", model, "-o", "bundle"}, set...), flags...)...)
		b, err := os.ReadFile("bundle")
		require.NoError(t, err)
		return bytes.Contains(b, []byte("cache"))
	}
	require.True(t, keepsCaches())
	require.False(t, keepsCaches("--no-decode"), "also after the other was compiled")
	step := write()
	require.Len(t, step, texts*(tokens+1))
	different := map[string]bool{}
	for _, token := range step {
		different[token] = true
	}
	t.Logf("%d tokens, %d of them different", texts*tokens, len(different))
	require.Greater(t, len(different), 50)
	require.Equal(t, write("--no-decode"), step)
	require.NotEqual(t, write("--weights", "int8"), step)
}
