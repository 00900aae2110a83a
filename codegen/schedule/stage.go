package schedule

import (
	"fmt"
	"slices"

	"mdlc/ir/index"
	"mdlc/ir/loop"
)

// Step stage, before (l0 is a loop; i and j have pieces for warps and for fragments):
//
//	z = for l0 carry c = 0.0 { yield dot[l1,l2](A[i,l], B[l,j], c) @mma }
//
// after Stage z_a 3, Stage z_b 3: all threads of a point copy the operands of two turns ahead to slots that they share:
//
//	SA[0,..] = A[..] async   SB[0,..] = B[..] async   commit   SA[1,..] = .. async   SB[1,..] = .. async   commit
//	z = for l0 carry c = 0.0 {
//	  wait 1
//	  if l0 + 2 < 32 { SA[(l0+2) % 3,..] = A[..] async   SB[(l0+2) % 3,..] = B[..] async }
//	  commit
//	  yield dot[l1,l2](SA[l0 % 3,..], SB[l0 % 3,..], c) @mma }
//
// The wait of a turn is also where all have read what the copies that follow overwrite. An operand that is no copy of
// memory, 16 bytes at a time, is computed and stored instead.
//
// A product of a group of warps (@wgmma) is on its way while the next turn begins, so its slots are filled a turn later:
//
//	wait 1   if l0 + 2 < 32 { SA[(l0+2) % 4,..] = .. }   commit   z = dot(..) @wgmma   settle 1 z   yield z
//
// After Bulk z its slots are a ring (bulk.go).

// chunkBytes are what a thread copies at once, and what lies between the rows of a slot without a swizzle, so that eight rows lie in different banks.
const chunkBytes = 16

// stage puts the operands that opts name into slots.
func stage(k *loop.Kernel, opts []loop.Opt) error {
	s := &stager{k: k, depth: map[string]int{}, staged: map[string]bool{}, through: map[string]bool{}, sends: map[string]bool{}, bulk: map[string]bool{}, roles: map[string]bool{}, points: map[string]int{}, clusters: map[string]int{}, rows: map[string]*slot{}, x: newIndices(), deps: newDepends()}
	for _, o := range ofKind(opts, Stage) {
		s.depth[o.Axis] = o.Arg
	}
	for _, o := range ofKind(opts, Via) {
		if o.Word == bulkWord {
			s.sends[o.Axis] = true
		} else {
			s.through[o.Axis] = true
		}
	}
	for _, o := range ofKind(opts, Bulk) {
		s.bulk[o.Axis] = true
	}
	for _, o := range ofKind(opts, Roles) {
		s.roles[o.Axis] = true
	}
	for _, o := range ofKind(opts, Persist) {
		s.points[o.Axis] = o.Arg
	}
	for _, o := range ofKind(opts, Cluster) {
		s.clusters[o.Axis] = o.Arg
	}
	body, err := s.body(k.Body, false)
	if err != nil {
		return err
	}
	for name := range s.depth {
		if !s.staged[name] {
			return fmt.Errorf("%s is no operand of a product in a loop", name)
		}
	}
	for _, o := range ofKind(opts, Via, Bulk, Roles, Persist, Cluster) {
		if s.through[o.Axis] || s.sends[o.Axis] || s.bulk[o.Axis] || s.roles[o.Axis] || s.points[o.Axis] > 0 || s.clusters[o.Axis] > 0 {
			return fmt.Errorf("%s is no product whose operands are staged", o.Axis)
		}
	}
	k.Body = body
	return nil
}

type stager struct {
	k        *loop.Kernel
	depth    map[string]int   // of the slots of operands; products of several pages may have one operand
	staged   map[string]bool  // those that have them
	through  map[string]bool  // products whose results are to wait in shared memory
	sends    map[string]bool  // products whose results the hardware stores
	bulk     map[string]bool  // products whose slots are to be rings
	roles    map[string]bool  // of these, ones whose rings a role of its own fills
	points   map[string]int   // of these, ones of which so many points make many tiles
	rows     map[string]*slot // operands that stay while loops go over blocks of columns, and where they do
	clusters map[string]int   // of these, ones where so many points share an operand
	x        *indices
	deps     *depends
}

// body stages the products of a list of statements, which are inside a loop or not.
func (s *stager) body(body []loop.Stmt, inside bool) ([]loop.Stmt, error) {
	var out []loop.Stmt
	for i, st := range body {
		f, ok := st.(*loop.For)
		if !ok {
			out = append(out, st)
			continue
		}
		if d := s.dotOf(f); d != nil {
			staged, err := s.loop(f, d, inside, out, body[i+1:])
			if err != nil {
				return nil, err
			}
			return append(out, staged...), nil
		}
		if ds := s.blockDots(f); ds != nil {
			staged, err := s.blocks(f, ds, len(s.rows) > 0)
			if err != nil {
				return nil, err
			}
			out = append(out, staged...)
			continue
		}
		inner, err := s.body(f.Body, roundsOf([]loop.Stmt{f}) == nil)
		if err != nil {
			return nil, err
		}
		f.Body = inner
		out = append(out, f)
	}
	return out, nil
}

// dotOf is the staged product that f computes in its turns.
func (s *stager) dotOf(f *loop.For) *loop.Value {
	var found *loop.Value
	look := func(v *loop.Value) {
		if v.Op == loop.Dot && loop.Has(s.deps.value(v.Args[0]), f.Axis) && loop.Has(s.deps.value(v.Args[1]), f.Axis) && s.depth[v.Args[0].Name] > 0 && s.depth[v.Args[1].Name] > 0 {
			found = v
		}
	}
	eachOwn(f, look)
	return found
}

// loop stages the operands of d in f, after some statements, and returns what stands in place of f and the statements that follow.
func (s *stager) loop(f *loop.For, d *loop.Value, inside bool, precede, follows []loop.Stmt) ([]loop.Stmt, error) {
	page := slices.IndexFunc(follows, func(st loop.Stmt) bool { _, ok := st.(*loop.Phase); return ok })
	if page < 0 {
		page = len(follows)
	}
	precede = precede[1+lastPhase(precede):]
	var of *tiles
	if s.points[d.Name] > 0 {
		var err error
		if of, err = s.persist(d, f, slices.Concat(precede, []loop.Stmt{f}, follows[:page])); err != nil {
			return nil, err
		}
	}
	threads := WarpThreads
	for _, a := range s.deps.value(d) {
		if a.Bind == loop.Warp {
			threads *= a.Max
		}
	}
	depth := s.depth[d.Args[0].Name]
	many := min(depth, f.Axis.Max) // slots: no more than turns
	var slots []*slot
	for i, v := range d.Args[:2] {
		if err := s.copyable(v); err != nil {
			return nil, err
		}
		s.staged[v.Name] = true
		sl := s.slot(v, d, many, threads)
		sl.of = of
		slots = append(slots, sl)
		at := sl.at(binary(loop.Mod, of.turn(axisValue(f.Axis)), intValue(many)), sl.rows, sl.sums)
		for n := 1; sl.buf.Swizzle && n < len(at); n++ { // which of its pieces are there once
			at[n] = s.x.simple(at[n])
		}
		d.Args[i] = load(sl.buf, at, nil)
		d.Args[i].Name = v.Name
	}
	var t *turns
	if s.bulk[d.Name] {
		var err error
		if t, err = s.ring(f, d, slots, of, depth, inside); err != nil {
			return nil, err
		}
	} else {
		t = s.fills(f, d, slots, depth, inside)
	}
	f.Body = append(t.first, f.Body...)
	var settled []loop.Stmt
	if d.Instr == loop.WGMMA {
		c := slices.IndexFunc(f.Carry, func(c *loop.Carry) bool { return c.Next == d })
		if c < 0 || !slices.ContainsFunc(f.Body, func(st loop.Stmt) bool { l, ok := st.(*loop.Let); return ok && l.Val == d }) {
			return nil, fmt.Errorf("%s is not what its loop carries", d.Name)
		}
		f.Body = append(f.Body, &loop.Settle{Young: groupsPending, Val: d})
		settled = append([]loop.Stmt{&loop.Settle{Val: f.Carry[c].Out}}, t.free...)
	}
	f.Body = append(f.Body, t.last...)
	var after []loop.Stmt
	var err error
	if s.through[d.Name] && s.sends[d.Name] {
		err = fmt.Errorf("results of %s wait in shared memory for one thing", d.Name)
	} else if s.sends[d.Name] {
		after, t.done, err = s.send(f, d, slots, of, follows[:page])
	} else if s.through[d.Name] {
		after, err = s.via(f, d, slots, of, threads, follows[:page])
	} else {
		after, err = s.body(follows[:page], inside)
	}
	if err != nil {
		return nil, err
	}
	rest, err := s.body(follows[page:], inside)
	if err != nil {
		return nil, err
	}
	staged := slices.Concat(t.before, []loop.Stmt{f}, settled, after)
	if s.roles[d.Name] {
		if staged, err = s.split(d, t, of, staged, precede, threads); err != nil {
			return nil, err
		}
	} else {
		staged = append(staged, t.done...)
	}
	return append(staged, rest...), nil
}

// lastPhase is the place of the last Phase in body, -1 if there is none.
func lastPhase(body []loop.Stmt) int {
	for i := len(body) - 1; i >= 0; i-- {
		if _, phase := body[i].(*loop.Phase); phase {
			return i
		}
	}
	return -1
}

// turns is what stands around and in the turns of a product whose operands are staged.
type turns struct {
	before, first, last []loop.Stmt
	free                []loop.Stmt // after the last turn of a tile, where there are more
	done                []loop.Stmt // after all tiles
	asks                []loop.Stmt // what fills a ring, where a role of its own does
}

// fills lets all threads copy the operands of d in f to slots, and says what comes before f and first in its turns.
func (s *stager) fills(f *loop.For, d *loop.Value, slots []*slot, depth int, inside bool) *turns {
	t := &turns{}
	if inside {
		t.before = append(t.before, &loop.Wait{})
	}
	ahead := func(turn *loop.Value) []loop.Stmt {
		return append(s.ahead(f, turn, func(turn *loop.Value) (out []loop.Stmt) {
			for _, sl := range slots {
				out = append(out, s.fill(sl, f.Axis, turn))
			}
			return out
		}), &loop.Commit{})
	}
	lead := depth - 1 // how many turns ahead slots are filled
	if d.Instr == loop.WGMMA {
		lead -= groupsPending
	}
	start := intValue(0)
	if f.Lo != nil {
		start = f.Lo
	}
	for n := range lead {
		t.before = append(t.before, ahead(binary(loop.Add, start, intValue(n)))...)
	}
	t.first = append([]loop.Stmt{&loop.Wait{Young: lead - 1}}, ahead(binary(loop.Add, axisValue(f.Axis), intValue(lead)))...)
	return t
}

// ahead fills the slots of a turn of f, if there is one.
func (s *stager) ahead(f *loop.For, turn *loop.Value, fill func(turn *loop.Value) []loop.Stmt) []loop.Stmt {
	end := f.Hi
	if end == nil {
		end = f.Axis.Extent
	}
	turn = s.x.simple(turn)
	least, most := s.x.rng(s.x.of(turn))
	last, fixed := end.IntConst()
	switch {
	case fixed && least >= int(last):
		return nil
	case fixed && most < int(last):
		return fill(turn)
	}
	return []loop.Stmt{&loop.If{Cond: binary(loop.Lt, turn, end), Body: fill(turn)}}
}

// copyable reports whether v can be computed elsewhere and earlier: it is made of what a kernel reads only.
func (s *stager) copyable(v *loop.Value) (err error) {
	stored := map[*loop.Buffer]bool{}
	for _, page := range everyPage(s.k.Body) {
		here := false
		loop.Walk(page, func(st loop.Stmt) { loop.Values(st, func(x *loop.Value) { here = here || reads(x, v) }) })
		loop.Walk(page, func(st loop.Stmt) {
			if st, ok := st.(*loop.Store); ok && here {
				stored[st.Buf] = true
			}
		})
	}
	loop.Visit(v, func(x *loop.Value) {
		if isReduction(x) || x.Op == loop.CarryIn || x.Op == loop.CarryOut || x.Op == loop.Load && stored[x.Buf] {
			err = fmt.Errorf("%s depends on what the loop computes", v.Name)
		}
	})
	return err
}

// reads reports whether v is made of x.
func reads(v, x *loop.Value) bool {
	found := false
	loop.Visit(v, func(y *loop.Value) { found = found || x == y })
	return found
}

// groupsPending are the products of a group of warps that are on their way when the next one is begun.
const groupsPending = 1

// slot is where an operand waits: rows (of the product's rows or columns) by summands, or these by rows. That of a group of warps
// is swizzled.
type slot struct {
	v           *loop.Value
	buf         *loop.Buffer
	rowAxes     []*loop.Axis
	sumAxes     []*loop.Axis
	rows, sums  *loop.Value // place in the slot
	rowsInner   bool
	inner, size int
	chunk       int        // elements that a thread copies at once
	copy        *loop.Axis // all elements, as threads copy them
	steps       *loop.Axis // how often each of them does
	part        *loop.Axis // elements of a thread's chunk
	of          *tiles     // that a point makes; nil: one
	ring        *loop.Ring // that it is of; nil: threads fill it
}

func (sl *slot) at(turn, rows, sums *loop.Value) []*loop.Value {
	outer, inner := rows, sums
	if sl.rowsInner {
		outer, inner = sums, rows
	}
	if sl.buf.Swizzle {
		n := sl.buf.Dims[3]
		return []*loop.Value{turn, over(inner, n), outer, rest(inner, n)}
	}
	return []*loop.Value{turn, outer, inner}
}

func (s *stager) slot(v, d *loop.Value, depth, threads int) *slot {
	sl := &slot{v: v, chunk: chunkBytes / v.Elem.Size()}
	over := s.deps.over(d)
	for _, a := range inOrder(s.k, s.deps.value(v)) {
		switch {
		case !a.IsOpen():
		case loop.Has(over, a):
			sl.sumAxes = append(sl.sumAxes, a)
		default:
			sl.rowAxes = append(sl.rowAxes, a)
		}
	}
	rows, sums := 1, 1
	sl.rows, rows = s.position(sl.rowAxes)
	sl.sums, sums = s.position(sl.sumAxes)
	sl.rowsInner = !s.contiguous(v, sl.sumAxes) && s.contiguous(v, sl.rowAxes)
	outer := rows
	sl.inner = sums
	if sl.rowsInner {
		outer, sl.inner = sums, rows
	}
	sl.size = outer * sl.inner
	sl.buf = &loop.Buffer{Name: freshName(s.k, "slot"), Elem: v.Elem, Mode: loop.Local, Dims: []int{depth, outer, sl.inner + sl.chunk}}
	if d.Instr == loop.WGMMA { // rows of a fixed length; where they are not enough, blocks of them
		n := loop.SwizzleBytes / v.Elem.Size()
		sl.buf.Dims, sl.buf.Swizzle = []int{depth, sl.inner / n, outer, n}, true
	}
	s.k.Bufs = append(s.k.Bufs, sl.buf)
	sl.steps = s.newAxis("step", multiple(sl.size, threads*sl.chunk)/(threads*sl.chunk), loop.Open)
	thread := s.newAxis("thread", threads, loop.Thread)
	sl.part = s.newAxis("part", sl.chunk, loop.Open)
	sl.copy = s.newAxis("copy", sl.size, loop.Open)
	sl.copy.Def = binary(loop.Add, times(binary(loop.Add, times(axisValue(sl.steps), threads), axisValue(thread)), sl.chunk), axisValue(sl.part))
	return sl
}

func (s *stager) newAxis(stem string, n int, bind loop.Bind) *loop.Axis {
	a := &loop.Axis{Name: freshName(s.k, stem), Extent: intValue(n), Max: n, Bind: bind}
	s.k.Axes = append(s.k.Axes, a)
	return a
}

// position is the place that leaf axes, the last fastest, come to, and how many there are.
func (s *stager) position(axes []*loop.Axis) (at *loop.Value, n int) {
	at, n = intValue(0), 1
	for i := len(axes) - 1; i >= 0; i-- {
		step := times(axisValue(axes[i]), n)
		if n == 1 {
			at = step
		} else {
			at = binary(loop.Add, step, at)
		}
		n *= axes[i].Max
	}
	return at, n
}

// contiguous reports whether a load in v goes along the last of axes.
func (s *stager) contiguous(v *loop.Value, axes []*loop.Axis) bool {
	found := false
	loop.Visit(v, func(x *loop.Value) {
		if x.Op == loop.Load && len(axes) > 0 {
			_, terms := affine(address(s.x, x.Buf, x.Args))
			found = found || terms[axes[len(axes)-1].Name] == 1
		}
	})
	return found
}

// fill copies the operand of a turn of the loop over axis a to its slot.
func (s *stager) fill(sl *slot, a *loop.Axis, turn *loop.Value) loop.Stmt {
	at := axisValue(sl.copy)
	st := s.store(sl, a, turn, over(at, sl.inner), rest(at, sl.inner))
	if _, most := s.x.rng(s.x.axis(sl.copy)); most >= sl.size {
		if sl.steps.Max == 1 { // of which no index says anything
			at = s.x.simple(at)
		}
		st.Guard = binary(loop.Lt, at, intValue(sl.size))
		loop.Visit(st.Val, func(v *loop.Value) {
			if v.Op == loop.Load { // what is beyond may be outside of the buffer
				v.Guard = both(st.Guard, v.Guard)
			}
		})
	}
	if s.isCopy(st, sl) {
		st.Async = true
	}
	return st
}

// store puts the element of the operand in a turn of the loop over axis a that belongs at a place of its slot there.
func (s *stager) store(sl *slot, a *loop.Axis, turn, outer, inner *loop.Value) *loop.Store {
	m := &mover{x: s.x, to: map[string]*index.Expr{a.Name: s.x.of(turn)}, done: map[*loop.Value]*loop.Value{}}
	rows, sums := outer, inner
	if sl.rowsInner {
		rows, sums = inner, outer
	}
	m.spread(sl.rowAxes, rows)
	m.spread(sl.sumAxes, sums)
	st := &loop.Store{Buf: sl.buf, Index: sl.at(binary(loop.Mod, sl.of.turn(turn), intValue(sl.buf.Dims[0])), rows, sums), Val: m.value(sl.v)}
	for i, v := range st.Index {
		st.Index[i] = s.x.simple(v)
	}
	return st
}

// isCopy reports whether st copies 16 bytes that lie side by side, and on a multiple of 16, for all indices of a chunk.
func (s *stager) isCopy(st *loop.Store, sl *slot) bool {
	v, part := st.Val, sl.part
	if v.Op != loop.Load || v.Elem != st.Buf.Elem || bytesOf(v.Buf)%chunkBytes != 0 {
		return false
	}
	aligned := func(e *index.Expr) bool {
		first, ok := s.at(e, part, 0), true
		e.Vars(func(name string) {
			v := s.x.vars[name]
			ok = ok && (v.Op == loop.AxisIndex || !loop.Has(newDepends().value(v), part))
		})
		for i := range sl.chunk {
			ok = ok && index.Sub(s.at(e, part, i), first).SimplifyIn(s.x.bound).IsConst(i)
		}
		return ok && index.Rem(first, index.C(sl.chunk)).SimplifyIn(s.x.bound).IsConst(0)
	}
	return aligned(address(s.x, v.Buf, v.Args)) && aligned(address(s.x, st.Buf, st.Index)) && s.even(v.Guard, part, aligned) && s.even(st.Guard, part, aligned)
}

// at is e at an index of an axis.
func (s *stager) at(e *index.Expr, a *loop.Axis, i int) *index.Expr {
	return e.Subst(func(name string) *index.Expr {
		if name == a.Name {
			return index.C(i)
		}
		return index.V(name)
	}).SimplifyIn(s.x.bound)
}

// even reports whether a condition is the same for all indices of part: where it compares an index with a limit, both
// are multiples of a chunk.
func (s *stager) even(cond *loop.Value, part *loop.Axis, aligned func(*index.Expr) bool) bool {
	switch {
	case cond == nil || !loop.Has(newDepends().value(cond), part):
		return true
	case cond.Op == loop.And:
		return s.even(cond.Args[0], part, aligned) && s.even(cond.Args[1], part, aligned)
	case cond.Op != loop.Lt && cond.Op != loop.Ge || cond.Args[0].Elem != loop.I64:
		return false
	}
	return aligned(index.Sub(s.x.of(cond.Args[0]), s.x.of(cond.Args[1])).SimplifyIn(s.x.bound))
}
