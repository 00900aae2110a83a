package loop

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

var narrow = []Elem{F8E4M3, F8E5M2, F16, BF16}

func TestNarrowFloatsKeepTheirBits(t *testing.T) {
	for _, e := range narrow {
		for b := range uint64(1) << (8 * e.Size()) {
			x := FromBits(e, b)
			if math.IsNaN(x) {
				require.True(t, math.IsNaN(FromBits(e, ToBits(e, x))))
				continue
			}
			require.Equal(t, b, ToBits(e, x), "%s %#x is %g", e, b, x)
			if !math.IsInf(x, 0) {
				require.Equal(t, x, round(e, x))
			}
		}
	}
}

func TestKnownFloats(t *testing.T) {
	require.Equal(t, 448.0, FromBits(F8E4M3, 0x7e))
	require.Equal(t, 57344.0, FromBits(F8E5M2, 0x7b))
	require.Equal(t, 65504.0, FromBits(F16, 0x7bff))
	require.Equal(t, math.Ldexp(1, -24), FromBits(F16, 1))
	require.Equal(t, 1.0, FromBits(BF16, 0x3f80))
	require.True(t, math.IsInf(round(F16, 65520), 1))
	require.Equal(t, 65504.0, round(F16, 65519))
	require.True(t, math.IsNaN(round(F8E4M3, 1000)))
	require.True(t, math.Signbit(round(BF16, math.Copysign(0, -1))))
}

// Between neighbours the nearer one is taken, the even one in the middle.
func TestRoundingToNearestEven(t *testing.T) {
	for _, e := range narrow {
		var last float64
		for b := range uint64(1) << (8*e.Size() - 1) {
			x := FromBits(e, b)
			if b > 0 && !math.IsNaN(x) && !math.IsInf(x, 0) {
				mid := (last + x) / 2
				even := last
				if b%2 == 0 {
					even = x
				}
				require.Equal(t, even, round(e, mid), "%s between %g and %g", e, last, x)
				require.Equal(t, last, round(e, math.Nextafter(mid, last)))
				require.Equal(t, x, round(e, math.Nextafter(mid, x)))
				require.Equal(t, -x, round(e, -math.Nextafter(mid, x)))
			}
			last = x
		}
	}
}

func TestFMARoundsOnce(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	pick := func() float32 { return float32(r.NormFloat64() * math.Ldexp(1, r.IntN(60)-30)) }
	for range 100000 {
		x, y, z := pick(), pick(), pick()
		if r.IntN(2) == 0 { // near a midpoint
			z = float32(-float64(x) * float64(y))
			z = math.Nextafter32(z, 0)
		}
		exact := new(big.Float).SetPrec(400).Mul(big.NewFloat(float64(x)), big.NewFloat(float64(y)))
		exact.Add(exact, big.NewFloat(float64(z)))
		want, _ := exact.Float32()
		require.Equal(t, float64(want), fmaRound(float64(x), float64(y), float64(z), F32))
	}
	// 1 + 2^-24 + 2^-80 is above the middle of two floats; rounding twice would lose it.
	require.Equal(t, float64(math.Nextafter32(1, 2)), fmaRound(math.Ldexp(1, -40), math.Ldexp(1, -40), 1+math.Ldexp(1, -24), F32))
}

func TestIntegersToFloats(t *testing.T) {
	for _, x := range []int64{0, 1, -1, 1<<24 + 1, 1<<53 + 1, 1<<62 + 1, math.MaxInt64, math.MinInt64, 1<<53 + 1<<29 + 1, 0x40000040_00000001} {
		require.Equal(t, float64(float32(x)), fromInt(F32, x), "%d", x)
		require.Equal(t, float64(x), fromInt(F64, x), "%d", x)
	}
	require.Equal(t, int64(127), ToInt(I8, 1e9))
	require.Equal(t, int64(-128), ToInt(I8, math.Inf(-1)))
	require.Equal(t, int64(-2), ToInt(I32, -2.9))
	require.Equal(t, int64(0), ToInt(I64, math.NaN()))
	require.Equal(t, int64(math.MaxInt64), ToInt(I64, 1e30))
	require.Equal(t, int64(0), ToInt(U32, -5))
}
