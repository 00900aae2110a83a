package loop

import (
	"fmt"
	"math"
	"slices"
)

// Verify checks the rules of the kernel IR and returns the first violation,
// naming kernel, statement and source position.
func Verify(k *Kernel) (err error) {
	v := &verifier{k: k, order: axisOrder(k), bound: map[*Axis]bool{}, checked: map[*Value]bool{}}
	defer func() {
		if r := recover(); r != nil {
			e, ok := r.(*evalError)
			if !ok {
				panic(r)
			}
			err = e
		}
	}()
	v.buffers()
	v.axes()
	v.scopes = []map[*Value]bool{{}}
	v.phases(k.Body)
	return nil
}

type verifier struct {
	k       *Kernel
	order   map[*Axis]int
	bound   map[*Axis]bool
	par     []*Axis // of the phase at hand
	page    []Stmt  // what its points do
	inPage  bool    // roles may stand here
	sending bool    // in a Send
	filling bool    // in a Fill
	unswept bool    // the phase at hand is a page of equations: it has no loops yet, for whatever axis is bound by one
	conds   []*Value
	scopes  []map[*Value]bool // Lets and carried values, by block
	checked map[*Value]bool
	at      string
	pos     Pos
}

func (v *verifier) fail(x *Value, format string, args ...any) {
	e := &evalError{kernel: v.k.Name, stmt: v.at, msg: fmt.Sprintf(format, args...)}
	pos := v.pos
	if x != nil && x.Pos.Line > 0 {
		pos = x.Pos
	}
	e.pos = posText(pos, v.k)
	panic(e)
}

func (v *verifier) buffers() {
	names := map[string]bool{}
	local := false
	for _, b := range v.k.Bufs {
		v.at = "buffer " + b.Name
		switch {
		case names[b.Name]:
			v.fail(nil, "the name is taken")
		case b.Mode != Local && local:
			v.fail(nil, "parameters come before locals")
		case b.Strides != nil && len(b.Strides) != len(b.Dims):
			v.fail(nil, "%d dimensions, %d strides", len(b.Dims), len(b.Strides))
		case b.Still && b.Mode != In:
			v.fail(nil, "only what is read stands still")
		case b.Swizzle && (b.Mode != Local || b.Strides != nil || len(b.Dims) == 0 || b.Dims[len(b.Dims)-1]*b.Elem.Size() != SwizzleBytes):
			v.fail(nil, "a swizzled buffer is local and has rows of %d bytes", SwizzleBytes)
		}
		if l := b.Length; l != nil && (b.Mode > InOut || len(b.Dims) == 0 || b.Strides != nil || !names[l.Name] || l.Mode != In || l.Elem != I64 || len(l.Dims) > 0) {
			v.fail(nil, "the length of the first dimension is an i64[] parameter before it, and only a parameter without strides has one")
		}
		for _, d := range b.Dims {
			if d < 0 {
				v.fail(nil, "dimension %d", d)
			}
		}
		names[b.Name] = true
		local = b.Mode == Local
	}
}

func (v *verifier) axes() {
	names := map[string]bool{}
	for i, a := range v.k.Axes {
		v.at = "axis " + a.Name
		if names[a.Name] {
			v.fail(nil, "the name is taken")
		}
		names[a.Name] = true
		if a.Extent == nil || a.Extent.Elem != I64 || a.Def != nil && a.Def.Elem != I64 {
			v.fail(nil, "extent and definition are i64 values")
		}
		if n, ok := a.Extent.IntConst(); a.Max < 0 || ok && n != int64(a.Max) {
			v.fail(nil, "extent %d, but at most %d", n, a.Max)
		}
		if n := FragmentExtent(a.Bind); n > 0 && a.Max != n {
			v.fail(nil, "a %s has %d indices, not %d", a.Bind, n, a.Max)
		}
		if a.Def != nil && a.Bind != Open {
			v.fail(nil, "a defined axis cannot be bound by %s: its leaves are", a.Bind)
		}
		for _, x := range []*Value{a.Extent, a.Def} {
			Visit(x, func(x *Value) {
				v.value(x)
				if x.Axis != nil && v.order[x.Axis] >= i {
					v.fail(x, "needs axis %s, which is declared after it", x.Axis.Name)
				}
				if x.Op == CarryIn || x.Op == CarryOut {
					v.fail(x, "depends on a carried value")
				}
			})
		}
	}
}

func (v *verifier) phases(body []Stmt) {
	for _, s := range Segments(body) {
		if s.Loop == nil {
			v.par, v.page, v.unswept = v.k.ParAxes(s.Body), s.Body, !v.k.Guarded && equations(s.Body)
			v.binding(v.par, func() { v.point(s.Body) })
			continue
		}
		v.loopHead(s.Loop)
		if len(s.Loop.Carry) > 0 {
			v.fail(nil, "a loop around phases carries no values")
		}
		v.binding([]*Axis{s.Loop.Axis}, func() { v.phases(s.Loop.Body) })
	}
}

// equations reports whether body is a page of equations, which hold at every point of the axes that are bound.
func equations(body []Stmt) bool {
	return !slices.ContainsFunc(body, func(s Stmt) bool {
		switch s.(type) {
		case *Let, *Store:
			return false
		}
		return true
	})
}

// toSweep reports whether a is an axis of a page of equations that will be a loop.
func (v *verifier) toSweep(a *Axis) bool { return v.unswept && (a.Bind == Loop || a.Bind == Unroll) }

// pending is the axes that will be loops along which some of the values vary.
func (v *verifier) pending(xs ...*Value) []*Axis {
	if !v.unswept {
		return nil
	}
	seen := map[*Value][]*Axis{}
	var along func(x *Value) []*Axis
	along = func(x *Value) []*Axis {
		if out, ok := seen[x]; ok || x == nil {
			return out
		}
		var out []*Axis
		if x.Op == AxisIndex && x.Axis.Def == nil && v.toSweep(x.Axis) {
			out = []*Axis{x.Axis}
		} else if x.Op == AxisIndex {
			out = along(x.Axis.Def)
		}
		for _, a := range append([]*Value{x.Guard}, x.Args...) {
			out = union(v.order, out, along(a))
		}
		for _, a := range x.Over {
			out = without(out, v.k.LeafAxes(&Value{Op: AxisIndex, Axis: a}))
		}
		seen[x] = out
		return out
	}
	var out []*Axis
	for _, x := range xs {
		out = union(v.order, out, along(x))
	}
	return out
}

func (v *verifier) binding(axes []*Axis, f func()) {
	for _, a := range axes {
		v.bound[a] = true
	}
	f()
	for _, a := range axes {
		delete(v.bound, a)
	}
}

func (v *verifier) block(body []Stmt) {
	v.scopes = append(v.scopes, map[*Value]bool{})
	for _, s := range body {
		v.stmt(s)
	}
	v.scopes = v.scopes[:len(v.scopes)-1]
}

func (v *verifier) define(x *Value) { v.scopes[len(v.scopes)-1][x] = true }

func (v *verifier) stmt(s Stmt) {
	switch s := s.(type) {
	case *Let:
		v.at, v.pos = "value "+s.Val.Name, s.Val.Pos
		v.use(s.Val)
		v.define(s.Val)
	case *Store:
		v.at, v.pos = "store to "+s.Buf.Name, s.Val.Pos
		v.store(s)
	case *If:
		v.at, v.pos = "if", s.Cond.Pos
		v.scalar(s.Cond, Bool, "the condition")
		v.conds = append(v.conds, s.Cond)
		v.block(s.Body)
		v.conds = v.conds[:len(v.conds)-1]
	case *RingStep:
		v.at = fmt.Sprintf("%s %s", s.Kind, s.Ring.Name)
		v.ringStep(s)
	case *Send:
		v.at = "send"
		v.send(s)
	case *Sent:
		v.at = "sent"
		if s.Young < 0 {
			v.fail(nil, "all but %d groups", s.Young)
		}
	case *Role:
		v.at = "role " + s.Name
		v.role(s)
	case *For:
		v.loop(s)
	case *Wait:
		v.at = "wait"
		if s.Young < 0 {
			v.fail(nil, "all but %d groups", s.Young)
		}
	case *Settle:
		v.at = "settle"
		v.use(s.Val)
		if s.Young < 0 {
			v.fail(nil, "all but %d products", s.Young)
		}
		if !(s.Val.Op == Dot && s.Val.Instr == WGMMA || s.Val.Op == CarryOut) {
			v.fail(s.Val, "%s is no product of a group of warps", s.Val.Name)
		}
	case *Phase:
		v.at = "phase"
		v.fail(nil, "a phase ends at the top or in a loop around phases, not inside a branch")
	}
}

func (v *verifier) scalar(x *Value, e Elem, what string) {
	v.use(x)
	if x.Elem != e {
		v.fail(x, "%s is %s, not %s", what, x.Elem, e)
	}
	if len(x.Axes) > 0 {
		v.fail(x, "%s depends on open axes [%s]", what, axisNames(x.Axes))
	}
}

func (v *verifier) loopHead(f *For) {
	v.at, v.pos = "for "+f.Axis.Name, Pos{}
	switch {
	case v.k.AxisNamed(f.Axis.Name) != f.Axis:
		v.fail(nil, "no axis of the kernel")
	case f.Axis.Bind != Loop && f.Axis.Bind != Unroll:
		v.fail(nil, "the axis is not bound by loop or unroll")
	case v.bound[f.Axis]:
		v.fail(nil, "the axis is already bound by a loop around it")
	}
	for _, x := range []*Value{f.Lo, f.Hi} {
		if x != nil {
			v.scalar(x, I64, "the bound of the loop")
		}
	}
}

func (v *verifier) loop(f *For) {
	v.loopHead(f)
	for _, c := range f.Carry {
		v.use(c.Init)
	}
	v.scopes = append(v.scopes, map[*Value]bool{})
	for _, c := range f.Carry {
		v.define(c.In)
	}
	v.binding([]*Axis{f.Axis}, func() {
		for _, s := range f.Body {
			v.stmt(s)
		}
		v.at = "for " + f.Axis.Name
		for _, c := range f.Carry {
			v.carry(c)
		}
	})
	v.scopes = v.scopes[:len(v.scopes)-1]
	for _, c := range f.Carry {
		v.define(c.Out)
	}
}

func (v *verifier) carry(c *Carry) {
	if c.Next == nil || c.Out == nil {
		v.fail(nil, "carry %s has no next value", c.Name)
	}
	v.use(c.Next)
	if c.Init.Elem != c.In.Elem || c.Next.Elem != c.In.Elem || c.Out.Elem != c.In.Elem {
		v.fail(c.Next, "carry %s is %s, starts as %s and goes on as %s", c.Name, c.In.Elem, c.Init.Elem, c.Next.Elem)
	}
	u := union(v.order, c.Init.Axes, c.Next.Axes)
	if !subset(u, c.In.Axes) || len(c.Out.Axes) != len(c.In.Axes) {
		v.fail(c.Next, "carry %s has axes [%s], its values [%s]", c.Name, axisNames(c.In.Axes), axisNames(u))
	}
}

func (v *verifier) store(s *Store) {
	if _, err := checkAccess(s.Buf, s.Index, s.Guard); err != nil {
		v.fail(s.Val, "%v", err)
	}
	switch {
	case v.k.BufNamed(s.Buf.Name) != s.Buf:
		v.fail(s.Val, "no buffer of the kernel")
	case s.Buf.Mode == In:
		v.fail(s.Val, "%s is an input", s.Buf.Name)
	case s.Async && !v.sending && (s.Buf.Mode != Local || s.Val.Op != Load):
		v.fail(s.Val, "an asynchronous store copies memory to a local buffer")
	case s.Multicast && !v.filling:
		v.fail(s.Val, "nothing but a fill stores for other points")
	case s.Buf.Elem != s.Val.Elem:
		v.fail(s.Val, "%s holds %s, the value is %s", s.Buf.Name, s.Buf.Elem, s.Val.Elem)
	}
	for _, x := range s.Index {
		v.use(x)
	}
	v.use(s.Val)
	if s.Guard != nil {
		v.use(s.Guard)
	}
	index := v.k.FreeAxes(s.Index...)
	if extra := without(v.k.FreeAxes(s.Val, s.Guard), index); len(extra) > 0 {
		v.fail(s.Val, "the value depends on [%s], which the index of %s lacks", axisNames(extra), s.Buf.Name)
	}
	if extra := without(v.pending(s.Val, s.Guard), v.pending(s.Index...)); len(extra) > 0 {
		v.fail(s.Val, "the value depends on [%s], which the index of %s lacks", axisNames(extra), s.Buf.Name)
	}
	if s.Buf.Mode != Local {
		v.owned(s)
	}
	if s.Guard == nil && Injective(s.Index, index) == Refuted {
		v.fail(s.Val, "several points of [%s] store the same element of %s", axisNames(index), s.Buf.Name)
	}
}

// owned checks that no two par points store the same element: the index, or a
// condition around the store, has each par axis of the phase.
func (v *verifier) owned(s *Store) {
	deps := append([]*Value{s.Guard}, s.Index...)
	has := v.k.LeafAxes(append(deps, v.conds...)...)
	for _, a := range v.par {
		if !Has(has, a) && a.Max > 1 {
			v.fail(s.Val, "every point of par axis %s stores the same elements of %s", a.Name, s.Buf.Name)
		}
	}
}

// use checks a value where it is evaluated: its types, and that its bound axes
// and carried values are in scope.
func (v *verifier) use(x *Value) { v.reach(x, map[*Value]bool{}) }

func (v *verifier) reach(x *Value, seen map[*Value]bool) {
	if seen[x] {
		return
	}
	seen[x] = true
	for _, s := range v.scopes {
		if s[x] {
			return
		}
	}
	for _, a := range x.Args {
		v.reach(a, seen)
	}
	if x.Guard != nil {
		v.reach(x.Guard, seen)
	}
	if x.Op == CarryIn || x.Op == CarryOut {
		v.fail(x, "carried value %s is used outside its scope", x.Name)
	}
	if x.Op == AxisIndex {
		if x.Axis.Def != nil {
			v.reach(x.Axis.Def, seen)
		} else if !x.Axis.IsOpen() && !v.bound[x.Axis] && !v.toSweep(x.Axis) {
			v.fail(x, "axis %s is used outside its loop", x.Axis.Name)
		}
	}
	v.value(x)
}

// value checks one node by the rules that hold wherever it is used.
func (v *verifier) value(x *Value) {
	if v.checked[x] {
		return
	}
	v.checked[x] = true
	v.types(x)
	if x.Axis != nil && v.k.AxisNamed(x.Axis.Name) != x.Axis {
		v.fail(x, "axis %s is not of the kernel", x.Axis.Name)
	}
	for _, a := range x.Over {
		v.over(x, a)
	}
	if x.Op == At && !Has(x.Args[1].Axes, x.Axis) {
		v.fail(x, "at[%s]: the value does not depend on %s", x.Axis.Name, x.Axis.Name)
	}
	if want := axesOf(v.order, x); !subset(want, x.Axes) || !subset(x.Axes, want) {
		v.fail(x, "%s has axes [%s], not [%s]", x.Op, axisNames(want), axisNames(x.Axes))
	}
	v.threads(x)
	if x.IsTensor() {
		v.mma(x)
	}
}

// threads checks that the lanes of x are those of one axis, or those of fragments. An operand may have columns that another product sums up.
func (v *verifier) threads(x *Value) {
	of := map[Bind]int{}
	for _, a := range x.Axes {
		if a.Bind == Lane || a.IsFragment() {
			of[a.Bind]++
		}
	}
	for bind, n := range of {
		if n > 1 && bind != FragSum || bind == Lane && len(of) > 1 {
			v.fail(x, "a value over several axes of lanes")
		}
	}
}

// mma checks the axes of a product on tensor cores.
func (v *verifier) mma(x *Value) {
	a, b := x.Args[0], x.Args[1]
	if a.Elem != b.Elem || !a.Elem.IsFloat() || a.Elem.Size() > 2 || a.Elem.Size() == 1 && x.Instr == MMA || x.Elem != F32 {
		v.fail(x, "tensor cores multiply bf16 or f16, groups of warps floats of 8 bits too, and add f32, not %s, %s and %s", a.Elem, b.Elem, x.Elem)
	}
	has := func(axes []*Axis, bind Bind) bool {
		return slices.ContainsFunc(axes, func(a *Axis) bool { return a.Bind == bind })
	}
	over := x.Over[len(x.Over)-1].Leaves()
	cols := without(b.Axes, over)                                                    // those that another product sums up are wider
	rows := has(a.Axes, FragRow) || len(x.Args) == 3 && has(x.Args[2].Axes, FragRow) // an operand may be the same in all of them
	if !rows || has(a.Axes, FragCol) || !has(cols, FragCol) && !has(cols, FragSum) || has(b.Axes, FragRow) {
		v.fail(x, "the first operand of a product on tensor cores has fragment rows, the second fragment columns")
	}
	if len(over) == 0 || over[len(over)-1].Bind != FragSum {
		v.fail(x, "the innermost axis of a product on tensor cores is a fragsum")
	}
	for i, y := range x.Args[:2] {
		if x.Instr == WGMMA && !y.IsMatrix() && (i > 0 || y.Op == Load) && v.k.Guarded {
			v.fail(x, "the operands of %s lie in swizzled memory, or the first is computed", WGMMA)
		}
	}
}

func (v *verifier) over(x *Value, a *Axis) {
	if v.k.AxisNamed(a.Name) != a {
		v.fail(x, "axis %s is not of the kernel", a.Name)
	}
	leaves := v.k.LeafAxes(&Value{Op: AxisIndex, Elem: I64, Axis: a})
	for _, l := range leaves {
		if !l.IsOpen() && !v.toSweep(l) {
			v.fail(x, "%s over %s: %s is bound by %s; a reduction is over open axes", x.Op, a.Name, l.Name, l.Bind)
		}
	}
	if x.Op == Dot && len(without(leaves, union(v.order, x.Args[0].Axes, x.Args[1].Axes, v.pending(x.Args[:2]...)))) > 0 {
		v.fail(x, "dot over %s, which neither operand has", a.Name)
	}
}

// types checks a node against its row of the table.
func (v *verifier) types(x *Value) {
	r := x.Op.Info()
	switch {
	case x.Op == Invalid || x.Op >= NumOps:
		v.fail(x, "invalid op %d", x.Op)
	case x.Op == Load:
		if _, err := checkAccess(x.Buf, x.Args, x.Guard); err != nil {
			v.fail(x, "%v", err)
		}
		if x.Elem != x.Buf.Elem || v.k.BufNamed(x.Buf.Name) != x.Buf {
			v.fail(x, "%s holds %s and is a buffer of the kernel, the load is %s", x.Buf.Name, x.Buf.Elem, x.Elem)
		}
	case x.Op == Const:
		if x.Elem.IsInt() && wrap(x.Elem, int64(x.Bits)) != int64(x.Bits) || x.Elem == Bool && x.Bits > 1 {
			v.fail(x, "constant %d does not fit %s", int64(x.Bits), x.Elem)
		}
		if f, ok := x.FloatConst(); ok && math.IsNaN(f) && x.Bits != math.Float64bits(math.NaN()) {
			v.fail(x, "a NaN constant other than the canonical one")
		}
	case x.Op == Bitcast && x.Elem.Size() != x.Args[0].Elem.Size():
		v.fail(x, "bitcast of %s to %s: sizes differ", x.Args[0].Elem, x.Elem)
	case r.Class == ClassReduce && len(x.Over) == 0 || x.Op == Dot && len(x.Over) == 0:
		v.fail(x, "%s over no axis", x.Op)
	case r.Rule != nil:
		e, err := checkOp(x.Op, x.Args)
		if err != nil {
			v.fail(x, "%v", err)
		}
		if e != x.Elem {
			v.fail(x, "%s gives %s, not %s", x.Op, e, x.Elem)
		}
	}
}
