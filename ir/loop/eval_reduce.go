package loop

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// partials is the number of partial results of a row reduction, registers of lanes each.
const partials, lanes = 64, 16

// foldPlan is what is known of a reduction or dot before running: offsets for each
// point of the result and of the axes summed over.
type foldPlan struct {
	over       []*Axis
	out, sum   [2][]int // into each operand
	joint      *axisSet // axes that tell what is dead together; nil: each operand's do
	jout, jsum []int
	sets       [2]*axisSet
}

// folding walks a reduction: each point of the result, each live point of what is reduced.
type folding struct {
	n       *node
	plan    *foldPlan
	arg     *tile
	numbers []int64
	mask    []bool
}

// overOrder is the leaves summed over, in the order of the text, last fastest.
func overOrder(v *Value) []*Axis {
	var out []*Axis
	for _, a := range v.Over {
		for _, l := range a.Leaves() {
			if !slices.Contains(out, l) {
				out = append(out, l)
			}
		}
	}
	return out
}

// foldPlan plans the operands of n: one of a reduction, two of a dot.
func (m *machine) foldPlan(n *node, operands int) *foldPlan {
	if n.fold != nil {
		return n.fold
	}
	v := n.v
	p := &foldPlan{over: overOrder(v)}
	all := overLeaves(m.order, v)
	for i, a := range v.Args[:operands] {
		p.out[i], p.sum[i] = m.indexes(a.Axes, v.Axes), m.indexes(a.Axes, p.over)
		p.sets[i] = m.set(a.Axes)
		all = union(m.order, all, a.Axes)
	}
	for _, i := range m.set(all).checks {
		open := m.checks[i].open
		if !subset(open, v.Args[0].Axes) && (operands == 1 || !subset(open, v.Args[1].Axes)) {
			p.joint, p.jout, p.jsum = m.set(all), m.indexes(all, v.Axes), m.indexes(all, p.over)
		}
	}
	n.fold = p
	return p
}

func (m *machine) folding(n *node) *folding {
	p := m.foldPlan(n, 1)
	s := &folding{n: n, plan: p, arg: n.kids[0].eval(m), numbers: m.numbers(n.v.Over, p.over)}
	if p.joint == nil {
		p.joint, p.jout, p.jsum = p.sets[0], p.out[0], p.sum[0]
	}
	s.mask = m.mask(p.joint)
	return s
}

// indexes is offsets, written out.
func (m *machine) indexes(in, over []*Axis) []int {
	if o := m.offsets(in, over); o != nil {
		return o
	}
	return m.iota(points(over))
}

// iota is 0, 1, … n-1.
func (m *machine) iota(n int) []int {
	for i := len(m.count); i < n; i++ {
		m.count = append(m.count, i)
	}
	return m.count[:n]
}

// numbers gives each point of the leaves its number along the axes summed over, last fastest.
func (m *machine) numbers(axes, leaves []*Axis) []int64 {
	out := make([]int64, points(leaves))
	for _, a := range axes {
		x := a.Def
		for j := range out {
			out[j] *= int64(a.Max)
		}
		if x == nil {
			for j, o := range m.indexes([]*Axis{a}, leaves) {
				out[j] += int64(o)
			}
			continue
		}
		t := m.eval(x)
		for j, o := range m.indexes(x.Axes, leaves) {
			out[j] += t.i[o]
		}
	}
	return out
}

// each calls f for the live elements that make up result point j, in order; poison spoils t.
func (s *folding) each(t *tile, j int, f func(element int, number int64)) {
	for k, o := range s.plan.sum[0] {
		e := s.plan.out[0][j] + o
		if s.mask != nil && !s.mask[s.plan.jout[j]+s.plan.jsum[k]] {
			continue
		}
		if s.arg.poison(e) {
			t.spoil(j, s.n.size)
			return
		}
		f(e, s.numbers[k])
	}
}

// reduceFold reduces in ascending order.
func (m *machine) reduceFold(n *node) *tile {
	v, r := n.v, n.v.Op.Info()
	s := m.folding(n)
	t := newTile(n.size, v.Elem)
	e := m.rounding(v.Elem)
	for j := range n.size {
		if t.f != nil {
			acc := r.unitF
			s.each(t, j, func(i int, _ int64) { acc = round(e, r.f2(acc, s.arg.f[i])) })
			t.f[j] = acc
			continue
		}
		acc := r.unitI(v.Elem)
		s.each(t, j, func(i int, _ int64) {
			x, _ := r.i2(acc, s.arg.i[i])
			acc = wrap(v.Elem, x)
		})
		t.i[j] = acc
	}
	return t
}

// rounding is the type that results are rounded to.
func (m *machine) rounding(e Elem) Elem {
	if m.typed {
		return e
	}
	return F64
}

// reduceTree reduces floats in the order of rows: 64 partials, registers of 16
// lanes in order, lanes by xor-halving.
func (m *machine) reduceTree(n *node) *tile {
	v, r := n.v, n.v.Op.Info()
	if !v.Elem.IsFloat() {
		return m.reduceFold(n)
	}
	s := m.folding(n)
	t := newTile(n.size, v.Elem)
	e := m.rounding(v.Elem)
	for j := range n.size {
		var p [partials]float64
		for i := range p {
			p[i] = r.unitF
		}
		s.each(t, j, func(i int, number int64) {
			q := &p[uint64(number)%partials]
			*q = round(e, r.f2(*q, s.arg.f[i]))
		})
		for reg := lanes; reg < partials; reg += lanes {
			for l := range lanes {
				p[l] = round(e, r.f2(p[l], p[reg+l]))
			}
		}
		for half := lanes / 2; half > 0; half /= 2 {
			for l := range half {
				p[l] = round(e, r.f2(p[l], p[l+half]))
			}
		}
		t.f[j] = p[0]
	}
	return t
}

// reduceArg finds the first of the largest or smallest; NaN counts as largest.
func (m *machine) reduceArg(n *node) *tile {
	sign := n.v.Op.Info().arg
	s := m.folding(n)
	t := newTile(n.size, I32)
	for j := range n.size {
		best, where := -1, int64(0)
		s.each(t, j, func(i int, number int64) {
			if best < 0 || s.arg.order(i, best, sign) > 0 {
				best, where = i, number
			}
		})
		t.i[j] = where
	}
	return t
}

// order compares two elements, upwards or, where sign is -1, downwards; NaN is above all in both.
func (t *tile) order(i, j, sign int) int {
	if t.f == nil {
		return compare(t.i[i], t.i[j]) * sign
	}
	x, y := t.f[i], t.f[j]
	switch nx, ny := math.IsNaN(x), math.IsNaN(y); {
	case nx && ny:
		return 0
	case nx:
		return 1
	case ny:
		return -1
	}
	return compare(x, y) * sign
}

func compare[T int64 | float64](x, y T) int {
	switch {
	case x < y:
		return -1
	case x > y:
		return 1
	}
	return 0
}

// dot sums products in ascending order, each step one fused multiply-add.
func (m *machine) dot(n *node) *tile {
	v := n.v
	p := m.foldPlan(n, 2)
	x, y := n.kids[0].eval(m), n.kids[1].eval(m)
	xk, yk := p.sum[0], p.sum[1]
	xm, ym := m.mask(p.sets[0]), m.mask(p.sets[1])
	var joint []bool
	if p.joint != nil {
		joint = m.mask(p.joint)
	}
	t := newTile(n.size, v.Elem)
	if len(v.Args) == 3 {
		c := n.kids[2].eval(m)
		if c.later != nil && v.Instr == WGMMA {
			c = c.later
		}
		for j := range n.size {
			i := at(n.args[2], j)
			if c.poison(i) {
				t.spoil(j, n.size)
			} else if t.f != nil {
				t.f[j] = c.f[i]
			} else {
				t.i[j] = c.i[i]
			}
		}
	}
	e := m.rounding(v.Elem)
	for j := range n.size {
		for k := range xk {
			a, b := p.out[0][j]+xk[k], p.out[1][j]+yk[k]
			switch {
			case xm != nil && !xm[a] || ym != nil && !ym[b] || joint != nil && !joint[p.jout[j]+p.jsum[k]]:
			case x.poison(a) || y.poison(b):
				t.spoil(j, n.size)
			case t.f == nil:
				t.i[j] = wrap(v.Elem, t.i[j]+x.i[a]*y.i[b])
			case m.typed:
				t.f[j] = fmaRound(x.f[a], y.f[b], t.f[j], e)
			default:
				t.f[j] += x.f[a] * y.f[b]
			}
		}
	}
	if v.Instr == WGMMA {
		return m.start(n, t)
	}
	return t
}

// pointText names a point of open and bound axes.
func (m *machine) pointText(axes []*Axis, j int) string {
	var s []string
	for i := len(axes) - 1; i >= 0; i-- {
		s = append(s, fmt.Sprintf("%s=%d", axes[i].Name, j%axes[i].Max))
		j /= axes[i].Max
	}
	slices.Reverse(s)
	for i, a := range m.k.Axes {
		if m.bound[i] {
			s = append(s, fmt.Sprintf("%s=%d", a.Name, m.env[i]))
		}
	}
	if len(s) == 0 {
		return ""
	}
	return " at " + strings.Join(s, ", ")
}
