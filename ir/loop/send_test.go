package loop

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// sending copies four parts of X to Y through memory for two.
const sending = `kernel k(in X: f32[8,32], out Y: f32[8,32]) guarded {
  local S: f32[2,2,32] in panel swizzle(128)
  axis p: 4 loop
  axis r: 2
  axis c: 32
  axis row: 2 box
  axis col: 32 box
  for p {
    sent 1
    wait 0
    S[p % 2,r,c] = X[p * 2 + r,c]
    wait 0
    send {
      Y[p * 2 + row,col; p * 2 + row < 7] = S[p % 2,row,col] async
    }
  }
  sent 0
}
`

// What is sent stays as it is until it has been read, and nobody in the phase reads where it goes.
func TestSends(t *testing.T) {
	r := newSource(1)
	args := buffers{"X": r.floats(F32, 8, 32)}
	run := func(text string) (buffers, error) {
		k := one(t, text)
		require.NoError(t, Verify(k), text)
		require.Equal(t, text, k.String(), "it is printed as it is read")
		require.Equal(t, text, k.Clone().String())
		require.Equal(t, text, (&Kernel{Name: k.Name, Bufs: k.Bufs, Axes: k.Axes, Guarded: true, Body: NewMapper(Extend(k), nil).Block(k.Body)}).String())
		out := cloneAll(args)
		return out, Eval(k, out, EvalOptions{Typed: true, Seed: 1})
	}
	out, err := run(sending)
	require.NoError(t, err)
	for i, x := range args["X"].F {
		require.Equal(t, i >= 7*32, out["Y"].Poison[i])
		require.True(t, i >= 7*32 || out["Y"].F[i] == x)
	}
	for _, c := range []struct{ old, new, want string }{
		{"    sent 1\n", "", "S[0,0,0] is stored while it is sent"},
		{"sent 1", "sent 2", "S[0,0,0] is stored while it is sent"},
		{"S[p % 2,r,c]", "S[0,r,c]", "S[0,0,0] is stored while it is sent"},
		{"  sent 0\n", "", "a point ends while a send may read what it copies"},
		{"  sent 0\n", "  sent 1\n", "a point ends while a send may read what it copies"},
		{"  sent 0\n", "  sent 0\n  Y[0,c] = Y[0,c] + 1.0\n", "Y[0,0] is on its way to memory in this phase"},
		{"  sent 0\n", "  sent 0\n  Y[0,c] = 1.0\n", "race: Y[0,0] is written by two par points in one phase"},
		{"S[p % 2,row,col]", "S[(p + 1) % 2,row,col]", "poison is stored"},
	} {
		require.Contains(t, sending, c.old)
		_, err := run(strings.Replace(sending, c.old, c.new, 1))
		require.ErrorContains(t, err, c.want, "%q", c.new)
	}
	k := one(t, strings.Replace(sending, "  sent 0\n", "  sent 0\n  phase\n  Y[0,c] = Y[0,c] + 1.0\n", 1)) // the next phase may
	require.NoError(t, Eval(k, cloneAll(args), EvalOptions{Typed: true, Seed: 1}))
}

// The verifier says what cannot be sent.
func TestSendsAreRefused(t *testing.T) {
	for _, c := range []struct{ old, new, want string }{
		{" async", "", "a send has asynchronous stores of what local buffers hold, to memory"},
		{"S[p % 2,row,col] async", "X[p * 2 + row,col] async", "a send has asynchronous stores of what local buffers hold, to memory"},
		{"S[p % 2,row,col] async", "S[p % 2,row,col; row < 1] async", "a send has asynchronous stores of what local buffers hold, to memory"},
		{"  sent 0\n", "  Y[7,c] = X[7,c] async\n", "an asynchronous store copies memory to a local buffer"},
	} {
		require.Contains(t, sending, c.old)
		require.ErrorContains(t, Verify(one(t, strings.Replace(sending, c.old, c.new, 1))), c.want, c.new)
	}
}
