package main

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/codegen"
	"mdlc/ir"
	"mdlc/ir/loop"
	"mdlc/lang"
	"mdlc/passes"
)

// weightsOf reads the values of a run folder.
func weightsOf(t *testing.T, folder string) map[string]*ir.Tensor {
	return tensorsOf(t, filepath.Join(folder, "weights.safetensors"))
}

// tensorsOf reads a file of tensors: by name, with integers and bools exact.
func tensorsOf(t *testing.T, path string) map[string]*ir.Tensor {
	raw, err := os.ReadFile(path)
	require.NoError(t, err)
	size := binary.LittleEndian.Uint64(raw)
	header := map[string]struct {
		Dtype   string `json:"dtype"`
		Shape   []int  `json:"shape"`
		Offsets [2]int `json:"data_offsets"`
	}{}
	body := raw[8+size:]
	var entries map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(raw[8:8+size], &entries))
	delete(entries, "__metadata__")
	head, err := json.Marshal(entries)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(head, &header))
	out := map[string]*ir.Tensor{}
	for name, h := range header {
		data := body[h.Offsets[0]:h.Offsets[1]]
		elem := map[string]loop.Elem{"F32": loop.F32, "F64": loop.F64, "I32": loop.I32, "U32": loop.U32, "U8": loop.U8, "BOOL": loop.Bool, "BF16": loop.BF16, "F16": loop.F16, "F8_E4M3": loop.F8E4M3, "F8_E5M2": loop.F8E5M2}[h.Dtype]
		x := ir.NewTensor(elem, h.Shape...)
		for i := range x.Len() {
			switch elem {
			case loop.F32:
				x.F[i] = float64(math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:])))
			case loop.F64:
				x.F[i] = math.Float64frombits(binary.LittleEndian.Uint64(data[8*i:]))
			case loop.BF16, loop.F16:
				x.F[i] = loop.FromBits(elem, uint64(binary.LittleEndian.Uint16(data[2*i:])))
			case loop.F8E4M3, loop.F8E5M2:
				x.F[i] = loop.FromBits(elem, uint64(data[i]))
			case loop.I32:
				x.I[i] = int64(int32(binary.LittleEndian.Uint32(data[4*i:])))
			case loop.U32:
				x.I[i] = int64(binary.LittleEndian.Uint32(data[4*i:]))
			default:
				x.I[i] = int64(data[i])
			}
		}
		out[name] = x
	}
	return out
}

// expected is a training by the float64 evaluator, on the graphs as the front end made them.
type expected struct {
	t       *testing.T
	seed    int64
	states  map[string]*ir.Tensor
	batches map[string]*ir.Tensor // of a feed and a step, as NAME.STEP
}

// newExpected starts a training: the states have their first values. Where the file gives
// products a precision, the graphs are those of the pass that rounds.
func newExpected(t *testing.T, m *ir.Module, seed int64) *expected {
	if m.Compute == loop.BF16 || m.Compute == loop.F16 {
		require.NoError(t, passes.Run(m, passes.Options{StopAfter: "grad"}))
	}
	x := &expected{t: t, seed: seed, states: map[string]*ir.Tensor{}}
	for _, e := range m.Entries {
		if e.Kind == ir.EntryInit {
			x.run(e.Graph, 0, nil)
		}
	}
	return x
}

// run runs a block once and returns its reports, and what `every` blocks read of it, as this one reads of kept.
func (x *expected) run(g *ir.Graph, step int, kept map[string]*ir.Tensor) (reports, keeps map[string]*ir.Tensor) {
	g, err := passes.Grad(g)
	require.NoError(x.t, err)
	ev := &ir.Evaluator{Params: func(kind ir.ParamKind, name string) *ir.Tensor {
		switch kind {
		case ir.ParamSeed:
			return ir.Ints(loop.U32, []int64{x.seed, 0}, 2)
		case ir.ParamStep:
			return ir.IntScalar(loop.I32, int64(step))
		case ir.ParamFeed:
			return x.batches[fmt.Sprintf("%s.%d", name, step)]
		case ir.ParamValueOf:
			return kept[name]
		}
		return x.states[name]
	}}
	out, err := ev.Run(g)
	require.NoError(x.t, err)
	reports, keeps = map[string]*ir.Tensor{}, map[string]*ir.Tensor{}
	for i, r := range g.Results {
		switch r.Kind {
		case ir.ResultState:
			x.states[r.Name] = out[i]
			if out[i].Elem == loop.F32 {
				for k, v := range out[i].F {
					out[i].F[k] = float64(float32(v))
				}
			}
		case ir.ResultReport:
			reports[r.Name] = out[i]
		case ir.ResultKept:
			keeps[r.Name] = out[i]
		}
	}
	return reports, keeps
}

// A reportedAt is what a step or an `every` block reported.
type reportedAt struct {
	step   int
	values map[string]*ir.Tensor
}

// reference is the states of a model after its training by the evaluator, and what it reported.
func reference(t *testing.T, src string, seed int64, steps int) (map[string]*ir.Tensor, []reportedAt) {
	m, ds := lang.Build("random.mdl", []byte(src), lang.Options{})
	for _, d := range ds {
		if d.Severity == lang.Error {
			t.Fatalf("%s\n%s", d.Text(), src)
		}
	}
	x := newExpected(t, m, seed)
	var log []reportedAt
	report := func(step int, values map[string]*ir.Tensor) {
		if len(values) > 0 {
			log = append(log, reportedAt{step, values})
		}
	}
	for _, e := range m.Entries {
		for step := range steps {
			if e.Kind != ir.EntryTrain {
				continue
			}
			reports, kept := x.run(e.Graph, step, nil)
			report(step+1, reports)
			for _, v := range e.Every {
				if v.Graph != nil && (step+1)%v.N == 0 {
					reports, _ := x.run(v.Graph, step+1, kept)
					report(step+1, reports)
				}
			}
		}
	}
	return x.states, log
}

// requireReports compares the log of a run folder.
func requireReports(t *testing.T, want []reportedAt, folder string, tolerance float64, src string) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(folder, "log.jsonl"))
	require.NoError(t, err)
	var lines []map[string]any
	for _, line := range strings.Split(strings.TrimSpace(string(raw)), "\n") {
		if line == "" {
			continue
		}
		x := map[string]any{}
		require.NoError(t, json.Unmarshal([]byte(line), &x))
		if x["block"] == "train" {
			lines = append(lines, x)
		}
	}
	require.Len(t, lines, len(want), src)
	for i, w := range want {
		require.EqualValues(t, w.step, lines[i]["step"], src)
		for name, x := range w.values {
			vector, isVector := lines[i][name].([]any)
			if !isVector {
				vector = []any{lines[i][name]}
			}
			got := &ir.Tensor{Elem: x.Elem, Dims: x.Dims}
			for _, v := range vector {
				f, ok := v.(float64)
				if !ok {
					f = math.NaN()
				}
				if x.F != nil {
					got.F = append(got.F, f)
				} else {
					got.I = append(got.I, int64(f))
				}
			}
			closeTo(t, x, got, tolerance, fmt.Sprintf("report %s of step %d\n%s", name, w.step, src))
		}
	}
}

// agrees trains a model by machine code, on two threads, one thread, without fusion and for every level of the CPU,
// which must give the same bits, and by the reference evaluator, which
// must give about the same numbers.
func agrees(t *testing.T, src string, steps int, tolerance float64) {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "random.mdl")
	require.NoError(t, os.WriteFile(file, []byte(src), 0o644))
	want, reports := reference(t, src, 5, steps)
	var first string
	ways := []string{"--threads=2", "--threads=1", "--no-fusion"}
	for i, level := range codegen.HostTargets() {
		if i > 0 { // the first is the default
			ways = append(ways, "--device=cpu --target="+level.Name)
		}
	}
	for _, how := range ways {
		out := filepath.Join(dir, strings.Trim(how, "-"))
		_, stderr, code := call(append([]string{"run", file, "train", "--seed", "5", "--steps", strconv.Itoa(steps), "--out", out, "-q"}, strings.Fields(how)...)...)
		require.Equal(t, 0, code, "%s\n%s", stderr, src)
		if first == "" {
			first = out
			continue
		}
		a, b := weightsOf(t, first), weightsOf(t, out)
		for name := range a {
			for i := range a[name].Len() {
				x, y := a[name].At(i), b[name].At(i)
				require.True(t, x == y && math.Signbit(x) == math.Signbit(y) || x != x && y != y, "%s: %s[%d]: %v, and %v with %s\n%s", filepath.Base(first), name, i, x, y, how, src)
			}
		}
	}
	requireReports(t, reports, first, tolerance, src)
	got := weightsOf(t, first)
	for name, w := range want {
		parts := []*ir.Tensor{w}
		names := []string{name}
		if strings.Contains(name, ".#") {
			parts, names = nil, nil
			for i := range w.Dims[0] {
				names = append(names, strings.Replace(name, "#", strconv.Itoa(i), 1))
				n := w.Len() / w.Dims[0]
				p := &ir.Tensor{Elem: w.Elem, Dims: w.Dims[1:]}
				if w.F != nil {
					p.F = w.F[i*n:][:n]
				} else {
					p.I = w.I[i*n:][:n]
				}
				parts = append(parts, p)
			}
		}
		for k, p := range parts {
			require.NotNil(t, got[names[k]], names[k])
			closeTo(t, p, got[names[k]], tolerance, names[k]+"\n"+src)
		}
	}
}

// closeTo allows a difference of f32's roundings: relative to the element, or to 1.
func closeTo(t *testing.T, want, got *ir.Tensor, tolerance float64, what string) {
	t.Helper()
	require.Equal(t, fmt.Sprint(want.Dims), fmt.Sprint(got.Dims), what)
	for i := range want.Len() {
		x, y := want.At(i), got.At(i)
		switch {
		case want.F == nil, math.IsInf(x, 0):
			require.Equal(t, x, y, "element %d of %s", i, what)
		case x != x:
			require.True(t, y != y, "element %d: %v, not NaN, of %s", i, y, what)
		default:
			require.InDelta(t, x, y, tolerance*max(1, math.Abs(x)), "element %d of %s", i, what)
		}
	}
}

// Models that once meant something else to machine code than to the evaluator, or could not be compiled.
// MDLC_AGREE names other files, separated by spaces.
func TestFilesAgree(t *testing.T) {
	t.Setenv("MDLC_CACHE", filepath.Join(os.TempDir(), "mdlc-test-cache"))
	files, err := filepath.Glob("../../testdata/agree/*.mdl")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	if others := os.Getenv("MDLC_AGREE"); others != "" {
		files = strings.Fields(others)
	}
	for _, f := range files {
		t.Run(filepath.Base(f), func(t *testing.T) {
			src, err := os.ReadFile(f)
			require.NoError(t, err)
			agrees(t, string(src), 2, 1e-5)
			t.Run("f64", func(t *testing.T) { agrees(t, "precision { compute = f64 }\n"+string(src), 2, 1e-12) })
		})
	}
}

// What an `every` assigns is there for the next block and step; what it calls assigns nothing.
func TestEveryAssigns(t *testing.T) {
	t.Setenv("MDLC_CACHE", filepath.Join(os.TempDir(), "mdlc-test-cache"))
	dir := t.TempDir()
	file := filepath.Join(dir, "every.mdl")
	require.NoError(t, os.WriteFile(file, []byte(`state s: f32 = 0
state n: f32[2] = 0
state calls: f32 = 0
fn counted() -> f32 {
  calls <- calls + 1
  return calls
}
train for 6 {
  s <- s + 1
  every 2 {
    s <- 10 * s
    n[0] <- s
    report calls = counted()
  }
  every 3 { n[1] <- s }
}
`), 0o644))
	_, stderr, code := call("run", file, "train", "--out", dir, "-q")
	require.Equal(t, 0, code, stderr)
	got := weightsOf(t, dir)
	require.Equal(t, []float64{2220}, got["s"].F) // 2 * 10, (20 + 2) * 10, (220 + 2) * 10
	require.Equal(t, []float64{2220, 2220}, got["n"].F)
	require.Equal(t, []float64{0}, got["calls"].F)
}

// A model that writes, with prompts of every length: the evaluator and machine code choose the same tokens.
func TestGenerationAgrees(t *testing.T) {
	t.Setenv("MDLC_CACHE", filepath.Join(os.TempDir(), "mdlc-test-cache"))
	const src = `use nn, optim
module Net {
  param embed: f32[128, 12] ~ normal(std: 0.4)
  blocks = [nn.Encoder(12, 3, causal: true) for 2]
  fn logits(tok: i32[B, T]) -> f32[B, T, 128] {
    x = embed[tok]
    for block in blocks { x = block(x) }
    avg[b, t < T, d] = mean[s < T where s <= t] x[b, s, d]
    last[b, t < T, d] = x[b, t - 1, d | 0.5] + x[b, T - 1 - t, d]
    return (x + cumsum(avg, axis: 1) + 0.1 * last) @ transpose(embed)
  }
}
net = Net()
train for 1 { minimize sum(net.embed^2) over net.embed with optim.sgd(lr: 0.01) }
sample text(prompt: text = "a", n: int = 9) {
  generate tok: i32[1, T] from prompt for n { tok[:, T] ~ categorical(net.logits(tok[:, -12:])[:, -1], top_k: 2) }
  show tok
}
`
	dir := t.TempDir()
	file := filepath.Join(dir, "text.mdl")
	require.NoError(t, os.WriteFile(file, []byte(src), 0o644))
	_, stderr, code := call("run", file, "train", "--seed", "5", "--out", dir, "-q")
	require.Equal(t, 0, code, stderr)
	states, _ := reference(t, src, 5, 1)
	for _, n := range []string{"1", "9"} {
		m, ds := lang.Build("text.mdl", []byte(src), lang.Options{Flags: map[string]string{"n": n}})
		require.False(t, lang.HasErrors(ds))
		for _, prompt := range []string{"a", "ab", "abcdefg", "abcdefgh", "abcdefghi", "The quick brown fox jumps over the lazy dog", "0123456789abcde"} {
			text := ir.NewTensor(loop.I32, 1, len(prompt))
			for i := range len(prompt) {
				text.I[i] = int64(prompt[i])
			}
			e := m.Entries[slices.IndexFunc(m.Entries, func(e *ir.Entry) bool { return e.Kind == ir.EntrySample })]
			ev := &ir.Evaluator{Lens: map[string]int{"len.prompt": len(prompt)}, Params: func(kind ir.ParamKind, name string) *ir.Tensor {
				switch kind {
				case ir.ParamSeed:
					return ir.Ints(loop.U32, []int64{5, 0}, 2)
				case ir.ParamStep:
					return ir.IntScalar(loop.I32, 0)
				case ir.ParamFlag:
					return text
				}
				return states[name]
			}}
			out, err := ev.Run(e.Graph)
			require.NoError(t, err)
			for _, how := range []string{"--threads=1", "--no-fusion"} {
				stdout, stderr, code := call("run", file, "sample", "--prompt", prompt, "--n", n, "--out", dir, how, "-q")
				require.Equal(t, 0, code, stderr)
				require.Equal(t, strings.Trim(fmt.Sprint(out[0].I), "[]"), strings.Join(strings.Fields(stdout), " "), "%s %s", prompt, n)
			}
		}
	}
}
