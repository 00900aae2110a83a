package schedule

import (
	"math"
	"slices"

	"mdlc/ir/loop"
)

// Which columns a block of rows needs. Attention that looks back leaves out what comes after a row: there a condition on
// the two indices chooses 0, or -inf before a max. Where that is so of all that the pages of a group pass on, a block of rows
// ends at its last column, in all of them: half of the work is left out.

// kinds is a set of what a value may be.
type kinds uint8

const (
	mayBeZero   kinds = 1 << iota
	mayBeLowest       // -inf
	mayBeNaN
	mayBeOther
	mayBeAny = mayBeZero | mayBeLowest | mayBeNaN | mayBeOther
)

func (s kinds) within(t kinds) bool { return s&^t == 0 }

// limiter finds out whether the pages of a group may leave out columns.
type limiter struct {
	c      *chooser
	group  *rowBlocks
	left   map[*loop.Buffer]kinds // what panels hold beyond the limit
	limits []*columns
	flags  []flagged
	sums   []columnSum // sums that also add what is beyond
	deps   *depends
}

// columns is a page with its columns.
type columns struct {
	m    *member
	axis *loop.Axis
}

// flagged is an operand of a product that multiplies zeros beyond the limit.
type flagged struct {
	product *loop.Value
	operand int
}

// columnSum is a sum over columns.
type columnSum struct {
	sum *loop.Value
	col *loop.Axis
}

// limitColumns decides how the group's pages leave out columns; false where they do not.
func (c *chooser) limitColumns() bool {
	g := c.group
	rows, least := multiple(g.rows, sumPartials), leastBlocks
	if g.loops { // the first is whole
		least++
	}
	l := &limiter{c: c, group: g, left: map[*loop.Buffer]kinds{}, deps: newDepends()}
	if rows*(least-1) >= g.members[0].row.Max || !l.pages() {
		return false
	}
	for _, f := range l.flags {
		c.do(Finite, f.product.Name, f.operand, "")
		if c.err != nil {
			return false
		}
		g.flags = append(g.flags, flagOf(c.k))
	}
	for _, s := range l.sums {
		c.do(Beyond, s.sum.Name, 0, s.col.Name)
	}
	for _, x := range l.limits {
		x.m.column = x.axis
	}
	g.rows = rows
	return true
}

// pages reports whether all pages with columns do the same without those beyond the row.
func (l *limiter) pages() bool {
	g := l.group
	var ps [][]*loop.Store
	var col *loop.Axis
	for _, m := range g.members {
		ps = append(ps, m.stores)
		walk(roots(m.stores), func(v *loop.Value) {
			if a := maskedColumn(v, m.row); col == nil && a != nil {
				col = a
			}
		})
	}
	if row := g.members[0].row; col == nil || !constantExtent(col) || !constantExtent(row) || col.Max > row.Max {
		return false
	}
	same := sameAxes(ps)
	for _, m := range g.members {
		a := same.in(m.stores, col)
		if a == nil {
			continue
		}
		if a.Def != nil || a.Bind != loop.Open || a == m.row || !l.page(m, a) {
			return false
		}
		l.limits = append(l.limits, &columns{m, a})
	}
	return l.inside() && !slices.ContainsFunc(l.flags, l.late)
}

// late reports whether an operand is there only after a page of the group.
func (l *limiter) late(f flagged) bool {
	needed, others := sourcePages(l.c.k, packed(l.c.k, f.product.Args[f.operand]))
	return !mayComeFirst(needed, others) || slices.ContainsFunc(needed, func(p []loop.Stmt) bool {
		stores, ok := equations(p)
		return !ok || l.group.member(stores) != nil
	})
}

// flagOf is the name of the buffer that the last Finite made.
func flagOf(k *loop.Kernel) string {
	name := ""
	for _, b := range k.Bufs {
		if b.Mode == loop.Work {
			name = b.Name
		}
	}
	return name
}

func constantExtent(a *loop.Axis) bool {
	n, ok := a.Extent.IntConst()
	return ok && int(n) == a.Max
}

// maskedColumn is the axis j where v is j <= row or j < row; nil where v is no such condition.
func maskedColumn(v *loop.Value, row *loop.Axis) *loop.Axis {
	if v.Op == loop.And {
		if a := maskedColumn(v.Args[0], row); a != nil {
			return a
		}
		return maskedColumn(v.Args[1], row)
	}
	if len(v.Args) != 2 {
		return nil
	}
	low, high := v.Args[0], v.Args[1]
	switch v.Op {
	case loop.Ge, loop.Gt:
		low, high = high, low
	case loop.Le, loop.Lt:
	default:
		return nil
	}
	a, b := axisOf(low), axisOf(high)
	if a == nil || b != row || a == row {
		return nil
	}
	return a
}

// axisOf is the axis that v is the index of, maybe as another type.
func axisOf(v *loop.Value) *loop.Axis {
	for v.Op == loop.Cast && !v.Elem.IsFloat() && v.Elem.Size() >= 4 {
		v = v.Args[0]
	}
	if v.Op == loop.AxisIndex {
		return v.Axis
	}
	return nil
}

// page reports whether a page does the same without columns beyond the row.
func (l *limiter) page(m *member, col *loop.Axis) bool {
	ok := true
	seen := l.beyond(m.row, col)
	walk(roots(m.stores), func(v *loop.Value) {
		switch over := l.deps.over(v); {
		case v.Op == loop.Dot && (loop.Has(over, col) || loop.Has(over, m.row)):
			ok = ok && l.product(v, seen)
		case !isReduction(v) || !loop.Has(over, col):
			ok = ok && !(isReduction(v) && loop.Has(over, m.row))
		case v.Op == loop.ReduceMax:
			ok = ok && seen(v.Args[0]) == mayBeLowest
		case isRowSum(v) && v.Op == loop.ReduceSum && v.Elem.IsFloat():
			ok = ok && l.sum(v, m.row, col, seen(v.Args[0]))
		default:
			ok = false
		}
	})
	for _, s := range m.stores {
		if !loop.Has(l.deps.store(s), col) || m.sums {
			continue
		}
		if ok = ok && s.Buf.Mode == loop.Work && s.Guard == nil; ok {
			l.left[s.Buf] = seen(s.Val)
		}
	}
	return ok
}

// sum reports whether a sum is the same without columns beyond the row. What is 0 or no number there, and the same for all columns, is added once.
func (l *limiter) sum(v *loop.Value, row, col *loop.Axis, left kinds) bool {
	if left == mayBeZero {
		return true
	}
	if v.Name == "" || !left.within(mayBeZero|mayBeNaN) || loop.Has(l.deps.value(beyondRow(v.Args[0], row, col)), col) {
		return false
	}
	l.sums = append(l.sums, columnSum{v, col})
	return true
}

// product reports whether a product adds only zeros beyond the limit, if the other operand is finite.
func (l *limiter) product(d *loop.Value, seen func(v *loop.Value) kinds) bool {
	for i := range 2 {
		if seen(d.Args[i]) == mayBeZero {
			l.flags = append(l.flags, flagged{d, 1 - i})
			return true
		}
	}
	return false
}

// inside reports whether only the group's pages read what they do not write beyond the limit.
func (l *limiter) inside() bool {
	for _, p := range pages(l.c.k.Body) {
		stores, _ := equations(p)
		for b := range l.left {
			if mentionsBuffer(p, b) && !slices.ContainsFunc(l.limits, func(x *columns) bool { return slices.Equal(x.m.stores, stores) }) {
				return false
			}
		}
	}
	return true
}

// beyond says what values are beyond the limit, where a column is greater than its row.
func (l *limiter) beyond(row, col *loop.Axis) func(v *loop.Value) kinds {
	memo := map[*loop.Value]kinds{}
	var of func(v *loop.Value) kinds
	of = func(v *loop.Value) kinds {
		s, ok := memo[v]
		if !ok {
			s = l.kindsOf(v, row, col, of)
			memo[v] = s
		}
		return s
	}
	return of
}

func (l *limiter) kindsOf(v *loop.Value, row, col *loop.Axis, of func(v *loop.Value) kinds) kinds {
	const none = mayBeZero | mayBeNaN
	switch v.Op {
	case loop.Const:
		switch x := math.Float64frombits(v.Bits); {
		case !v.Elem.IsFloat():
		case x == 0:
			return mayBeZero
		case math.IsInf(x, -1):
			return mayBeLowest
		}
	case loop.Load:
		if s, ok := l.left[v.Buf]; ok && v.Guard == nil {
			return s
		}
	case loop.Where:
		if maskedColumn(v.Args[0], row) == col {
			return of(v.Args[2])
		}
		return of(v.Args[1]) | of(v.Args[2])
	case loop.Neg:
		if of(v.Args[0]).within(none) {
			return of(v.Args[0])
		}
	case loop.Mul:
		a, b := v.Args[0], v.Args[1]
		switch {
		case of(a) == mayBeZero && isFinite(b) || of(b) == mayBeZero && isFinite(a):
			return mayBeZero
		case of(a).within(none) || of(b).within(none):
			return none
		}
	case loop.Div:
		if of(v.Args[0]).within(none) {
			return none
		}
	case loop.Sub:
		if of(v.Args[0]) == mayBeLowest {
			return mayBeLowest | mayBeNaN
		}
	case loop.Exp, loop.ExpNeg:
		if s := of(v.Args[0]); s.within(mayBeLowest | mayBeNaN) {
			return none
		}
	}
	return mayBeAny
}

func isFinite(v *loop.Value) bool {
	x := math.Float64frombits(v.Bits)
	return v.Op == loop.Const && v.Elem.IsFloat() && x-x == 0
}
