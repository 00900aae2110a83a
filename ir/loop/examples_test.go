package loop

import (
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTextRoundTrip(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(kirDir, "*.kir"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, f := range files {
		text, err := os.ReadFile(f)
		require.NoError(t, err)
		ks, err := Parse(f, string(text))
		require.NoError(t, err)
		for _, k := range ks {
			first := k.String()
			again, err := Parse("again", first)
			require.NoError(t, err, first)
			require.Len(t, again, 1)
			require.Equal(t, first, again[0].String())
		}
	}
}

// sameAs evaluates both forms in both modes and compares the outputs; exact says that the bits agree too.
func sameAs(t *testing.T, plain, scheduled *Kernel, args buffers, exact bool, outs ...string) {
	t.Helper()
	for seed := range uint64(3) {
		a := eval(t, plain, args, EvalOptions{})
		b := eval(t, scheduled, args, EvalOptions{Seed: seed})
		for _, o := range outs {
			requireClose(t, a[o].F, b[o].F, 1e-9)
			require.Equal(t, a[o].Poison, b[o].Poison)
		}
		if exact {
			a = eval(t, plain, args, EvalOptions{Typed: true})
			b = eval(t, scheduled, args, EvalOptions{Typed: true, Seed: seed})
			for _, o := range outs {
				require.Equal(t, a[o], b[o], o)
			}
		}
	}
}

func softmaxArgs() buffers {
	s := newSource(1)
	return buffers{"X": s.floats(F32, 11, 70), "Z": s.floats(F32, 11, 70), "key": s.ints(U32, 0, 1<<30, 2)}
}

func TestSoftmax(t *testing.T) {
	k := kernels(t, "softmax.kir")
	args := softmaxArgs()
	got := eval(t, k["softmax_drop_add"], args, EvalOptions{})["Y"]
	written(t, got)
	dropped := 0
	for i := range 11 {
		x := args["X"].F[i*70 : i*70+70]
		sum := 0.0
		for _, v := range x {
			sum += math.Exp(v)
		}
		for j, v := range x {
			n := uint32(i*70 + j)
			r := Philox4x32([2]uint32{uint32(args["key"].I[0]), uint32(args["key"].I[1])}, [4]uint32{n / 4, 0, 0, 0})[n%4]
			want := args["Z"].F[n]
			if float64(r>>8)/(1<<24) >= 0.1 {
				want += math.Exp(v) / sum / 0.9
			} else {
				dropped++
			}
			require.InDelta(t, want, got.F[n], 1e-12)
		}
	}
	require.InDelta(t, 77, dropped, 30)
	sameAs(t, k["softmax_drop_add"], k["softmax_drop_add.cpu"], args, true, "Y")
}

func TestLayerNorm(t *testing.T) {
	k := kernels(t, "layernorm.kir")
	s := newSource(2)
	args := buffers{"X": s.floats(F32, 7, 6), "G": s.floats(F32, 6), "B": s.floats(F32, 6)}
	f := eval(t, k["layernorm"], args, EvalOptions{})
	for i := range 7 {
		x := args["X"].F[i*6 : i*6+6]
		mean, variance := 0.0, 0.0
		for _, v := range x {
			mean += v / 6
		}
		for _, v := range x {
			variance += (v - mean) * (v - mean) / 6
		}
		for j, v := range x {
			require.InDelta(t, (v-mean)/math.Sqrt(variance+1e-5)*args["G"].F[j]+args["B"].F[j], f["Y"].F[i*6+j], 1e-12)
		}
	}
	dy := s.floats(F32, 7, 6)
	gargs := buffers{"X": args["X"], "DY": dy, "G": args["G"], "MU": f["MU"], "RS": f["RS"]}
	g := eval(t, k["layernorm_grad"], gargs, EvalOptions{})
	loss := func(a buffers) float64 {
		sum := 0.0
		for i, y := range eval(t, k["layernorm"], a, EvalOptions{})["Y"].F {
			sum += y * dy.F[i]
		}
		return sum
	}
	for in, out := range map[string]string{"X": "DX", "G": "DG", "B": "DB"} {
		for i := range args[in].F {
			up, down := cloneAll(args), cloneAll(args)
			up[in].F[i] += 1e-5
			down[in].F[i] -= 1e-5
			require.InDelta(t, (loss(up)-loss(down))/2e-5, g[out].F[i], 1e-6)
		}
	}
	sameAs(t, k["layernorm_grad"], k["layernorm_grad.cpu"], gargs, false, "DX", "DG", "DB")
}

func TestLinear(t *testing.T) {
	k := kernels(t, "linear.kir")
	s := newSource(3)
	args := buffers{"X": s.floats(BF16, 9, 70), "W": s.ints(I8, -9, 9, 70, 70), "S": s.floats(F32, 5, 70), "B": s.floats(F32, 70)}
	got := eval(t, k["linear_gelu"], args, EvalOptions{})["Y"]
	for i := range 9 {
		for j := range 70 {
			z := args["B"].F[j]
			for c := range 70 {
				z += args["X"].F[i*70+c] * float64(args["W"].I[c*70+j]) * args["S"].F[c/16*70+j]
			}
			require.InDelta(t, 0.5*z*(1+math.Erf(z*math.Sqrt(0.5))), got.F[i*70+j], 1e-11)
		}
	}
	sameAs(t, k["linear_gelu"], k["linear_gelu.cpu"], args, true, "Y")
}

func TestConv(t *testing.T) {
	k := kernels(t, "conv.kir")
	s := newSource(4)
	x, f, dy := s.floats(BF16, 2, 5, 6, 2), s.floats(BF16, 3, 3, 2, 3), s.floats(BF16, 2, 3, 3, 3)
	y := eval(t, k["conv"], buffers{"X": x, "F": f}, EvalOptions{})["Y"]
	for n := range 2 {
		for p := range 3 {
			for q := range 3 {
				for o := range 3 {
					sum := 0.0
					for r := range 3 {
						for c := range 3 * 2 {
							row, col := 2*p+r-1, 2*q+c/2-1
							if row >= 0 && row < 5 && col >= 0 && col < 6 {
								sum += x.F[((n*5+row)*6+col)*2+c%2] * f.F[((r*3+c/2)*2+c%2)*3+o]
							}
						}
					}
					require.InDelta(t, sum, y.F[((n*3+p)*3+q)*3+o], 1e-12)
				}
			}
		}
	}
	inner := func(a, b *Data) (sum float64) {
		for i := range a.F {
			sum += a.F[i] * b.F[i]
		}
		return sum
	}
	dw := eval(t, k["conv_dw"], buffers{"X": x, "DY": dy}, EvalOptions{})["DF"]
	dx := eval(t, k["conv_dx"], buffers{"DY": dy, "F": f}, EvalOptions{})["DX"]
	require.InDelta(t, inner(y, dy), inner(f, dw), 1e-11)
	require.InDelta(t, inner(y, dy), inner(x, dx), 1e-11)
}

func attentionArgs() buffers {
	s := newSource(5)
	return buffers{"Q": s.floats(BF16, 2, 7, 4, 3), "K": s.floats(BF16, 2, 7, 2, 3), "V": s.floats(BF16, 2, 7, 2, 3), "len": Ints(I32, []int64{5, 7}, 2)}
}

func TestAttention(t *testing.T) {
	k := kernels(t, "attention.kir")
	args := attentionArgs()
	q, key, v := args["Q"].F, args["K"].F, args["V"].F
	got := eval(t, k["attention"], args, EvalOptions{})
	for b := range 2 {
		for h := range 4 {
			for i := range 7 {
				sum, out := 0.0, [3]float64{}
				for s := max(0, i-3); s <= i && s < int(args["len"].I[b]); s++ {
					z := 0.0
					for d := range 3 {
						z += q[((b*7+i)*4+h)*3+d] * key[((b*7+s)*2+h/2)*3+d]
					}
					p := math.Exp(30 * math.Tanh(z/8/30))
					sum += p
					for d := range 3 {
						out[d] += p * v[((b*7+s)*2+h/2)*3+d]
					}
				}
				for d := range 3 {
					require.InDelta(t, out[d]/sum, got["O"].F[((b*7+i)*4+h)*3+d], 1e-12)
				}
				require.InDelta(t, math.Log(sum), got["L"].F[(b*4+h)*7+i], 1e-12)
			}
		}
	}
	sameAs(t, k["attention"], k["attention.cpu"], args, false, "O", "L")
}

func TestCrossEntropy(t *testing.T) {
	k := kernels(t, "xent.kir")
	s := newSource(6)
	args := buffers{"H": s.floats(BF16, 4, 3), "E": s.floats(BF16, 9, 3), "Y": s.ints(I32, 0, 8, 4)}
	f := eval(t, k["xent"], args, EvalOptions{})
	p := make([]float64, 4*9)
	for n := range 4 {
		sum := 0.0
		for v := range 9 {
			z := 0.0
			for d := range 3 {
				z += args["H"].F[n*3+d] * args["E"].F[v*3+d]
			}
			p[n*9+v] = math.Exp(z)
			sum += math.Exp(z)
		}
		for v := range 9 {
			p[n*9+v] /= sum
		}
		require.InDelta(t, -math.Log(p[n*9+int(args["Y"].I[n])]), f["LOSS"].F[n], 1e-12)
	}
	args["L"], args["r0"], args["G"] = f["L"], Ints(I32, []int64{2}), Floats(F32, []float64{1, 2, 3, 4}, 4)
	dz := eval(t, k["xent_dz"], args, EvalOptions{})["DZ"]
	for i := range 3 {
		for v := range 9 {
			n := 2 + i
			require.Equal(t, n >= 4, dz.Poison[i*9+v])
			if n < 4 {
				want := p[n*9+v]
				if int64(v) == args["Y"].I[n] {
					want--
				}
				require.InDelta(t, want*args["G"].F[n], dz.F[i*9+v], 1e-12)
			}
		}
	}
}

func TestNests(t *testing.T) {
	k := kernels(t, "nests.kir")
	s := newSource(7)
	sig := func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
	args := buffers{"XW": s.floats(F32, 2, 2, 4, 3), "U": s.floats(F32, 3, 4, 3), "t": Ints(I32, []int64{1}), "HP": s.floats(F32, 2, 3), "CC": s.floats(F32, 2, 3)}
	r := eval(t, k["lstm_step"], args, EvalOptions{})
	for b := range 2 {
		for j := range 3 {
			var a [4]float64
			for q := range a {
				a[q] = args["XW"].F[((2+b)*4+q)*3+j]
				for c := range 3 {
					a[q] += args["HP"].F[b*3+c] * args["U"].F[(c*4+q)*3+j]
				}
			}
			c := sig(a[1])*args["CC"].F[b*3+j] + sig(a[0])*math.Tanh(a[3])
			require.InDelta(t, c, r["CC"].F[b*3+j], 1e-12)
			require.InDelta(t, sig(a[2])*math.Tanh(c), r["HN"].F[b*3+j], 1e-12)
		}
	}
	args = buffers{"G": s.floats(F32, 2050), "WD": s.floats(F32, 3), "hp": Floats(F32, []float64{.1, 1.5, 2, 1e-8}, 4), "clip": Floats(F32, []float64{.5}),
		"W": s.floats(F32, 2050), "M": s.floats(F32, 2050), "V": NewData(F32, 2050)}
	r = eval(t, k["adam"], args, EvalOptions{})
	for _, x := range []int{0, 1023, 1024, 2049} {
		g, w := args["G"].F[x]/2, args["W"].F[x]
		m, v := .9*args["M"].F[x]+.1*g, .05*g*g
		require.InDelta(t, w-.1*(m*1.5/(math.Sqrt(v*2)+1e-8)+args["WD"].F[x/1024]*w), r["W"].F[x], 1e-12)
	}
	args = buffers{"x": s.floats(BF16, 133), "W": s.ints(I8, -3, 3, 11, 133), "S": s.floats(F32, 11)}
	r = eval(t, k["matvec"], args, EvalOptions{})
	for j := range 11 {
		sum := 0.0
		for c := range 133 {
			sum += args["x"].F[c] * float64(args["W"].I[j*133+c])
		}
		require.InDelta(t, sum*args["S"].F[j], r["y"].F[j], 1e-12)
	}
	sameAs(t, k["matvec"], k["matvec.cpu"], args, true, "y")
}

func TestSort(t *testing.T) {
	k := kernels(t, "sort.kir")
	tok := Ints(I32, []int64{2, 0, 2, 1, 2, 0, 0, 2, 1, 2}, 10)
	for seed := range uint64(3) {
		opt := EvalOptions{Seed: seed}
		cnt := eval(t, k["sort_count"], buffers{"tok": tok}, opt)["CNT"]
		scan := eval(t, k["sort_scan"], buffers{"CNT": cnt}, opt)
		require.Equal(t, []int64{0, 3, 5, 10, 10}, scan["start"].I)
		order := eval(t, k["sort_place"], buffers{"tok": tok, "BASE": scan["BASE"]}, opt)["order"]
		require.Equal(t, []int64{1, 5, 6, 3, 8, 0, 2, 4, 7, 9}, order.I)
		dy := newSource(8).floats(F32, 10, 2)
		de := eval(t, k["embed_grad"], buffers{"DY": dy, "start": scan["start"], "order": order}, opt)["DE"]
		want := make([]float64, 8)
		for i, v := range tok.I {
			want[v*2] += dy.F[i*2]
			want[v*2+1] += dy.F[i*2+1]
		}
		requireClose(t, want, de.F, 1e-12)
	}
}

func TestMixtureOfExperts(t *testing.T) {
	k := kernels(t, "moe.kir")
	s := newSource(9)
	args := buffers{"X": s.floats(BF16, 4, 5), "perm": s.ints(I32, 0, 3, 8), "off": Ints(I32, []int64{0, 3, 3, 8}, 4), "W": s.floats(BF16, 3, 5, 3)}
	y := eval(t, k["moe_up"], args, EvalOptions{})["Y"]
	for a := range 8 {
		e := 0
		if a >= 3 {
			e = 2
		}
		for j := range 3 {
			sum := 0.0
			for c := range 5 {
				sum += args["X"].F[int(args["perm"].I[a])*5+c] * args["W"].F[(e*5+c)*3+j]
			}
			require.InDelta(t, sum, y.F[a*3+j], 1e-12)
		}
	}
	args["TE"], args["TR"] = Ints(I32, []int64{0, 2, 2, 3, 3}, 5), Ints(I32, []int64{0, 0, 1, 0, 0}, 5)
	sameAs(t, k["moe_up"], k["moe_up.tiles"], args, true, "Y")
}
