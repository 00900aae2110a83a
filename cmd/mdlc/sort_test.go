package main

import (
	"os"
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
