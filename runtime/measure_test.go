package runtime

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"mdlc/runtime/program"
)

// What a launch can move at most depends on how much it touches: what a cache holds passes faster than memory. What has
// passed with more bytes can pass with fewer, so a round that was disturbed is no ceiling.
func TestCeilingsByBytes(t *testing.T) {
	var c Ceilings
	require.Zero(t, c.Memory())
	for _, b := range []Bandwidth{{1e8, 30}, {1e8 / 2, 45}, {1e6, 90}, {1e6, 120}, {1e5, 70}, {1e4, 200}} {
		c.add(b)
	}
	require.Equal(t, 30.0, c.Memory())
	for touched, want := range map[float64]float64{0: 200, 1e4: 200, 9e4: 200, 1e5: 120, 9e5: 120, 1e6: 120, 4e7: 120, 5e7: 45, 1e8: 30, 1e12: 30} {
		require.Equal(t, want, c.bandwidth(touched), touched)
	}
	m := Measurement{moved: map[float64]int{1e4: 3, 2e8: 2}}
	require.InEpsilon(t, 3*1e4/200+2*2e8/30, m.Moving(c), 1e-12)
}

// Products of tensor cores have a ceiling of their own, where there are any.
func TestCeilingsOfTensorCores(t *testing.T) {
	plain, tensor := &program.Kernel{Products: 1}, &program.Kernel{Products: 1, Tensor: true}
	m := Measurement{Products: 70, tensor: 60}
	c := Ceilings{Flops: 10}
	require.Equal(t, []float64{10, 10, 7}, []float64{c.flops(plain), c.flops(tensor), m.Multiplying(c)})
	c.Tensor = 30
	require.Equal(t, []float64{10, 30, 3}, []float64{c.flops(plain), c.flops(tensor), m.Multiplying(c)})
}

// Between two runs a quantile lies between their times.
func TestQuantiles(t *testing.T) {
	m := &Measurement{Times: []time.Duration{1000, 3000}}
	for q, want := range map[float64]time.Duration{0: 1000, 0.25: 1500, 0.5: 2000, 1: 3000} {
		require.Equal(t, want, m.Quantile(q))
	}
	m.Times = []time.Duration{7, 8, 100}
	require.Equal(t, time.Duration(8), m.Quantile(0.5))
	m.Times = m.Times[:1]
	require.Equal(t, time.Duration(7), m.Quantile(0.75))
}
