package schedule_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/ebitengine/purego"
	"github.com/stretchr/testify/require"

	"mdlc/codegen"
	"mdlc/codegen/schedule"
	"mdlc/ir/loop"
)

// compiled is a kernel in this process.
type compiled struct {
	k       *loop.Kernel
	phases  []codegen.EmittedPhase
	entries []uintptr
	scratch []byte
	mem     map[string][]byte
}

func host(t testing.TB) (*codegen.Target, *schedule.Machine) {
	target, err := codegen.HostTarget()
	if err != nil {
		t.Skip(err)
	}
	if _, err := codegen.FindTools(); err != nil {
		t.Skip(err)
	}
	m := schedule.AVX2
	if target.Lanes() == 16 {
		m = schedule.AVX512
	}
	return target, m
}

func compile(t testing.TB, target *codegen.Target, ks ...*loop.Kernel) []*compiled {
	var emitted []*codegen.Emitted
	var out []*compiled
	for _, k := range ks {
		e, err := codegen.Emit(k, target)
		require.NoError(t, err)
		emitted = append(emitted, e)
		out = append(out, &compiled{k: k, phases: e.Phases, scratch: aligned(e.Scratch), mem: map[string][]byte{}})
	}
	object, err := codegen.Compile(emitted, codegen.Options{Target: target})
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "k.so")
	require.NoError(t, os.WriteFile(file, object, 0o755))
	lib, err := purego.Dlopen(file, purego.RTLD_NOW|purego.RTLD_LOCAL)
	require.NoError(t, err)
	t.Cleanup(func() { purego.Dlclose(lib) })
	for _, c := range out {
		for _, p := range c.phases {
			entry, err := purego.Dlsym(lib, p.Symbol)
			require.NoError(t, err)
			c.entries = append(c.entries, entry)
		}
		for _, b := range c.k.Bufs {
			n := b.Elem.Size()
			for _, d := range b.Dims {
				n *= d
			}
			c.mem[b.Name] = aligned(n)
		}
	}
	return out
}

func aligned(n int) []byte {
	b := make([]byte, n+64)
	at := (64 - int(uintptr(unsafe.Pointer(&b[0]))%64)) % 64
	return b[at : at+n : at+n]
}

func (c *compiled) run(extent func(v *loop.Value) int) {
	var args []unsafe.Pointer
	for _, b := range c.k.Bufs {
		if b.Mode != loop.Local {
			m := c.mem[b.Name]
			args = append(args, unsafe.Pointer(unsafe.SliceData(m)))
		}
	}
	scratch := uintptr(unsafe.Pointer(unsafe.SliceData(c.scratch)))
	for i, entry := range c.entries {
		points := 1
		for _, v := range c.phases[i].Points() {
			points *= extent(v)
		}
		purego.SyscallN(entry, uintptr(unsafe.Pointer(&args[0])), 0, uintptr(points), scratch)
	}
}

func constant(v *loop.Value) int { n, _ := v.IntConst(); return int(n) }

// put and get move elements between evaluator data and memory.
func put(b *loop.Buffer, d *loop.Data, mem []byte) {
	for i := range d.Len() {
		p := unsafe.Pointer(&mem[i*b.Elem.Size()])
		switch b.Elem {
		case loop.F32:
			*(*float32)(p) = float32(d.F[i])
		case loop.I32:
			*(*int32)(p) = int32(d.I[i])
		case loop.U32:
			*(*uint32)(p) = uint32(d.I[i])
		case loop.I64:
			*(*int64)(p) = d.I[i]
		case loop.U8:
			*(*uint8)(p) = uint8(d.I[i])
		default:
			panic("element type " + b.Elem.String())
		}
	}
}

func get(b *loop.Buffer, mem []byte, i int) string {
	p := unsafe.Pointer(&mem[i*b.Elem.Size()])
	switch b.Elem {
	case loop.F32:
		return floatText(float64(*(*float32)(p)))
	case loop.I32:
		return fmt.Sprint(*(*int32)(p))
	}
	return fmt.Sprint(*(*uint32)(p))
}

func floatText(x float64) string {
	if math.IsNaN(x) {
		return "NaN"
	}
	return fmt.Sprintf("%x %v", math.Float32bits(float32(x)), x)
}

func TestMachineBits(t *testing.T) {
	target, m := host(t)
	machineBits(t, target, m)
}

// TestStreamedBits: stores past the caches write the same bits, here on a machine that streams small outputs, too.
func TestStreamedBits(t *testing.T) {
	target, m := host(t)
	small := *m
	small.Stream = 1
	require.Positive(t, machineBits(t, target, &small), "no kernel streams")
}

// TestPrefetchedBits: a kernel that fetches its next row, in the main and the edge loop, computes the same.
func TestPrefetchedBits(t *testing.T) {
	target, m := host(t)
	text := func(rows int) string {
		return fmt.Sprintf(`kernel softmax(in X: f32[%[1]d,1100], out Y: f32[%[1]d,1100]) {
  axis i: %[1]d, j: 1100
  x = X[i,j]
  e = exp(x - max[j](x))
  Y[i,j] = e / sum[j](e)
}`, rows)
	}
	for rows, want := range map[int]bool{260: true, 20: false} { // larger and smaller than the second cache
		ks, err := loop.Parse("softmax", text(rows))
		require.NoError(t, err)
		steps, err := schedule.Run(ks[0], m)
		require.NoError(t, err)
		k := steps[len(steps)-1].Kernel
		found := false
		for _, o := range k.Opts {
			found = found || o.Kind == schedule.Prefetch && o.Axis == "X"
		}
		require.Equal(t, want, found)
		e, err := codegen.Emit(k, target)
		require.NoError(t, err)
		require.Equal(t, want, strings.Contains(codegen.ModuleText([]*codegen.Emitted{e}, target), "call void @llvm.prefetch"))
		if want {
			equalsEvaluator(t, schedule.Expand(ks[0]), compile(t, target, k)[0])
		}
	}
}

// TestFollowedBits: a product that fetches what follows in a packed operand, which is more than the second cache holds, reads it from end to end,
// in blocks of summands inside the loop over panels, and computes the same.
func TestFollowedBits(t *testing.T) {
	target, m := host(t)
	for l2, want := range map[int]bool{10000: true, m.L2: false} {
		machine := *m
		machine.Block, machine.L2 = 64, l2
		ks, err := loop.Parse("mm", `kernel mm(in X: f32[71,150], in W: f32[150,230], out Y: f32[71,230]) {
  axis i: 71, j: 230, k: 150
  Y[i,j] = dot[k](X[i,k], W[k,j])
}`)
		require.NoError(t, err)
		steps, err := schedule.Run(ks[0], &machine)
		require.NoError(t, err)
		k := steps[len(steps)-1].Kernel
		require.Contains(t, k.String(), "Order j0, Order k0 1, Order i0 2")
		require.Equal(t, want, strings.Contains(k.String(), "Follow pack i0"))
		e, err := codegen.Emit(k, target)
		require.NoError(t, err)
		require.Equal(t, want, strings.Contains(codegen.ModuleText([]*codegen.Emitted{e}, target), "call void @llvm.prefetch"))
		equalsEvaluator(t, schedule.Expand(ks[0]), compile(t, target, k)[0])
	}
}

// machineBits compares the compiled goldens with the typed evaluator and counts their streamed outputs.
func machineBits(t *testing.T, target *codegen.Target, m *schedule.Machine) (streamed int) {
	files, err := filepath.Glob("../../testdata/schedule/*.kir")
	require.NoError(t, err)
	var inputs, finished []*loop.Kernel
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		ks, err := loop.Parse(file, string(text))
		require.NoError(t, err)
		steps, err := schedule.Run(ks[0], m)
		require.NoError(t, err)
		inputs = append(inputs, ks[0])
		finished = append(finished, steps[len(steps)-1].Kernel)
		for _, o := range finished[len(finished)-1].Opts {
			if o.Kind == schedule.Stream {
				streamed++
			}
		}
	}
	for i, c := range compile(t, target, finished...) {
		t.Run(strings.TrimSuffix(filepath.Base(files[i]), ".kir"), func(t *testing.T) { equalsEvaluator(t, schedule.Expand(inputs[i]), c) })
	}
	return streamed
}

func equalsEvaluator(t *testing.T, k *loop.Kernel, c *compiled) {
	rng := rand.New(rand.NewPCG(3, 4))
	args := map[string]*loop.Data{}
	for _, b := range k.Bufs {
		dims, err := b.Sizes(args)
		require.NoError(t, err)
		d := loop.NewData(b.Elem, dims...)
		for i := range d.F {
			d.F[i] = math.Abs(rng.NormFloat64())
		}
		for i := range d.I {
			d.I[i] = rng.Int64N(5)
		}
		switch b.Name {
		case "len":
			d.I = []int64{3, 83}
		case "L":
			d.I = []int64{70}
		}
		d.Round()
		if b.Mode == loop.In || b.Mode == loop.InOut {
			args[b.Name] = d
			put(b, d, c.mem[b.Name])
		}
	}
	require.NoError(t, loop.Eval(k, args, loop.EvalOptions{Typed: true}))
	var extent func(v *loop.Value) int
	extent = func(v *loop.Value) int {
		if n, ok := v.IntConst(); ok {
			return int(n)
		}
		switch v.Op {
		case loop.Add:
			return extent(v.Args[0]) + extent(v.Args[1])
		case loop.Div:
			return extent(v.Args[0]) / extent(v.Args[1])
		case loop.Load:
			if len(v.Args) == 0 {
				return int(args[v.Buf.Name].I[0])
			}
			index, ok := v.Args[0].IntConst()
			require.True(t, ok)
			return int(args[v.Buf.Name].I[index])
		case loop.Mul:
			return extent(v.Args[0]) * extent(v.Args[1])
		}
		require.Fail(t, "an extent of another form", "%s", v.Op)
		return 0
	}
	c.run(extent)
	for _, b := range k.Bufs {
		d := args[b.Name]
		for i := range d.Len() {
			if b.Mode == loop.In || d.Poison != nil && d.Poison[i] {
				continue
			}
			want := ""
			if d.F != nil {
				want = floatText(d.F[i])
			} else {
				want = fmt.Sprint(d.I[i])
			}
			require.Equal(t, want, get(b, c.mem[b.Name], i), "%s[%d]", b.Name, i)
		}
	}
}

// gemmText is a product in one of its transposed forms.
func gemmText(m, n, k int, ta, tb bool, epilogue string) string {
	x, a := fmt.Sprintf("%d,%d", m, k), "i,k"
	if ta {
		x, a = fmt.Sprintf("%d,%d", k, m), "k,i"
	}
	w, b := fmt.Sprintf("%d,%d", k, n), "k,j"
	if tb {
		w, b = fmt.Sprintf("%d,%d", n, k), "j,k"
	}
	return fmt.Sprintf(`kernel gemm(in X: f32[%s], in W: f32[%s], in B: f32[%d], out Y: f32[%d,%d]) {
  axis i: %d, j: %d, k: %d
  z = dot[k](X[%s], W[%s])
  Y[i,j] = %s
}`, x, w, n, m, n, m, n, k, a, b, epilogue)
}

func BenchmarkGemm(b *testing.B) {
	target, m := host(b)
	for _, s := range []struct {
		name    string
		m, n, k int
		ta, tb  bool
	}{
		{"1024x1024x1024", 1024, 1024, 1024, false, false},
		{"768x512x128", 768, 512, 128, false, false},
		{"768x128x512", 768, 128, 512, false, false},
		{"257x129x511", 257, 129, 511, false, false},
		{"100x500x784", 100, 500, 784, false, false},
		{"100x500x784 nt", 100, 500, 784, false, true},
		{"128x512x768 tn", 128, 512, 768, true, false},
		{"768x128x512 nt", 768, 128, 512, false, true},
		{"1024x1024x1024 tn", 1024, 1024, 1024, true, false},
		{"512x512x512", 512, 512, 512, false, false},
	} {
		b.Run(s.name, func(b *testing.B) {
			ks, err := loop.Parse("gemm", gemmText(s.m, s.n, s.k, s.ta, s.tb, "z + B[j]"))
			require.NoError(b, err)
			steps, err := schedule.Run(ks[0], m)
			require.NoError(b, err)
			c := compile(b, target, steps[len(steps)-1].Kernel)[0]
			c.run(constant)
			best := time.Hour
			for b.Loop() {
				start := time.Now()
				c.run(constant)
				best = min(best, time.Since(start))
			}
			b.ReportMetric(2*float64(s.m)*float64(s.n)*float64(s.k)/best.Seconds()/1e9, "GFLOP/s")
		})
	}
}

func BenchmarkNest(b *testing.B) {
	target, m := host(b)
	for _, s := range []struct{ name, text string }{
		{"copy", `kernel copy(in X: f32[4096,1024], out Y: f32[4096,1024]) {
  axis i: 4096, j: 1024
  Y[i,j] = X[i,j]
}`},
		{"softmax", `kernel softmax(in X: f32[4096,1024], out Y: f32[4096,1024]) {
  axis i: 4096, j: 1024
  x = X[i,j]
  e = exp(x - max[j](x))
  Y[i,j] = e / sum[j](e)
}`},
		{"layer norm", `kernel layernorm(in X: f32[4096,1024], in G: f32[1024], in B: f32[1024], out Y: f32[4096,1024]) {
  axis i: 4096, j: 1024
  x = X[i,j]
  mu = sum[j](x) / 1024.0
  c = x - mu
  Y[i,j] = c * rsqrt(sum[j](c*c) / 1024.0 + 1e-5) * G[j] + B[j]
}`},
		{"gelu", `kernel gelu(in X: f32[4096,1024], out Y: f32[4096,1024]) {
  axis i: 4096, j: 1024
  x = X[i,j]
  Y[i,j] = 0.5*x * (1.0 + erf(0.7071067811865476*x))
}`},
		{"column sum", `kernel colsum(in X: f32[4096,1024], out Y: f32[1024]) {
  axis p: 64, r: 64, i: 4096 = p*64 + r, j: 1024
  Y[j] = seqsum[p](seqsum[r](X[i,j]))
}`},
		{"transpose", `kernel transpose(in X: f32[4096,1024], out Y: f32[1024,4096]) {
  axis i: 4096, j: 1024
  Y[j,i] = X[i,j]
}`},
	} {
		b.Run(s.name, func(b *testing.B) {
			ks, err := loop.Parse(s.name, s.text)
			require.NoError(b, err)
			steps, err := schedule.Run(ks[0], m)
			require.NoError(b, err)
			c := compile(b, target, steps[len(steps)-1].Kernel)[0]
			c.run(constant)
			best := time.Hour
			for b.Loop() {
				start := time.Now()
				c.run(constant)
				best = min(best, time.Since(start))
			}
			b.ReportMetric(best.Seconds()*1e3, "ms")
		})
	}
}
