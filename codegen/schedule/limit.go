package schedule

import (
	"fmt"
	"math"
	"slices"

	"mdlc/ir/loop"
)

// Limits, before: i = i0*R + i1, and what is left out where j > i gives nothing
//
//	p = where(j <= i, x, 0.0)   Y[i,e] = dot[j](p, V[j,e])
//
// after Finite z 1, Limit j R i0, Unless j wild:
//
//	wild[] = max[j,e](where(abs(V[j,e]) < inf, 0, 1))   phase   axis j: min(N, i0*R + R + N * wild[])
//
// A product with 0 adds 0 only where the other operand is a number and finite: `wild` is 1 where one is not, and then
// nothing is left out.

// finiteOf adds a page that looks at the operand of a product before the first page that needs the result.
func finiteOf(k *loop.Kernel, d *loop.Value, operand int) error {
	if d.Op != loop.Dot || operand > 1 {
		return fmt.Errorf("%s is no product with an operand %d", d.Name, operand)
	}
	v := packed(k, d.Args[operand])
	needed, others := sourcePages(k, v)
	if !mayComeFirst(needed, others) {
		return fmt.Errorf("operand %d of %s is not there before the other pages", operand, d.Name)
	}
	flag := &loop.Buffer{Name: freshName(k, "wild"), Elem: loop.I32, Mode: loop.Work}
	addWork(k, flag)
	own := freshAxes(k)
	x := own.value(v)
	if x.Elem.Size() < loop.F32.Size() {
		x = &loop.Value{Op: loop.Cast, Elem: loop.F32, Args: []*loop.Value{x}}
	}
	abs := &loop.Value{Op: loop.Abs, Elem: x.Elem, Args: []*loop.Value{x}}
	wild := where(binary(loop.Lt, abs, number(x.Elem, math.Inf(1), 0)), number(loop.I32, 0, 0), number(loop.I32, 0, 1))
	any := &loop.Value{Op: loop.ReduceMax, Elem: loop.I32, Args: []*loop.Value{wild}}
	for _, a := range inOrder(k, newDepends().value(v)) {
		any.Over = append(any.Over, own.axis(a))
	}
	page := []loop.Stmt{&loop.Store{Buf: flag, Val: any}}
	k.Body = bind(slices.Concat(needed, [][]loop.Stmt{page}, others))
	return nil
}

// packed is what was packed where v is a load of that, else v.
func packed(k *loop.Kernel, v *loop.Value) *loop.Value {
	var from []*loop.Store
	loop.Walk(k.Body, func(s loop.Stmt) {
		if s, ok := s.(*loop.Store); ok && v.Op == loop.Load && v.Buf.Mode == loop.Work && s.Buf == v.Buf {
			from = append(from, s)
		}
	})
	if len(from) != 1 || from[0].Guard != nil {
		return v
	}
	return packed(k, from[0].Val)
}

// sourcePages are the pages that v is computed by, and the others, both in order.
func sourcePages(k *loop.Kernel, v *loop.Value) (needed, others [][]loop.Stmt) {
	ps := pages(k.Body)
	reads := map[*loop.Buffer]bool{}
	add := func(v *loop.Value) {
		if v.Op == loop.Load {
			reads[v.Buf] = true
		}
	}
	walk([]*loop.Value{v}, add)
	in := make([]bool, len(ps))
	for i := len(ps) - 1; i >= 0; i-- {
		for b := range reads {
			in[i] = in[i] || writes(ps[i], b)
		}
		if in[i] {
			walkBody(ps[i], add)
		}
	}
	for i, p := range ps {
		if in[i] {
			needed = append(needed, p)
		} else {
			others = append(others, p)
		}
	}
	return needed, others
}

// mayComeFirst reports whether pages that pack may run before others: none of those writes what these access.
func mayComeFirst(some, others [][]loop.Stmt) bool {
	for _, p := range some {
		reads, stores := buffersOf(p)
		for b := range stores {
			if reads[b] = true; b.Mode != loop.Work {
				return false
			}
		}
		for b := range reads {
			if slices.ContainsFunc(others, func(o []loop.Stmt) bool { return writes(o, b) }) {
				return false
			}
		}
	}
	return true
}

// beyondRow is what v is where column col is greater than its row.
func beyondRow(v *loop.Value, row, col *loop.Axis) *loop.Value {
	c := newCloner()
	walk([]*loop.Value{v}, func(x *loop.Value) {
		switch {
		case x.Op == loop.Where && maskedColumn(x.Args[0], row) == col:
			c.values[x] = c.value(x.Args[2])
		case isReduction(x) && loop.Has(x.Over, col):
			c.values[x] = x // all of its columns are as they were
		}
	})
	return c.value(v)
}

// addBeyond adds to sum v over col what it adds up beyond the row, once, if there are such columns: v may leave them out then. They
// are 0 or no number, so that the result is the same.
func addBeyond(k *loop.Kernel, v *loop.Value, col *loop.Axis) error {
	var row *loop.Axis
	walk([]*loop.Value{v}, func(x *loop.Value) {
		for _, a := range k.Axes {
			if maskedColumn(x, a) == col {
				row = a
			}
		}
	})
	if row == nil || v.Op != loop.ReduceSum {
		return fmt.Errorf("%s is no sum with a condition on %s", v.Name, col.Name)
	}
	there := binary(loop.Lt, axisValue(row), intValue(col.Max-1))
	more := binary(loop.Add, v, where(there, beyondRow(v.Args[0], row, col), number(v.Elem, 0, 0)))
	replace := func(x **loop.Value) {
		if *x == v {
			*x = more
		}
	}
	walkBody(k.Body, func(x *loop.Value) {
		for i := range x.Args {
			replace(&x.Args[i])
		}
	})
	loop.Walk(k.Body, func(s loop.Stmt) {
		if s, ok := s.(*loop.Store); ok {
			replace(&s.Val)
		}
	})
	return nil
}

// limitAxis ends axis a where block `outer` of n others does. In the first turn of a loop it is whole, which
// is where sums begin.
func limitAxis(a, outer *loop.Axis, n int) error {
	if a.Def != nil || a.Bind != loop.Open || outer.Def != nil {
		return fmt.Errorf("%s or %s is a function of others", a.Name, outer.Name)
	}
	unit := 1
	if n%sumPartials == 0 && a.Max%sumPartials == 0 {
		unit = sumPartials // so that it is known that tiles are whole
	}
	end := binary(loop.Add, times(axisValue(outer), n/unit), intValue(n/unit))
	if outer.Bind == loop.Loop {
		first := binary(loop.Sub, intValue(1), binary(loop.Min, axisValue(outer), intValue(1)))
		end = binary(loop.Add, end, times(first, a.Max/unit))
	}
	a.Extent = times(binary(loop.Min, intValue(a.Max/unit), end), unit)
	return nil
}

// unless makes axis a, which has a limit, whole where flag is set.
func unless(a *loop.Axis, flag *loop.Buffer) error {
	least, unit := a.Extent, 1
	if n := len(least.Args); least.Op == loop.Mul && n == 2 {
		u, _ := least.Args[1].IntConst()
		least, unit = least.Args[0], int(u)
	}
	if least.Op != loop.Min || unit < 1 {
		return fmt.Errorf("%s has no limit", a.Name)
	}
	set := &loop.Value{Op: loop.Cast, Elem: loop.I64, Args: []*loop.Value{load(flag, nil, nil)}}
	end := binary(loop.Add, least.Args[1], times(binary(loop.Max, set, intValue(0)), a.Max/unit))
	a.Extent = times(binary(loop.Min, least.Args[0], end), unit)
	return nil
}
