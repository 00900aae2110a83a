package loop

import (
	"fmt"
	"math/rand/v2"
	"slices"
)

// EvalOptions says how a kernel is evaluated.
type EvalOptions struct {
	Typed bool   // each op rounded to its element type; otherwise floats are float64
	Seed  uint64 // of the order of par points
}

// Eval runs k on args, by buffer name. Out and Work buffers are made (poison
// where nothing is written); InOut ones are updated in place. Races between par
// points, accesses out of bounds and poison that reaches a store, a branch, a
// guard or an address are errors.
func Eval(k *Kernel, args map[string]*Data, opt EvalOptions) (err error) {
	m := &machine{k: k, typed: opt.Typed, order: axisOrder(k), rng: rand.New(rand.NewPCG(opt.Seed, 0)),
		env: make([]int, len(k.Axes)), bound: make([]bool, len(k.Axes)), mem: map[*Buffer]*memory{},
		nodes: map[*Value]*node{}, sets: map[string]*axisSet{}, stores: map[*Store]*storePlan{}, tables: map[[2]int][]int{}, limit: len(k.Axes),
		memo: map[memoKey]*tile{}, flights: &flights{}, stamp: new(int32)}
	for _, b := range k.Bufs {
		dims, err := b.Sizes(args)
		if err != nil {
			return fmt.Errorf("kernel %s: %w", k.Name, err)
		}
		d := NewData(b.Elem, dims...)
		if b.Mode != Local {
			if d, err = argument(b, dims, args); err != nil {
				return fmt.Errorf("kernel %s: %w", k.Name, err)
			}
			if m.typed {
				d.Round()
			}
		}
		m.mem[b] = newMemory(b, dims, d)
	}
	defer func() {
		if r := recover(); r != nil {
			e, ok := r.(*evalError)
			if !ok {
				panic(r)
			}
			err = e
		}
	}()
	m.liveness()
	m.scopes = []map[*Value]*tile{{}}
	m.clear()
	m.phases(k.Body)
	return nil
}

// evalError is what a kernel did wrong.
type evalError struct{ kernel, stmt, pos, msg string }

func (e *evalError) Error() string {
	s := "kernel " + e.kernel
	if e.stmt != "" {
		s += ": " + e.stmt
	}
	if e.pos != "" {
		s += " (" + e.pos + ")"
	}
	return s + ": " + e.msg
}

// machine evaluates one kernel.
type machine struct {
	k     *Kernel
	typed bool
	order map[*Axis]int
	rng   *rand.Rand
	mem   map[*Buffer]*memory

	env   []int  // indices of bound axes, in the kernel's order
	bound []bool // which axes have one

	nodes  map[*Value]*node
	sets   map[string]*axisSet
	stores map[*Store]*storePlan
	checks []*check // by axis; nil: always live
	limit  int      // axes before it count for liveness

	scopes []map[*Value]*tile // values of Lets and carries, by block
	memo   map[memoKey]*tile  // of the statement at hand, where not all axes count
	gen    int                // numbers the statements that ran
	count  []int              // 0, 1, …
	tables map[[2]int][]int   // offsets between lists of axes

	*flights            // of the point at hand, for all of its roles
	cluster  []*machine // the points of its cluster, itself too
	stamp    *int32     // of the last store

	pause func(stuck *evalError) // lets other roles go on: stuck says what this one waits for, nil if it does not; nil: there are no others

	point, phase int32
	at           string // the statement at hand, for messages
	atPos        Pos
}

// flights is what goes on beside the statements of a point, and what became of its slots.
type flights struct {
	groups  [][]copied // asynchronous stores on their way, the oldest group first; the last is open
	pending []*pending // products of groups of warps on their way, the oldest first
	reading []*pending // those, and ones that are done: other warps do not know before the next Wait

	sends []map[place]bool // what those read that may not have yet, the oldest first

	rings   map[*Ring]*ringState
	filling *filling // nil: the stores at hand are no Fill's
}

func noFlights() flights { return flights{groups: [][]copied{nil}, rings: map[*Ring]*ringState{}} }

type memoKey struct {
	v     *Value
	limit int
}

// tile is the value of a node at every point of its axes, row-major.
type tile struct {
	f   []float64
	i   []int64
	bad []bool // poison; nil: none

	later *tile // what it will be; nil: it is there
}

func (t *tile) poison(i int) bool { return t.bad != nil && t.bad[i] }

// node is what is known of a value before running.
type node struct {
	v     *Value
	size  int
	set   *axisSet
	kids  []*node // the arguments
	args  [][]int // offsets of each argument's tile; nil: the same points
	fold  *foldPlan
	read  *accessPlan
	value *tile // in generation gen
	gen   int
}

// axisSet is a list of axes, and what its liveness depends on.
type axisSet struct {
	id     int
	axes   []*Axis
	checks []int // axes that points of these can make dead
	mask   []bool
	gen    int
}

// check is the condition for an axis to be live.
type check struct {
	cond  *Value
	open  []*Axis // open leaves that it needs
	bound []int   // bound axes that it needs
}

func (m *machine) fail(v *Value, format string, args ...any) { panic(m.failure(v, format, args...)) }

func (m *machine) failure(v *Value, format string, args ...any) *evalError {
	e := &evalError{kernel: m.k.Name, stmt: m.at, msg: fmt.Sprintf(format, args...)}
	pos := m.atPos
	if v != nil && v.Pos.Line > 0 {
		pos = v.Pos
	}
	e.pos = posText(pos, m.k)
	return e
}

// posText is pos, or the kernel's own place where there is none.
func posText(pos Pos, k *Kernel) string {
	switch {
	case pos.Line > 0:
		return pos.String()
	case len(k.Pos) > 0:
		return k.Pos[0].String()
	}
	return ""
}

// clear forgets the values of the last statement.
func (m *machine) clear() {
	if len(m.memo) > 0 {
		clear(m.memo)
	}
	m.gen++
}

// liveness makes the conditions of axes that can be dead.
func (m *machine) liveness() {
	b := Extend(m.k)
	m.checks = make([]*check, len(m.k.Axes))
	for i, a := range m.k.Axes {
		if m.k.Guarded && a.Def != nil || alwaysLive(a) {
			continue
		}
		x := a.Def
		if x == nil {
			x = b.Index(a)
		}
		cond := b.Op(Lt, x, a.Extent)
		if a.Def != nil {
			cond = b.Op(And, b.Op(Ge, x, b.Int(I64, 0)), cond)
		}
		c := &check{cond: cond}
		for _, l := range m.k.LeafAxes(cond) {
			if l.IsOpen() {
				c.open = append(c.open, l)
			} else {
				c.bound = append(c.bound, m.order[l])
			}
		}
		m.checks[i] = c
	}
}

// alwaysLive: every point enumerated is inside the extent.
func alwaysLive(a *Axis) bool {
	n, constant := a.Extent.IntConst()
	if a.Def == nil {
		return constant
	}
	lo, hi, ok := Range(a.Def)
	return ok && constant && lo >= 0 && int64(hi) < n
}

// mask tells the live points of a set of axes; nil: all.
func (m *machine) mask(s *axisSet) []bool {
	if len(s.checks) == 0 || m.limit == len(m.k.Axes) && s.gen == m.gen {
		return s.mask
	}
	var mask []bool
	for _, i := range s.checks {
		c := m.checks[i]
		if i >= m.limit || !m.isBound(c.bound) {
			continue
		}
		if mask == nil {
			mask = make([]bool, points(s.axes))
			for j := range mask {
				mask[j] = true
			}
		}
		t := m.limited(c.cond, i)
		offs := m.offsets(c.cond.Axes, s.axes)
		for j := range mask {
			if !mask[j] {
				continue
			}
			o := at(offs, j)
			if t.poison(o) {
				m.fail(c.cond, "poison reaches the extent or definition of axis %s", m.k.Axes[i].Name)
			}
			mask[j] = t.i[o] != 0
		}
	}
	if m.limit == len(m.k.Axes) {
		s.mask, s.gen = mask, m.gen
	}
	return mask
}

// limited evaluates v with only the first limit axes telling what is dead.
func (m *machine) limited(v *Value, limit int) *tile {
	old := m.limit
	m.limit = limit
	t := m.eval(v)
	m.limit = old
	return t
}

func (m *machine) isBound(axes []int) bool {
	for _, i := range axes {
		if !m.bound[i] {
			return false
		}
	}
	return true
}

// turnLive reports whether the bound axes are inside their extents.
func (m *machine) turnLive() bool {
	for i, c := range m.checks {
		if c == nil || len(c.open) > 0 || !m.isBound(c.bound) {
			continue
		}
		t := m.limited(c.cond, i)
		if t.poison(0) {
			m.fail(c.cond, "poison reaches the extent or definition of axis %s", m.k.Axes[i].Name)
		}
		if t.i[0] == 0 {
			return false
		}
	}
	return true
}

func points(axes []*Axis) int {
	n := 1
	for _, a := range axes {
		n *= a.Max
	}
	return n
}

func at(offs []int, i int) int {
	if offs == nil {
		return i
	}
	return offs[i]
}

// set is the record of a list of axes.
func (m *machine) set(axes []*Axis) *axisSet {
	key := make([]byte, len(axes))
	for i, a := range axes {
		key[i] = byte(m.order[a])
	}
	if s := m.sets[string(key)]; s != nil {
		return s
	}
	s := &axisSet{id: len(m.sets), axes: axes}
	for i, c := range m.checks {
		if c != nil && len(c.open) > 0 && subset(c.open, axes) {
			s.checks = append(s.checks, i)
		}
	}
	m.sets[string(key)] = s
	return s
}

// offsets gives, for each point of the axes over (row-major in that order), the
// place in a tile of the axes in; nil where it is the same.
func (m *machine) offsets(in, over []*Axis) []int {
	if slices.Equal(in, over) {
		return nil
	}
	key := [2]int{m.set(in).id, m.set(over).id}
	if out, ok := m.tables[key]; ok {
		return out
	}
	stride := make([]int, len(over))
	for i, a := range over {
		s := 1
		for j := len(in) - 1; j >= 0; j-- {
			if in[j] == a {
				stride[i] = s
			}
			s *= in[j].Max
		}
	}
	out := make([]int, points(over))
	if len(out) == 0 {
		return out
	}
	n := 1
	for d := len(over) - 1; d >= 0; d-- {
		// out[:n] holds the inner axes: repeat it for each index of this one.
		for x := 1; x < over[d].Max; x++ {
			for i := range n {
				out[x*n+i] = out[i] + x*stride[d]
			}
		}
		n *= over[d].Max
	}
	m.tables[key] = out
	return out
}

func (m *machine) node(v *Value) *node {
	n := m.nodes[v]
	if n == nil {
		n = &node{v: v, size: points(v.Axes), set: m.set(v.Axes), args: make([][]int, len(v.Args)), kids: make([]*node, len(v.Args)), gen: -1}
		for i, a := range v.Args {
			n.kids[i] = m.node(a)
			if subset(a.Axes, v.Axes) {
				n.args[i] = m.offsets(a.Axes, v.Axes)
			}
		}
		m.nodes[v] = n
	}
	return n
}

func (m *machine) eval(v *Value) *tile { return m.node(v).eval(m) }

// eval gives a node at the indices of the bound axes: from a Let in scope, else computed.
func (n *node) eval(m *machine) *tile {
	if m.limit < len(m.k.Axes) {
		key := memoKey{n.v, m.limit}
		t := m.memo[key]
		if t == nil {
			t = m.compute(n)
			m.memo[key] = t
		}
		return t
	}
	if n.gen == m.gen {
		return n.value
	}
	for i := len(m.scopes) - 1; i >= 0; i-- {
		if t := m.scopes[i][n.v]; t != nil {
			n.value, n.gen = t, m.gen
			return t
		}
	}
	t := m.compute(n)
	n.value, n.gen = t, m.gen
	return t
}

func (m *machine) compute(n *node) *tile {
	if f := evaluators[n.v.Op]; f != nil {
		return f(m, n)
	}
	return m.elementwise(n)
}

// scalar evaluates a value without open axes that decides something.
func (m *machine) scalar(v *Value, what string) int64 {
	if len(v.Axes) > 0 {
		m.fail(v, "%s depends on open axes [%s]", what, axisNames(v.Axes))
	}
	t := m.eval(v)
	if t.poison(0) {
		m.fail(v, "poison reaches %s", what)
	}
	return t.i[0]
}
