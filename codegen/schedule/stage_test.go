package schedule

import (
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/ir/loop"
)

// tensorKernels are the cases for a GPU's tensor cores.
func tensorKernels(t *testing.T, f func(t *testing.T, file string, k *loop.Kernel, m *Machine)) {
	for folder, m := range map[string]*Machine{"schedule_gpu": SM80, "schedule_hopper": SM90} {
		files, err := filepath.Glob("../../testdata/" + folder + "/*.kir")
		require.NoError(t, err)
		require.NotEmpty(t, files)
		for _, file := range files {
			t.Run(m.Name+"/"+strings.TrimSuffix(filepath.Base(file), ".kir"), func(t *testing.T) {
				text, err := os.ReadFile(file)
				require.NoError(t, err)
				f(t, file, parse(t, string(text)), withTile(m, string(text)))
			})
		}
	}
}

// withTile is a machine whose blocks have no tile but the one that the text of a kernel names, if it names one, and the processors that it says.
func withTile(m *Machine, text string) *Machine {
	tile := regexp.MustCompile(loop.WGMMA + `\d+x\d+`).FindString(text)
	if tile == "" {
		return m
	}
	one := *m
	if n := regexp.MustCompile(`(\d+) processors`).FindStringSubmatch(text); n != nil {
		one.Processors, _ = strconv.Atoi(n[1])
	}
	one.Tiles = []Row{}
	other := func(r Row) bool { return r.String() != tile }
	one.Group, one.Bytes = slices.DeleteFunc(slices.Clone(m.Group), other), slices.DeleteFunc(slices.Clone(m.Bytes), other)
	return &one
}

func TestGoldenTensor(t *testing.T) {
	tensorKernels(t, func(t *testing.T, file string, k *loop.Kernel, m *Machine) {
		steps, err := Run(k, m)
		require.NoError(t, err)
		if i := slices.IndexFunc(steps[len(steps)-1].Kernel.Opts, func(o loop.Opt) bool { return o.Kind == Chop || o.Kind == Last }); i >= 0 {
			near(t, k, steps[1].Kernel, inputs(k, 7)) // adds in another order
			k, steps[0] = steps[1].Kernel, steps[1]
		}
		if ofKind(steps[len(steps)-1].Kernel.Opts, Promote) != nil {
			sweep := slices.IndexFunc(steps, func(s Step) bool { return s.Name == "sweep" })
			promoted := finish(clone(steps[sweep].Kernel))
			walkBody(promoted.Body, func(v *loop.Value) { v.Instr = "" }) // nothing waits for it yet
			near(t, k, promoted, inputs(k, 7))
			k = promoted
		}
		right(t, k, steps, 7)
		golden(t, file, steps[:len(steps)-1])
	})
}

// near requires that n computes what k does, but for rounding.
func near(t *testing.T, k, n *loop.Kernel, args map[string]*loop.Data) {
	want, got := outputs(t, k, args, loop.EvalOptions{Seed: 1}), outputs(t, n, args, loop.EvalOptions{Seed: 2})
	for _, b := range k.Bufs {
		if b.Mode == loop.Out || b.Mode == loop.InOut {
			for i, w := range want[b.Name].F {
				require.InDelta(t, w, got[b.Name].F[i], 1e-9*(1+math.Abs(w)), "%s[%d]", b.Name, i)
			}
		}
	}
}

// Whatever is left out of the waiting, the evaluator objects to, or the result is another.
func TestSlotsNeedTheirStatements(t *testing.T) {
	tensorKernels(t, func(t *testing.T, file string, k *loop.Kernel, m *Machine) {
		steps, err := Run(k, m)
		require.NoError(t, err)
		last := steps[len(steps)-1].Kernel
		text := last.String()
		if !strings.Contains(text, "wait 1") && !strings.Contains(text, "fill ") {
			return
		}
		args := inputs(k, 1)
		want := outputs(t, k, args, loop.EvalOptions{Typed: true, Seed: 1})
		spoilt := map[string]string{
			"the first slot is not filled": strings.Replace(text, "slot[0,", "slot[1,", 1),
			"a row too far":                strings.Replace(text, "slot[0,", "slot[0,1 + ", 1),
		}
		if strings.Contains(text, "fill ") {
			spoilt = ringsSpoilt(text)
		}
		ahead := strings.Contains(text, "commit") && strings.Contains(text, " + 2 <")
		if ahead { // more turns than slots are filled before the first
			slots := "3"
			if strings.Contains(text, "@"+loop.WGMMA) {
				slots = "4"
			}
			spoilt["another turn's slot"] = strings.Replace(text, "+ 2) % "+slots, "+ 1) % "+slots, 1)
			spoilt["two slots"] = strings.ReplaceAll(text, "% "+slots, "% 2")
		}
		if strings.Contains(text, "@"+loop.WGMMA) {
			settle := regexp.MustCompile(`settle 0 \w+\n`)
			spoilt["results are not waited for"] = settle.ReplaceAllString(text, "")
			spoilt["results are not all waited for"] = strings.Replace(text, "settle 0", "settle 1", 1)
			if ahead {
				spoilt["three slots, of which one is read"] = strings.ReplaceAll(text, "% 4", "% 3")
				spoilt["a product is not waited for"] = strings.Replace(text, "settle 1", "settle 2", 1)
			}
		}
		if strings.Contains(text, "async") && strings.Contains(text, "commit") {
			spoilt["no wait"] = strings.Replace(text, "wait 1\n", "\n", 1)
			spoilt["a copy is not waited for"] = strings.Replace(text, "wait 1\n", "wait 2\n", 1)
		}
		for name, s := range spoilt {
			require.NotEqual(t, text, s, name)
			ks, err := loop.Parse("spoilt", s)
			require.NoError(t, err, name)
			got := map[string]*loop.Data{}
			for b, d := range args {
				got[b] = d.Clone()
			}
			if err = loop.Eval(ks[0], got, loop.EvalOptions{Typed: true, Seed: 1}); err != nil {
				continue
			}
			same := true
			for _, b := range k.Bufs {
				if b.Mode == loop.Out || b.Mode == loop.InOut {
					for i, x := range want[b.Name].F {
						same = same && x == got[b.Name].F[i]
					}
				}
			}
			require.False(t, same, name)
		}
	})
}

// Opts that do not fit say why.
func TestStageRefuses(t *testing.T) {
	k := parse(t, `kernel k(in A: f32[32,64], in B: f32[64,64], out Y: f32[32,64]) {
  axis i: 32, j: 64, k: 64
  Y[i,j] = dot[k](A[i,k], B[k,j])
}`)
	k, err := prepare(k, SM80)
	require.NoError(t, err)
	opts, err := Choose(k, SM80)
	require.NoError(t, err)
	_, err = Apply(k, append(opts, opt(Stage, "z_a", 3, "")))
	require.ErrorContains(t, err, "z_a is no operand of a product in a loop")
	_, err = Apply(k, []loop.Opt{opt(Cut, "j", 32, ""), opt(Bind, "j1", 0, "fragrow")})
	require.ErrorContains(t, err, "a fragrow has 16 indices, not 32")
}
