package codegen

import (
	"fmt"
	"math"
	"math/big"
	"os"
	"strconv"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"mdlc/codegen/schedule"
	"mdlc/ir/loop"
)

const mathChunk = 4096

func mathText(name, elem, call string) string {
	return fmt.Sprintf(`kernel %s(in X: %[2]s[4096], in Z: %[2]s[4096], out Y: %[2]s[4096]) guarded {
  axis i0: 512 loop, il: 8 lane, i: 4096 = i0*8 + il
  for i0 { x = X[i]   z = Z[i]   Y[i] = %[3]s }
}`, name, elem, call)
}

// mathFuncs are the functions with float64 references, which are exact enough to judge f32.
var mathFuncs = []struct {
	name string
	call string
	f    func(x, z float64) float64
}{
	{"fexp", "exp(x)", func(x, _ float64) float64 { return math.Exp(x) }},
	{"fexpneg", "expneg(-abs(x))", func(x, _ float64) float64 { return math.Exp(-math.Abs(x)) }},
	{"flog", "log(x)", func(x, _ float64) float64 { return math.Log(x) }},
	{"flog1p", "log1p(x)", func(x, _ float64) float64 { return math.Log1p(x) }},
	{"fexpm1", "expm1(x)", func(x, _ float64) float64 { return math.Expm1(x) }},
	{"ftanh", "tanh(x)", func(x, _ float64) float64 { return math.Tanh(x) }},
	{"fsigmoid", "sigmoid(x)", func(x, _ float64) float64 { return 1 / (1 + math.Exp(-x)) }},
	{"ferf", "erf(x)", func(x, _ float64) float64 { return math.Erf(x) }},
	{"fsin", "sin(x)", func(x, _ float64) float64 { return exactSin(x) }},
	{"fcos", "cos(x)", func(x, _ float64) float64 { return exactCos(x) }},
	{"frsqrt", "rsqrt(x)", func(x, _ float64) float64 { return 1 / math.Sqrt(x) }},
	{"fpow", "pow(x, z)", math.Pow},
}

// piText is pi to 60 digits, enough to reduce every f32.
var pi, _, _ = big.ParseFloat("3.14159265358979323846264338327950288419716939937510582097494459230781640628620899", 10, 300, big.ToNearestEven)

// reduced is x minus the nearest multiple n of pi/2, exactly enough for f32.
func reduced(x float64) (r float64, n int64) {
	half := new(big.Float).SetPrec(300).Quo(pi, big.NewFloat(2))
	v := new(big.Float).SetPrec(300).SetFloat64(x)
	q := new(big.Float).SetPrec(300).Quo(v, half)
	if q.Sign() < 0 {
		q.Sub(q, big.NewFloat(0.5))
	} else {
		q.Add(q, big.NewFloat(0.5))
	}
	k, _ := q.Int(nil)
	r, _ = v.Sub(v, half.Mul(half, new(big.Float).SetPrec(300).SetInt(k))).Float64()
	return r, new(big.Int).And(k, big.NewInt(3)).Int64()
}

// nearRoot is where math's sine and cosine, whose errors are below 1e-15, are too coarse to judge f32.
const nearRoot = 1e-6

func exactSin(x float64) float64 {
	if v := math.Sin(x); math.Abs(x) < 0.5 || !(math.Abs(v) < nearRoot) {
		return v
	}
	r, n := reduced(x)
	return [4]float64{math.Sin(r), math.Cos(r), -math.Sin(r), -math.Cos(r)}[n]
}

func exactCos(x float64) float64 {
	if v := math.Cos(x); !(math.Abs(v) < nearRoot) {
		return v
	}
	r, n := reduced(x)
	return [4]float64{math.Cos(r), -math.Sin(r), -math.Cos(r), math.Sin(r)}[n]
}

// ulps is the distance of got from want in units of the f32 nearest to want.
func ulps(got float32, want float64) float64 {
	w := float32(want)
	switch {
	case got == w || got != got && w != w:
		if got == 0 && math.Signbit(float64(got)) != math.Signbit(want) {
			return math.Inf(1)
		}
		return math.Abs(float64(got)-want) / unit(w) * b2f(!math.IsInf(want, 0) && !math.IsInf(float64(got), 0) && got == got)
	case got != got || w != w:
		return math.Inf(1)
	case math.IsInf(float64(w), 0) || math.IsInf(float64(got), 0):
		return math.Abs(clampInf(float64(got))-clampInf(want)) / math.Ldexp(1, 104)
	}
	return math.Abs(float64(got)-want) / unit(w)
}

func b2f(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// clampInf takes an infinity of f32 as the number after the largest.
func clampInf(x float64) float64 { return max(-0x1p128, min(x, 0x1p128)) }

// unit is the distance of f32 numbers next to w.
func unit(w float32) float64 {
	exponent := max(math.Float32bits(w)>>23&0xff, 1)
	return math.Float64frombits(uint64(exponent-127-23+1023) << 52)
}

var edges = []float32{0, float32(math.Copysign(0, -1)), 1, -1, 2, -2, 0.5, -0.5, 3, -3, 1e-40, -1e-40, 1e-45, math.MaxFloat32, -math.MaxFloat32, 88.72283, 88.72284, 88.8, 89, 104, -87.33655, -103.27893, -103.97, -104, -150,
	float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.NaN()), 0.99999994, 1.0000001, -0.99999994, 1e10, 16777216, 16777215, 0.7853982, 1.5707964, 3.1415927, 6.2831855, 8388608, 1.70141e38}

// mathSweep judges one function on chunks of arguments.
type mathSweep struct {
	f             func(x, z float64) float64
	machine, wide *machine // on f32 and f64; wide is nil where every argument is judged by f
	x, z, y       []byte
	x64, z64, y64 []byte
	worst         float64 // units, at the arguments at
	at            [2]float32
}

// check judges the first n arguments. Where the f64 function, whose error is a millionth of a
// unit where TestWideMathFunctions judges it, shows that one is no worse than the worst, that will do.
func (s *mathSweep) check(n int) {
	s.machine.run([][]byte{s.x, s.z, s.y})
	x, z, y := f32s(s.x)[:n], f32s(s.z)[:n], f32s(s.y)[:n]
	var wide []float64
	if s.wide != nil {
		x64, z64 := f64s(s.x64)[:n], f64s(s.z64)[:n]
		for j := range x64 {
			x64[j], z64[j] = float64(x[j]), float64(z[j])
		}
		s.wide.run([][]byte{s.x64, s.z64, s.y64})
		wide = f64s(s.y64)[:n]
	}
	for j, v := range y {
		if wide != nil {
			got, want := float64(v), wide[j]
			if got == want || got != got && want != want || math.Abs(got-want) <= (s.worst-0.001)*unit(float32(want)) {
				continue
			}
		}
		if u := ulps(v, s.f(float64(x[j]), float64(z[j]))); u > s.worst {
			s.worst, s.at = u, [2]float32{x[j], z[j]}
		}
	}
}

// TestMathFunctions checks every function within 2 units of the exact value on a sample
// of all f32. MDLC_FLOAT_STEP=1 takes all of them (pow: each with one exponent), which is
// minutes for each function; then the exact value is computed only where it may matter.
func TestMathFunctions(t *testing.T) {
	target := hostTarget(t)
	step := uint64(39989)
	if text := os.Getenv("MDLC_FLOAT_STEP"); text != "" {
		var err error
		step, err = strconv.ParseUint(text, 10, 32)
		require.NoError(t, err)
	}
	var kernels []*loop.Kernel
	for _, f := range mathFuncs {
		for _, elem := range []string{"f32", "f64"} {
			kernels = append(kernels, schedule.Expand(parseKernel(t, mathText(f.name+elem, elem, f.call))))
		}
	}
	machines := load(t, target, kernels...)
	for i, f := range mathFuncs {
		t.Run(f.name, func(t *testing.T) {
			s := &mathSweep{f: f.f, machine: machines[2*i], x: aligned(4 * mathChunk), z: aligned(4 * mathChunk), y: aligned(4 * mathChunk)}
			for _, b := range edges {
				copy(f32s(s.x), edges)
				for j := range edges {
					f32s(s.z)[j] = b
				}
				s.check(len(edges))
			}
			if step < 1000 {
				s.wide, s.x64, s.z64, s.y64 = machines[2*i+1], aligned(8*mathChunk), aligned(8*mathChunk), aligned(8*mathChunk)
			}
			n := 0
			for bits := uint64(0); bits < 1<<32; bits += step {
				f32s(s.x)[n] = math.Float32frombits(uint32(bits))
				if f.name == "fpow" {
					f32s(s.z)[n] = float32(math.Sin(float64(bits))) * 40
				}
				if n++; n == mathChunk {
					s.check(n)
					n = 0
				}
			}
			s.check(n)
			t.Logf("%s: %.3f units at %g, %g", f.name, s.worst, s.at[0], s.at[1])
			require.LessOrEqual(t, s.worst, 2.0, "%s at %g, %g", f.name, s.at[0], s.at[1])
		})
	}
}

// TestMathBitsEqualEvaluator: the machine and the typed evaluator agree bit for bit.
func TestMathBitsEqualEvaluator(t *testing.T) { eachLevel(t, checkMathBits) }

func checkMathBits(t *testing.T, target *Target) {
	for _, elem := range []loop.Elem{loop.F32, loop.F64} {
		var kernels []*loop.Kernel
		for _, f := range mathFuncs {
			kernels = append(kernels, schedule.Expand(parseKernel(t, mathText(f.name, elem.String(), f.call))))
		}
		machines := load(t, target, kernels...)
		size := elem.Size() * mathChunk
		x, z, y := aligned(size), aligned(size), aligned(size)
		var xs, zs []float64
		for i := range mathChunk {
			a, b := float64(math.Float32frombits(uint32(i)*1048583)), math.Sin(float64(i))*40
			if i < len(edges) {
				a, b = float64(edges[i]), float64(edges[(i*7)%len(edges)])
			}
			b = float64(float32(b))
			xs, zs = append(xs, a), append(zs, b)
			if elem == loop.F32 {
				f32s(x)[i], f32s(z)[i] = float32(a), float32(b)
			} else {
				f64s(x)[i], f64s(z)[i] = a, b
			}
		}
		for i, f := range mathFuncs {
			machines[i].run([][]byte{x, z, y})
			args := map[string]*loop.Data{"X": loop.Floats(elem, xs, mathChunk), "Z": loop.Floats(elem, zs, mathChunk)}
			require.NoError(t, loop.Eval(kernels[i], args, loop.EvalOptions{Typed: true}))
			for j := range mathChunk {
				var got float64
				if elem == loop.F32 {
					got = float64(f32s(y)[j])
				} else {
					got = f64s(y)[j]
				}
				want := args["Y"].F[j]
				if math.IsNaN(got) && math.IsNaN(want) {
					continue
				}
				require.Equal(t, math.Float64bits(want), math.Float64bits(got), "%s %s(%g, %g): evaluator %g, machine %g", elem, f.name, xs[j], zs[j], want, got)
			}
		}
	}
}

// TestExpNegIsExp: where its argument allows it, expneg has the bits of exp.
func TestExpNegIsExp(t *testing.T) {
	for _, elem := range []loop.Elem{loop.F32, loop.F64} {
		var out [2][]float64
		for n, f := range []string{"exp", "expneg"} {
			k := schedule.Expand(parseKernel(t, mathText("f", elem.String(), f+"(-abs(x))")))
			x := make([]float64, mathChunk)
			for i := range x {
				x[i] = 1200 * math.Pow(float64(i)/mathChunk, 3)
			}
			x[0] = math.Inf(1)
			args := map[string]*loop.Data{"X": loop.Floats(elem, x, mathChunk), "Z": loop.Floats(elem, x, mathChunk)}
			require.NoError(t, loop.Eval(k, args, loop.EvalOptions{Typed: true}))
			out[n] = args["Y"].F
		}
		require.Equal(t, out[0], out[1], elem)
	}
}

// TestWideMathFunctions: f64 is near math's values where both are defined.
func TestWideMathFunctions(t *testing.T) {
	target := hostTarget(t)
	var kernels []*loop.Kernel
	for _, f := range mathFuncs {
		kernels = append(kernels, schedule.Expand(parseKernel(t, mathText(f.name, "f64", f.call))))
	}
	x, z, y := aligned(8*mathChunk), aligned(8*mathChunk), aligned(8*mathChunk)
	for i := range mathChunk {
		f64s(x)[i] = math.Sinh(float64(i-2048)/2048*5) * (1 + float64(i%7)/10)
		f64s(z)[i] = math.Sin(float64(i)) * 3
	}
	for i, m := range load(t, target, kernels...) {
		f := mathFuncs[i]
		m.run([][]byte{x, z, y})
		for j := range mathChunk {
			got, want := f64s(y)[j], f.f(f64s(x)[j], f64s(z)[j])
			if math.IsNaN(got) && math.IsNaN(want) || got == want {
				continue
			}
			require.InEpsilon(t, want, got, 4e-15, "%s(%g, %g)", f.name, f64s(x)[j], f64s(z)[j])
		}
	}
}

func f64s(b []byte) []float64 {
	return unsafe.Slice((*float64)(unsafe.Pointer(&b[0])), len(b)/8)
}

// TestExtremesOfEdges: min and max of every pair of the edges, zeros of both signs and NaN among
// them, have the evaluator's bits, as elements and reduced over few registers and many.
func TestExtremesOfEdges(t *testing.T) { eachLevel(t, checkExtremes) }

func checkExtremes(t *testing.T, target *Target) {
	for _, op := range []string{"min", "max"} {
		for _, elem := range []loop.Elem{loop.F32, loop.F64} {
			pair := parseKernel(t, mathText("pair", elem.String(), op+"(x, z)"))
			rows := func(regs int) *loop.Kernel {
				return parseKernel(t, fmt.Sprintf(`kernel rows%[3]d(in X: %[1]s[4096], in Z: %[1]s[4096], out Y: %[1]s[4096]) guarded {
  axis i: 4096 loop, r: %[3]d reg, l: 4 lane
  for i { x = X[i]   z = Z[i]   Y[i] = %[2]s[r,l](where(r * 4 + l == i %% %[4]d, x, z)) }
}`, elem, op, regs, 4*regs))
			}
			// turns takes the extreme of three turns, of two registers each or of one.
			turns := func(name, turn string) *loop.Kernel {
				return parseKernel(t, fmt.Sprintf(`kernel %[3]s(in X: %[1]s[4096], in Z: %[1]s[4096], out Y: %[1]s[4096]) guarded {
  axis i: 4096 loop, q: 3 loop, r: 2 reg, l: 4 lane
  for i {
    x = X[i]   z = Z[i]
    b = for q carry a = %[5]s { v = where((q * 2 + r) * 4 + l == i %% 24, x, z)   yield %[2]s(a, %[4]s) }
    Y[i] = %[2]s[%[6]s](b)
  }
}`, elem, op, name, turn, fmt.Sprintf("%s(%s)", elem, map[string]string{"min": "inf", "max": "-inf"}[op]), map[string]string{"turns": "l", "wide": "r,l"}[name]))
			}
			kernels := []*loop.Kernel{pair, rows(2), rows(3), rows(8), turns("turns", op+"[r](v)"), turns("wide", "v")}
			machines := load(t, target, kernels...)
			var xs, zs []float64
			for i := range mathChunk {
				xs, zs = append(xs, float64(edges[i%len(edges)])), append(zs, float64(edges[i/len(edges)%len(edges)]))
			}
			x, z, y := loop.Floats(elem, xs, mathChunk), loop.Floats(elem, zs, mathChunk), aligned(8*mathChunk)
			inX := memoryOf(x)
			for i := 0; i < mathChunk; i += 2 { // NaNs of both signs
				if math.IsNaN(xs[i]) {
					inX[(i+1)*elem.Size()-1] |= 0x80
				}
			}
			for n, k := range kernels {
				machines[n].run([][]byte{inX, memoryOf(z), y})
				args := map[string]*loop.Data{"X": x, "Z": z}
				require.NoError(t, loop.Eval(k, args, loop.EvalOptions{Typed: true}))
				equalBits(t, fmt.Sprintf("%s of %s, %s", op, elem, k.Name), args["Y"], y)
			}
		}
	}
}
