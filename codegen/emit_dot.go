package codegen

import (
	"github.com/llir/llvm/ir/types"
	"github.com/llir/llvm/ir/value"

	"mdlc/codegen/llir"
	"mdlc/ir/loop"
)

// dotUnroll is how many k steps one turn of a dot's innermost loop makes. From dotEnough vectors on one step is
// work enough for a turn, except in micro-kernels, whose text is there once, and where it is all steps: neighbouring taps of a
// strided window share loads.
const (
	dotUnroll = 4
	dotEnough = 8
)

// dot emits all registers of a product: a loop over k (several axes: the last
// fastest) with one accumulator a register. Its operands are evaluated inside
// the loop, scalars of a broadcast once a step.
func (e *emitter) dot(v *loop.Value) value.Value {
	n := e.lanes(v)
	t := llir.Vec(n, regType(v.Elem))
	var keys []memoKey
	var acc []value.Value
	e.each(v.Axes, func() {
		keys = append(keys, e.key(v))
		if len(v.Args) == 3 {
			acc = append(acc, e.as(v.Args[2], v))
			return
		}
		var zero value.Value = llir.SplatConst(n, llir.Zero(llir.Scalar(t)))
		acc = append(acc, zero)
	})
	var axes []*loop.Axis
	for _, a := range v.Over {
		if a.Def != nil {
			axes = append(axes, a.Leaves()...)
		} else {
			axes = append(axes, a)
		}
	}
	acc = e.contract(v, axes, acc)
	for i, k := range keys {
		e.scope.memo[k] = acc[i]
	}
	return e.scope.memo[e.key(v)]
}

// contract adds the products over axes to acc, by a micro-kernel from the outermost loop on that one can begin with.
func (e *emitter) contract(v *loop.Value, axes []*loop.Axis, acc []value.Value) []value.Value {
	switch v.Instr {
	case loop.MMA:
		return e.contractFragments(v, axes[:len(axes)-1], acc)
	case loop.WGMMA:
		return e.groupProduct(v, axes, acc)
	}
	if m := e.microOf(v, axes); m != nil {
		return e.call(m, acc)
	}
	if len(axes) > 1 {
		return e.over(v, axes[:1], 1, acc, func(in []value.Value) []value.Value { return e.contract(v, axes[1:], in) })
	}
	steps := dotUnroll
	if n, ok := e.indexOf(axes[0].Extent).Const(); e.lanes(v) > 0 && len(acc) >= dotEnough && !(ok && n == dotUnroll) {
		steps = 1
	}
	step := func(in []value.Value) []value.Value {
		out := make([]value.Value, 0, len(in))
		e.each(v.Axes, func() {
			out = append(out, e.step(v, e.lanes(v), in[len(out)]))
		})
		return out
	}
	if hasRegisters(axes[0]) { // no loop: what steps find side by side is read at once
		e.push()
		defer e.pop()
		if !e.t.GPU {
			return e.over(v, axes, steps, acc, step)
		}
		defer func(old bool) { e.eager = old }(e.eager)
		e.eager = true
		e.over(v, axes, steps, nil, func([]value.Value) []value.Value { // all loads are on their way before the first is waited for
			e.each(v.Axes, func() { e.value(v.Args[0]); e.value(v.Args[1]) })
			return nil
		})
		return e.over(v, axes, steps, acc, step)
	}
	return e.over(v, axes, steps, acc, func(in []value.Value) []value.Value {
		e.push()
		defer e.pop()
		return step(in)
	})
}

// step is acc + a*b.
func (e *emitter) step(v *loop.Value, n int, acc value.Value) value.Value {
	a, b := e.value(v.Args[0]), e.value(v.Args[1])
	if elem := v.Args[0].Elem; !elem.IsFloat() {
		t := regType(v.Elem)
		return e.b.Block.NewAdd(acc, e.b.Block.NewMul(e.splat(n, e.extend(elem, a, t)), e.splat(n, e.extend(elem, b, t))))
	}
	return e.b.Math("fma", e.splat(n, a), e.splat(n, b), acc)
}

// extend widens an integer of elem to t by its sign.
func (e *emitter) extend(elem loop.Elem, x value.Value, t types.Type) value.Value {
	if isUnsigned(elem) && !llir.Scalar(x.Type()).Equal(t) {
		return e.b.Block.NewZExt(x, llir.Vec(llir.Lanes(x.Type()), t))
	}
	return e.widen(x, t)
}
