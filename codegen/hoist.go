package codegen

import (
	"fmt"
	"slices"

	"mdlc/codegen/schedule"
	"mdlc/ir/index"
	"mdlc/ir/loop"
	"mdlc/runtime/program"
)

// A kernel may begin by bringing an operand into a form that its products read well, as panels of a matrix. Where the kernel runs in a loop
// and the operand is the same in all turns, such phases are a kernel of their own that runs before the loop: the weights of a recurrent
// cell are packed once a step, and those of a model that writes a text once a text. What a turn of an inner loop selects is
// packed for all turns of that one, so that each layer has its panels.

// hoist does so in every block.
func (b *Built) hoist() {
	h := &hoister{Built: b, parts: map[string]parts{}, names: map[string]int{}, packing: map[string]int{}}
	b.eachBlock(h.enter)
	if len(h.parts)+len(h.packing) > 0 {
		b.dropUnused()
	}
}

// hoister takes phases out of the loops of a block.
type hoister struct {
	*Built
	parts   map[string]parts // by the number of a kernel and the phases that go ahead
	names   map[string]int   // of parts, and how many have each
	packing map[string]int   // kernels that pack what stands still, by the number of a kernel and the names of its buffers; -1: none

	block   *program.Block
	from    int64             // where panels begin in the arena
	at      int64             // where it has room, from here to the end of the outermost loop
	held    int64             // bytes that the block holds anyway
	loops   []*program.Loop   // around, outermost first
	ahead   [][]program.Instr // what goes before each of them
	changed map[*program.Loop]changes
}

// parts are the kernels that one is taken apart into, by number.
type parts struct{ ahead, then int }

func (h *hoister) enter(b *program.Block) {
	h.block, h.changed = b, map[*program.Loop]changes{}
	h.from, h.held = (arenaEnd(b)+63)/64*64, h.heldBy(b)
	var code []program.Instr
	settled := b.Settled
	for i, in := range b.Code {
		h.at = h.from // of what an outermost loop before it had nothing is read any more
		before := len(code)
		code = append(code, h.code([]program.Instr{in})...)
		if i < b.Settled {
			settled += len(code) - before - 1
		}
	}
	b.Code, b.Settled = code, settled
}

func (h *hoister) code(in []program.Instr) (out []program.Instr) {
	for _, x := range in {
		if l := x.Loop; l != nil {
			h.loops, h.ahead = append(h.loops, l), append(h.ahead, nil)
			l.Code = h.code(l.Code)
			n := len(h.loops) - 1
			out = append(out, h.ahead[n]...)
			h.loops, h.ahead = h.loops[:n], h.ahead[:n]
		} else {
			h.launch(x.Launch)
		}
		out = append(out, x)
	}
	return out
}

// launch takes from l what can go before a loop: what its kernel would pack if that cost nothing, or what it does pack.
func (h *hoister) launch(l *program.Launch) {
	for n := range h.loops {
		if k := h.still(l, n); k >= 0 && h.goAhead(l, k, n) {
			return
		}
	}
	for n := range h.loops { // the outermost that something can go before
		if h.goAhead(l, l.Kernel, n) {
			return
		}
	}
}

// goAhead lets phases of kernel k, which does what that of l does, go before loop n. It reports false where there are none, or no room.
func (h *hoister) goAhead(l *program.Launch, k, n int) bool {
	phases := h.alike(h.Kernels[k], l, n)
	if !slices.Contains(phases, true) {
		return false
	}
	key := fmt.Sprint(k, phases)
	if _, ok := h.parts[key]; !ok {
		h.parts[key] = h.split(k, phases)
	}
	p := h.parts[key]
	around := h.around(l, p, n)
	if slices.ContainsFunc(around, isBranch) || !h.hasRoom(l, p, around, n) {
		return false
	}
	h.place(l, p, around, n)
	return true
}

// alike are the phases of a launch that do the same in each turn of loop n: they read what nothing in it writes, and
// write scratch. Of what is outside of a loop within, each of the loops' turns may have its own.
func (h *hoister) alike(k *BuiltKernel, l *program.Launch, n int) []bool {
	fixed := h.fixed(k, l, n)
	if fixed == nil {
		return nil
	}
	segments := loop.Segments(k.Scheduled.Body)
	of, writers := make([]access, len(segments)), map[*loop.Buffer]int{}
	for i, s := range segments {
		of[i] = accesses(s)
		for buf := range of[i].writes {
			writers[buf]++
		}
	}
	out := make([]bool, len(segments))
	for i, s := range segments {
		out[i] = s.Loop == nil
		for buf := range of[i].reads {
			out[i] = out[i] && (fixed[buf] || buf.Mode == loop.Local)
		}
		for buf := range of[i].writes {
			out[i] = out[i] && (buf.Mode == loop.Work && writers[buf] == 1 || buf.Mode == loop.Local)
		}
		for buf := range of[i].writes {
			fixed[buf] = out[i] && buf.Mode == loop.Work
		}
	}
	return out
}

// fixed are the buffers of k in which all turns of loop n find the same, but for those of the loops within, as it is before loop n; nil where
// nothing goes before that.
func (h *hoister) fixed(k *BuiltKernel, l *program.Launch, n int) map[*loop.Buffer]bool {
	within := h.loops[n:]
	if _, most := h.turns(within[0], h.loops[:n]); most < 2 || isBranch(within[0]) && n > 0 { // which may be of one turn or none
		return nil
	}
	changes := h.changesIn(within[0])
	turns := map[string]bool{}
	for i, x := range within[1:] {
		if least, _ := h.turns(x, within[:i+1]); x.While != nil || least < 1 {
			return nil // it may have no turn, and all were in vain
		}
		turns[x.Turn] = true
	}
	varies := func(e *index.Expr) (found bool) {
		if e != nil {
			e.Vars(func(name string) { found = found || changes.symbols[name] && !turns[name] })
		}
		return found
	}
	fixed := map[*loop.Buffer]bool{}
	byName := refs(k, l)
	for _, buf := range arguments(k.Scheduled) {
		r := byName[buf.Name]
		fixed[buf] = buf.Mode == loop.In && !changes.places[h.memoryOf(r.Buf)] && !varies(r.Offset) && !varies(h.length(r.Buf))
	}
	return fixed
}

// access are the buffers that a phase reads and writes.
type access struct{ reads, writes map[*loop.Buffer]bool }

func accesses(s loop.Segment) access {
	a := access{map[*loop.Buffer]bool{}, map[*loop.Buffer]bool{}}
	seen := map[*loop.Axis]bool{}
	var look func(v *loop.Value)
	axis := func(x *loop.Axis) {
		if x != nil && !seen[x] {
			seen[x] = true
			look(x.Def)
			look(x.Extent)
		}
	}
	look = func(v *loop.Value) {
		loop.Visit(v, func(v *loop.Value) {
			if v.Op == loop.Load {
				a.reads[v.Buf] = true
			}
			axis(v.Axis)
			for _, x := range slices.Concat(v.Axes, v.Over) {
				axis(x)
			}
		})
	}
	body := s.Body
	if s.Loop != nil {
		body = []loop.Stmt{s.Loop}
	}
	loop.Walk(body, func(st loop.Stmt) {
		loop.Values(st, look)
		switch st := st.(type) {
		case *loop.Store:
			a.writes[st.Buf] = true
		case *loop.For:
			axis(st.Axis)
		}
	})
	return a
}

// changes are the memory and the symbols that differ between the turns of a loop.
type changes struct {
	places  map[memory]bool
	symbols map[string]bool
}

// memory is what buffers that are one memory have in common: a state, or else the buffer.
type memory struct {
	state bool
	i     int
}

func (h *hoister) memoryOf(buf int) memory {
	if b := &h.block.Bufs[buf]; b.Home == program.HomeState {
		return memory{true, b.State}
	}
	return memory{false, buf}
}

// length is the symbol whose value a buffer holds; nil: it holds none.
func (h *hoister) length(buf int) *index.Expr {
	b := &h.block.Bufs[buf]
	switch {
	case b.Home != program.HomeLen:
		return nil
	case b.State >= 0:
		return index.V(h.block.Lens[b.State].Name)
	}
	return index.V(b.Name)
}

func (h *hoister) changesIn(l *program.Loop) changes {
	if c, ok := h.changed[l]; ok {
		return c
	}
	c := changes{map[memory]bool{}, map[string]bool{}}
	h.changed[l] = c
	var loops func(l *program.Loop)
	loops = func(l *program.Loop) {
		c.symbols[l.Turn], c.symbols[l.Made] = true, true
		for _, n := range l.Lens {
			c.symbols[n.Name] = true
		}
		if l.Turns >= 0 {
			c.places[h.memoryOf(l.Turns)] = true
		}
		for _, in := range l.Code {
			if in.Loop != nil {
				loops(in.Loop)
				continue
			}
			for i, buf := range arguments(h.Kernels[in.Launch.Kernel].Page) {
				if buf.Mode != loop.In {
					c.places[h.memoryOf(in.Launch.Args[i].Buf)] = true
				}
			}
		}
	}
	loops(l)
	return c
}

// split makes the phases of a kernel that go ahead one kernel, and the others another.
func (h *hoister) split(kernel int, phases []bool) parts {
	k := h.Kernels[kernel]
	var ahead, then []loop.Segment
	handed := map[*loop.Buffer]bool{} // from one to the other
	for i, s := range loop.Segments(k.Scheduled.Body) {
		if !phases[i] {
			then = append(then, s)
			continue
		}
		ahead = append(ahead, s)
		for buf := range accesses(s).writes {
			handed[buf] = buf.Mode == loop.Work
		}
	}
	p := parts{h.part(k, "_ahead", ahead, handed, loop.Out), h.part(k, "_then", then, handed, loop.In)}
	first, second := &h.Program.Kernels[p.ahead], &h.Program.Kernels[p.then]
	for _, buf := range arguments(h.Kernels[p.ahead].Scheduled) {
		first.Bytes += float64(bufferBytes(buf))
	}
	second.Products, second.Bytes = h.Program.Kernels[kernel].Products, h.Program.Kernels[kernel].Bytes
	return p
}

// part is the number of a kernel of some phases of k, in which what one part hands to the other has a mode of its own. It has the
// buffers that they use, lengths by which points are counted among them.
func (h *hoister) part(k *BuiltKernel, suffix string, phases []loop.Segment, handed map[*loop.Buffer]bool, mode loop.Mode) int {
	args := map[string]pageArg{}
	for i, buf := range arguments(k.Page) {
		args[buf.Name] = k.args[i]
	}
	bufs := map[*loop.Buffer]loop.Mode{}
	for _, s := range phases {
		a := accesses(s)
		for _, buf := range k.Scheduled.Bufs {
			if a.reads[buf] || a.writes[buf] {
				bufs[buf] = buf.Mode
			}
			if _, used := bufs[buf]; used && handed[buf] {
				bufs[buf] = mode
			}
		}
	}
	name := k.Page.Name + suffix
	if h.names[name]++; h.names[name] > 1 { // other phases of k went ahead elsewhere
		name = fmt.Sprintf("%s_v%d", name, h.names[name])
	}
	part := schedule.Phases(k.Scheduled, name, phases, bufs)
	out := &BuiltKernel{Page: part, Scheduled: part}
	for _, buf := range arguments(part) {
		a, ok := args[buf.Name]
		if !ok {
			a.role = handedOn
		}
		out.args = append(out.args, a)
	}
	h.Kernels = append(h.Kernels, out)
	h.Program.Kernels = append(h.Program.Kernels, program.Kernel{Name: part.Name, Pos: part.Pos})
	return len(h.Kernels) - 1
}

// around are the loops within loop to in whose turns the first of the parts differs, each of which has panels of its own.
func (h *hoister) around(l *program.Launch, p parts, to int) []*program.Loop {
	byName := refs(h.Kernels[l.Kernel], l)
	turns := map[string]bool{} // on which it depends
	for _, buf := range arguments(h.Kernels[p.ahead].Scheduled) {
		r, ok := byName[buf.Name]
		if !ok {
			continue
		}
		for _, e := range []*index.Expr{r.Offset, h.length(r.Buf)} {
			if e != nil {
				e.Vars(func(name string) { turns[name] = true })
			}
		}
	}
	return slices.DeleteFunc(slices.Clone(h.loops[to+1:]), func(x *program.Loop) bool { return !turns[x.Turn] })
}

// place makes l the second of the parts, and puts the first before loop to: as often as what it works on differs there.
func (h *hoister) place(l *program.Launch, p parts, around []*program.Loop, to int) {
	k := h.Kernels[l.Kernel]
	byName, lengths, n := refs(k, l), map[string]*index.Expr{}, 0
	for i, buf := range arguments(k.Page) {
		if k.args[i].isLength() {
			lengths[buf.Name] = l.Lens[n]
			n++
		}
	}
	ahead := h.Kernels[p.ahead].Scheduled
	for _, buf := range arguments(ahead) {
		if buf.Mode == loop.In {
			continue
		}
		stride, offset := panelRoom(buf), index.C(0)
		for _, x := range slices.Backward(around) {
			offset = index.Sum(offset, index.Prod(index.V(x.Turn), index.C(stride)))
			stride *= turnsOf(x)
		}
		h.block.Bufs = append(h.block.Bufs, program.Buffer{Name: ahead.Name + "." + buf.Name, Elem: buf.Elem, Dims: []int{stride / buf.Elem.Size()}, Home: program.HomeArena, Offset: h.at})
		h.at += int64(stride)
		h.Program.Arena = max(h.Program.Arena, h.at)
		r := program.Ref{Buf: len(h.block.Bufs) - 1, Offset: offset}
		if offset.IsConst(0) {
			r.Offset = nil
		}
		byName[buf.Name] = r
	}
	launch := func(kernel int) program.Launch {
		out := program.Launch{Kernel: kernel}
		for _, buf := range arguments(h.Kernels[kernel].Scheduled) {
			out.Args = append(out.Args, byName[buf.Name])
			if e := lengths[buf.Name]; e != nil {
				out.Lens = append(out.Lens, e)
			}
		}
		return out
	}
	first := launch(p.ahead)
	in := program.Instr{Launch: &first}
	for _, x := range slices.Backward(around) {
		in = program.Instr{Loop: &program.Loop{Turn: x.Turn, Count: x.Count, Turns: -1, Code: []program.Instr{in}}}
	}
	h.ahead[to] = append(h.ahead[to], in)
	*l = launch(p.then)
}

// refs are what a launch of k gives for its buffers, by name.
func refs(k *BuiltKernel, l *program.Launch) map[string]program.Ref {
	out := map[string]program.Ref{}
	for i, buf := range arguments(k.Page) {
		out[buf.Name] = l.Args[i]
	}
	return out
}

// dropUnused drops kernels that no launch names.
func (b *Built) dropUnused() {
	number := make([]int, len(b.Kernels))
	b.eachLaunch(func(l *program.Launch) { number[l.Kernel] = 1 })
	var kernels []*BuiltKernel
	var of []program.Kernel
	for i, used := range number {
		if used == 1 {
			number[i] = len(kernels)
			kernels, of = append(kernels, b.Kernels[i]), append(of, b.Program.Kernels[i])
		}
	}
	b.Kernels, b.Program.Kernels = kernels, of
	b.eachLaunch(func(l *program.Launch) { l.Kernel = number[l.Kernel] })
}

// eachLaunch calls f with the launches of all blocks.
func (b *Built) eachLaunch(f func(l *program.Launch)) {
	b.eachBlock(func(block *program.Block) { launchesOf(block.Code, f) })
}

// launchesOf calls f with the launches of some code, in order.
func launchesOf(code []program.Instr, f func(l *program.Launch)) {
	for _, in := range code {
		if in.Loop != nil {
			launchesOf(in.Loop.Code, f)
		} else {
			f(in.Launch)
		}
	}
}

// eachBlock calls f with all blocks.
func (b *Built) eachBlock(f func(*program.Block)) {
	for i := range b.Program.Entries {
		e := &b.Program.Entries[i]
		f(&e.Block)
		for j := range e.Every {
			f(&e.Every[j].Block)
		}
	}
}
