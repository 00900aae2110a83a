package schedule

import (
	"math"
	"slices"

	"mdlc/ir/loop"
)

// ByIntegers is k with the extremes of f32 taken of integers that are ordered alike, for a machine that compares those
// faster. AVX-512 compares floats into masks, which is a way to other registers and back: its maximum that heeds NaN and
// the signs of zeros is six instructions in a chain of fourteen cycles, of integers one of one cycle. Before:
//
//	b = for j0 carry a = -inf { yield max(a, max[j1](X[j])) }   m = max[j2](b)
//
// after, where key and float stand for four operations of integers each:
//
//	b = for j0 carry a = key(-inf) { yield max(a, max[j1](key(X[j]))) }   m = float(max[j2](b))
func ByIntegers(k *loop.Kernel) *loop.Kernel {
	k = clone(k)
	u := usesOf(k)
	for _, v := range u.extremes { // first those of which others are turns
		if turns, start := u.turns(v); len(turns) > 0 && start.Op == loop.Const && inLanes(v.Args[0].Axes) {
			newOrder(k, v).turns(v, turns)
		}
	}
	for _, v := range u.extremes {
		if inLanes(v.Over) {
			newOrder(k, v).extreme(v)
		}
	}
	k.Refresh()
	return k
}

func inLanes(axes []*loop.Axis) bool {
	return slices.ContainsFunc(axes, func(a *loop.Axis) bool { return a.Bind == loop.Lane })
}

// An order maps floats to integers that are ordered alike, a NaN beyond every number, and back. The bits of a
// negative number but its sign are turned; then all are moved by the NaNs that are at the wrong end, which come
// round to the other.
type order struct {
	arith
	max bool
}

func newOrder(k *loop.Kernel, v *loop.Value) order {
	return order{arith{loop.Extend(k), loop.F32, loop.I32}, v.Op == loop.ReduceMax}
}

// extreme makes v that of integers, where it is one of floats still.
func (o order) extreme(v *loop.Value) {
	if v.Elem != loop.F32 || v.Op != loop.ReduceMax && v.Op != loop.ReduceMin {
		return
	}
	best := *v
	best.Name, best.Elem, best.Args = "", loop.I32, []*loop.Value{o.key(v.Args[0])}
	f := *o.float(&best)
	f.Name, f.Pos = v.Name, v.Pos
	*v = f
}

// turns makes v, and what is carried to it, extremes of integers.
func (o order) turns(v *loop.Value, turns []*loop.Carry) {
	if v.Elem != loop.F32 {
		return
	}
	for _, c := range turns {
		if c.Init.Op == loop.Const {
			c.Init = o.key(c.Init)
		}
		more := c.Next.Args[1]
		if more.Op == v.Op {
			of := *more
			of.Elem, of.Args = loop.I32, []*loop.Value{o.key(more.Args[0])}
			c.Next.Args[1] = &of
		} else {
			c.Next.Args[1] = o.key(more)
		}
		for _, x := range []*loop.Value{c.In, c.Next, c.Out} {
			x.Elem = loop.I32
		}
	}
	o.extreme(v)
}

// nans are the NaNs of one sign.
const nans = 1<<23 - 1

// key is what stands for x, which may be one already.
func (o order) key(x val) val {
	if f, ok := x.FloatConst(); ok {
		x = o.c(f) // of this builder, which then computes
	}
	if x.Elem == loop.I32 {
		return x
	}
	b := o.toBits(x)
	return o.moved(o.b.Op(loop.Xor, o.and(b, o.i(math.MaxInt32)), o.shr(b, 31)), o.max)
}

func (o order) float(key val) val {
	k := o.moved(key, !o.max)
	return o.fromBits(o.b.Op(loop.Xor, k, o.and(o.shr(k, 31), o.i(math.MaxInt32))))
}

func (o order) moved(b val, down bool) val {
	if down {
		return o.sub(b, o.i(nans))
	}
	return o.add(b, o.i(nans))
}
