package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A sample has no loss: --check-numbers looks at all that it computes, and shows what there is to show all the same.
func TestCheckNumbersOfASample(t *testing.T) {
	t.Setenv("MDLC_CACHE", filepath.Join(os.TempDir(), "mdlc-test-cache"))
	t.Chdir(t.TempDir())
	src := `state w: f32[3] = 0
sample draw(temperature: f32 = 1, bias: f32 = 1) {
  a = w + bias

  b = a / temperature
  p = softmax(b)
  show argmax(p)
}
sample quotient(t: f32 = 1) {
  b = (w + 1) / t
  show argmax(b)
}
sample shown(t: f32 = 1) {
  b = (w + 1) / t
  show b as table
}
sample tempered_draw(t: f32 = 0) {
  k ~ categorical(tempered(w, t))
  show k
}
`
	require.NoError(t, os.WriteFile("s.mdl", []byte(src), 0o644))
	for _, c := range []struct {
		args, says string
		code       int
	}{
		{"draw", "", 0},
		{"draw --temperature 0", "the first +Inf is in `b`, made at s.mdl:5:7, the first NaN is in", exitFailure},
		{"draw --temperature 0 --bias 0", "s.mdl:5:7: error: a NaN is made here (sample draw)", exitFailure},
		{"quotient --t 0", "warning: sample quotient: the first +Inf is in `b`, made at s.mdl:10:7; no infinity is shown", 0},
		{"shown --t 0", "s.mdl:14:7: error: an infinity is made here, and one is shown (sample shown)", exitFailure},
		{"tempered_draw", "", 0}, // 0 over 0 would be a false alarm
	} {
		args := append([]string{"run", "s.mdl", "sample"}, strings.Fields(c.args)...)
		plain, stderr, code := call(args...)
		require.Equal(t, 0, code, stderr)
		stdout, stderr, code := call(append(args, "--check-numbers")...)
		require.Equal(t, c.code, code, stderr)
		require.Equal(t, plain, stdout, c.args)
		require.Contains(t, stderr, c.says)
		if c.says == "" {
			require.NotContains(t, stderr, "+Inf", c.args)
		}
	}
}
