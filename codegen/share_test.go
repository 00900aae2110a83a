package codegen

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/codegen/schedule"
	"mdlc/ir"
	"mdlc/passes"
)

// Kernels over other shapes that come to the same loops have one code; others have their own.
func TestSharedCode(t *testing.T) {
	g, err := ir.ParseGraph(`graph train {
  %0 = param state a f32[4, 6]
  %1 = param state b f32[24]
  %2 = param state c f32[25]
  %3 = mul %0, %0 : f32[4, 6]
  %4 = mul %1, %1 : f32[24]
  %5 = mul %2, %2 : f32[25]
  report x %3
  report y %4
  report z %5
}`)
	require.NoError(t, err)
	m := moduleOf(g)
	require.NoError(t, passes.Run(m, passes.Options{NoFusion: true}))
	require.NoError(t, passes.Plan(m))
	b, err := Pages(m)
	require.NoError(t, err)
	machine := schedule.AVX2
	require.NoError(t, b.Schedule(machine))
	require.NoError(t, b.Emit(hostTarget(t)))
	require.Len(t, b.Kernels, 3)
	require.Len(t, b.Emitted(), 2)
	symbols := map[string]int{}
	for _, k := range b.Program.Kernels {
		for _, ph := range k.Phases {
			symbols[ph.Symbol]++
		}
	}
	require.Len(t, symbols, 2)
	require.Contains(t, symbols, b.Kernels[0].Emitted.Name+"_p0")
	require.Equal(t, 2, symbols[b.Kernels[0].Emitted.Name+"_p0"])
}

// A phase that another kernel has too is that kernel's, whatever else the kernels do and wherever its buffers stand.
func TestSharedPhases(t *testing.T) {
	target := leastTarget(t)
	b := &Built{}
	for _, text := range []string{`kernel one(in X: f32[64], out Y: f32[8], work P: f32[64]) guarded {
  axis i0: 8 par, il: 8 lane, i: 64 = i0*8 + il, k: 8
  P[i] = X[i] + 1.0
  phase
  Y[il] = dot[k](X[k], P[k*8 + il]) @fma
}`, `kernel two(in A: f32[3], in X: f32[64], out Z: f32[64], work P: f32[64]) guarded {
  axis i0: 8 par, il: 8 lane, i: 64 = i0*8 + il
  P[i] = X[i] + 1.0
  phase
  Z[i] = P[i] * A[2]
}`} {
		b.Kernels = append(b.Kernels, &BuiltKernel{Emitted: emitText(t, target, text)})
	}
	b.share()
	var names []string
	for _, k := range b.Kernels {
		for _, f := range k.Emitted.funcs {
			names = append(names, f.name)
		}
	}
	// The entry points read their buffers from other places of the argument block.
	require.Equal(t, []string{"one_p0.body", "one_p0", "mdlc.dot8.1_f32.0.s1_f32v.0.s8_.0.0", "one_p1.body", "one_p1", "two_p0", "two_p1.body", "two_p1"}, names)
	require.Contains(t, b.Kernels[1].Emitted.funcs[0].text, "call void @one_p0.body(")
	_, err := Compile(b.Emitted(), Options{Target: target, Modules: 3})
	require.NoError(t, err)
}

// Phases that differ in a few numbers get these as arguments, and compute the same: sizes, and how many shares there
// are, whether or not these are equal.
func TestMergedNumbers(t *testing.T) {
	for _, shapes := range [][][2]int{{{17, 64}, {23, 96}, {9, 160}}, {{1000, 64}, {1008, 64}}} {
		checkMerged(t, shapes)
	}
}

func checkMerged(t *testing.T, shapes [][2]int) {
	var params, ops, reports string
	for i, d := range shapes { // every row twice: no axes are one
		n, m, x := d[0], d[1], len(shapes)+2*i
		params += fmt.Sprintf("  %%%d = param state x%d f32[%d, %d]\n", i, i, n, m)
		ops += fmt.Sprintf("  %%%d = index %%%d {(i0, i1) -> (i0 / 2, i1)} [%d, %d]\n  %%%d = exp %%%d : f32[%d, %d]\n", x, i, 2*n, m, x+1, x, 2*n, m)
		reports += fmt.Sprintf("  report y%d %%%d\n", i, x+1)
	}
	g, err := ir.ParseGraph("graph train {\n" + params + ops + reports + "}")
	require.NoError(t, err)
	m := moduleOf(g)
	require.NoError(t, passes.Run(m, passes.Options{}))
	require.NoError(t, passes.Plan(m))
	target := leastTarget(t)
	machine := target.Machine
	b, err := Build(m, machine, Options{Target: target})
	require.NoError(t, err)
	phases := 0
	for _, f := range functions(b.Emitted()) {
		if f.phase {
			phases++
			require.Contains(t, f.text, ", i64 %n0")
		}
	}
	require.Len(t, b.Kernels, len(shapes))
	require.Equal(t, 1, phases)
	checkProgram(t, b, g)
}

// Numbers that divide in a loop, that are part of an address or of a vector stay where they are.
func TestNumbered(t *testing.T) {
	n := number(&function{name: "f", text: `define hidden void @f(ptr noalias %0, i64 %1, i64 %2) nounwind {
3:
	%4 = mul i64 %1, -24
	%5 = urem i64 %4, 7
	br label %16

16:
	br label %17

17:
	%18 = urem i64 %5, 9
	%6 = getelementptr float, ptr %0, i64 8
	%7 = call i64 @llvm.smin.i64(i64 6, i64 %4)
	%8 = icmp slt i64 %7, 30
	%9 = icmp slt <2 x i64> %a, <i64 1, i64 2>
	%11 = xor i32 %b, 3
	%12 = xor <8 x i32> %c, <i32 1, i32 2, i32 3, i32 4, i32 5, i32 6, i32 7, i32 8>
	%13 = fmul <8 x float> %d, splat (float 1.0)
	%15 = fadd <16 x float> %e, splat (float 2.0)
	%14 = call <8 x float> @llvm.fma.v8f32(<8 x float> %d, <8 x float> %d, <8 x float> splat (float 1.0))
	%10 = call x86_regcallcc [1 x <8 x float>] @mdlc.dot8.1_f32.4a(i64 3, ptr %6, i64 16, <8 x float> zeroinitializer)
	store i64 5, ptr %6, align 8
	ret void
}
`})
	require.Equal(t, []typed{{"i64", "-24"}, {"i64", "7"}, {"i64", "6"}, {"i64", "30"}, {"i32", "3"},
		{"<8 x float>", "splat (float 1.0)"},
		{"<16 x float>", "splat (float 2.0)"}, {"i64", "3"}, {"i64", "16"}}, n.numbers)
	require.Len(t, n.parts, len(n.numbers)+1)
}

// Phases that differ in more numbers than a function may get arguments stay apart.
func TestTooManyNumbers(t *testing.T) {
	for numbers, want := range map[int]int{maxNumbers: 2, maxNumbers + 1: 0} {
		var group []*numbered
		for f := range 2 {
			text := fmt.Sprintf("define hidden void @f%d(i64 %%0) nounwind {\n1:\n", f)
			for i := range numbers {
				text += fmt.Sprintf("\t%%%d = add i64 %%%d, %d\n", i+2, i+1, i+100*f)
			}
			name := fmt.Sprintf("f%d", f)
			group = append(group, number(&function{name: name, text: text + "\tret void\n}\n"}))
		}
		merged := map[string]*numbered{}
		merge(group, merged)
		require.Len(t, merged, want)
	}
}
