package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const labelsModel = `use nn, optim
data t = csv("t.csv", labels: "kind")
net = nn.Linear(1, 3)
train for 2 {
  each x: f32[4, 1], y: i32[4] from t.train
  minimize mean(cross_entropy(net(x), y)) over net with optim.sgd(lr: 0.1)
}
eval valid {
  each x: f32[4, 1], y: i32[4] from t.valid
  report label = mean(f32(y))
}
`

// Labels keep the numbers that they had in the run whose weights are taken, also where the data now have only some of them.
func TestLabelsKeepTheirNumbers(t *testing.T) {
	t.Setenv("MDLC_CACHE", filepath.Join(os.TempDir(), "mdlc-test-cache"))
	t.Chdir(t.TempDir())
	write := func(name, text string) { require.NoError(t, os.WriteFile(name, []byte(text), 0o644)) }
	run := func(want int, args ...string) (string, string) {
		stdout, stderr, code := call(append([]string{"run", "m.mdl"}, args...)...)
		require.Equal(t, want, code, stderr)
		return stdout, stderr
	}
	write("m.mdl", labelsModel)
	write("t.csv", "x,kind\n"+strings.Repeat("1,pos\n2,neg\n", 20))
	write("pos.csv", "x,kind\n"+strings.Repeat("1,pos\n", 40))
	write("new.csv", "x,kind\n1,pos\n2,perhaps\n"+strings.Repeat("1,pos\n", 38))
	write("number.csv", "x,kind\n"+strings.Repeat("1,1\n", 40))

	_, stderr := run(0, "train")
	require.Contains(t, stderr, "2 labels: 0 neg, 1 pos")
	stdout, stderr := run(0, "eval", "valid", "--data", "t=pos.csv")
	require.Contains(t, stderr, "2 labels: 0 neg, 1 pos")
	require.Contains(t, stdout, "label 1\n")
	stdout, _ = run(0, "train", "--resume", "--new-data", "--steps", "3", "--data", "t=pos.csv", "--json")
	require.Contains(t, stdout, `"label":1}`)
	stdout, _ = run(0, "eval", "valid") // and not those of what it was resumed with
	require.Contains(t, stdout, "label 1\n")

	for _, args := range [][]string{{"eval"}, {"train", "--resume", "--new-data", "--steps", "5"}} {
		_, stderr = run(exitFailure, append(args, "--data", "t=new.csv")...)
		require.Contains(t, stderr, `new.csv: line 3: the run whose weights are taken had no label "perhaps"; it had 2 labels: 0 neg, 1 pos`)
		require.Contains(t, stderr, "help: correct it")
	}
	_, stderr = run(exitFailure, "eval", "--data", "t=number.csv")
	require.Contains(t, stderr, `line 2: the run whose weights are taken had no label "1"`)

	_, stderr = run(0, "train", "--data", "t=new.csv") // another training numbers them anew
	require.Contains(t, stderr, "2 labels: 0 perhaps, 1 pos")
	run(0, "train", "--data", "t=number.csv", "--out", "numbers")
	_, stderr = run(exitFailure, "eval", "--data", "t=pos.csv", "--out", "numbers")
	require.Contains(t, stderr, `no label "pos"; it had numbers`)
}
