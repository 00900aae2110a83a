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
			if z := slices.IndexFunc(ds, func(d *loop.Value) bool { return s.roles[d.Name] }); z >= 0 {
				end := i + pageEnd(body[i:])
				staged, err := s.rolesOfBlocks(body[i:end], out[1+lastPhase(out):], ds[z])
				if err != nil {
					return nil, err
				}
				rest, err := s.body(body[end:], inside)
				return slices.Concat(out, staged, rest), err
			}
			again := slices.ContainsFunc(out[1+lastPhase(out):], func(st loop.Stmt) bool { _, ok := st.(*loop.Commit); return ok })
			staged, err := s.blocks(f, ds, again)
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
	page := pageEnd(follows)
	precede = precede[1+lastPhase(precede):]
	var of *tiles
	if s.points[d.Name] > 0 {
		var err error
		if of, err = s.persist(d, f, slices.Concat(precede, []loop.Stmt{f}, follows[:page])); err != nil {
			return nil, err
		}
	}
	threads := s.threadsOf(d)
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
		d.Args[i] = s.read(sl, v, binary(loop.Mod, of.turn(axisValue(f.Axis)), intValue(many)))
	}
	var t *turns
	var err error
	if s.bulk[d.Name] {
		if t, err = s.ring(f, d, slots, of, depth, inside); err != nil {
			return nil, err
		}
	} else {
		t = s.fills(f, d, slots, depth, inside)
	}
	var settled []loop.Stmt
	if d.Instr == loop.WGMMA {
		if settled, err = s.settle(f, d); err != nil {
			return nil, err
		}
		settled = append(settled, t.free...)
	}
	f.Body = slices.Concat(t.first, f.Body, t.last)
	var after []loop.Stmt
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

// pageEnd is where the page ends that body begins with.
func pageEnd(body []loop.Stmt) int {
	if i := slices.IndexFunc(body, func(st loop.Stmt) bool { _, ok := st.(*loop.Phase); return ok }); i >= 0 {
		return i
	}
	return len(body)
}

// threadsOf are the threads of the warps that share product d.
func (s *stager) threadsOf(d *loop.Value) int {
	threads := WarpThreads
	for _, a := range s.deps.value(d) {
		if a.Bind == loop.Warp {
			threads *= a.Max
		}
	}
	return threads
}

// settle lets the turns of f wait for product d, and gives what stands behind them.
func (s *stager) settle(f *loop.For, d *loop.Value) (after []loop.Stmt, err error) {
	let := slices.IndexFunc(f.Body, func(st loop.Stmt) bool { l, ok := st.(*loop.Let); return ok && l.Val == d })
	if s.pending(f, d) == 0 { // what uses it comes next
		if let < 0 {
			let, f.Body = 0, slices.Insert(f.Body, 0, loop.Stmt(&loop.Let{Val: d}))
		}
		f.Body = slices.Insert(f.Body, let+1, loop.Stmt(&loop.Settle{Val: d}))
		return nil, nil
	}
	c := slices.IndexFunc(f.Carry, func(c *loop.Carry) bool { return c.Next == d })
	if c < 0 || let < 0 {
		return nil, fmt.Errorf("%s is not what its loop carries", d.Name)
	}
	f.Body = append(f.Body, &loop.Settle{Young: groupsPending, Val: d})
	return []loop.Stmt{&loop.Settle{Val: f.Carry[c].Out}}, nil
}

// pending is how many products of d, in the turns of f, are on their way when the next one is begun: none of those that threads add to the sum of all turns.
func (s *stager) pending(f *loop.For, d *loop.Value) int {
	added := func(c *loop.Carry) bool { return c.Next.Op == loop.Add && slices.Contains(c.Next.Args, d) }
	if d.Instr != loop.WGMMA || slices.ContainsFunc(f.Carry, added) {
		return 0
	}
	return groupsPending
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
	lead := depth - 1 - s.pending(f, d) // how many turns ahead slots are filled
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
	least, most := s.x.rng(index.Sub(s.x.of(end), s.x.of(turn)).SimplifyIn(s.x.bound)) // turns that are left
	switch {
	case most <= 0:
		return nil
	case least > 0:
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
