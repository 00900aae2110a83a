package codegen

import (
	"fmt"
	"math"

	"github.com/llir/llvm/ir/enum"
	"github.com/llir/llvm/ir/types"
	"github.com/llir/llvm/ir/value"

	"mdlc/codegen/llir"
	"mdlc/ir/index"
	"mdlc/ir/loop"
)

var zeroExpr = index.C(0)

const (
	unboundedLo = -1 << 62
	unboundedHi = 1<<62 - 1
)

// indexOf writes an i64 value as a canonical index expression at the present
// coordinate. Its variables are axes, and `%…` for values that are not index
// arithmetic (lengths, loaded indices).
func (e *emitter) indexOf(v *loop.Value) *index.Expr {
	return e.rawIndex(v).SimplifyIn(e.boundOf)
}

func (e *emitter) rawIndex(v *loop.Value) *index.Expr {
	if v.Elem == loop.I64 {
		switch v.Op {
		case loop.Const:
			return index.C(int(int64(v.Bits)))
		case loop.AxisIndex:
			return e.axisIndex(v.Axis)
		}
		if f := indexOps[v.Op]; f != nil {
			args := make([]*index.Expr, len(v.Args))
			for i, a := range v.Args {
				args[i] = e.rawIndex(a)
			}
			return f(args)
		}
	}
	v = e.sameLength(v)
	id, ok := e.ids[v]
	if !ok {
		id = len(e.ids)
		e.ids[v] = id
	}
	name := fmt.Sprintf("%%%d.%d", id, e.flat(v))
	if !e.uses.let[v] && e.uses.readsMemory(v) {
		name += fmt.Sprintf(".%d", e.turn)
	}
	e.opaque[name] = v
	return index.V(name)
}

var indexOps = map[loop.Op]func(a []*index.Expr) *index.Expr{
	loop.Add: func(a []*index.Expr) *index.Expr { return index.Sum(a...) },
	loop.Sub: func(a []*index.Expr) *index.Expr { return index.Sub(a[0], a[1]) },
	loop.Mul: func(a []*index.Expr) *index.Expr { return index.Prod(a[0], a[1]) },
	loop.Div: func(a []*index.Expr) *index.Expr { return index.Quo(a[0], a[1]) },
	loop.Mod: func(a []*index.Expr) *index.Expr { return index.Rem(a[0], a[1]) },
	loop.Neg: func(a []*index.Expr) *index.Expr { return index.Prod(a[0], index.C(-1)) },
	loop.Min: func(a []*index.Expr) *index.Expr { return index.Least(a[0], a[1]) },
	loop.Max: func(a []*index.Expr) *index.Expr { return index.Most(a[0], a[1]) },
}

func (e *emitter) axisIndex(a *loop.Axis) *index.Expr {
	if a.Def != nil {
		return e.rawIndex(a.Def)
	}
	if a.Bind == loop.Lane {
		return index.V(a.Name)
	}
	b, ok := e.bind[a]
	switch {
	case !ok && a.Max == 1:
		return zeroExpr
	case !ok:
		panic(fmt.Sprintf("emit: kernel %s: axis %s is not bound where it is used", e.k.Name, a.Name))
	case b.thread != nil:
		return index.Sum(b.thread, index.C(b.off))
	case b.v == nil:
		return index.C(b.off)
	case b.off != 0:
		return index.Sum(index.V(a.Name), index.C(b.off))
	}
	return index.V(a.Name)
}

// axisOf is the leaf axis with a name, or nil.
func (e *emitter) axisOf(name string) *loop.Axis {
	for _, a := range e.k.Axes {
		if a.Name == name {
			return a
		}
	}
	return nil
}

// boundOf bounds a variable of an index expression.
func (e *emitter) boundOf(name string) (lo, hi int) {
	if v, ok := e.threads[name]; ok {
		return 0, v.most
	}
	if v := e.opaque[name]; v != nil { // sums of a few must not overflow
		lo, hi = e.rangeOf(v)
		return max(lo, -1<<40), min(hi, 1<<40)
	}
	return 0, e.axisOf(name).Max - 1
}

// rangeOf bounds an integer value over all coordinates.
func (e *emitter) rangeOf(v *loop.Value) (lo, hi int) {
	if r, ok := e.bounds[v]; ok {
		return r[0], r[1]
	}
	lo, hi = e.computeRange(v)
	least, most := elemRange(v.Elem)
	if lo < least || hi > most {
		lo, hi = least, most
	}
	e.bounds[v] = [2]int{lo, hi}
	return lo, hi
}

func elemRange(elem loop.Elem) (lo, hi int) {
	switch elem {
	case loop.Bool:
		return 0, 1
	case loop.I8:
		return math.MinInt8, math.MaxInt8
	case loop.U8:
		return 0, math.MaxUint8
	case loop.I32:
		return math.MinInt32, math.MaxInt32
	case loop.U32:
		return 0, math.MaxUint32
	}
	return unboundedLo, unboundedHi
}

func (e *emitter) computeRange(v *loop.Value) (lo, hi int) {
	least, most := elemRange(v.Elem)
	switch {
	case v.Op == loop.Const && !v.Elem.IsFloat():
		return int(int64(v.Bits)), int(int64(v.Bits))
	case v.Op == loop.AxisIndex && v.Axis.Def != nil:
		return e.rangeOf(v.Axis.Def)
	case v.Op == loop.AxisIndex:
		return 0, v.Axis.Max - 1
	case v.Op == loop.Cast && v.Args[0].Elem.IsFloat():
		return least, most
	case v.Op == loop.Cast:
		return e.rangeOf(v.Args[0])
	case v.Op == loop.Where && !v.Elem.IsFloat():
		a, b := e.rangePair(v.Args[1], v.Args[2])
		return min(a[0], b[0]), max(a[1], b[1])
	case v.Op == loop.Load && v.Elem == loop.I64:
		return least, most
	}
	if f := indexOps[v.Op]; f != nil && v.Elem.IsInt() {
		args := make([]*index.Expr, len(v.Args))
		for i := range args {
			args[i] = index.V([]string{"a", "b"}[i])
		}
		bound := func(name string) (int, int) {
			lo, hi := e.rangeOf(v.Args[name[0]-'a'])
			return max(lo, -1<<40), min(hi, 1<<40)
		}
		for i := range v.Args {
			if lo, hi := e.rangeOf(v.Args[i]); lo < -1<<40 || hi > 1<<40 {
				return least, most
			}
		}
		return f(args).Range(bound)
	}
	return least, most
}

func (e *emitter) rangePair(a, b *loop.Value) (x, y [2]int) {
	x[0], x[1] = e.rangeOf(a)
	y[0], y[1] = e.rangeOf(b)
	return x, y
}

func (e *emitter) fits32(v *loop.Value) bool {
	lo, hi := e.rangeOf(v)
	return lo >= math.MinInt32 && hi <= math.MaxInt32
}

// index emits an i64 value: scalars as i64, vectors as i32 where the range allows.
func (e *emitter) index(v *loop.Value) value.Value {
	x := e.indexOf(v)
	if n := e.lanes(v); n > 0 {
		return e.vectorExpr(x, n, e.width(x))
	}
	return e.scalarExpr(x)
}

// scalarIndex is an i64 value that has no lane.
func (e *emitter) scalarIndex(v *loop.Value) value.Value { return e.scalarExpr(e.indexOf(v)) }

// isLane reports whether a variable differs between lanes.
func (e *emitter) isLane(name string) bool {
	if e.t.GPU {
		return false
	}
	if v := e.opaque[name]; v != nil {
		return laneAxis(v) != nil
	}
	return e.axisOf(name).Bind == loop.Lane
}

func (e *emitter) hasLane(x *index.Expr) bool {
	yes := false
	x.Vars(func(name string) { yes = yes || e.isLane(name) })
	return yes
}

// splitLane writes x as a sum of a part that all lanes share and the rest.
func (e *emitter) splitLane(x *index.Expr) (shared, lane *index.Expr) {
	terms := []*index.Expr{x}
	if x.Op == index.Add {
		terms = x.Args
	}
	shared, lane = zeroExpr, zeroExpr
	var s, l []*index.Expr
	for _, t := range terms {
		if e.hasLane(t) {
			l = append(l, t)
		} else {
			s = append(s, t)
		}
	}
	return index.Sum(append(s, zeroExpr)...), index.Sum(append(l, zeroExpr)...)
}

// width is 32 where x, and what it divides or compares, fits i32 in every lane.
func (e *emitter) width(x *index.Expr) types.Type {
	fits := func(x *index.Expr) bool {
		lo, hi := x.Range(e.boundOf)
		return lo >= math.MinInt32 && hi <= math.MaxInt32
	}
	ok := fits(x)
	var walk func(x *index.Expr)
	walk = func(x *index.Expr) {
		if !ok || !e.hasLane(x) {
			return
		}
		if x.Op != index.Add && x.Op != index.Mul {
			ok = ok && fits(x)
			for _, a := range x.Args {
				ok = ok && fits(a)
			}
		}
		for _, a := range x.Args {
			walk(a)
		}
	}
	walk(x)
	if ok {
		return types.I32
	}
	return types.I64
}

// scalarExpr emits an index expression without lanes as i64.
func (e *emitter) scalarExpr(x *index.Expr) value.Value {
	switch x.Op {
	case index.Const:
		return llir.Int(types.I64, int64(x.K))
	case index.Var:
		if v, ok := e.threads[x.Name]; ok {
			return v.of
		}
		if v := e.opaque[x.Name]; v != nil {
			return e.value(v)
		}
		return e.bind[e.axisOf(x.Name)].v
	}
	if r := e.scope.findText(x.String()); r != nil {
		return r
	}
	r := e.combine(x, 0, e.scalarExpr)
	e.scope.text[x.String()] = r
	return r
}

// vectorExpr emits an index expression over n lanes of type t.
func (e *emitter) vectorExpr(x *index.Expr, n int, t types.Type) value.Value {
	if !e.hasLane(x) {
		return e.splat(n, e.widen(e.scalarExpr(x), t))
	}
	if x.Op == index.Var {
		if v := e.opaque[x.Name]; v != nil {
			return e.widen(e.value(v), t)
		}
		return llir.Ints(n, t, func(i int) int64 { return int64(i) })
	}
	if x.Op == index.Add {
		shared, lane := e.splitLane(x)
		if !shared.IsConst(0) {
			a, b := e.vectorExpr(shared, n, t), e.vectorExpr(lane, n, t)
			return e.b.Block.NewAdd(a, b)
		}
	}
	return e.combine(x, n, func(a *index.Expr) value.Value { return e.vectorExpr(a, n, t) })
}

// combine emits one operation of an index expression; f emits its arguments.
func (e *emitter) combine(x *index.Expr, n int, f func(*index.Expr) value.Value) value.Value {
	r := f(x.Args[0])
	for _, a := range x.Args[1:] {
		b := f(a)
		blk := e.b.Block
		switch x.Op {
		case index.Add:
			r = blk.NewAdd(r, b)
		case index.Mul:
			r = blk.NewMul(r, b)
		case index.Min:
			r = e.b.Math("smin", r, b)
		case index.Max:
			r = e.b.Math("smax", r, b)
		default:
			d, _ := a.Const()
			lo, _ := x.Args[0].Range(e.boundOf)
			r = e.floored(x.Op == index.Div, r, b, d, lo >= 0)
		}
	}
	return r
}

// compareIndex compares i64 values by the sign of their difference, which
// ranges often decide; over lanes the shared part stays scalar.
func (e *emitter) compareIndex(v *loop.Value, pred enum.IPred) value.Value {
	d := index.Sub(e.indexOf(v.Args[0]), e.indexOf(v.Args[1])).SimplifyIn(e.boundOf)
	n := e.lanes(v)
	lo, hi := d.Range(e.boundOf)
	if x, ok := decide(pred, lo, hi); ok {
		return llir.SplatConst(n, llir.Int(types.I1, x))
	}
	if n == 0 {
		shared := e.scalarExpr(index.Sum(d, index.C(-constTerm(d))))
		return e.b.Block.NewICmp(pred, shared, llir.Int(types.I64, int64(-constTerm(d))))
	}
	shared, lane := e.splitLane(d)
	t := e.width(d)
	x, y := e.vectorExpr(lane, n, t), e.vectorExpr(index.Prod(shared, index.C(-1)), n, t)
	return e.b.Block.NewICmp(pred, x, y)
}

func constTerm(x *index.Expr) int {
	if x.Op == index.Const {
		return x.K
	}
	if x.Op == index.Add {
		if k, ok := x.Args[len(x.Args)-1].Const(); ok {
			return k
		}
	}
	return 0
}

// decide is the truth of `d pred 0` where the range of d settles it.
func decide(pred enum.IPred, lo, hi int) (x int64, ok bool) {
	yes := func(always, never bool) (int64, bool) {
		if always {
			return 1, true
		}
		return 0, never
	}
	switch pred {
	case enum.IPredSLT:
		return yes(hi < 0, lo >= 0)
	case enum.IPredSLE:
		return yes(hi <= 0, lo > 0)
	case enum.IPredSGT:
		return yes(lo > 0, hi <= 0)
	case enum.IPredSGE:
		return yes(lo >= 0, hi < 0)
	case enum.IPredEQ:
		return yes(lo == 0 && hi == 0, lo > 0 || hi < 0)
	}
	return yes(lo > 0 || hi < 0, lo == 0 && hi == 0)
}
