package schedule

import (
	"fmt"

	"mdlc/ir/loop"
)

// Tensor cores add up products of 8 bits with few bits of the sum (DeepSeek-V3 found 14), which would count where many are added. So what a turn sums
// up, 128 summands, is added to the sum of all turns by threads, in f32.
//
// before (k0 is a loop):
//
//	z = dot[k0,k1,k2](A[i,k], B[j,k]) @wgmma
//
// after Promote k0 z:
//
//	z_sum = seqsum[k0](dot[k1,k2](A[i,k], B[j,k]) @wgmma)

// promote lets the sum of product z over the loop along a be one of its own.
func promote(k *loop.Kernel, a *loop.Axis, z string) error {
	d, err := valueNamed(k, z)
	if err != nil {
		return err
	}
	deps := newDepends()
	over := deps.over(d)
	if d.Op != loop.Dot || len(d.Args) > 2 || a.Bind != loop.Loop || len(over) < 2 || over[0] != a {
		return fmt.Errorf("%s is no product whose slowest loop is that over %s", z, a.Name)
	}
	part := *d
	part.Over = over[1:]
	*d = loop.Value{Op: loop.ReduceSeq, Elem: d.Elem, Over: []*loop.Axis{a}, Args: []*loop.Value{&part}, Name: freshValue(k, z+"_sum"), Pos: d.Pos}
	return nil
}

// promotes proposes that for products of 8 bits.
func (c *chooser) promotes(p *product) {
	if !p.tile.Group || !p.bytes() {
		return
	}
	for _, a := range newDepends().over(p.dot) {
		if a.Bind == loop.Loop {
			c.do(Promote, a.Name, 0, p.dot.Name)
			return
		}
	}
}
