package schedule

import (
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/ir/index"
)

// Fusing a and b is free where nothing changes as a rises by one and b falls by its extent.
func TestCarry(t *testing.T) {
	a, b, j := index.V("a"), index.V("b"), index.V("j")
	f := index.Sum(index.Prod(a, index.C(12)), b) // b < 12
	for _, c := range []struct {
		name string
		e    *index.Expr
		gain int
		ok   bool
	}{
		{"as one", index.Sum(index.Prod(f, index.C(5)), j), 0, true},
		{"a quotient of one", index.Quo(f, index.C(7)), 0, true},
		{"a quotient that was taken apart", index.Sum(index.Prod(a, index.C(3)), index.Quo(b, index.C(4))), 0, true},
		{"a remainder that lost the slow axis", index.Rem(b, index.C(4)), 0, true},
		{"a remainder of another period", index.Rem(b, index.C(5)), 0, false},
		{"another axis", index.Prod(j, j), 0, true},
		{"the slow axis alone", a, 1, true},
		{"the fast axis alone", b, -12, true},
		{"a product of both", index.Prod(a, b), 0, false},
		{"the least of both", index.Least(a, b), 0, false},
		{"the least of one", index.Least(f, index.C(9)), 0, true},
	} {
		gain, ok := carry(c.e, "a", "b", 12)
		require.Equal(t, c.ok, ok, c.name)
		if ok {
			require.Equal(t, c.gain, gain, c.name)
		}
	}
}
