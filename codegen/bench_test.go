package codegen

import (
	"fmt"
	"math"
	"math/rand"
	"slices"
	"testing"
	"time"
	"unsafe"

	"github.com/ebitengine/purego"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"mdlc/ir"
	"mdlc/passes"
)

const (
	benchRounds = 31                    // each measures both sides in turn
	benchSample = 20 * time.Millisecond // the least time of one measurement
)

// product is a matrix product m × n × k as a graph, and the same by OpenBLAS.
type product struct {
	name       string
	m, n, k    int
	transposed bool // the second operand is stored n × k
	gelu       bool // with bias and GELU: here an epilogue, there a loop over the product
}

var products = []product{
	{name: "f32 1024x1024x1024", m: 1024, n: 1024, k: 1024},
	{name: "f32 257x129x511", m: 257, n: 129, k: 511},
	{name: "f32 100x500x784 transposed", m: 100, n: 500, k: 784, transposed: true},
	{name: "f32 768x512x128", m: 768, n: 512, k: 128},
	{name: "f32 768x512x128 bias GELU", m: 768, n: 512, k: 128, gelu: true},
}

func (p *product) graph() string {
	dims, labels := [2]int{p.k, p.n}, "ik,kj->ij"
	if p.transposed {
		dims, labels = [2]int{p.n, p.k}, "ik,jk->ij"
	}
	text := fmt.Sprintf(`graph product {
  %%0 = param state x f32[%[1]d, %[3]d]
  %%1 = param state w f32[%[4]d, %[5]d]
  %%2 = param state b f32[%[2]d]
  %%3 = dot %%0, %%1 {%[6]s} : f32[%[1]d, %[2]d]
`, p.m, p.n, p.k, dims[0], dims[1], labels)
	if !p.gelu {
		return text + "  report y %3\n}\n"
	}
	shape := fmt.Sprintf("[%d, %d]", p.m, p.n)
	return text + fmt.Sprintf(`  %%4 = index %%2 {(i0, i1) -> (i1)} %[1]s : f32%[1]s
  %%5 = add %%3, %%4 : f32%[1]s
  %%6 = const f32%[1]s 0.70710678
  %%7 = const f32%[1]s 1
  %%8 = const f32%[1]s 0.5
  %%9 = mul %%5, %%6 : f32%[1]s
  %%10 = erf %%9 : f32%[1]s
  %%11 = add %%10, %%7 : f32%[1]s
  %%12 = mul %%5, %%8 : f32%[1]s
  %%13 = mul %%12, %%11 : f32%[1]s
  report y %%13
}
`, shape)
}

// BenchmarkPeers prints our kernels, from graph text through the whole pipeline, beside OpenBLAS
// and a copy, one thread each, measured in turn: medians, and the quartiles around them.
func BenchmarkPeers(b *testing.B) {
	target := hostTarget(b)
	peak := 1e-9 * peakFlops(b, target)
	gemm, reason := openBLAS(target)
	fmt.Printf("\none thread of %s; multiply-add peak %.1f GFLOP/s; medians of %d (quartiles)\n", target.CPU, peak, benchRounds)
	fmt.Printf("%-28s %-26s %-26s %6s %9s %7s\n", "", "mdlc, ms", "peer, ms", "ratio", "GFLOP/s", "of peak")
	for _, p := range products {
		if gemm == nil {
			fmt.Printf("%-28s skipped: %s\n", p.name, reason)
			continue
		}
		ours, theirs := p.compare(b, target, gemm)
		flops := 2 * float64(p.m) * float64(p.n) * float64(p.k) / ours.median() * 1e-9
		fmt.Printf("%-28s %-26s %-26s %6.2f %9.1f %6.0f%%\n", p.name, ours, theirs, theirs.median()/ours.median(), flops, 100*flops/peak)
	}
	ours, theirs := softmaxAndCopy(b, target)
	fmt.Printf("%-28s %-26s %-26s %6.2f\n\n", "softmax 4096x1024, copy", ours, theirs, theirs.median()/ours.median())
	for b.Loop() {
	}
}

// compare measures one product after checking that both sides agree.
func (p *product) compare(b *testing.B, target *Target, gemm func(p *product, x, w, y []float32)) (ours, theirs samples) {
	k := prepare(b, target, p.graph())
	r := rand.New(rand.NewSource(1))
	for _, s := range k.states {
		for i := range f32s(s) {
			f32s(s)[i] = float32(r.NormFloat64()) / float32(math.Sqrt(float64(p.k)))
		}
	}
	x, w, bias := f32s(k.states[0]), f32s(k.states[1]), f32s(k.states[2])
	y := f32s(k.alloc(4 * p.m * p.n))
	peer := func() {
		gemm(p, x, w, y)
		if p.gelu {
			for i := range p.m {
				row := y[i*p.n:][:p.n]
				for j, v := range row {
					v += bias[j]
					row[j] = 0.5 * v * (1 + float32(math.Erf(float64(v*0.70710678))))
				}
			}
		}
	}
	k.run()
	peer()
	for i, v := range f32s(k.out)[:p.m*p.n] {
		if !(math.Abs(float64(v-y[i])) <= 1e-4) {
			b.Fatalf("%s: element %d is %g, OpenBLAS has %g", p.name, i, v, y[i])
		}
	}
	return inTurn(k.run, peer)
}

// softmaxAndCopy: the copy moves as much memory as softmax must. On Zen 5 with AVX-512 it takes 1.39 .. 1.52 times the
// copy in quiet runs (0.60 .. 0.64 against 0.43 ms): it was 2.0 before its maxima were of integers (ByIntegers, 0.17 ms) and
// the registers of exp side by side (inStep, 0.05 ms). On Zen 3 with AVX2, where exp bounds it, it takes 1.84 .. 1.93
// times (2.0 against 1.05 ms). What gave how much there: the divisions of a row, which wait for their streamed stores, in
// the sweep of exp of the next row, and the row after it fetched ahead 0.5 ms, max over the registers of a turn before
// lanes 0.05 .. 0.1 ms. In cache, without waiting for memory, it takes 1.8 ms at 3 GHz, 10.5 cycles for 8 numbers: exp
// 6.2, of which the two units that multiply, compare and divide need 5.5, max 1, sum 0.5, and the rest is the divisions
// and what the core waits at the end of each sweep. What made no difference beyond noise (4%) there: exp of 2, 4 or 8
// registers interleaved, division and exp taking turns by registers, chunks of 64 rows instead of 16, max of the next
// row with the sum of this one, the sum in the turn of the next row (maxima of integers: 4% slower with
// AVX2 on Zen 5). Max of the next row in the
// sweep of exp is slower: its comparisons take the units of exp. A polynomial of degree 5 is above 2 units.
func softmaxAndCopy(b *testing.B, target *Target) (ours, theirs samples) {
	const rows, cols = 4096, 1024
	k := prepare(b, target, fmt.Sprintf(`graph softmax {
  %%0 = param state x f32[%[1]d, %[2]d]
  %%1 = reduce %%0 max [1] : f32[%[1]d]
  %%2 = index %%1 {(i0, i1) -> (i0)} [%[1]d, %[2]d] : f32[%[1]d, %[2]d]
  %%3 = sub %%0, %%2 : f32[%[1]d, %[2]d]
  %%4 = exp %%3 : f32[%[1]d, %[2]d]
  %%5 = reduce %%4 sum [1] : f32[%[1]d]
  %%6 = index %%5 {(i0, i1) -> (i0)} [%[1]d, %[2]d] : f32[%[1]d, %[2]d]
  %%7 = div %%4, %%6 : f32[%[1]d, %[2]d]
  report y %%7
}
`, rows, cols))
	x, y := f32s(k.states[0])[:rows*cols], f32s(k.alloc(4*rows*cols))
	for i := range x {
		x[i] = float32(i%997) / 100
	}
	return inTurn(k.run, func() { copy(y, x) })
}

// prepared is a program whose only block runs as a list of calls.
type prepared struct {
	*native
	calls []func()
	out   []byte // the first output
}

func prepare(b *testing.B, target *Target, text string) *prepared {
	g, err := ir.ParseGraph(text)
	require.NoError(b, err)
	m := moduleOf(g)
	require.NoError(b, passes.Run(m, passes.Options{}))
	require.NoError(b, passes.Plan(m))
	machine := target.Machine
	built, err := Build(m, machine, Options{Target: target})
	require.NoError(b, err)
	p := &prepared{native: nativeOf(b, built.Program, runtimeMemory(b))}
	block := &built.Program.Entries[0].Block
	bufs := p.buffers(block)
	p.out = bufs[block.Outputs[0].Buf]
	for _, in := range block.Code {
		args := []unsafe.Pointer{nil}[:0]
		for _, r := range in.Launch.Args {
			args = append(args, unsafe.Pointer(&bufs[r.Buf][0]))
		}
		for _, phase := range p.p.Kernels[in.Launch.Kernel].Phases {
			fn, err := purego.Dlsym(p.lib, phase.Symbol)
			require.NoError(b, err)
			points := phase.Points.Eval(nil)
			p.calls = append(p.calls, func() {
				purego.SyscallN(fn, uintptr(unsafe.Pointer(&args[0])), 0, uintptr(points), uintptr(unsafe.Pointer(&p.scratch[0])))
			})
		}
	}
	return p
}

// runtimeMemory hands out memory as the runtime does (region in runtime/memory.go): huge pages where there
// are any. On small ones a kernel's time depends on where they happen to lie: softmax took 1.55 ms or 1.95
// ms, from one process to the next.
func runtimeMemory(b *testing.B) func(n int) []byte {
	const hugePage = 2 << 20
	return func(n int) []byte {
		size := (max(n, 1) + hugePage - 1) / hugePage * hugePage
		data, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
		require.NoError(b, err)
		_ = unix.Madvise(data, unix.MADV_HUGEPAGE)
		b.Cleanup(func() { _ = unix.Munmap(data) })
		return data[:n:n]
	}
}

func (p *prepared) run() {
	for _, call := range p.calls {
		call()
	}
}

// samples are seconds, ascending.
type samples []float64

func (s samples) median() float64 { return s[len(s)/2] }

func (s samples) String() string {
	return fmt.Sprintf("%.3f (%.3f .. %.3f)", 1e3*s.median(), 1e3*s[len(s)/4], 1e3*s[3*len(s)/4])
}

// inTurn measures two functions in turn, so that what else the machine does meets both.
func inTurn(f, g func()) (a, b samples) {
	timesOf := func(f func()) int {
		start, n := time.Now(), 0
		for ; time.Since(start) < benchSample; n++ {
			f()
		}
		return n
	}
	measure := func(f func(), n int) float64 {
		start := time.Now()
		for range n {
			f()
		}
		return time.Since(start).Seconds() / float64(n)
	}
	nf, ng := timesOf(f), timesOf(g)
	for range benchRounds {
		a, b = append(a, measure(f, nf)), append(b, measure(g, ng))
	}
	slices.Sort(a)
	slices.Sort(b)
	return a, b
}

// peakFlops is the rate of independent multiply-adds in registers.
func peakFlops(b *testing.B, target *Target) float64 {
	lanes := target.Machine.Lanes
	text, flops := multiplyAdds(1, lanes, 1<<18)
	mc := load(b, target, parseKernel(b, text))[0]
	bufs := [][]byte{aligned(4 * lanes), aligned(4 * ceilingChains * lanes)}
	run := func() { mc.run(bufs) }
	times, _ := inTurn(run, func() {})
	return flops / times[0]
}

// openBLAS loads the library, if there is one, and returns its product on one thread, with the kernels for
// this machine's vectors: a processor younger than itself it takes for the oldest, which is four times slower.
func openBLAS(target *Target) (gemm func(p *product, x, w, y []float32), reason string) {
	core := "HASWELL"
	if target.Name == "avx512" {
		core = "SKYLAKEX"
	}
	libc, err := purego.Dlopen("libc.so.6", purego.RTLD_NOW)
	if err != nil {
		return nil, err.Error()
	}
	var setenv func(name, value string, overwrite int32) int32
	purego.RegisterLibFunc(&setenv, libc, "setenv")
	setenv("OPENBLAS_CORETYPE", core, 0)
	lib, err := purego.Dlopen("libopenblas.so.0", purego.RTLD_NOW|purego.RTLD_LOCAL)
	if err != nil {
		return nil, "no libopenblas.so.0 (scripts/install-peers.sh installs it)"
	}
	var threads func(n int32)
	var sgemm func(order, ta, tb, m, n, k int32, alpha float32, a unsafe.Pointer, lda int32, b unsafe.Pointer, ldb int32, beta float32, c unsafe.Pointer, ldc int32)
	purego.RegisterLibFunc(&threads, lib, "openblas_set_num_threads")
	purego.RegisterLibFunc(&sgemm, lib, "cblas_sgemm")
	threads(1)
	const rowMajor, plain, transposed = 101, 111, 112
	return func(p *product, x, w, y []float32) {
		tb, ldb := int32(plain), p.n
		if p.transposed {
			tb, ldb = transposed, p.k
		}
		sgemm(rowMajor, plain, tb, int32(p.m), int32(p.n), int32(p.k), 1, unsafe.Pointer(&x[0]), int32(p.k), unsafe.Pointer(&w[0]), int32(ldb), 0, unsafe.Pointer(&y[0]), int32(p.n))
	}, ""
}
