package schedule

import "mdlc/ir/loop"

// Expand rewrites transcendental functions and Philox to operations that every
// machine has. The polynomials are our own; math_f32.go states their bounds.
func Expand(k *loop.Kernel) *loop.Kernel { return expand(k, func(*loop.Value) bool { return false }) }

// expand is Expand that leaves some values as they are.
func expand(k *loop.Kernel, leave func(v *loop.Value) bool) *loop.Kernel {
	k = clone(k)
	k.Refresh()
	x := &expander{b: loop.Extend(k), leave: leave, done: map[*loop.Value]*loop.Value{}}
	for _, a := range k.Axes {
		a.Extent, a.Def = x.value(a.Extent), x.value(a.Def)
	}
	x.block(k.Body)
	k.Refresh()
	return k
}

type expander struct {
	b     *loop.Builder
	leave func(v *loop.Value) bool
	done  map[*loop.Value]*loop.Value
}

// IsCall reports whether a CPU calls a function for v, which all kernels share: its expansion is long, and it stands where a
// call's time is none, in draws and in schedules of an optimiser. Losses and activations are full of the others.
func IsCall(v *loop.Value) bool {
	switch v.Op {
	case loop.Philox:
		return true
	case loop.Pow, loop.Sin, loop.Cos:
		return v.Elem == loop.F32
	}
	return false
}

// value is v with everything below it expanded.
func (x *expander) value(v *loop.Value) *loop.Value {
	if v == nil {
		return nil
	}
	if r := x.done[v]; r != nil {
		return r
	}
	for i, a := range v.Args {
		v.Args[i] = x.value(a)
	}
	v.Guard = x.value(v.Guard)
	r := v
	if f := expansions[v.Op]; f != nil && !x.leave(v) {
		r = f(x.b, v)
	}
	x.done[v] = r
	return r
}

func (x *expander) block(body []loop.Stmt) {
	for _, s := range body {
		switch s := s.(type) {
		case *loop.Let:
			s.Val = x.named(s.Val)
		case *loop.Store:
			for i, v := range s.Index {
				s.Index[i] = x.value(v)
			}
			s.Guard, s.Val = x.value(s.Guard), x.value(s.Val)
		case *loop.Settle:
			s.Val = x.value(s.Val)
		case *loop.If:
			s.Cond = x.value(s.Cond)
			x.block(s.Body)
		case *loop.RingStep:
			s.Turn = x.value(s.Turn)
			x.block(s.Body)
		case *loop.Send:
			x.block(s.Body)
		case *loop.Role:
			x.block(s.Body)
		case *loop.For:
			s.Lo, s.Hi = x.value(s.Lo), x.value(s.Hi)
			for _, c := range s.Carry {
				c.Init = x.value(c.Init)
			}
			x.block(s.Body)
			for _, c := range s.Carry {
				c.Next = x.value(c.Next)
			}
		}
	}
}

// named expands the value of a Let; the result is a node of its own with the Let's name.
func (x *expander) named(v *loop.Value) *loop.Value {
	r := x.value(v)
	if r == v {
		return r
	}
	own := *r
	own.Name, own.Pos = v.Name, v.Pos
	x.done[v] = &own
	return &own
}

// expansions are the rewritings, by op.
var expansions = [loop.NumOps]func(*loop.Builder, *loop.Value) *loop.Value{
	loop.Rsqrt:   function(rsqrt32, rsqrt64),
	loop.Exp:     function(exp32, exp64),
	loop.ExpNeg:  function(expNeg32, expNeg64),
	loop.Log:     function(log32, log64),
	loop.Log1p:   function(log1p32, log1p64),
	loop.Expm1:   function(expm132, expm164),
	loop.Tanh:    function(tanh32, tanh64),
	loop.Sigmoid: function(sigmoid32, sigmoid64),
	loop.Erf:     function(erf32, erf64),
	loop.Sin:     function(sin32, sin64),
	loop.Cos:     function(cos32, cos64),
	loop.Pow:     expandPow,
	loop.Philox:  expandPhilox,
}

// function expands a function of one number; types narrower than f32 go through it.
func function(narrow, wide func(arith, *loop.Value) *loop.Value) func(*loop.Builder, *loop.Value) *loop.Value {
	return func(b *loop.Builder, v *loop.Value) *loop.Value {
		if v.Elem == loop.F64 {
			return wide(arith{b, loop.F64, loop.I64}, v.Args[0])
		}
		return b.Cast(v.Elem, narrow(arith{b, loop.F32, loop.I32}, b.Cast(loop.F32, v.Args[0])))
	}
}

func expandPow(b *loop.Builder, v *loop.Value) *loop.Value {
	x, y := v.Args[0], v.Args[1]
	if v.Elem == loop.F64 {
		return pow64(arith{b, loop.F64, loop.I64}, x, y)
	}
	return b.Cast(v.Elem, pow32(arith{b, loop.F32, loop.I32}, b.Cast(loop.F32, x), b.Cast(loop.F32, y)))
}

// expandPhilox is the rounds of Philox4x32-10 in products of u32. Draws of the
// words of one counter share all of them.
func expandPhilox(b *loop.Builder, v *loop.Value) *loop.Value {
	u := func(k int64) *loop.Value { return b.Int(loop.U32, k) }
	key := [2]*loop.Value{v.Args[0], v.Args[1]}
	c := [4]*loop.Value{v.Args[2], v.Args[3], v.Args[4], v.Args[5]}
	m0, m1 := u(0xD2511F53), u(0xCD9E8D57)
	for range 10 {
		h0, l0 := b.Op(loop.MulHi, m0, c[0]), b.Op(loop.Mul, m0, c[0])
		h1, l1 := b.Op(loop.MulHi, m1, c[2]), b.Op(loop.Mul, m1, c[2])
		c = [4]*loop.Value{
			b.Op(loop.Xor, b.Op(loop.Xor, h1, c[1]), key[0]), l1,
			b.Op(loop.Xor, b.Op(loop.Xor, h0, c[3]), key[1]), l0,
		}
		key[0], key[1] = b.Op(loop.Add, key[0], u(0x9E3779B9)), b.Op(loop.Add, key[1], u(0xBB67AE85))
	}
	w := v.Args[6]
	if k, ok := w.IntConst(); ok && k >= 0 && k < 4 {
		return c[k]
	}
	r := c[3]
	for k := 2; k >= 0; k-- {
		r = b.Where(b.Op(loop.Eq, w, u(int64(k))), c[k], r)
	}
	return r
}
