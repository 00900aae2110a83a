package codegen

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/llir/llvm/ir"
	"github.com/llir/llvm/ir/constant"
	"github.com/llir/llvm/ir/enum"
	"github.com/llir/llvm/ir/types"
	"github.com/llir/llvm/ir/value"

	"mdlc/codegen/llir"
	"mdlc/ir/index"
	"mdlc/ir/loop"
)

// A micro is a micro-kernel: the loops of a product as a function, which multiplies registers of two
// operands that it steps through and adds to accumulators that come and go in vector registers. What differs between the
// products of a program is mostly sizes, which are its arguments: hundreds of products share a few
// functions, and LLVM sees half of the text.
type micro struct {
	lanes int
	turns []*index.Expr // of the loops, the innermost last
	sides [2]microSide
	pairs [][2]int // of each accumulator: which register of either side, ascending
	order []int    // of each of them: which coordinate of the product it is
}

// microSide is an operand of a micro-kernel: registers at fixed distances, all of which step.
type microSide struct {
	buf    *loop.Buffer
	vector bool        // a register is lanes elements; else one, the same in every lane
	start  *index.Expr // where the first register is at the first turn, in elements
	offset []int       // of the registers from there, or zeros
	step   []int       // from one turn of each loop to the next
}

// zeros is the offset of a register that is guarded away: it holds zeros.
const zeros = math.MinInt

// microTurns is how many turns of a loop are worth a call.
const microTurns = 4

// microOf describes the loops of v over axes, or is nil where an operand is computed, or guarded by what
// is not known, or does not step evenly.
func (e *emitter) microOf(v *loop.Value, axes []*loop.Axis) *micro {
	bytes := e.lanes(v) * v.Elem.Size() // none where lanes are threads
	if v.Elem != loop.F32 || points(v.Axes) > e.t.Accumulators || bytes != 16 && bytes != e.t.Vector {
		return nil
	}
	m := &micro{lanes: e.lanes(v)}
	old := map[*loop.Axis]binding{}
	for _, a := range axes {
		if a.Bind == loop.Reg || a.Bind == loop.Lane {
			return nil
		}
		m.turns = append(m.turns, e.indexOf(a.Extent))
		if b, ok := e.bind[a]; ok {
			old[a] = b
		}
	}
	even := true
	e.each(v.Axes, func() {
		var pair [2]int
		for i := range m.sides {
			even = even && e.register(&m.sides[i], v.Args[i], axes, &pair[i])
		}
		m.pairs = append(m.pairs, pair)
	})
	for _, a := range axes {
		delete(e.bind, a)
	}
	maps.Copy(e.bind, old)
	if !even || m.sides[0].buf == nil || m.sides[1].buf == nil {
		return nil
	}
	m.sort()
	m.merge()
	if n, ok := m.turns[0].Const(); ok && n < microTurns && len(m.turns) == 1 {
		return nil
	}
	return m
}

// sort puts the accumulators in one order, whichever axis of the product is the outer one.
func (m *micro) sort() {
	of := m.pairs
	for i := range of {
		m.order = append(m.order, i)
	}
	slices.SortStableFunc(m.order, func(i, j int) int { return slices.Compare(of[i][:], of[j][:]) })
	m.pairs = nil
	for _, i := range m.order {
		m.pairs = append(m.pairs, of[i])
	}
}

// merge makes two loops one where both sides go on evenly from one to the next.
func (m *micro) merge() {
	for i := len(m.turns) - 2; i >= 0; i-- {
		n, ok := m.turns[i+1].Const()
		for _, s := range m.sides {
			ok = ok && s.step[i] == n*s.step[i+1]
		}
		if !ok {
			continue
		}
		m.turns = slices.Replace(m.turns, i, i+2, index.Prod(m.turns[i], m.turns[i+1]))
		for j := range m.sides {
			s := &m.sides[j]
			s.step = slices.Delete(s.step, i, i+1)
		}
	}
}

// register finds which register of a side x is at the present coordinate, adding it if it is new.
func (e *emitter) register(s *microSide, x *loop.Value, axes []*loop.Axis, which *int) bool {
	if x.Op == loop.Cast && x.Elem == loop.F32 && x.Args[0].Elem.IsFloat() && x.Args[0].Elem.Size() == 2 {
		x = x.Args[0]
	}
	if x.Op != loop.Load || !x.Elem.IsFloat() || x.Elem.Size() > 4 || !intersects(e.uses.freeAxes(x), axes) {
		return false
	}
	if x.Guard != nil {
		if intersects(e.uses.freeAxes(x.Guard), axes) {
			return false
		}
		if cond, _ := e.guard(x.Guard); cond != nil {
			c, ok := cond.(*llir.Const)
			*which = s.find(zeros)
			return ok && allFalse(c)
		}
	}
	for _, a := range axes {
		e.bind[a] = binding{}
	}
	start := e.offset(x.Buf, x.Args)
	for _, a := range axes {
		e.bind[a] = binding{v: llir.Int(types.I64, 0)}
	}
	step, ok := strides(index.Sub(e.offset(x.Buf, x.Args), start).SimplifyIn(e.boundOf), axes)
	if !ok || e.varies(start, axes) {
		return false
	}
	shared, lane := e.splitLane(start)
	vector := !lane.IsConst(0)
	if vector && !e.contiguous(place{lane: lane}) {
		return false
	}
	if s.buf == nil {
		s.buf, s.vector, s.start, s.step = x.Buf, vector, shared, step
	}
	offset, ok := index.Sub(shared, s.start).SimplifyIn(e.boundOf).Const()
	*which = s.find(offset)
	return ok && s.buf == x.Buf && s.vector == vector && slices.Equal(s.step, step)
}

// find is the register at an offset.
func (s *microSide) find(offset int) int {
	i := slices.Index(s.offset, offset)
	if i < 0 {
		i = len(s.offset)
		s.offset = append(s.offset, offset)
	}
	return i
}

// varies reports whether data that an index reads changes along axes.
func (e *emitter) varies(x *index.Expr, axes []*loop.Axis) bool {
	yes := false
	x.Vars(func(name string) {
		if v := e.opaque[name]; v != nil {
			yes = yes || intersects(e.uses.freeAxes(v), axes)
		}
	})
	return yes
}

// strides are the factors of axes where x is the sum of these products.
func strides(x *index.Expr, axes []*loop.Axis) (step []int, ok bool) {
	sum := zeroExpr
	for _, a := range axes {
		k, ok := x.Subst(func(name string) *index.Expr {
			if name == a.Name {
				return index.C(1)
			}
			return zeroExpr
		}).Const()
		if !ok {
			return nil, false
		}
		step = append(step, k)
		sum = index.Sum(sum, index.Prod(index.V(a.Name), index.C(k)))
	}
	return step, index.Equal(x, sum)
}

// apart is the distance between neighbouring registers where it is an argument: all are equally far from each other,
// and not side by side. Zeros are where there is no register.
func (s *microSide) apart(lanes int) (distance int, ok bool) {
	if len(s.offset) < 2 {
		return 0, false
	}
	distance = s.offset[1]
	for i, x := range s.offset {
		if x != distance*i && x != zeros {
			return 0, false
		}
	}
	return distance, distance != s.width(lanes) && distance != zeros
}

func (s *microSide) width(lanes int) int {
	if s.vector {
		return lanes
	}
	return 1
}

// steps reports whether the innermost step is an argument: it is not one element or the width of a packed panel.
func (s *microSide) steps(lanes int) bool {
	step := s.step[len(s.step)-1]
	return step != 1 && step != s.width(lanes)*len(s.offset)
}

// arguments are the distances that are not part of the text: between registers, and from turn to turn, the outermost loop first.
func (s *microSide) arguments(lanes int) []int {
	var out []int
	if n, ok := s.apart(lanes); ok {
		out = append(out, n)
	}
	if s.steps(lanes) {
		return append(out, s.step...)
	}
	return append(out, s.step[:len(s.step)-1]...)
}

// few is how many turns the innermost loop makes where they are so few, of outer ones, that it is none.
func (m *micro) few() (n int, ok bool) {
	n, ok = m.turns[len(m.turns)-1].Const()
	return n, ok && n <= dotUnroll && len(m.turns) > 1
}

// name is what the text of m is a function of.
func (m *micro) name() string {
	var b strings.Builder
	fmt.Fprintf(&b, "mdlc.dot%d.%d", m.lanes, len(m.turns))
	if n, ok := m.few(); ok {
		fmt.Fprintf(&b, ".t%d", n)
	}
	for i := range m.sides {
		s := &m.sides[i]
		fmt.Fprintf(&b, "_%s", s.buf.Elem)
		if s.vector {
			b.WriteString("v")
		}
		_, apart := s.apart(m.lanes)
		if apart {
			fmt.Fprintf(&b, ".%da", len(s.offset))
		}
		for i, x := range s.offset {
			if x == zeros && apart {
				fmt.Fprintf(&b, ".z%d", i)
			} else if x == zeros {
				b.WriteString(".z")
			} else if !apart {
				fmt.Fprintf(&b, ".%d", x)
			}
		}
		if s.steps(m.lanes) {
			b.WriteString(".s")
		} else {
			fmt.Fprintf(&b, ".s%d", s.step[len(s.step)-1])
		}
	}
	b.WriteString("_")
	for _, p := range m.pairs {
		fmt.Fprintf(&b, ".%d.%d", p[0], p[1])
	}
	return b.String()
}

// call multiplies in all turns and adds to acc.
func (e *emitter) call(m *micro, acc []value.Value) []value.Value {
	name := m.name()
	f := e.callee(name, func() sharedFunction { return e.microFunc(m, name) })
	var args []value.Value
	for i, n := range m.turns {
		if _, ok := m.few(); !ok || i < len(m.turns)-1 {
			args = append(args, e.scalarExpr(n))
		}
	}
	for i := range m.sides {
		s := &m.sides[i]
		args = append(args, e.pointer(s.buf, s.start))
		for _, n := range s.arguments(m.lanes) {
			args = append(args, llir.Int(types.I64, int64(n)))
		}
	}
	for _, i := range m.order {
		args = append(args, acc[i])
	}
	sums := e.b.Call(f, args...)
	out := make([]value.Value, len(acc))
	for at, i := range m.order {
		out[i] = e.b.Block.NewExtractValue(sums, uint64(at))
	}
	return out
}

// microFunc writes m.
func (e *emitter) microFunc(m *micro, name string) sharedFunction {
	in := &emitter{k: e.k, t: e.t, b: llir.NewBuilder()}
	in.push()
	var params []*ir.Param
	param := func(t types.Type) value.Value {
		p := ir.NewParam("", t)
		params = append(params, p)
		return p
	}
	turns := make([]value.Value, len(m.turns))
	for i := range turns {
		if n, ok := m.few(); ok && i == len(turns)-1 {
			turns[i] = llir.Int(types.I64, int64(n))
		} else {
			turns[i] = param(types.I64)
		}
	}
	var walks [2]*microWalk
	for i := range walks {
		s := &m.sides[i]
		w := &microWalk{microSide: s, lanes: m.lanes, base: param(llir.Ptr)}
		if _, ok := s.apart(m.lanes); ok {
			w.distance = param(types.I64)
		}
		for j, n := range s.step {
			if j < len(s.step)-1 || s.steps(m.lanes) {
				w.by = append(w.by, param(types.I64))
			} else {
				w.by = append(w.by, llir.Int(types.I64, int64(n)))
			}
		}
		walks[i] = w
	}
	t := llir.Vec(m.lanes, types.Float)
	acc := make([]value.Value, len(m.pairs))
	for i := range acc {
		acc[i] = param(t)
	}
	result := types.NewArray(uint64(len(acc)), t)
	f := in.b.Start(name, params...)
	hidden(f, result, enum.FuncAttrReadOnly, enum.FuncAttrArgMemOnly)
	at := [2]value.Value{walks[0].begin(in), walks[1].begin(in)}
	acc = in.nest(m, walks, turns, at, acc)
	var sums value.Value = constant.NewUndef(result)
	for i := range m.pairs {
		sums = in.b.Block.NewInsertValue(sums, acc[i], uint64(i))
	}
	in.b.Block.NewRet(sums)
	return sharedFunction{f, in.function(f)}
}

// nest emits the loops of m over turns, from where the sides are at.
func (e *emitter) nest(m *micro, walks [2]*microWalk, turns []value.Value, at [2]value.Value, acc []value.Value) []value.Value {
	level := len(m.turns) - len(turns)
	s := span{lo: llir.Int(types.I64, 0), hi: turns[0], step: 1}
	if len(turns) == 1 {
		s.step = dotUnroll
		if n, ok := m.few(); ok {
			s.step, s.some, s.whole = n, true, true
		}
	}
	acc = e.loop(s, append(acc, at[:]...), func(_ binding, now []value.Value) []value.Value {
		now, at := now[:len(m.pairs)], [2]value.Value(now[len(m.pairs):])
		if len(turns) > 1 {
			now = e.nest(m, walks, turns[1:], at, now)
		} else {
			now = e.multiply(m, walks, at, now)
		}
		return append(now, walks[0].next(e, at[0], level), walks[1].next(e, at[1], level))
	})
	return acc[:len(m.pairs)]
}

// multiply is one turn of the innermost loop.
func (e *emitter) multiply(m *micro, walks [2]*microWalk, at [2]value.Value, acc []value.Value) []value.Value {
	x, y := walks[0].registers(e, at[0]), walks[1].registers(e, at[1])
	out := make([]value.Value, len(acc))
	for i, p := range m.pairs {
		out[i] = e.b.Math("fma", x[p[0]], y[p[1]], acc[i])
	}
	return out
}

// microWalk is a side inside its micro-kernel: registers side by side are a pointer that moves, those
// that lie apart a pointer each and an index that moves.
type microWalk struct {
	*microSide
	lanes          int
	base, distance value.Value
	by             []value.Value // the steps
	rows           []value.Value // where registers lie apart
}

// begin is the pointer or index of the first turn.
func (w *microWalk) begin(e *emitter) value.Value {
	if w.distance == nil {
		return w.base
	}
	for i := range w.offset {
		w.rows = append(w.rows, e.b.GEP(e.memType(w.buf.Elem), w.base, e.b.Block.NewMul(w.distance, llir.Int(types.I64, int64(i)))))
	}
	return llir.Int(types.I64, 0)
}

// registers loads those at a place.
func (w *microWalk) registers(e *emitter, at value.Value) []value.Value {
	t, n := e.memType(w.buf.Elem), 0
	if w.vector {
		n = w.lanes
	}
	out := make([]value.Value, len(w.offset))
	for i, offset := range w.offset {
		if offset == zeros {
			out[i] = llir.Zero(llir.Vec(w.lanes, types.Float))
			continue
		}
		p := at
		if w.rows != nil {
			p = e.b.GEP(t, w.rows[i], at)
		} else if offset != 0 {
			p = e.b.GEP(t, at, llir.Int(types.I64, int64(offset)))
		}
		out[i] = e.splat(w.lanes, e.fromMem(w.buf.Elem, e.b.Load(llir.Vec(n, t), p, w.buf.Elem.Size())))
	}
	return out
}

// next is the place after a turn of a loop.
func (w *microWalk) next(e *emitter, at value.Value, level int) value.Value {
	if w.rows != nil {
		return e.b.Block.NewAdd(at, w.by[level])
	}
	return e.b.GEP(e.memType(w.buf.Elem), at, w.by[level])
}
