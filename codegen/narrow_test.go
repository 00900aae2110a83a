package codegen

import (
	"fmt"
	"math/rand"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/codegen/schedule"
	"mdlc/ir"
	"mdlc/ir/index"
	"mdlc/ir/loop"
)

// sixteen is the float types of two bytes.
var sixteen = []loop.Elem{loop.BF16, loop.F16}

// narrowMakers build the ops that are more than element-wise from 16-bit floats.
var narrowMakers = map[string][]func(b *ir.Builder, e loop.Elem) *ir.Node{
	"cast": {
		func(b *ir.Builder, e loop.Elem) *ir.Node { return b.Cast(given(b, e, 37), loop.F32) },
		func(b *ir.Builder, e loop.Elem) *ir.Node { return b.Cast(given(b, loop.F32, 5, 37), e) },
		func(b *ir.Builder, e loop.Elem) *ir.Node { return b.Cast(given(b, loop.F64, 37), e) },
		func(b *ir.Builder, e loop.Elem) *ir.Node { return b.Cast(given(b, loop.I32, 37), e) },
		func(b *ir.Builder, e loop.Elem) *ir.Node { return b.Cast(given(b, e, 37), loop.I32) },
		func(b *ir.Builder, e loop.Elem) *ir.Node { return b.Cast(given(b, e, 37), sixteen[1-index16(e)]) },
		func(b *ir.Builder, e loop.Elem) *ir.Node { return b.Cast(given(b, loop.Bool, 37), e) },
	},
	"index": {
		func(b *ir.Builder, e loop.Elem) *ir.Node { return b.Permute(given(b, e, 19, 37), 1, 0) },
		func(b *ir.Builder, e loop.Elem) *ir.Node {
			outside := -0.5
			return b.Index(given(b, e, 37), []ir.Dim{{Size: 41}}, []*index.Expr{index.Sub(ir.Var(0), index.C(2))}, &outside)
		},
		func(b *ir.Builder, e loop.Elem) *ir.Node {
			return b.Index(given(b, e, 9, 19), []ir.Dim{{Size: 37}, {Size: 19}}, []*index.Expr{ir.Data(1), ir.Var(1)}, nil, given(b, loop.I32, 37, 19))
		},
	},
	"digit": {
		func(b *ir.Builder, e loop.Elem) *ir.Node { return b.Digit(given(b, e, 5, 37), 0) },
		func(b *ir.Builder, e loop.Elem) *ir.Node { return b.Digit(given(b, e, 5, 37), ir.Digits(e)-1) },
		func(b *ir.Builder, _ loop.Elem) *ir.Node { return b.Digit(given(b, loop.F64, 5, 37), 7) },
		func(b *ir.Builder, _ loop.Elem) *ir.Node { return b.Digit(given(b, loop.F64, 5, 37), 0) },
		func(b *ir.Builder, _ loop.Elem) *ir.Node { return b.Digit(given(b, loop.I32, 5, 37), 3) },
		func(b *ir.Builder, _ loop.Elem) *ir.Node { return b.Digit(given(b, loop.U32, 5, 37), 1) },
		func(b *ir.Builder, _ loop.Elem) *ir.Node { return b.Digit(given(b, loop.I8, 5, 37), 0) },
		func(b *ir.Builder, _ loop.Elem) *ir.Node { return b.Digit(given(b, loop.U8, 5, 37), 0) },
	},
	"reduce": {reduction(ir.Sum, 1), reduction(ir.Sum, 0), reduction(ir.Prod, 1), reduction(ir.Max, 1), reduction(ir.Min, 0), reduction(ir.ArgMax, 1), reduction(ir.ArgMin, 0)},
	"dot": {
		narrowDot("ik,kj->ij", 7, 37, 19), narrowDot("ki,kj->ij", 7, 37, 19), narrowDot("ik,jk->ij", 50, 300, 70), narrowDot("bik,bkj->bij", 13, 31, 17),
		narrowDot("ik,kj->ij", 100, 90, 130), narrowDot("i,j->ij", 7, 0, 19), narrowDot("k,kj->j", 0, 37, 19),
	},
	"const": {func(b *ir.Builder, e loop.Elem) *ir.Node { return b.Const(ir.TensorOf(e, 37), 1.0/3) }},
}

func index16(e loop.Elem) int {
	if e == sixteen[0] {
		return 0
	}
	return 1
}

func given(b *ir.Builder, e loop.Elem, dims ...int) *ir.Node {
	return b.Param(ir.ParamFlag, fmt.Sprintf("x%d", len(b.Params())), ir.TensorOf(e, dims...))
}

func reduction(kind ir.ReduceKind, axis int) func(*ir.Builder, loop.Elem) *ir.Node {
	return func(b *ir.Builder, e loop.Elem) *ir.Node { return b.Reduce(kind, []int{axis}, given(b, e, 70, 90)) }
}

// narrowDot is a dot of axes i, k, j of some sizes; b has 3.
func narrowDot(spec string, i, k, j int) func(*ir.Builder, loop.Elem) *ir.Node {
	return func(b *ir.Builder, e loop.Elem) *ir.Node {
		d, err := ir.ParseDot(spec)
		if err != nil {
			panic(err)
		}
		size := map[rune]int{'i': i, 'k': k, 'j': j, 'b': 3}
		operand := func(labels string) *ir.Node {
			var dims []int
			for _, l := range labels {
				dims = append(dims, size[l])
			}
			return given(b, e, dims...)
		}
		x := operand(d.A)
		return b.Dot(spec, x, operand(d.B))
	}
}

// withoutNarrow are the rows of the op table that take or give no 16-bit float.
// A scatter of them is refused: its argument is cast before. A groupdot has a test of its own.
var withoutNarrow = map[string]bool{"iota": true, "bits": true, "scatter": true, "bucket": true, "groupdot": true}

// Every op that kernels know gives with floats of 8, 16 and 32 bits, and of integers those of elements, on the machine
// the bits of the typed evaluator.
func TestOpsOnTheMachine(t *testing.T) {
	eachTarget(t, checkOps)
}

func checkOps(t *testing.T, target *Target) {
	elems := append(slices.Clone(sixteen), loop.F8E4M3, loop.F8E5M2, loop.F32, loop.I32, loop.U32)
	var names []string
	var equations, kernels []*loop.Kernel
	for _, op := range ir.Ops() {
		if op.Lower == nil || withoutNarrow[op.Name] {
			continue
		}
		makers := narrowMakers[op.Name]
		if makers == nil {
			require.Equal(t, ir.ClassElementwise, op.Class, "op %s has no case", op.Name)
			makers = append(makers, nil)
		}
		for _, e := range elems {
			for i, m := range makers {
				if m != nil && !e.IsFloat() {
					continue
				}
				b := ir.NewBuilder(op.Name)
				n := narrowElementwise(b, op, e)
				if m != nil {
					n = m(b, e)
				}
				if n == nil || n.Op == ir.OpParam {
					continue // of other types, or a cast to what it is
				}
				l := &ir.PlanLaunch{Node: n, Scope: b.Scope(), Type: n.Type, InPlace: []int{-1}}
				k := mustLower(t, l).kernel
				steps, err := schedule.Run(k, target.Machine)
				require.NoError(t, err)
				k.Name, steps[len(steps)-1].Kernel.Name = fmt.Sprint("k", len(names)), fmt.Sprint("k", len(names))
				names = append(names, fmt.Sprintf("%s of %s, %d", op.Name, e, i))
				equations = append(equations, schedule.Expand(k))
				kernels = append(kernels, steps[len(steps)-1].Kernel)
			}
		}
	}
	require.Greater(t, len(kernels), 80)
	for i, m := range runners(t, target, kernels...) {
		t.Run(names[i], func(t *testing.T) { checkAgainst(t, equations[i], m, -9) })
	}
}

// narrowElementwise is op of arguments of e, or nil where it takes none.
func narrowElementwise(b *ir.Builder, op *ir.Op, e loop.Elem) *ir.Node {
	if op.Class != ir.ClassElementwise || op.Arity < 1 {
		return nil
	}
	args := make([]*ir.Node, op.Arity)
	for i := range args {
		if elem := e; op == ir.OpWhere && i == 0 {
			args[i] = given(b, loop.Bool, 5, 37)
		} else {
			args[i] = given(b, elem, 5, 37)
		}
	}
	n, err := b.TryMake(op, nil, args...)
	if err != nil {
		return nil
	}
	return n
}

// Casts round every float to 16 and to 8 bits as the typed evaluator does: ties, denormals, overflow, NaN.
func TestNarrowCastsOfAllFloats(t *testing.T) { eachLevel(t, checkNarrowCasts) }

func checkNarrowCasts(t *testing.T, target *Target) {
	const n = 1 << 17
	r := rand.New(rand.NewSource(3))
	x := loop.NewData(loop.F32, n)
	for i := range x.F {
		bits := uint64(i) << 15 // every sign, exponent and 9 bits of significand
		if i%2 == 1 {
			bits ^= uint64(r.Intn(1 << 16))
		}
		x.F[i] = loop.FromBits(loop.F32, bits&0xffffffff)
	}
	text := "kernel cast%[1]s(in X: f32[%[2]d], out Y: %[1]s[%[2]d]) guarded {\n  axis i0: %[3]d par, il: 8 lane, i: %[2]d = i0*8 + il\n  Y[i] = %[1]s(X[i])\n}"
	var kernels []*loop.Kernel
	elems := append(slices.Clone(sixteen), loop.F8E4M3, loop.F8E5M2)
	for _, e := range elems {
		kernels = append(kernels, parseKernel(t, fmt.Sprintf(text, e, n, n/8)))
	}
	for i, m := range load(t, target, kernels...) {
		y := aligned(elems[i].Size() * n)
		m.run([][]byte{memoryOf(x), y})
		args := map[string]*loop.Data{"X": x}
		require.NoError(t, loop.Eval(kernels[i], args, loop.EvalOptions{Typed: true}))
		equalBits(t, elems[i].String(), args["Y"], y)
	}
}

// Vectors of f64 are more than a register, of which a guard may leave one with nothing: it is not read then.
func TestWideMasks(t *testing.T) {
	eachLevel(t, func(t *testing.T, target *Target) {
		var texts []string
		for i, elem := range []string{"f64", "f32"} {
			texts = append(texts, fmt.Sprintf(`kernel wide%[1]d(in X: %[2]s[60,22,10], out Y: %[2]s[60,26,14]) {
  axis i: 60, p: 26, q: 14
  v: bool[p,q] = p - 2 >= 0 & p - 24 < 0 & q - 2 >= 0 & q - 12 < 0
  Y[i,p,q] = where(v, X[i,p-2,q-2; v], %[2]s(0.0))
}`, i, elem))
		}
		checkTexts(t, target, texts...)
	})
}
