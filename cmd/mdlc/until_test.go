package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// `generate … until` ends after the turn in which the condition holds; what is generated has the
// length that came out, and a second one goes on from there.
func TestGenerateUntil(t *testing.T) {
	t.Setenv("MDLC_CACHE", filepath.Join(os.TempDir(), "mdlc-test-cache"))
	const src = `param w: f32 = 1
train for 1 { report w }
sample text(prompt: text = "a", stop: i32 = 10) {
  generate tok: i32[1, T] from prompt for 20 until tok[0, -1] % stop == 0 {
    tok[:, T] = (tok[:, -1] * 7 + 3) % 128
  }
  show tok
  generate more: i32[1, T] from tok for 3 until more[0, -2] == 34 {
    more[:, T] = more[:, -1] + 1
  }
  show more
}
`
	dir := t.TempDir()
	file := filepath.Join(dir, "until.mdl")
	require.NoError(t, os.WriteFile(file, []byte(src), 0o644))
	_, stderr, code := call("run", file, "train", "--out", dir, "-q")
	require.Equal(t, 0, code, stderr)
	for _, prompt := range []string{"a", "abc", "z"} {
		for _, stop := range []int{10, 34, 1000} {
			var tok []int
			for _, c := range prompt {
				tok = append(tok, int(c))
			}
			for range 20 {
				next := (tok[len(tok)-1]*7 + 3) % 128
				if tok = append(tok, next); next%stop == 0 {
					break
				}
			}
			more := append([]int{}, tok...)
			for range 3 {
				if more = append(more, more[len(more)-1]+1); more[len(more)-2] == 34 {
					break
				}
			}
			want := strings.Fields(strings.Trim(fmt.Sprint(tok), "[]") + " " + strings.Trim(fmt.Sprint(more), "[]"))
			for _, how := range []string{"--threads=2", "--no-fusion"} {
				stdout, stderr, code := call("run", file, "sample", "--prompt", prompt, "--stop", fmt.Sprint(stop), "--out", dir, how, "-q")
				require.Equal(t, 0, code, stderr)
				require.Equal(t, want, strings.Fields(stdout), "%s %d %s", prompt, stop, how)
			}
		}
	}
}

// Sums of all that several rows came to have lengths inside of others.
func TestSumsOverALengthOfARun(t *testing.T) {
	t.Setenv("MDLC_CACHE", filepath.Join(os.TempDir(), "mdlc-test-cache"))
	t.Chdir(t.TempDir())
	require.NoError(t, os.WriteFile("rows.mdl", []byte(`
sample s(stop: i32 = 9) {
  start[i < 24, j < 1] = i
  generate tok: i32[24, T] from start for 40 until tok[0, -1] == stop {
    tok[:, T] = tok[:, -1] + 1
  }
  half = 0.5 * tok
  show sum(tok)
  show sum(half)
  show max(half)
  show argmax(tok, axis: 1)[0]
  show sum(tok, axis: 0)[-1]
}
`), 0o644))
	for _, stop := range []int{1, 9, 39, 90} {
		n, sum := min(stop, 40)+1, 0
		for i := range 24 {
			for j := range n {
				sum += i + j
			}
		}
		want := fmt.Sprintf("%d\n%g\n%g\n%d\n%d\n", sum, float64(sum)/2, float64(23+n-1)/2, n-1, 24*23/2+24*(n-1))
		for _, how := range []string{"--threads=2", "--no-fusion"} {
			stdout, stderr, code := call("run", "rows.mdl", "sample", "-q", "--stop", fmt.Sprint(stop), how)
			require.Equal(t, 0, code, stderr)
			require.Equal(t, want, stdout)
		}
	}
}
