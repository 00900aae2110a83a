package schedule

import (
	"errors"
	"fmt"
	"slices"

	"mdlc/ir/index"
	"mdlc/ir/loop"
)

// Box is what a store of a Fill or of a Send copies in the hardware's terms: of a buffer that is a tensor, a box, whose rows are those of a
// swizzled slot. Dimensions are in the hardware's order, the one whose neighbours lie side by side first.
type Box struct {
	Buf     *loop.Buffer
	Dims    []*loop.Value // of the tensor: what is beyond them is 0, and stored nowhere
	Strides []int64       // bytes between neighbours of all dimensions but the first
	Size    []int         // how far the box goes
	At      []*loop.Value // where it begins, where the axes of the box are 0
	Slot    *loop.Buffer
	Place   []*loop.Value // there, where the axes of the box are 0
}

// Same reports whether b and o are boxes of one tensor, of one size.
func (b *Box) Same(o *Box) bool {
	return b.Buf == o.Buf && slices.Equal(b.Strides, o.Strides) && slices.Equal(b.Size, o.Size) && slices.EqualFunc(b.Dims, o.Dims, func(x, y *loop.Value) bool {
		at := newIndices()
		return index.Equal(at.of(x), at.of(y))
	})
}

// What the hardware takes (CUDA's cuTensorMapEncodeTiled).
const (
	boxRank   = 5
	boxExtent = 256
	boxStride = 1 << 40
)

// BoxOf is the box that s copies, or why it is none: the axes of the box must go along one dimension each, by one element a step, and what
// a guard leaves out must be what is outside of the tensor. A tensor must begin on a multiple of 16 bytes: since its rows do, its size is
// one, and so is where it lies in a stack of such.
func BoxOf(s *loop.Store) (*Box, error) {
	v, x := s.Val, newIndices()
	if v.Op != loop.Load || v.Elem != s.Buf.Elem {
		return nil, errors.New("it is computed, or not stored as it is")
	}
	b, args, guard, other := &Box{Buf: v.Buf, Slot: s.Buf, Place: s.Index}, v.Args, v.Guard, s.Guard
	if s.Buf.Mode != loop.Local {
		b.Buf, b.Slot, b.Place, args, guard, other = s.Buf, v.Buf, v.Args, s.Index, s.Guard, v.Guard
	}
	if other != nil || !b.Slot.Swizzle {
		return nil, errors.New("it is computed, or not stored as it is")
	}
	buf := b.Buf
	dims, args := asOne(x, buf.Dims, args)
	if wide := slices.DeleteFunc(slices.Clone(dims), func(n int) bool { return n == 1 }); len(wide) > boxRank || buf.Strides != nil {
		return nil, fmt.Errorf("%s has more than %d dimensions, or strides of its own", buf.Name, boxRank)
	}
	free := map[*loop.Axis]bool{}
	for _, at := range args {
		for _, a := range newDepends().value(at) {
			free[a] = a.Bind == loop.Box
		}
	}
	limits := make([]*index.Expr, len(dims))
	for d := range dims {
		limits[d] = index.C(dims[d])
	}
	if err := insideOf(x, buf, args, guard, limits); err != nil {
		return nil, err
	}
	stride := 1
	for d := len(dims) - 1; d >= 0; d-- {
		size := 1
		_, terms := affine(x.of(args[d]).SimplifyIn(x.bound))
		for a, here := range free {
			if !here || !dependsOn(x.of(args[d]), a.Name) {
				continue
			}
			if terms[a.Name] != 1 || size > 1 || a.Max > boxExtent || dependsOn(index.Sub(x.of(args[d]), index.V(a.Name)).SimplifyIn(x.bound), a.Name) {
				return nil, fmt.Errorf("dimension %d of %s does not step evenly along %s, by one element, %d times at most", d, buf.Name, a.Name, boxExtent)
			}
			if fast := b.Place[len(b.Place)-1]; len(b.Dims) == 0 && !loop.Has(newDepends().value(fast), a) {
				return nil, fmt.Errorf("what lies side by side in %s, along %s, does not in %s", buf.Name, a.Name, b.Slot.Name)
			}
			size = a.Max
			delete(free, a)
		}
		if dims[d] == 1 && limits[d].IsConst(1) && x.of(args[d]).SimplifyIn(x.bound).IsConst(0) { // as where a weight has one tap
			continue
		}
		bytes := int64(stride * buf.Elem.Size())
		switch first := len(b.Dims) == 0; {
		case first && size*buf.Elem.Size() != loop.SwizzleBytes:
			return nil, fmt.Errorf("the box does not go along what lies side by side in %s, %d bytes", buf.Name, loop.SwizzleBytes)
		case !first && (bytes%chunkBytes != 0 || bytes >= boxStride):
			return nil, fmt.Errorf("neighbours along dimension %d of %s are %d bytes apart, no multiple of %d below 2^40", d, buf.Name, bytes, chunkBytes)
		case !first:
			b.Strides = append(b.Strides, bytes)
		}
		b.Dims, b.Size, b.At = append(b.Dims, x.value(limits[d])), append(b.Size, size), append(b.At, args[d])
		stride *= dims[d]
	}
	for a, here := range free {
		if here {
			return nil, fmt.Errorf("%s does not depend on %s", buf.Name, a.Name)
		}
	}
	return b, nil
}

// asOne makes dimensions one that an access goes through as through one: where their indices are e / n and e % n of which the last has n.
func asOne(x *indices, dims []int, args []*loop.Value) (joined []int, at []*loop.Value) {
	for d, a := range args {
		if n := len(joined); n > 0 && divides(x.of(a).SimplifyIn(x.bound)) {
			e := index.Sum(index.Prod(x.of(at[n-1]), index.C(dims[d])), x.of(a)).SimplifyIn(x.bound)
			if !divides(e) {
				joined[n-1], at[n-1] = joined[n-1]*dims[d], x.value(e)
				continue
			}
		}
		joined, at = append(joined, dims[d]), append(at, a)
	}
	return joined, at
}

// divides reports whether e has a quotient or a remainder.
func divides(e *index.Expr) bool {
	return e.Op == index.Div || e.Op == index.Mod || slices.ContainsFunc(e.Args, divides)
}

// insideOf finds what a guard allows of each dimension of an access to buf: an index that is 0 or more, and less than limits.
func insideOf(x *indices, buf *loop.Buffer, args []*loop.Value, guard *loop.Value, limits []*index.Expr) error {
	switch {
	case guard == nil:
		return nil
	case guard.Op == loop.And:
		if err := insideOf(x, buf, args, guard.Args[0], limits); err != nil {
			return err
		}
		return insideOf(x, buf, args, guard.Args[1], limits)
	case (guard.Op == loop.Lt || guard.Op == loop.Ge) && guard.Args[0].Elem == loop.I64:
		over := index.Sub(x.of(guard.Args[1]), x.of(guard.Args[0]))
		for d, at := range args {
			limit := index.Sum(over, x.of(at)).SimplifyIn(x.bound) // what the index is compared with
			if k, ok := limit.Const(); ok && guard.Op == loop.Ge && k <= 0 {
				return nil
			} else if guard.Op == loop.Lt && isLength(x, limit) {
				limits[d] = index.Least(limits[d], limit)
				return nil
			}
		}
	}
	return fmt.Errorf("what is left out of %s is not what is outside of a tensor", buf.Name)
}

// isLength reports whether e is made of constants and numbers that only the run knows.
func isLength(x *indices, e *index.Expr) bool {
	yes := true
	e.Vars(func(name string) {
		v := x.vars[name]
		yes = yes && v.Op == loop.Load && v.Buf.Mode == loop.In && len(v.Buf.Dims) == 0
	})
	return yes
}

func dependsOn(e *index.Expr, axis string) bool {
	found := false
	e.Vars(func(name string) { found = found || name == axis })
	return found
}
