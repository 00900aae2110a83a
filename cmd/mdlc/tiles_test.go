package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const tiled = `use nn, optim
param w: f32[5, 66, 70] ~ normal(std: 0.3)
param v: f32[5, 66, 70] = w
state far: f32[] = 0
train for 2 {
  x ~ normal[ROWS, 66]
  e ~ uniform(0, 5)[ROWS]
  group = OF
  owner, row, place = nn.tiles(group, 5, size: SIZE)
  mine[n, i, d] = where row[n, i] >= 0 then x[max(row[n, i], 0), d] else 0
  z[n, i, f] = sum[d] mine[n, i, d] * w[owner[n], d, f]
  y[r, f] = z[place[r] div SIZE, place[r] % SIZE, f]
  u[r, f] = sum[d] x[r, d] * v[group[r], d, f]
  assert(abs(y - u) < 1e-4, "a row of another group's matrix")
  g ~ normal[ROWS, 70]
  minimize sum(y * g) over w with optim.sgd(lr: 0.01)
  minimize sum(u * g) over v with optim.sgd(lr: 0.01)
  far <- max(abs(w - v))
  report far
}
`

func tiledText(rows, size, of string) string {
	return strings.NewReplacer("ROWS", rows, "SIZE", size, "OF", of).Replace(tiled)
}

// Rows that nn.tiles sorts are multiplied with the matrix of their group, and its gradient is summed up of them alone: as where each row picks its matrix. Groups
// may have many rows, none, or all.
func TestTilesOfGroups(t *testing.T) {
	t.Setenv("MDLC_CACHE", filepath.Join(os.TempDir(), "mdlc-test-cache"))
	for name, c := range map[string][3]string{
		"some rows":          {"37", "4", "i32(e)"},
		"whole tiles":        {"40", "8", "i32(e)"},
		"tiles of one":       {"9", "1", "i32(e)"},
		"one tile holds all": {"11", "64", "i32(e)"},
		"all of the last":    {"21", "4", "i32(e) * 0 + 4"},
		"all of one":         {"16", "4", "i32(e) * 0 + 2"},
		"every other group":  {"23", "3", "i32(e) div 2 * 2"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			require.NoError(t, os.WriteFile("m.mdl", []byte(tiledText(c[0], c[1], c[2])), 0o644))
			_, stderr, code := call("run", "m.mdl", "train", "--seed", "5", "--out", "out")
			require.Equal(t, 0, code, stderr)
			require.Less(t, weightsOf(t, "out")["far"].F[0], 1e-4)
		})
	}
	agrees(t, tiledText("19", "4", "i32(e)"), 2, 1e-4)
}

// A group that is not there stops the run, whichever result is read, and so do tiles or groups that cannot be; of no rows there are empty tiles.
func TestTilesRefuse(t *testing.T) {
	t.Setenv("MDLC_CACHE", filepath.Join(os.TempDir(), "mdlc-test-cache"))
	for group, c := range map[string]struct{ call, told string }{
		"r":     {"nn.tiles(group, 3, size: 4)", "m.mdl:3:44: error: index 5 is outside of the axis of 3"},
		"r - 4": {"nn.tiles(group, 3, size: 4)", "m.mdl:3:48: error: index -1 is outside of the axis of 3"},
		"r * 0": {"nn.tiles(group, 3, size: 0)", "m.mdl:3:48: error: `nn.tiles` has one group or more, and tiles of one row or more"},
		"r % 1": {"nn.tiles(group, 0, size: 4)", "m.mdl:3:48: error: `nn.tiles` has one group or more, and tiles of one row or more"},
	} {
		t.Chdir(t.TempDir())
		require.NoError(t, os.WriteFile("m.mdl", []byte("use nn\nstate rows: i32[4, 4] = 0\ntrain for 1 { group[r < 6] = "+group+" _, row, _ = "+c.call+" rows <- row }\n"), 0o644))
		_, stderr, code := call("run", "m.mdl", "train", "--out", "out")
		require.NotEqual(t, 0, code, group)
		require.Contains(t, stderr, c.told)
	}
	require.NoError(t, os.WriteFile("m.mdl", []byte("use nn\nsample s(t: text = \"\") { owner, row, _ = nn.tiles(t[0] % 3, 3, size: 2) show owner show row }\n"), 0o644))
	for text, want := range map[string]string{"": "2 2 2 -1 -1 -1 -1 -1 -1", "abca": "0 1 2 2 2 2 -1 0 3 1 -1 -1 -1 -1 -1"} {
		stdout, stderr, code := call("run", "m.mdl", "sample", "--t", text, "--out", "out"+text, "-q")
		require.Equal(t, 0, code, stderr)
		require.Equal(t, want, strings.Join(strings.Fields(stdout), " "))
	}
}

// On Hopper products of tiles are of groups of warps, whose slots the hardware fills with the matrix of a tile's group.
func TestTilesOfGroupsOnHopper(t *testing.T) {
	t.Setenv("MDLC_CACHE", filepath.Join(os.TempDir(), "mdlc-test-cache"))
	t.Chdir(t.TempDir())
	text := strings.ReplaceAll(tiledText("70", "64", "i32(e)"), "66", "128")
	text = strings.Replace(strings.ReplaceAll(text, "128, 70]", "128, 72]"), "train for 2", "train for 1", 1)
	text = strings.ReplaceAll(text, "normal[70, 70]", "normal[70, 72]")
	require.NoError(t, os.WriteFile("m.mdl", []byte("precision { compute = bf16  master = bf16 }\n"+strings.ReplaceAll(text, "< 1e-4", "< 1")), 0o644))
	kernels, stderr, code := call("compile", "m.mdl", "--target", "sm_90a", "--dump", "loops:stage")
	require.Equal(t, 0, code, stderr)
	require.Regexp(t, regexp.MustCompile(`slot_1\[.*= \w+\[max\(0, min\(i64\(\w+\[\w+\]\), 4\)\),.*async`), kernels, "the matrix that is copied is that of the owner")
	plan, stderr, code := call("compile", "m.mdl", "--target", "sm_90a", "--emit", "plan")
	require.Equal(t, 0, code, stderr)
	require.Contains(t, plan, "groupdot", "the gradient of the matrices is not rounded for each tile")
	_, stderr, code = call("compile", "m.mdl", "--target", "sm_90a", "-o", "m.bundle")
	require.Equal(t, 0, code, stderr)
	_, stderr, code = call("run", "m.bundle", "train", "--seed", "5", "--device", "emulator", "--out", "out")
	require.Equal(t, 0, code, stderr)
	require.Less(t, weightsOf(t, "out")["far"].F[0], 0.1)
}

const unsorted = `use optim
param w: f32[4, 12, 10] ~ normal(std: 0.3)
param v: f32[4, 12, 10] = w
state far: f32[] = 0
train for 3 {
  x ~ normal[ROWS, 5, 12]
  u ~ uniform(0, 4)[ROWS]
  e = OF
  z[n, i, f] = sum[d] x[n, i, d] * w[e[n], d, f]
  one[n, g < 4] = f32(e[n] == g)
  y[n, i, f] = sum[g, d] one[n, g] * x[n, i, d] * v[g, d, f]
  dz ~ normal[ROWS, 5, 10]
  minimize sum(z * dz) over w with optim.sgd(lr: 0.01)
  minimize sum(y * dz) over v with optim.sgd(lr: 0.01)
  far <- max(abs(w - v))
  report far
}
`

// The gradient of matrices that tiles pick in any order is what it is where each tile takes all of them, times 0 or 1; the CPU and the program of a GPU compute the same bits, and
// no tile has a matrix of its own in memory.
func TestGradientOfPickedMatrices(t *testing.T) {
	t.Setenv("MDLC_CACHE", filepath.Join(os.TempDir(), "mdlc-test-cache"))
	for name, c := range map[string][2]string{
		"any order":      {"9", "i32(u)"},
		"one tile":       {"1", "i32(u)"},
		"all of one":     {"6", "i32(u * 0.1) + 2"},
		"some of none":   {"7", "i32(u) div 2 * 2"},
		"many, repeated": {"300", "i32(u)"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			text := strings.NewReplacer("ROWS", c[0], "OF", c[1]).Replace(unsorted)
			require.NoError(t, os.WriteFile("m.mdl", []byte(text), 0o644))
			plan, stderr, code := call("compile", "m.mdl", "--emit", "plan")
			require.Equal(t, 0, code, stderr)
			require.Contains(t, plan, "groupdot")
			require.NotRegexp(t, `f32\[`+c[0]+`, (12, 10|10, 12)\]`, plan)
			weights := map[string][]float64{}
			for _, device := range []string{"cpu", "emulator"} {
				_, stderr, code = call("run", "m.mdl", "train", "--seed", "5", "--device", device, "--out", device)
				require.Equal(t, 0, code, stderr)
				require.Less(t, weightsOf(t, device)["far"].F[0], 1e-3)
				weights[device] = weightsOf(t, device)["w"].F
			}
			require.Equal(t, weights["cpu"], weights["emulator"])
		})
	}
	agrees(t, strings.NewReplacer("ROWS", "9", "OF", "i32(u)").Replace(unsorted), 2, 1e-4)
}
