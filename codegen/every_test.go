package codegen

import (
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/ir"
	"mdlc/ir/loop"
	"mdlc/passes"
)

// An every block reads what its step left in memory, and keeps clear of it.
func TestEveryReadsItsStep(t *testing.T) {
	step, err := ir.ParseGraph(`graph train {
  %0 = param state w f32[8]
  %1 = param feed x f32[8]
  %2 = add %0, %1 : f32[8]
  %3 = mul %2, %2 : f32[8]
  %4 = reduce %3 sum [0] : f32[]
  report loss %4
  report square %3
  state w %2
}`)
	require.NoError(t, err)
	every, err := ir.ParseGraph(`graph every {
  %0 = param valueof square f32[8]
  %1 = param valueof loss f32[]
  %2 = param state w f32[8]
  %3 = add %0, %2 : f32[8]
  %4 = mul %3, %0 : f32[8]
  %5 = index %1 {(i0) -> ()} [8] : f32[8]
  %6 = add %4, %5 : f32[8]
  show picture %6
}`)
	require.NoError(t, err)
	m := moduleOf(step)
	m.Entries[0].Every = []*ir.Every{{N: 2, Graph: every}}
	require.NoError(t, passes.Plan(m))
	b, err := Pages(m)
	require.NoError(t, err)
	require.NoError(t, b.Program.Check())
	machine := NewMachine(b)
	x := loop.NewData(loop.F32, 8)
	for i := range x.F {
		x.F[i] = float64(i)
	}
	e := &b.Program.Entries[0]
	for turn := 1; turn <= 2; turn++ {
		out, err := machine.Run(&e.Block, map[string]*loop.Data{"x": x})
		require.NoError(t, err)
		loss := 0.0
		for i := range x.F {
			w := float64(turn * i)
			loss += w * w
			require.Equal(t, w*w, out[1].F[i])
		}
		require.Equal(t, loss, out[0].F[0])
		out, err = machine.Continue(&e.Every[0].Block, nil)
		require.NoError(t, err)
		for i, got := range out[0].F {
			w := float64(turn * i)
			require.Equal(t, (w*w+w)*w*w+loss, got)
		}
	}
}
