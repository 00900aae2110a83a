package index

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNeeds(t *testing.T) {
	e := func(s string) *Expr {
		x, err := Parse(s)
		require.NoError(t, err)
		return x
	}
	turns := func(pairs ...string) (out []Turn) {
		for i := 0; i < len(pairs); i += 2 {
			out = append(out, Turn{pairs[i], e(pairs[i+1])})
		}
		return out
	}
	for _, c := range []struct {
		need Need
		n    int
		want string // "": it holds
	}{
		{Need{E: e("4 - n")}, 4, ""},
		{Need{E: e("4 - n")}, 5, "at 5"},
		{Need{E: e("4 - n - t"), Turns: turns("t", "3")}, 2, ""},
		{Need{E: e("4 - n - t"), Turns: turns("t", "3")}, 3, "at 5"},
		{Need{E: e("4 - n - t"), Turns: turns("t", "0")}, 5, ""},                                        // no turn
		{Need{E: e("t*(5 - t) - n"), Turns: turns("t", "6")}, 0, ""},                                    // neither end is the least
		{Need{E: e("(t - 2)*(t - 3) - n"), Turns: turns("t", "6")}, 1, "at 3"},                          // but one between
		{Need{E: e("2 - u"), Turns: turns("t", "n", "u", "t + 1")}, 3, ""},                              // a loop in a loop
		{Need{E: e("2 - u"), Turns: turns("t", "n", "u", "t + 1")}, 4, "at 10"},                         // in its last turn
		{Need{E: e("3*n - t - u - v - 3"), Turns: turns("t", "n", "u", "n", "v", "n")}, 1 << 20, ""},    // 2^60 turns
		{Need{E: e("3*n - t - u - v - 4"), Turns: turns("t", "n", "u", "n", "v", "n")}, 64, "at 253"},   // the last of them
		{Need{E: e("4 - u"), When: []*Expr{e("2 - n")}, Turns: turns("t", "n", "u", "n")}, 1 << 40, ""}, // none counts
		{Need{E: e("4 - n"), When: []*Expr{e("6 - n")}}, 6, "at 6"},                                     // it counts
		{Need{E: e("4 - n"), When: []*Expr{e("6 - n")}}, 7, ""},                                         // it does not
		{Need{E: e("4 - n"), When: []*Expr{e("9 - n"), e("n - 8")}}, 7, ""},                             // one of two is not so
		{Need{E: e("4 - n - t"), When: []*Expr{e("4 - n - t")}, Turns: turns("t", "9")}, 3, ""},         // where it counts it holds
		{Need{E: e("4 - n - t"), When: []*Expr{e("5 - n - t")}, Turns: turns("t", "9")}, 3, "at 5"},     // it counts in the turns that it does not hold in, too
	} {
		c.need.Text = "at %v"
		c.need.Values = []*Expr{e("n")}
		for _, turn := range c.need.Turns {
			c.need.Values[0] = Sum(c.need.Values[0], V(turn.Name))
		}
		text, broken := c.need.Broken(func(name string) int {
			require.Equal(t, "n", name)
			return c.n
		})
		require.Equal(t, c.want, text, "%s of %d", c.need.E, c.n)
		require.Equal(t, c.want != "", broken)
	}
	n := Need{E: e("4 - m"), When: []*Expr{e("m - 1")}, Turns: turns("t", "m"), Values: []*Expr{e("m")}}
	n.Subst("m", e("m + 2"))
	require.Equal(t, Need{E: e("2 - m"), When: []*Expr{e("m + 1")}, Turns: turns("t", "m + 2"), Values: []*Expr{e("m + 2")}}, n)
}
