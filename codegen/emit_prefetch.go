package codegen

import (
	"slices"

	"github.com/llir/llvm/ir/types"
	"github.com/llir/llvm/ir/value"

	"mdlc/codegen/llir"
	"mdlc/codegen/schedule"
	"mdlc/ir/index"
	"mdlc/ir/loop"
)

// cacheLine is the bytes that a prefetch brings.
const cacheLine = 64

// ahead is a load of the present row whose place in the next row is fetched.
type ahead struct {
	row  *loop.Axis
	load *loop.Value
}

// planAhead notes for the dearest sweep in the loop f over a row, in all of its parts, what it
// fetches: there the memory has time. Where there is no sweep but a product alone, that is where it transposes rows.
func (e *emitter) planAhead(f *loop.For) {
	for _, o := range e.k.Opts {
		if o.Word != f.Axis.Name || o.Kind != schedule.Prefetch && o.Kind != schedule.Follow {
			continue
		}
		load := e.loadOf(f.Body, o.Axis)
		if load == nil {
			continue
		}
		if o.Kind == schedule.Follow {
			e.followed[load.Buf] = f.Axis
			continue
		}
		sweeps := schedule.DearestSweep(f.Body)
		if len(sweeps) == 0 {
			e.nextRows[load.Buf] = f.Axis
		}
		for _, s := range sweeps {
			e.ahead[s] = append(e.ahead[s], ahead{f.Axis, load})
		}
	}
}

// loadOf is the first load of the buffer with a name whose place no other load tells: that of the row after the last one would be
// read to know what is fetched, and lies outside.
func (e *emitter) loadOf(body []loop.Stmt, name string) *loop.Value {
	var found *loop.Value
	eachValue(body, func(v *loop.Value) {
		if found == nil && v.Op == loop.Load && v.Buf.Name == name && !slices.ContainsFunc(v.Args, readsMemory) {
			found = v
		}
	})
	return found
}

func readsMemory(v *loop.Value) bool {
	found := false
	loop.Visit(v, func(v *loop.Value) { found = found || v.Op == loop.Load })
	return found
}

// fetchAhead fetches what the next row, or the next rows where registers hold some, has where the loop f is now, each line once. The row
// after the last one lies outside the buffer at times; fetching it does no harm.
func (e *emitter) fetchAhead(f *loop.For) {
	for _, a := range e.ahead[f] {
		old := e.bind[a.row]
		e.bind[a.row] = binding{v: old.v, off: old.off + 1}
		e.fetch(a.load)
		e.bind[a.row] = old
	}
}

// fetchRows fetches what the next turn of the loop over rows reads where n of them, far elements apart, are transposed from one of their elements on. A
// line that several turns of the sum share is fetched in each, which costs less than not to.
func (e *emitter) fetchRows(v *loop.Value, from, n, far int) {
	row := e.nextRows[v.Buf]
	if row == nil || from*v.Elem.Size()%cacheLine != 0 {
		return
	}
	old, ok := e.bind[row]
	if !ok {
		return
	}
	e.bind[row] = binding{v: old.v, off: old.off + 1}
	base := e.place(v.Buf, v.Args).base
	e.bind[row] = old
	for i := range n {
		e.b.Prefetch(e.b.GEP(e.memType(v.Elem), base, llir.Int(types.I64, int64(i*far))), llir.AllCaches)
	}
}

// Where a turn reads another line of the first side, and not the next one, no machine sees what comes: aheadTurns before, in as many turns as
// are worth it, it is fetched. Products of 2048 summands by 1536 rows that lie along the other axis took a twentieth less on Emerald Rapids.
const (
	aheadTurns = 16
	manyTurns  = 4 * aheadTurns
)

// strides reports whether the turns of m read lines of the first side that are far apart.
func (m *micro) strides() bool {
	s := &m.sides[0]
	n, known := m.turns[0].Const()
	_, apart := s.apart(m.lanes) // a line of each register would be fetched
	return len(m.turns) == 1 && !s.vector && !apart && s.step[0]*s.buf.Elem.Size() > cacheLine && (!known || n >= manyTurns)
}

// fetchedTurn is the bytes that a micro-kernel fetches for each turn of its loop: a line in as many turns as are unrolled.
const fetchedTurn = cacheLine / dotUnroll

// following is where, in the panels that m reads, the share lies that this row of tiles fetches of the block that follows the present one; nil
// where it fetches none. Rows after those that have a share each fetch the last one's again.
func (e *emitter) following(m *micro) *index.Expr {
	s := &m.sides[1]
	row := e.followed[s.buf]
	if row == nil || len(m.turns) > 1 || s.steps(m.lanes) {
		return nil
	}
	if _, ok := e.bind[row]; !ok {
		return nil
	}
	size := s.buf.Elem.Size()
	shares := max(s.step[0]*size/fetchedTurn, 1)
	share := index.Prod(index.Least(e.axisIndex(row), index.C(shares-1)), index.C(fetchedTurn/size))
	return index.Sum(s.start, index.Prod(m.turns[0], index.Sum(index.C(s.step[0]), share)))
}

// fetchFollowing fetches a line at the first of the turns that are one of the machine's loop, and returns the place of the next turn.
func (e *emitter) fetchFollowing(at value.Value, turn int) value.Value {
	if turn == 0 {
		e.b.Prefetch(at, llir.L2Caches)
	}
	return e.element(types.I8, at, fetchedTurn)
}

// productFirst puts a product before the loads that its list has before it, which what is computed of the product needs: they are
// only fetched there. Registers could not hold them meanwhile, and the core would wait for memory before it multiplies.
func (e *emitter) productFirst(list []loop.Stmt) []loop.Stmt {
	if e.t.GPU {
		return list
	}
	for i, s := range list {
		l, ok := s.(*loop.Let)
		switch {
		case !ok:
			return list
		case l.Val.Op != loop.Dot:
			continue
		}
		first := i
		for ; first > 0 && e.passes(l.Val, list[first-1].(*loop.Let).Val); first-- {
		}
		if first == i {
			return list
		}
		for _, s := range list[first:i] {
			e.fetch(s.(*loop.Let).Val)
		}
		return slices.Concat(list[:first], list[i:i+1], list[first:i], list[i+1:])
	}
	return list
}

// farBytes is the size of a buffer from which on what a tile reads of it may come from far.
const farBytes = 256 << 10

// fetchLater fetches what statements after the product d load for each of its results, as what is added to them, while d is multiplied: rows of a tile lie
// apart, so no machine sees what comes, and each would be waited for. A convolution of 32 images of 64 × 32 × 32 takes 3% less for it with a sum, and 4% less times the tanh of another array (Zen 4).
func (e *emitter) fetchLater(d *loop.Value, after []loop.Stmt) {
	seen, done := map[*loop.Value]bool{d: true}, map[*loop.Buffer]bool{}
	var visit func(v *loop.Value)
	visit = func(v *loop.Value) {
		if seen[v] {
			return
		}
		seen[v] = true
		if v.Op == loop.Load && !done[v.Buf] && v.Buf.Bytes() >= farBytes && v.Guard == nil && all(d.Axes, v.Axes) && !e.unbound(v) && !slices.ContainsFunc(v.Args, readsMemory) {
			done[v.Buf] = true
			e.fetch(v)
		}
		operands(v, visit)
	}
	for _, s := range after {
		switch s := s.(type) {
		case *loop.Let:
			if s.Val.Op == loop.Dot { // it fetches what comes after it
				return
			}
		case *loop.Store:
		default:
			return
		}
		stmtValues(s, visit)
	}
}

// passes reports whether d may be computed before v, a load that it does not need.
func (e *emitter) passes(d, v *loop.Value) bool {
	needs := false
	loop.Visit(d, func(x *loop.Value) { needs = needs || x == v })
	return v.Op == loop.Load && !needs && !e.unbound(v)
}

// fetch fetches what v loads into its registers, each line once.
func (e *emitter) fetch(v *loop.Value) {
	var first *index.Expr
	fetched := map[int]bool{}
	e.each(v.Axes, func() {
		at := e.offset(v.Buf, v.Args)
		if first == nil {
			first = at
		}
		apart, ok := index.Sub(at, first).SimplifyIn(e.boundOf).Const()
		if line := apart * v.Elem.Size() / cacheLine; !ok || !fetched[line] {
			e.b.Prefetch(e.place(v.Buf, v.Args).base, llir.AllCaches)
			fetched[line] = true
		}
	})
}
