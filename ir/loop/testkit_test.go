package loop

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

const kirDir = "../../testdata/loop"

// kernels parses a file of testdata.
func kernels(t testing.TB, file string) map[string]*Kernel {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(kirDir, file))
	require.NoError(t, err)
	ks, err := Parse(file, string(text))
	require.NoError(t, err)
	out := map[string]*Kernel{}
	for _, k := range ks {
		require.NoError(t, Verify(k))
		out[k.Name] = k
	}
	return out
}

// one parses a single kernel.
func one(t testing.TB, text string) *Kernel {
	t.Helper()
	ks, err := Parse("test", text)
	require.NoError(t, err)
	require.Len(t, ks, 1)
	return ks[0]
}

type buffers = map[string]*Data

func cloneAll(in buffers) buffers {
	out := buffers{}
	for n, d := range in {
		out[n] = d.Clone()
	}
	return out
}

// eval runs a kernel on copies of the arguments.
func eval(t require.TestingT, k *Kernel, args buffers, opt EvalOptions) buffers {
	out := cloneAll(args)
	require.NoError(t, Eval(k, out, opt), "%s", k)
	return out
}

type source struct{ *rand.Rand }

func newSource(seed uint64) source { return source{rand.New(rand.NewPCG(seed, 1))} }

// floats are uniform in -1..1.
func (s source) floats(e Elem, dims ...int) *Data {
	d := NewData(e, dims...)
	for i := range d.F {
		d.F[i] = round(e, 2*s.Float64()-1)
	}
	return d
}

func (s source) ints(e Elem, lo, hi int, dims ...int) *Data {
	d := NewData(e, dims...)
	for i := range d.I {
		d.I[i] = int64(lo + s.IntN(hi-lo+1))
	}
	return d
}

// requireClose compares all elements to a tolerance.
func requireClose(t testing.TB, want, got []float64, tol float64) {
	t.Helper()
	require.Len(t, got, len(want))
	for i := range want {
		require.InDelta(t, want[i], got[i], tol, "element %d", i)
	}
}

func written(t testing.TB, d *Data) {
	t.Helper()
	for i, p := range d.Poison {
		require.False(t, p, "element %d was never written", i)
	}
}

// roundTrip is the guarded kernel of a text, which printing, cloning and mapping keep as it is.
func roundTrip(t *testing.T, text string) *Kernel {
	k := one(t, text)
	require.NoError(t, Verify(k), text)
	require.Equal(t, text, k.String(), "it is printed as it is read")
	require.Equal(t, text, k.Clone().String())
	require.Equal(t, text, (&Kernel{Name: k.Name, Bufs: k.Bufs, Rings: k.Rings, Axes: k.Axes, Guarded: true, Body: NewMapper(Extend(k), nil).Block(k.Body)}).String())
	return k
}
