package loop

import "math"

// evaluators are the rows of the op table that are more than an element-wise
// function of their arguments.
var evaluators [NumOps]func(m *machine, n *node) *tile

func init() {
	evaluators = [NumOps]func(m *machine, n *node) *tile{
		Const: (*machine).constant, AxisIndex: (*machine).axisIndex, Load: (*machine).load,
		CarryIn: (*machine).carried, CarryOut: (*machine).carried,
		Cast: (*machine).cast, Bitcast: (*machine).bitcast, Where: (*machine).where, Philox: (*machine).philox, At: (*machine).pick, Dot: (*machine).dot,
		ReduceSum: (*machine).reduceTree, ReduceProd: (*machine).reduceTree, ReduceSeq: (*machine).reduceFold,
		ReduceMin: (*machine).reduceFold, ReduceMax: (*machine).reduceFold,
		ReduceArgMax: (*machine).reduceArg, ReduceArgMin: (*machine).reduceArg,
	}
}

func newTile(n int, e Elem) *tile {
	if e.IsFloat() {
		return &tile{f: make([]float64, n)}
	}
	return &tile{i: make([]int64, n)}
}

// taint makes bad where any argument is.
func (t *tile) taint(n *node, args ...*tile) {
	for k, a := range args {
		if a.bad == nil {
			continue
		}
		if t.bad == nil {
			t.bad = make([]bool, n.size)
		}
		for j := range t.bad {
			t.bad[j] = t.bad[j] || a.bad[at(n.args[k], j)]
		}
	}
}

func (t *tile) spoil(i, n int) {
	if t.bad == nil {
		t.bad = make([]bool, n)
	}
	t.bad[i] = true
}

func (m *machine) elementwise(n *node) *tile {
	v, r := n.v, n.v.Op.Info()
	args := make([]*tile, len(v.Args))
	for i, a := range n.kids {
		args[i] = a.eval(m)
	}
	t := newTile(n.size, v.Elem)
	t.taint(n, args...)
	o := n.args
	isFloat := v.Args[0].Elem.IsFloat()
	switch {
	case r.cmpF != nil && isFloat:
		x, y := args[0].f, args[1].f
		for j := range t.i {
			t.i[j] = bit(r.cmpF(x[at(o[0], j)], y[at(o[1], j)]))
		}
	case r.cmpI != nil:
		x, y := args[0].i, args[1].i
		for j := range t.i {
			t.i[j] = bit(r.cmpI(x[at(o[0], j)], y[at(o[1], j)]))
		}
	case isFloat:
		m.floatOp(t, n, r, args)
	case r.i1 != nil:
		for j := range t.i {
			t.i[j] = wrap(v.Elem, r.i1(args[0].i[at(o[0], j)]))
		}
	default:
		m.intOp(t, n, r, args)
	}
	return t
}

func bit(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

func (m *machine) floatOp(t *tile, n *node, r *Info, args []*tile) {
	o := n.args
	e := F64
	if m.typed {
		e = n.v.Elem
	}
	switch {
	case r.f1 != nil:
		x := args[0].f
		for j := range t.f {
			t.f[j] = round(e, r.f1(x[at(o[0], j)]))
		}
	case r.f2 != nil:
		x, y := args[0].f, args[1].f
		for j := range t.f {
			t.f[j] = round(e, r.f2(x[at(o[0], j)], y[at(o[1], j)]))
		}
	default:
		x, y, z := args[0].f, args[1].f, args[2].f
		for j := range t.f {
			t.f[j] = r.exact(x[at(o[0], j)], y[at(o[1], j)], z[at(o[2], j)], e)
		}
	}
}

func (m *machine) intOp(t *tile, n *node, r *Info, args []*tile) {
	v, o := n.v, n.args
	for j := range t.i {
		a, b := at(o[0], j), at(o[1], j)
		x, y := args[0].i[a], args[1].i[b]
		z, ok := r.i2(x, y)
		t.i[j] = wrap(v.Elem, z)
		if !ok || !shiftInRange(v.Op, v.Elem, y) {
			t.spoil(j, n.size)
		}
		// One operand that decides makes the other's poison harmless.
		if r.decides != nil && v.Elem == Bool && t.bad != nil && t.bad[j] {
			for k, i := range []int{a, b} {
				if !args[k].poison(i) && args[k].i[i] == *r.decides {
					t.i[j], t.bad[j] = *r.decides, false
				}
			}
		}
	}
}

func (m *machine) constant(n *node) *tile {
	t := newTile(1, n.v.Elem)
	switch {
	case t.i != nil:
		t.i[0] = int64(n.v.Bits)
	case m.typed:
		t.f[0] = round(n.v.Elem, math.Float64frombits(n.v.Bits))
	default:
		t.f[0] = math.Float64frombits(n.v.Bits)
	}
	return t
}

func (m *machine) axisIndex(n *node) *tile {
	a := n.v.Axis
	if a.Def != nil {
		return m.eval(a.Def)
	}
	t := newTile(n.size, I64)
	if a.IsOpen() {
		for j := range t.i {
			t.i[j] = int64(j)
		}
		return t
	}
	i := m.order[a]
	if !m.bound[i] {
		m.fail(n.v, "axis %s is used outside its loop", a.Name)
	}
	t.i[0] = int64(m.env[i])
	return t
}

func (m *machine) carried(n *node) *tile {
	m.fail(n.v, "carried value %s is used outside its scope", n.v.Name)
	return nil
}

func (m *machine) cast(n *node) *tile {
	from, to := n.v.Args[0].Elem, n.v.Elem
	x := n.kids[0].eval(m)
	t := newTile(n.size, to)
	t.bad = x.bad
	for j := range n.size {
		switch {
		case from.IsFloat() && to.IsFloat():
			t.f[j] = x.f[j]
			if m.typed {
				t.f[j] = round(to, x.f[j])
			}
		case from.IsFloat() && to == Bool:
			t.i[j] = bit(x.f[j] != 0)
		case from.IsFloat():
			t.i[j] = ToInt(to, x.f[j])
		case to.IsFloat() && m.typed:
			t.f[j] = fromInt(to, x.i[j])
		case to.IsFloat():
			t.f[j] = float64(x.i[j])
		case to == Bool:
			t.i[j] = bit(x.i[j] != 0)
		default:
			t.i[j] = wrap(to, x.i[j])
		}
	}
	return t
}

func (m *machine) bitcast(n *node) *tile {
	from, to := n.v.Args[0].Elem, n.v.Elem
	x := n.kids[0].eval(m)
	t := newTile(n.size, to)
	t.bad = x.bad
	for j := range n.size {
		var b uint64
		if from.IsFloat() {
			b = ToBits(from, x.f[j])
		} else {
			b = uint64(x.i[j])
		}
		if to.IsFloat() {
			t.f[j] = FromBits(to, b)
		} else {
			t.i[j] = wrap(to, int64(b))
		}
	}
	return t
}

func (m *machine) where(n *node) *tile {
	c, x, y := n.kids[0].eval(m), n.kids[1].eval(m), n.kids[2].eval(m)
	t := newTile(n.size, n.v.Elem)
	for j := range n.size {
		k := at(n.args[0], j)
		if c.poison(k) {
			t.spoil(j, n.size)
			continue
		}
		from, i := x, at(n.args[1], j)
		if c.i[k] == 0 {
			from, i = y, at(n.args[2], j)
		}
		if from.poison(i) {
			t.spoil(j, n.size)
		}
		if t.f != nil {
			t.f[j] = from.f[i]
		} else {
			t.i[j] = from.i[i]
		}
	}
	return t
}

func (m *machine) philox(n *node) *tile {
	args := make([]*tile, 7)
	for i, a := range n.v.Args {
		args[i] = m.eval(a)
	}
	t := newTile(n.size, U32)
	t.taint(n, args...)
	for j := range t.i {
		var a [7]uint32
		for i := range a {
			a[i] = uint32(args[i].i[at(n.args[i], j)])
		}
		t.i[j] = int64(Philox4x32([2]uint32{a[0], a[1]}, [4]uint32{a[2], a[3], a[4], a[5]})[a[6]&3])
	}
	return t
}

// pick is `at`: one coordinate of an open axis.
func (m *machine) pick(n *node) *tile {
	a, x := n.kids[0].eval(m), m.eval(n.v.Args[1])
	axes := n.v.Args[1].Axes
	axis := n.v.Axis
	where := m.offsets(n.v.Args[0].Axes, n.v.Axes)
	rest := m.offsets(axes, n.v.Axes)
	if Has(n.v.Axes, axis) { // the coordinate depends on the axis itself
		rest = m.offsetsWithout(axes, n.v.Axes, axis)
	}
	stride := 1
	for i := len(axes) - 1; i >= 0 && axes[i] != axis; i-- {
		stride *= axes[i].Max
	}
	mask := m.mask(n.set)
	t := newTile(n.size, n.v.Elem)
	for j := range n.size {
		if mask != nil && !mask[j] {
			t.spoil(j, n.size)
			continue
		}
		k := at(where, j)
		if a.poison(k) {
			m.fail(n.v, "poison reaches the coordinate of at[%s]", axis.Name)
		}
		c := a.i[k]
		if c < 0 || c >= int64(axis.Max) {
			m.fail(n.v, "at[%s]: coordinate %d is outside 0..%d", axis.Name, c, axis.Max)
		}
		i := at(rest, j) + int(c)*stride
		if x.poison(i) {
			t.spoil(j, n.size)
		}
		if t.f != nil {
			t.f[j] = x.f[i]
		} else {
			t.i[j] = x.i[i]
		}
	}
	return t
}

// offsetsWithout is offsets with the index along axis taken as 0.
func (m *machine) offsetsWithout(in, over []*Axis, axis *Axis) []int {
	out := m.offsets(in, over)
	along := m.offsets([]*Axis{axis}, over)
	stride := 1
	for i := len(in) - 1; in[i] != axis; i-- {
		stride *= in[i].Max
	}
	res := make([]int, points(over))
	for j := range res {
		res[j] = at(out, j) - at(along, j)*stride
	}
	return res
}

// accessPlan is an access of a buffer at the points of some axes.
type accessPlan struct {
	buf   *Buffer
	set   *axisSet
	size  int
	index []*node
	offs  [][]int
	guard *node // nil: always
	goff  []int
}

func (m *machine) plan(b *Buffer, index []*Value, guard *Value, axes []*Axis) *accessPlan {
	p := &accessPlan{buf: b, set: m.set(axes), size: points(axes)}
	for _, x := range index {
		p.index = append(p.index, m.node(x))
		p.offs = append(p.offs, m.offsets(x.Axes, axes))
	}
	if guard != nil {
		p.guard, p.goff = m.node(guard), m.offsets(guard.Axes, axes)
	}
	return p
}

// access evaluates index and guard: it calls on with each point and its element,
// dead with dead points. Where the guard is false there is no access.
func (m *machine) access(v *Value, p *accessPlan, dead func(j int), on func(j, element int)) {
	mask := m.mask(p.set)
	var g *tile
	if p.guard != nil {
		g = p.guard.eval(m)
	}
	b, dims := p.buf, m.mem[p.buf].dims
	idx := make([]*tile, len(p.index))
	for i, x := range p.index {
		idx[i] = x.eval(m)
	}
	for j := range p.size {
		if mask != nil && !mask[j] {
			dead(j)
			continue
		}
		if g != nil {
			k := at(p.goff, j)
			if g.poison(k) {
				m.fail(v, "poison reaches the guard of %s", b.Name)
			}
			if g.i[k] == 0 {
				continue
			}
		}
		e := 0
		for i, t := range idx {
			k := at(p.offs[i], j)
			if t.poison(k) {
				m.fail(v, "poison reaches the address of %s", b.Name)
			}
			if t.i[k] < 0 || t.i[k] >= int64(dims[i]) {
				m.fail(v, "%s: index %d of dimension %d is outside 0..%d%s", b.Name, t.i[k], i, dims[i], m.pointText(p.set.axes, j))
			}
			e = e*dims[i] + int(t.i[k])
		}
		on(j, e)
	}
}

func (m *machine) load(n *node) *tile {
	v := n.v
	mem := m.mem[v.Buf]
	t := newTile(n.size, v.Elem)
	if n.read == nil {
		n.read = m.plan(v.Buf, v.Args, v.Guard, v.Axes)
	}
	m.access(v, n.read, func(j int) { t.spoil(j, n.size) }, func(j, e int) {
		if mem.poisoned(e, m.point) {
			t.spoil(j, n.size)
			return
		}
		if err := mem.read(e, m.point, m.phase); err != nil {
			m.fail(v, "%v", err)
		}
		if t.f != nil {
			t.f[j] = mem.F[e]
		} else {
			t.i[j] = mem.I[e]
		}
	})
	return t
}
