package schedule

import (
	"math"
	"slices"

	"mdlc/ir/loop"
)

// prepare copies a kernel, finds which exponentials are of numbers that are not positive, names what opts may name (dots and their operands) and
// writes argmax and argmin as a max and a min of indices, so that they need no loop of
// their own: m = max[j](x), least j where x == m, or x is NaN. Operands of dots that are
// narrower floats are widened where the machine multiplies f32 only: that is best done once, as
// they are packed. Floats of 8 bits are bf16 where tensor cores multiply nothing narrower: that holds all of them.
func prepare(k *loop.Kernel, m *Machine) (*loop.Kernel, error) {
	k = clone(k)
	var out [][]loop.Stmt
	for _, page := range pages(k.Body) {
		stores, ok := equations(page)
		if !ok {
			out = append(out, page)
			continue
		}
		c, chained := newCloner(), areChained(stores)
		walk(roots(stores), func(v *loop.Value) {
			switch {
			case v.Op == loop.ReduceArgMax || v.Op == loop.ReduceArgMin:
				c.values[v] = argExtreme(v, c.value(v.Args[0]), c.value(extremeOf(v, stores)))
			case v.Op == loop.Dot && m.multiplies(v, chained) != v.Args[0].Elem:
				d, e := *c.value(v), m.multiplies(v, chained)
				d.Args = append([]*loop.Value{widened(d.Args[0], e), widened(d.Args[1], e)}, d.Args[2:]...)
				c.values[v] = &d
			default:
				c.value(v)
			}
		})
		out = append(out, c.body(stmts(stores)))
	}
	k.Body = bind(out)
	nameApart(k)
	number, known := 0, bounds{}
	eachStmt(k.Body, func(_ loop.Stmt, vs []*loop.Value) {
		walk(vs, func(v *loop.Value) {
			if v.Op == loop.Exp && known.of(v.Args[0]).hi <= 0 {
				v.Op = loop.ExpNeg
			}
			switch {
			case v.Op == loop.Dot && v.Instr == "":
				nameDot(k, v, &number)
			case v.Name == "" && (isRowSum(v) || v.Op.Info().Cost >= spillCost && !isReduction(v)):
				v.Name = freshValue(k, "v")
			}
		})
	})
	nameShared(k)
	return finish(k), nil
}

// nameApart gives each value that has the name of another one a name of its own: opts say what they are about by name.
func nameApart(k *loop.Kernel) {
	named := map[string]*loop.Value{}
	walkBody(k.Body, func(v *loop.Value) {
		if first := named[v.Name]; v.Name != "" && first != nil && first != v {
			v.Name = freshValue(k, v.Name)
		}
		named[v.Name] = v
	})
}

// areChained reports whether a product is made of another one's results.
func areChained(stores []*loop.Store) bool {
	chained := false
	walk(roots(stores), func(d *loop.Value) {
		if d.Op == loop.Dot {
			walk(d.Args[:2], func(v *loop.Value) { chained = chained || v.Op == loop.Dot })
		}
	})
	return chained
}

// multiplies is the type in which m multiplies the operands of product d, of a page whose products are chained or not.
func (m *Machine) multiplies(d *loop.Value, chained bool) loop.Elem {
	switch e := d.Args[0].Elem; {
	case !e.IsFloat() || e.Size() >= 4:
		return e
	case m.Tensor == nil:
		return loop.F32
	case e.Size() == 1 && (chained || !m.fillsBytes(d)):
		return loop.BF16
	default:
		return e
	}
}

func widened(x *loop.Value, e loop.Elem) *loop.Value {
	return &loop.Value{Op: loop.Cast, Elem: e, Args: []*loop.Value{x}, Pos: x.Pos}
}

func nameDot(k *loop.Kernel, v *loop.Value, number *int) {
	name := func(v *loop.Value, stem string) {
		if v.Name == "" || *number > 0 {
			v.Name = freshValue(k, stem)
		}
	}
	name(v, "z")
	name(v.Args[0], v.Name+"_a")
	name(v.Args[1], v.Name+"_b")
	walk(v.Args[1:2], func(x *loop.Value) { // of which a panel may be made, and the rest is computed as it is read
		if x.Op == loop.Load && x.Buf.Still {
			name(x, v.Name+"_of")
		}
	})
	*number++
}

// freshValue is stem, or stem with the first number that no value, axis or buffer of k has.
func freshValue(k *loop.Kernel, stem string) string {
	used := usedNames(k)
	walkBody(k.Body, func(v *loop.Value) { used[v.Name] = true })
	return unused(used, stem)
}

// extremeOf is the max or min that argmax or argmin v is about, if the page has it; else nil.
func extremeOf(v *loop.Value, stores []*loop.Store) (found *loop.Value) {
	walk(roots(stores), func(x *loop.Value) {
		if x.Op == extremes[v.Op] && x.Args[0] == v.Args[0] && slices.Equal(x.Over, v.Over) {
			found = x
		}
	})
	return found
}

var extremes = map[loop.Op]loop.Op{loop.ReduceArgMax: loop.ReduceMax, loop.ReduceArgMin: loop.ReduceMin}

// argExtreme is the place in x where its extreme m (nil: not yet computed) is.
func argExtreme(v, x, m *loop.Value) *loop.Value {
	if m == nil {
		m = &loop.Value{Op: extremes[v.Op], Elem: x.Elem, Over: v.Over, Args: []*loop.Value{x}}
	}
	hit := binary(loop.Eq, x, m)
	if x.Elem.IsFloat() {
		hit = binary(loop.Or, hit, binary(loop.Ne, x, x))
	}
	at := &loop.Value{Op: loop.Cast, Elem: loop.I32, Args: []*loop.Value{axisValue(v.Over[0])}}
	found := where(hit, at, &loop.Value{Op: loop.Const, Elem: loop.I32, Bits: math.MaxInt32})
	return &loop.Value{Op: loop.ReduceMin, Elem: loop.I32, Over: v.Over, Args: []*loop.Value{found}, Name: v.Name, Pos: v.Pos}
}

// nameShared gives the values of equations that are used more than once a Let.
func nameShared(k *loop.Kernel) {
	var out [][]loop.Stmt
	for _, page := range pages(k.Body) {
		if stores, ok := equations(page); ok {
			page = bodyLets(stmts(stores), nil, map[*loop.Value]bool{})
		}
		out = append(out, page)
	}
	k.Body = bind(out)
}
