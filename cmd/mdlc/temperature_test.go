package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// At a temperature of 0 the likeliest is drawn, whatever the seed, and of equals each; as it falls to 0 draws become that.
// One below 0, or none, is refused.
func TestTemperature(t *testing.T) {
	t.Setenv("MDLC_CACHE", filepath.Join(os.TempDir(), "mdlc-test-cache"))
	t.Chdir(t.TempDir())
	require.NoError(t, os.WriteFile("t.mdl", []byte(`param w: f32 = 1
train for 1 { report w }
sample s(temperature: f32 = 1, top: int = 4) {
  assert(temperature >= 0, "too cold")
  logits: f32[400, 4] = [1, 3, 2, 3 - 1e-4]
  k ~ categorical(tempered(logits, temperature), top_k: top)
  equal: f32[400, 4] = [-1, 3, 3, 2]
  j ~ categorical(tempered(equal, temperature), top_k: top)
  show k
  show j
}
`), 0o644))
	_, stderr, code := call("run", "t.mdl", "train", "-q", "--out", "o")
	require.Equal(t, 0, code, stderr)
	drawn := func(args string) (k, j map[string]int) {
		stdout, stderr, code := call(append([]string{"run", "t.mdl", "sample", "-q", "--out", "o"}, strings.Fields(args)...)...)
		require.Equal(t, 0, code, stderr)
		fields := strings.FieldsFunc(stdout, func(r rune) bool { return r < '0' || r > '9' })
		require.Len(t, fields, 800, stdout)
		counts := [2]map[string]int{{}, {}}
		for i, f := range fields {
			counts[i/400][f]++
		}
		return counts[0], counts[1]
	}
	for _, args := range []string{"--temperature 0", "--temperature 0 --seed 7", "--temperature 0 --top 2", "--temperature 1e-6"} {
		k, j := drawn(args)
		require.Equal(t, map[string]int{"1": 400}, k, args)
		require.Len(t, j, 2, args)
		require.InDelta(t, 200, j["1"], 50, args)
		require.Equal(t, 400, j["1"]+j["2"], args)
	}
	k, _ := drawn("--temperature 1")
	require.Len(t, k, 4)
	for args, want := range map[string]string{"--temperature -1": "too cold: -1 >= 0 is false", "--temperature nan": "--temperature nan: a number is expected"} {
		_, stderr, code := call(append([]string{"run", "t.mdl", "sample", "-q", "--out", "o"}, strings.Fields(args)...)...)
		require.NotEqual(t, 0, code, args)
		require.Contains(t, stderr, want, args)
	}
}

// Every sample of the library and of `init` with a temperature takes 0, and refuses one below.
func TestTemperaturesOfTheLibrary(t *testing.T) {
	files, err := filepath.Glob("../../stdlib/models/*.mdl")
	require.NoError(t, err)
	found := 0
	for _, file := range append(files, "start.mdl") {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		if !strings.Contains(string(text), "temperature: f32 =") {
			continue
		}
		found++
		require.Contains(t, string(text), "assert(temperature >= 0, ", file)
		require.Contains(t, string(text), "categorical(tempered(", file)
	}
	require.Greater(t, found, 6)
}
