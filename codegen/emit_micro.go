package codegen

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/llir/llvm/ir/types"

	"mdlc/codegen/llir"
	"mdlc/ir/index"
	"mdlc/ir/loop"
)

// A micro is a micro-kernel: the loops of a product as a function, which multiplies registers of two
// operands that it steps through and adds to accumulators that come and go in vector registers, as many as there are. What differs between the
// products of a program is mostly sizes, which are its arguments: hundreds of products share a few
// functions, and LLVM sees half of the text.
type micro struct {
	lanes int
	turns []*index.Expr // of the loops, the innermost last
	sides [2]microSide
	pairs [][2]int // of each accumulator: which register of either side, ascending
	order []int    // of each of them: which coordinate of the product it is

	ahead   bool        // the first side is fetched some turns ahead
	fetched *index.Expr // where it begins to fetch what follows on the second side; nil: it does not
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
	m.fetched, m.ahead = e.following(m), m.strides()
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
	if m.fetched != nil {
		b.WriteString(".f")
	}
	if m.ahead {
		b.WriteString(".a")
	}
	b.WriteString("_")
	for _, p := range m.pairs {
		fmt.Fprintf(&b, ".%d.%d", p[0], p[1])
	}
	return b.String()
}
