package codegen

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/codegen/schedule"
)

func emitText(t testing.TB, target *Target, text string) *Emitted {
	e, err := Emit(schedule.Expand(parseKernel(t, text)), target)
	require.NoError(t, err)
	return e
}

const copyText = `kernel copy(in X: f32[64], out Y: f32[64]) guarded { axis i0: 8 par, il: 8 lane, i: 64 = i0*8 + il   Y[i] = X[i] + 1.0 }`

// loops splits the assembly of one function into loop bodies: from a label to the jump back to it.
func loops(asm string) []string {
	lines := strings.Split(asm, "\n")
	at := map[string]int{}
	var out []string
	label := regexp.MustCompile(`^(\.LBB\w+):`)
	jump := regexp.MustCompile(`^\s+j\w+\s+(\.LBB\w+)`)
	for i, l := range lines {
		if m := label.FindStringSubmatch(l); m != nil {
			at[m[1]] = i
		}
		if m := jump.FindStringSubmatch(l); m != nil {
			if from, ok := at[m[1]]; ok {
				out = append(out, strings.Join(lines[from:i], "\n"))
			}
		}
	}
	return out
}

// innermost are the loops that hold no other loop and match a pattern.
func innermost(asm, pattern string) []string {
	var out []string
	for _, l := range loops(asm) {
		if strings.Contains(l, pattern) && len(loops(l)) == 0 && strings.Count(l, "\n.LBB") == 0 {
			out = append(out, l)
		}
	}
	return out
}

// TestDotLoopAssembly is the budget of a micro-kernel's inner loop: only fused
// multiply-adds, loads of the two panels and the counter; nothing on the stack.
func TestDotLoopAssembly(t *testing.T) {
	hostTarget(t)
	for _, c := range []struct {
		target                   string
		rows, regs, lane, unroll int
		unit                     string
	}{{"avx2", 6, 2, 8, dotUnroll, "ymm"}, {"avx512", 8, 2, 16, dotUnroll, "zmm"}, {"avx512", 4, 4, 16, dotUnroll, "zmm"},
		{"avx512", 6, 4, 16, dotUnroll, "zmm"}, {"avx512", 8, 3, 16, dotUnroll, "zmm"}, {"avx512", 14, 2, 16, 1, "zmm"}} {
		target, err := TargetNamed(c.target)
		require.NoError(t, err)
		e := emitText(t, target, strings.NewReplacer("ROWS", strconv.Itoa(c.rows), "REGS", strconv.Itoa(c.regs), "LANES", strconv.Itoa(c.lane)).Replace(`
kernel micro(in X: f32[256,ROWS], in W: f32[256,REGS,LANES], inout Y: f32[ROWS,REGS,LANES]) guarded {
  axis i: ROWS reg, jr: REGS reg, jl: LANES lane, k: 256
  Y[i,jr,jl] = dot[k](X[k,i], W[k,jr,jl], Y[i,jr,jl]) @fma
}`))
		asm, err := Assembly([]*Emitted{e}, Options{Target: target})
		require.NoError(t, err)
		found := innermost(asm, "vfmadd")
		require.NotEmpty(t, found)
		body := slices.MaxFunc(found, func(a, b string) int { return strings.Count(a, "vfmadd") - strings.Count(b, "vfmadd") })
		require.NotContains(t, body, "rsp", "%s %dx%d", c.target, c.rows, c.regs)
		require.Equal(t, c.unroll*c.rows*c.regs, strings.Count(body, "vfmadd"))
		require.Contains(t, body, c.unit)
		others := len(regexp.MustCompile(`\n\s+[a-z]`).FindAllString(body, -1)) - strings.Count(body, "vfmadd")
		require.LessOrEqual(t, others, c.unroll*(c.rows+c.regs)+6, body)
	}
}

// TestEpilogueDoesNotSpill: element-wise values are pulled a register at a time.
func TestEpilogueDoesNotSpill(t *testing.T) {
	target := hostTarget(t)
	e := emitText(t, target, `
kernel gelu(in X: f32[256,6], in W: f32[256,2,8], in B: f32[2,8], out Y: f32[6,2,8]) guarded {
  axis i: 6 reg, jr: 2 reg, jl: 8 lane, k: 256
  z = dot[k](X[k,i], W[k,jr,jl]) @fma
  a = z + B[jr,jl]   b = 0.7978845608 * (a + 0.044715*a*a*a)   y = 0.5*a*(1.0 + tanh(b))
  Y[i,jr,jl] = y
}`)
	asm, err := Assembly([]*Emitted{e}, Options{Target: target})
	require.NoError(t, err)
	require.Less(t, strings.Count(asm, "(%rsp)"), 90)
}

func TestEmissionIsDeterministic(t *testing.T) {
	target := hostTarget(t)
	text := func() string {
		var all []*Emitted
		for _, c := range emitCases {
			all = append(all, emitText(t, target, c.text))
		}
		return ModuleText(all, target)
	}
	require.Equal(t, text(), text())
}

// TestNoLibraryCalls: kernels that would need one do not link.
func TestNoLibraryCalls(t *testing.T) {
	target := hostTarget(t)
	e := emitText(t, target, copyText)
	e.funcs = append(e.funcs, function{name: "bad", intrinsics: []string{"declare float @expf(float)"},
		text: "define void @bad(ptr %p) {\n %x = load float, ptr %p\n %y = call float @expf(float %x)\n store float %y, ptr %p\n ret void\n}\n"})
	_, err := Compile([]*Emitted{e}, Options{Target: target})
	require.ErrorContains(t, err, "expf")
	require.ErrorContains(t, err, "may call no library")
}

func TestMissingToolsNameTheRemedy(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := lookForTools()
	require.ErrorContains(t, err, "apt-get install llvm-19 lld-19")
	require.ErrorContains(t, err, "opt-19, llc-19, ld.lld-19")
}

func TestCacheSurvivesDamageAndSharing(t *testing.T) {
	target := hostTarget(t)
	dir := t.TempDir()
	cache, err := OpenCache(dir)
	require.NoError(t, err)
	o := Options{Target: target, Cache: cache}
	kernels := []*Emitted{emitText(t, target, copyText)}
	first, err := Compile(kernels, o)
	require.NoError(t, err)
	files, err := filepath.Glob(filepath.Join(dir, "*"+cacheSuffix))
	require.NoError(t, err)
	require.Len(t, files, 1)

	// A hit returns what the file holds.
	marked := append([]byte(nil), first...)
	marked = append(marked, 0)
	cache.put(strings.TrimSuffix(filepath.Base(files[0]), cacheSuffix), marked)
	hit, err := Compile(kernels, o)
	require.NoError(t, err)
	require.Equal(t, marked, hit)

	// A truncated file counts as absent and is replaced.
	require.NoError(t, os.Truncate(files[0], 100))
	again, err := Compile(kernels, o)
	require.NoError(t, err)
	require.Equal(t, first, again)

	// Other passes are another object.
	other := o
	other.Passes = "function(early-cse)"
	_, err = Compile(kernels, other)
	require.NoError(t, err)
	files, err = filepath.Glob(filepath.Join(dir, "*"+cacheSuffix))
	require.NoError(t, err)
	require.Len(t, files, 2)

	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			cache.put("shared", first)
			if got := cache.get("shared"); got != nil && len(got) != len(first) {
				t.Error("a reader saw part of a file")
			}
		})
	}
	wg.Wait()
	cache.trim(0)
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, left)
}

// A full disk is no fault of the compiler, and leaves nothing behind.
func TestAFullDiskIsNoInternalError(t *testing.T) {
	dir := t.TempDir()
	llc := filepath.Join(dir, "llc")
	require.NoError(t, os.WriteFile(llc, []byte("#!/bin/sh\necho 'LLVM ERROR: IO failure on output stream: No space left on device' >&2\nexit 1\n"), 0o755))
	temp := filepath.Join(dir, "temp")
	require.NoError(t, os.Mkdir(temp, 0o755))
	t.Setenv("TMPDIR", temp)
	_, err := (&Tools{Opt: "true", Llc: llc}).build([]module{{}, {}}, Options{Target: hostTarget(t)})
	require.EqualError(t, err, "no space is left in "+temp+", where kernels are compiled: make room, or set TMPDIR to another folder")
	left, err := os.ReadDir(temp)
	require.NoError(t, err)
	require.Empty(t, left)
}
