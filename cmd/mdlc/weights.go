package main

import (
	"fmt"

	"mdlc/ir"
	"mdlc/ir/loop"
)

// weightType is the name of what --weights stores the weights of products in; "": as they are.
type weightType string

// elem is the type of that name; 0: as they are.
func (w weightType) elem() (ir.Elem, error) {
	switch w {
	case "", "f32":
		return 0, nil
	case "int8", "i8":
		return loop.I8, nil
	case "f8e4m3", "fp8":
		return loop.F8E4M3, nil
	case "bf16":
		return loop.BF16, nil
	case "f16":
		return loop.F16, nil
	}
	return 0, fmt.Errorf("weights are stored in int8, f8e4m3, bf16, f16 or f32, not in %s", string(w))
}

// Validate refuses unknown names before anything is read.
func (w weightType) Validate() error {
	_, err := w.elem()
	return err
}

// setWeights carries out --weights.
func (m modelFlags) setWeights(module *ir.Module) (err error) {
	module.Weights, err = m.Weights.elem()
	if err == nil && module.Weights != 0 && module.Compute == loop.F64 {
		return &usageError{fmt.Sprintf("--weights %s: everything is computed in f64, its weights too; `--precision f32` computes with others", string(m.Weights))}
	}
	return err
}
