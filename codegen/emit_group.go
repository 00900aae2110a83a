package codegen

import (
	"math"
	"slices"

	"github.com/llir/llvm/ir/types"
	"github.com/llir/llvm/ir/value"

	"mdlc/codegen/llir"
	"mdlc/ir/index"
	"mdlc/ir/loop"
)

// rollAbove is how many operations a run of stores may have before its
// registers become turns of a loop instead of copies of the text: the machine
// overlaps turns, and compile time is spent once.
const rollAbove = 48

// group is a run of Lets and Stores that can be made one register at a time:
// nothing in it depends on another register of the axes.
type group struct {
	list    []loop.Stmt
	axes    []*loop.Axis  // the Reg axes of every store
	outside []*loop.Value // what does not depend on axes and must not be made again for each register
	ready   []*loop.Value // registers over axes that exist before the group: products, carries
	cost    int           // operations of one register
	squares bool          // some loads are of as many registers as lanes at once, which are transposed
	draws   bool          // random bits, of which neighbours share a counter
	stores  int
}

// tryGroup emits a group at the start of list[at:] and returns its length, or 0.
func (e *emitter) tryGroup(list []loop.Stmt, at int) int {
	g := e.findGroup(list, at)
	if g == nil {
		return 0
	}
	roll := g.cost*points(g.axes) > rollAbove && !g.squares && !e.t.GPU // what a loop indexes a GPU has in memory
	if !roll && g.stores == 1 {
		return 0
	}
	for _, v := range g.outside {
		e.each(v.Axes, func() { e.value(v) })
	}
	body := func() {
		for _, s := range g.list {
			e.turn++
			switch s := s.(type) {
			case *loop.Let:
				e.let(s.Val)
			case *loop.Store:
				e.store(s)
			}
		}
	}
	turns, side := e.sides(g)
	switch {
	case !roll:
		e.eachFixed(g.axes, body)
	case len(turns) == 0:
		body()
	default:
		kept := e.keep(g.ready)
		e.roll(turns, func() {
			e.each(side, func() { e.unkeep(g.ready, kept) })
			body()
		})
	}
	return len(g.list)
}

// keep puts registers into memory on the stack, where a loop can index them.
func (e *emitter) keep(ready []*loop.Value) []value.Value {
	out := make([]value.Value, len(ready))
	for i, v := range ready {
		var t types.Type
		n := 0
		e.each(v.Axes, func() {
			x := e.as(v, v)
			if t == nil {
				t = x.Type()
				out[i] = e.b.Alloca(t, points(v.Axes))
			}
			e.b.Store(x, e.b.GEP(t, out[i], llir.Int(types.I64, int64(n))), 1)
			n++
		})
	}
	return out
}

// unkeep makes what keep stored the registers at the present turn of the loop.
func (e *emitter) unkeep(ready []*loop.Value, kept []value.Value) {
	for i, v := range ready {
		at := index.C(0)
		for _, a := range v.Axes {
			if a.Bind == loop.Reg {
				turn := index.V(a.Name)
				if e.bind[a].v == nil {
					turn = index.C(e.bind[a].n)
				}
				at = index.Sum(index.Prod(at, index.C(a.Max)), turn)
			}
		}
		t := llir.Vec(e.lanes(v), regType(v.Elem))
		e.scope.memo[e.key(v)] = e.b.Load(t, e.b.GEP(t, kept[i], e.scalarExpr(at)), 1)
	}
}

// points is the number of registers over axes.
func points(axes []*loop.Axis) int {
	n := 1
	for _, a := range axes {
		if hasRegisters(a) {
			n *= len(coordinates(a))
		}
	}
	return n
}

// roll runs body once per point of axes in a machine loop.
func (e *emitter) roll(axes []*loop.Axis, body func()) {
	if len(axes) == 0 {
		body()
		return
	}
	a := axes[0]
	s := span{lo: llir.Int(types.I64, 0), hi: llir.Int(types.I64, int64(a.Max)), some: true, step: 1}
	e.loop(s, nil, func(i binding, _ []value.Value) []value.Value {
		e.fix(a, i)
		e.roll(axes[1:], body)
		e.unfix(a)
		return nil
	})
}

// eachFixed runs body once per point of axes, the text repeated.
func (e *emitter) eachFixed(axes []*loop.Axis, body func()) {
	if len(axes) == 0 {
		body()
		return
	}
	for _, b := range coordinates(axes[0]) {
		e.fix(axes[0], b)
		e.eachFixed(axes[1:], body)
		e.unfix(axes[0])
	}
}

// fix binds a Reg axis, so that each no longer enumerates it.
func (e *emitter) fix(a *loop.Axis, b binding) {
	e.bind[a] = b
	e.fixed[a] = true
}

func (e *emitter) unfix(a *loop.Axis) {
	delete(e.bind, a)
	delete(e.fixed, a)
}

// findGroup finds the longest group that starts at list[at].
func (e *emitter) findGroup(list []loop.Stmt, at int) *group {
	end := at
	for end < len(list) {
		switch list[end].(type) {
		case *loop.Let, *loop.Store:
			end++
			continue
		}
		break
	}
	for ; end > at; end-- {
		if _, ok := list[end-1].(*loop.Store); !ok {
			continue
		}
		if g := e.groupOf(list[at:end], end); g != nil {
			return g
		}
	}
	return nil
}

// groupOf checks that list, which ends before statement end of its block, is a group.
func (e *emitter) groupOf(list []loop.Stmt, end int) *group {
	for _, s := range list {
		if l, ok := s.(*loop.Let); ok && (e.uses.nested[l.Val] || e.uses.last[l.Val] >= end) {
			return nil
		}
	}
	g := &group{list: list}
	own := make(map[*loop.Value]bool, len(list))
	written := map[*loop.Buffer]*loop.Store{}
	for _, s := range list {
		switch s := s.(type) {
		case *loop.Let:
			if own[s.Val] {
				return nil
			}
			own[s.Val] = true
		case *loop.Store:
			if s.Async {
				return nil
			}
			axes := e.storeAxes(s)
			if g.stores > 0 && !slices.Equal(axes, g.axes) || written[s.Buf] != nil {
				return nil
			}
			g.axes = axes
			g.stores++
			written[s.Buf] = s
		}
	}
	if len(g.axes) == 0 {
		return nil
	}
	c := &groupCheck{e: e, g: g, own: own, written: written, seen: map[*loop.Value]bool{}, below: map[*loop.Value]bool{}}
	for _, s := range list {
		if !c.statement(s) {
			return nil
		}
	}
	return g
}

// storeAxes are the Reg axes over which a store writes.
func (e *emitter) storeAxes(s *loop.Store) []*loop.Axis {
	var out []*loop.Axis
	for _, a := range e.union(append([]*loop.Value{s.Val, s.Guard}, s.Index...)...) {
		if hasRegisters(a) && !e.fixed[a] {
			out = append(out, a)
		}
	}
	return out
}

type groupCheck struct {
	e       *emitter
	g       *group
	own     map[*loop.Value]bool // Lets of the group
	written map[*loop.Buffer]*loop.Store
	seen    map[*loop.Value]bool
	below   map[*loop.Value]bool // of values that exist before the group
}

func (c *groupCheck) statement(s loop.Stmt) bool {
	ok := true
	stmtValues(s, func(v *loop.Value) { ok = ok && c.value(v) })
	return ok
}

// value checks what v depends on: no product made in the group, no memory that
// the group writes elsewhere.
func (c *groupCheck) value(v *loop.Value) bool {
	if c.seen[v] {
		return true
	}
	c.seen[v] = true
	varies := intersects(v.Axes, c.g.axes)
	class := v.Op.Info().Class
	switch {
	case (c.e.uses.let[v] || class == loop.ClassDot) && !c.own[v] || v.Op == loop.CarryIn || v.Op == loop.CarryOut:
		return c.before(v, varies)
	case class == loop.ClassDot && (varies || c.own[v]), v.Op == loop.At && loop.Has(c.g.axes, v.Axis):
		return false
	case class == loop.ClassReduce && varies && intersects(v.Over, c.g.axes):
		return false
	case v.Op == loop.Load && c.written[v.Buf] != nil && !slices.Equal(v.Args, c.written[v.Buf].Index):
		return false
	}
	if !varies && (class == loop.ClassDot || class == loop.ClassReduce || c.own[v]) {
		if c.e.uses.readsMemory(v) {
			return false
		}
		c.g.outside = append(c.g.outside, v)
		return true
	}
	c.g.squares = c.g.squares || c.e.transposes(v)
	c.g.draws = c.g.draws || v.Op == loop.Philox && v.Args[6].Op != loop.Const
	if varies && v.Elem != loop.I64 { // places are parts of addresses
		c.g.cost += int(math.Ceil(v.Op.Info().Cost))
	}
	ok := true
	operands(v, func(a *loop.Value) { ok = ok && c.value(a) })
	return ok
}

// before notes a value that exists before the group.
func (c *groupCheck) before(v *loop.Value, varies bool) bool {
	switch {
	case c.e.uses.readsMemory(v) && !c.e.uses.let[v] && v.Op != loop.CarryIn && v.Op != loop.CarryOut:
		return false
	case !varies:
		c.g.outside = append(c.g.outside, v)
		return true
	}
	for _, a := range v.Axes {
		if hasRegisters(a) && !loop.Has(c.g.axes, a) {
			return false
		}
	}
	c.g.ready = append(c.g.ready, v)
	return v.Elem != loop.Bool && c.reductions(v)
}

// reductions notes what reduces below v, a value that the group may be the first to pull: over
// the group's own axes it must be made before they are fixed.
func (c *groupCheck) reductions(v *loop.Value) bool {
	if c.below[v] {
		return true
	}
	c.below[v] = true
	if v.Op.Info().Class == loop.ClassReduce && intersects(v.Over, c.g.axes) {
		c.g.outside = append(c.g.outside, v)
		return !intersects(v.Axes, c.g.axes)
	}
	ok := true
	operands(v, func(a *loop.Value) { ok = ok && c.reductions(a) })
	return ok
}

func intersects(axes, others []*loop.Axis) bool {
	return slices.ContainsFunc(axes, func(a *loop.Axis) bool { return loop.Has(others, a) })
}

// all reports whether axes are among others.
func all(axes, others []*loop.Axis) bool {
	return !slices.ContainsFunc(axes, func(a *loop.Axis) bool { return !loop.Has(others, a) })
}
