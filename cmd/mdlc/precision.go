package main

import (
	"cmp"
	"fmt"

	"mdlc/ir"
	"mdlc/ir/loop"
)

// precision is the name of the element type that --precision gives products, or with f64 everything; "": what the file says.
type precision string

// elem is the type of that name.
func (p precision) elem() (ir.Elem, error) {
	for _, e := range []ir.Elem{loop.BF16, loop.F16, loop.F32, loop.F64} {
		if e.String() == string(p) {
			return e, nil
		}
	}
	return 0, fmt.Errorf("products are made in bf16, f16 or f32, or everything is in f64, not in %s", p)
}

// Validate refuses unknown names before anything is read.
func (p precision) Validate() error {
	if p == "" {
		return nil
	}
	_, err := p.elem()
	return err
}

// what is what the type of that name is for.
func (p precision) what() string {
	if p == "f64" {
		return "everything"
	}
	return "products"
}

// float is what the front end is to read f32 as; 0: what the file says.
func (m modelFlags) float() ir.Elem {
	switch e, err := cmp.Or(m.Precision, m.pastPrecision).elem(); {
	case err != nil: // none is given
		return 0
	case e == loop.F64:
		return e
	}
	return loop.F32
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
		fmt.Fprintf(t.stderr, "%s in %s, as --precision says: the file says %s\n", name.what(), now, file)
	}
	if now == loop.F32 { // as of a file that says nothing
		now = 0
	}
	module.Compute = now
	return nil
}
