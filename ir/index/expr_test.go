package index

import (
	"math/rand"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCanonical(t *testing.T) {
	for in, want := range map[string]string{
		"i + j - i":                       "j",
		"2*(i + 3) - 6":                   "i*2",
		"(4*i + j)/4":                     "i + j/4",
		"(4*i + j)%4":                     "j%4",
		"(i/8)*8 + i%8":                   "i",
		"(i/8)*512 + (i%8)*64":            "i*64",
		"i/2/3":                           "i/6",
		"min(i, i + 1)":                   "i",
		"max(i, i + 1)":                   "i + 1",
		"max(0, i - 64) + min(64, i) - 1": "i - 1",
		"max(i, j) + min(j, i)":           "i + j",
		"2*max(i, j) + min(j, i)":         "max(i, j)*2 + min(i, j)",
		"min(i, min(j, i))":               "min(i, j)",
		"min(min(k, j), min(i, j + 1))":   "min(i, min(j, k))",
		"max(max(i, j), i + 2)":           "max(i + 2, j)",
		"-i + 5":                          "i*-1 + 5",
		"i*j + j*i":                       "i*j*2",
		"i%8%4":                           "i%4",
	} {
		e, err := Parse(in)
		require.NoError(t, err)
		require.Equal(t, want, e.String(), in)
		again, err := Parse(e.String())
		require.NoError(t, err)
		require.True(t, Equal(e, again), "%s reads back as %s", e, again)
	}
	for _, bad := range []string{"", "i +", "(i", "i/0", "min(i)", "i j", "99999999999999999999"} {
		_, err := Parse(bad)
		require.Error(t, err, bad)
	}
}

func TestSimplifyIn(t *testing.T) {
	bound := func(string) (int, int) { return 0, 7 }
	for in, want := range map[string]string{
		"i/8": "0", "i%8": "i", "(8*j + i)/8": "j", "(8*j + i)%8": "i", "(8*j + i + k)/8": "(i + k)/8 + j", "min(i, 9)": "i", "max(i, 7)": "7", "(i + 8)%8": "i",
	} {
		e, err := Parse(in)
		require.NoError(t, err)
		require.Equal(t, want, e.SimplifyIn(bound).String(), in)
	}
	one := func(name string) (int, int) {
		if name == "z" {
			return 2, 2
		}
		return bound(name)
	}
	for in, want := range map[string]string{"3*z + i": "i + 6", "z*i": "i*z", "z": "z"} {
		e, err := Parse(in)
		require.NoError(t, err)
		require.Equal(t, want, e.SimplifyIn(one).String(), in)
	}
}

// Random expressions: constructors, SimplifyIn, Subst, Range and the text all agree with plain evaluation.
func TestRandom(t *testing.T) {
	r := rand.New(rand.NewSource(1))
	names := []string{"i", "j", "k"}
	bound := func(string) (int, int) { return 0, 5 }
	var gen func(depth int, env map[string]int) (*Expr, int)
	gen = func(depth int, env map[string]int) (*Expr, int) {
		if depth == 0 || r.Intn(4) == 0 {
			if r.Intn(2) == 0 {
				k := r.Intn(9) - 4
				return C(k), k
			}
			n := names[r.Intn(3)]
			return V(n), env[n]
		}
		a, x := gen(depth-1, env)
		b, y := gen(depth-1, env)
		switch r.Intn(6) {
		case 0:
			return Sum(a, b), x + y
		case 1:
			return Prod(a, b), x * y
		case 2:
			d := r.Intn(6) + 1
			return Quo(a, C(d)), floorDiv(x, d)
		case 3:
			d := r.Intn(6) + 1
			return Rem(a, C(d)), floorMod(x, d)
		case 4:
			return Least(a, b), min(x, y)
		}
		return Most(a, b), max(x, y)
	}
	for n := 0; n < 20000; n++ {
		env := map[string]int{"i": r.Intn(6), "j": r.Intn(6), "k": r.Intn(6)}
		get := func(s string) int { return env[s] }
		e, want := gen(4, env)
		require.Equal(t, want, e.Eval(get), "%s at %v", e, env)
		require.Equal(t, want, e.SimplifyIn(bound).Eval(get), "%s simplified to %s at %v", e, e.SimplifyIn(bound), env)
		back, err := Parse(e.String())
		require.NoError(t, err)
		require.Equal(t, want, back.Eval(get), "%s reads back as %s", e, back)
		lo, hi := e.Range(bound)
		require.True(t, lo <= want && want <= hi, "%s: %d outside %d..%d", e, want, lo, hi)
		s := e.Subst(func(n string) *Expr { return C(env[n]) })
		require.True(t, s.IsConst(want), "%s", s)
	}
}

// Bounds that nobody knows stay bounds: no sum or product of them turns positive.
func TestRangeOfUnknowns(t *testing.T) {
	unknown := func(string) (int, int) { return -1 << 62, 1<<62 - 1 }
	n, m := V("n"), V("m")
	lo, hi := Sum(n, m, C(-12)).Range(unknown)
	require.Less(t, lo, 0)
	require.Greater(t, hi, 0)
	lo, hi = Prod(n, m).Range(unknown)
	require.Less(t, lo, 0)
	require.Greater(t, hi, 0)
	require.Equal(t, Min, Least(C(12), Sum(n, m)).SimplifyIn(unknown).Op)
}

// A quotient or remainder of a sum loses what its terms have in common, and what does not reach it.
func TestCommonFactorOfQuotient(t *testing.T) {
	sizes := map[string]int{"q": 28, "r": 28, "n": 5}
	bound := func(name string) (int, int) { return 0, sizes[name] - 1 }
	for text, want := range map[string]string{
		"(n*128 + q*128 + 128)/256": "(n + q + 1)/2",
		"(q*30 + r + 31)/60":        "(q + 1)/2",
		"(q*30 + r + 33)/60":        "(q*30 + r + 33)/60", // r + 3 may reach 30
		"(q*4 + n*6 + 1)/12":        "(n*3 + q*2)/6",
		"(q*4 - r*6)/8":             "(q*2 + r*-3)/4",
		"(q*112 + r*4 + n%4)%448":   "q%4*112 + r*4 + n%4",
		"(q*4 - r*6 + 1)%8":         "(q*2 + r*-3)%4*2 + 1",
		"(q*28 + r + 1)%56":         "(q*28 + r + 1)%56", // r + 1 may reach 28
	} {
		e, err := Parse(text)
		require.NoError(t, err)
		w, err := Parse(want)
		require.NoError(t, err)
		got := e.SimplifyIn(bound)
		require.Equal(t, w.String(), got.String(), text)
		for q := range 28 {
			for r := range 28 {
				for n := range 5 {
					env := func(name string) int { return map[string]int{"q": q, "r": r, "n": n}[name] }
					require.Equal(t, e.Eval(env), got.Eval(env), "%s at q %d, r %d, n %d", text, q, r, n)
				}
			}
		}
	}
}
