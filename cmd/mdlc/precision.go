package main

import (
	"cmp"
	"fmt"

	"mdlc/ir"
	"mdlc/ir/loop"
)

// precision is the name of the element type that --precision gives products; "": what the file says.
type precision string

// elem is the type of that name.
func (p precision) elem() (ir.Elem, error) {
	for _, e := range []ir.Elem{loop.BF16, loop.F16, loop.F32} {
		if e.String() == string(p) {
			return e, nil
		}
	}
	return 0, fmt.Errorf("products are made in bf16, f16 or f32, not in %s", p)
}

// Validate refuses unknown names before anything is read.
func (p precision) Validate() error {
	if p == "" {
		return nil
	}
	_, err := p.elem()
	return err
}

// setCompute carries out --precision, which wins over `precision { compute = … }` of the file.
func (m modelFlags) setCompute(t *terminal, module *ir.Module) error {
	name := cmp.Or(m.Precision, m.pastPrecision)
	if name == "" {
		return nil
	}
	now, err := name.elem()
	if err != nil {
		return &usageError{fmt.Sprintf("--precision: %v", err)}
	}
	if file := cmp.Or(module.Compute, loop.F32); m.Verbose && file != now {
		fmt.Fprintf(t.stderr, "products are made in %s, as --precision says: the file says %s\n", now, file)
	}
	if now == loop.F32 { // as of a file that says nothing
		now = 0
	}
	module.Compute = now
	return nil
}
