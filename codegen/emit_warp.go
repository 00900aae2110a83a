package codegen

import (
	"fmt"
	"slices"
	"strings"

	"github.com/llir/llvm/ir"
	"github.com/llir/llvm/ir/enum"
	"github.com/llir/llvm/ir/types"
	"github.com/llir/llvm/ir/value"

	"mdlc/codegen/llir"
	"mdlc/codegen/schedule"
	"mdlc/ir/loop"
)

// On a GPU the lanes of a vector are the threads of a warp: the lane axis is bound to the thread, a register
// of a value over lanes is a scalar of each, and what crosses lanes is a shuffle. A warp runs a point of a phase.
// All threads compute what has no lane axis, and one stores it.

const (
	warpThreads = schedule.WarpThreads
	blockPoints = 4 // points that share a block where their memory allows: enough to fill a processor with the blocks it takes
	// warps of a product of few rows that a processor is to hold at least: ptxas gives each thread registers for so many, and
	// without a number so few that it waits for one load after the other
	gemvResident = 16
	sharedSymbol = "mdlc_shared"
)

// warpPhase emits a phase as a kernel of a GPU whose parameters are the addresses of all buffers, the number of points and, if it is
// launched in rounds, which one this is.
func (e *emitter) warpPhase(out *Emitted, name string, ph phaseBody, par []*loop.Axis) {
	body := ph.body
	e.bufs, e.used = map[*loop.Buffer]*ir.Param{}, nil
	f := e.b.Start(name)
	f.CallingConv = enum.CallingConvPTXKernel
	e.reset()
	for _, b := range params(e.k) {
		e.buffer(b)
	}
	points := ir.NewParam("", types.I64)
	round := ir.NewParam("", types.I64)
	if ph.round != nil { // that it is of 32 bits is for LLVM to know
		e.bind[ph.round] = binding{v: e.b.Block.NewZExt(e.b.Block.NewTrunc(round, types.I32), types.I64)}
	}
	block := e.blockOf(body, par)
	e.parts, e.block, e.inRole = block.parts, block, nil
	e.shared = exchanged(body)
	e.grouped = slices.ContainsFunc(e.k.Bufs, func(b *loop.Buffer) bool { _, here := block.panels[b]; return here && b.Swizzle })
	thread := e.special("tid.x")
	warp := value.Value(e.b.Block.NewLShr(thread, llir.Int(types.I32, 5)))
	lane := e.b.Block.NewAnd(thread, llir.Int(types.I32, warpThreads-1))
	e.isFirst = e.b.Block.NewICmp(enum.IPredEQ, lane, llir.Int(types.I32, 0))
	e.lane = lane
	e.bindThreads(thread, block)
	wide := e.b.Block.NewZExt(lane, types.I64)
	for _, a := range e.k.Axes {
		if a.Bind == loop.Lane {
			e.bind[a] = binding{v: wide}
		}
	}
	point := e.special("ctaid.x")
	if block.parts != nil {
		e.unflatten(warp, block.parts)
		for b := range block.panels {
			delete(e.shared, b) // the statements say where warps meet
		}
		warp = llir.Int(types.I32, 0)
	} else {
		point = e.b.Block.NewAdd(e.b.Block.NewMul(point, llir.Int(types.I32, int64(block.points))), warp)
	}
	for _, b := range e.k.Bufs {
		if at, ok := block.panels[b]; ok {
			e.local(b, warp, block.scratch, at)
		}
	}
	e.startRings(thread, block)
	if e.thread = thread; block.others > 0 {
		first := e.shuffle("idx", thread, llir.Int(types.I32, 0))
		e.warp = e.b.Block.NewLShr(first, llir.Int(types.I32, 5))
	}
	e.inBranch(e.b.Block.NewICmp(predSLT, e.b.Block.NewZExt(point, types.I64), points), func() {
		e.unflatten(point, par)
		e.stmts(body)
	})
	if block.cluster > 0 {
		e.b.ClusterBarrier()
	}
	e.b.Block.NewRet(nil)
	for _, b := range params(e.k) {
		p := e.bufs[b]
		if !stores(body, b) {
			p.Attrs = append(p.Attrs, enum.ParamAttrReadOnly)
		}
		f.Params = append(f.Params, p)
	}
	f.Params = append(f.Params, points)
	if ph.round != nil {
		f.Params = append(f.Params, round)
	}
	for _, m := range e.maps {
		f.Params = append(f.Params, m.param)
	}
	code := e.function(f)
	code.params, code.maps = len(f.Params), len(e.maps)
	code.cluster = block.cluster
	code.threads, code.resident = (block.warps+block.others)*warpThreads, block.resident
	out.funcs = append(out.funcs, code)
	out.Phases = append(out.Phases, EmittedPhase{Symbol: name, Par: par, Round: ph.round, Threads: code.threads, PerBlock: block.points, Shared: block.points * block.scratch, Maps: e.maps})
}

// special reads a register of the GPU that tells the thread's place.
func (e *emitter) special(name string) value.Value {
	return e.b.Intrinsic("nvvm.read.ptx.sreg."+name, nil, types.I32)
}

// local places a buffer of the warp in the block's shared memory, of which each warp has size bytes.
func (e *emitter) local(b *loop.Buffer, warp value.Value, size, at int) {
	from := e.b.Block.NewAdd(e.b.Block.NewMul(warp, llir.Int(types.I32, int64(size))), llir.Int(types.I32, int64(at)))
	e.places[b] = e.b.GEP(types.I8, llir.GlobalIn(llir.SharedPtr, sharedSymbol), from)
}

// unflatten binds the par axes at a point.
func (e *emitter) unflatten(point value.Value, par []*loop.Axis) {
	rest := point
	for i := len(par) - 1; i >= 0; i-- {
		at := rest
		if i > 0 {
			n := e.b.Block.NewTrunc(e.widen(e.scalarIndex(par[i].Extent), types.I64), types.I32)
			at = e.b.Block.NewURem(rest, n)
			rest = e.b.Block.NewUDiv(rest, n)
		}
		e.bind[par[i]] = binding{v: e.b.Block.NewZExt(at, types.I64)}
	}
}

// stores reports whether body stores to b.
func stores(body []loop.Stmt, b *loop.Buffer) bool {
	found := false
	loop.Walk(body, func(s loop.Stmt) {
		if st, ok := s.(*loop.Store); ok && st.Buf == b {
			found = true
		}
	})
	return found
}

// exchanged are the buffers that body stores and loads, but for those that each thread has to itself:
// where all indices are the same and tell lanes apart.
func exchanged(body []loop.Stmt) map[*loop.Buffer]bool {
	texts := map[*loop.Buffer]string{}
	out := map[*loop.Buffer]bool{}
	look := func(b *loop.Buffer, at []*loop.Value) {
		text := ""
		var axes []*loop.Axis
		for _, x := range at {
			text += indexText(x) + ","
			axes = append(axes, x.Axes...)
		}
		lane := ownedByAll(axes)
		if old, ok := texts[b]; ok && old != text || !lane {
			out[b] = true
		}
		texts[b] = text
	}
	stored := map[*loop.Buffer]bool{}
	loop.Walk(body, func(s loop.Stmt) {
		if st, ok := s.(*loop.Store); ok {
			stored[st.Buf] = true
			look(st.Buf, st.Index)
		}
	})
	loaded := map[*loop.Buffer]bool{}
	eachValue(body, func(v *loop.Value) {
		if v.Op == loop.Load && stored[v.Buf] {
			loaded[v.Buf] = true
			look(v.Buf, v.Args)
		}
	})
	for b := range out {
		if !loaded[b] {
			delete(out, b)
		}
	}
	return out
}

// indexText is equal for equal indices.
func indexText(v *loop.Value) string {
	switch v.Op {
	case loop.Const:
		return fmt.Sprint(v.Bits)
	case loop.AxisIndex:
		return v.Axis.Name
	case loop.Load:
		return fmt.Sprintf("%p", v)
	}
	text := v.Op.String() + "("
	for _, a := range v.Args {
		text += indexText(a) + ","
	}
	return text + ")"
}

// exchange lets the threads of the warp see what others of it stored, where v reads such memory.
func (e *emitter) exchange(v *loop.Value) {
	if len(e.shared) == 0 {
		return
	}
	reads := false
	seen := map[*loop.Value]bool{}
	var visit func(v *loop.Value)
	visit = func(v *loop.Value) {
		if !seen[v] {
			seen[v] = true
			reads = reads || v.Op == loop.Load && e.shared[v.Buf]
			operands(v, visit)
		}
	}
	if visit(v); reads {
		e.warpSync()
	}
}

func (e *emitter) warpSync() {
	e.b.Intrinsic("nvvm.bar.warp.sync", nil, types.Void, llir.Int(types.I32, -1))
}

// owned is cond for the threads that have something of their own to store, of what has these axes.
func (e *emitter) owned(cond value.Value, axes []*loop.Axis) value.Value {
	owner := e.owner(axes)
	switch {
	case owner == nil:
		return cond
	case cond == nil:
		return owner
	}
	for s := e.scope; s != nil; s = s.up {
		if y := s.ands[[2]value.Value{cond, owner}]; y != nil {
			return y
		}
	}
	y := e.b.Block.NewAnd(cond, owner)
	e.scope.ands[[2]value.Value{cond, owner}] = y
	return y
}

// loadIf reads a t at p where cond holds, and is 0 elsewhere.
func (e *emitter) loadIf(cond value.Value, t types.Type, p value.Value, align int) value.Value {
	switch {
	case cond == nil:
		return e.b.Load(t, p, align)
	case e.eager && p.Type().Equal(llir.GlobalPtr):
		return e.b.Load(t, e.b.Block.NewSelect(cond, p, llir.GlobalIn(llir.GlobalPtr, ptxZeros)), align)
	}
	from := e.b.Block
	var x value.Value
	var then *ir.Block
	e.branch(cond, func() {
		x = e.b.Load(t, p, align)
		then = e.b.Block
	})
	return e.b.Block.NewPhi(inc(x, then), inc(llir.Zero(t), from))
}

// warpHalf is half of a register of some lanes. A register of fewer lanes than a warp has is repeated in it. Of
// 16 lanes and fewer the halves come exchanged in half of the threads: whoever combines them does not mind.
func (e *emitter) warpHalf(x value.Value, width, upper int) value.Value {
	switch {
	case width == warpThreads:
		at := value.Value(e.b.Block.NewAnd(e.lane, llir.Int(types.I32, warpThreads/2-1)))
		if upper == 1 {
			at = e.b.Block.NewOr(at, llir.Int(types.I32, warpThreads/2))
		}
		return e.shuffle("idx", x, at)
	case upper == 0:
		return x
	}
	return e.shuffle("bfly", x, llir.Int(types.I32, int64(width/2)))
}

// laneOf is one lane of a register.
func (e *emitter) laneOf(x value.Value, i int) value.Value {
	switch {
	case e.t.GPU:
		return e.shuffle("idx", x, llir.Int(types.I32, int64(i)))
	case llir.Lanes(x.Type()) == 0:
		return x
	}
	return e.b.Extract(x, i)
}

// shuffle reads x of another thread of the warp.
func (e *emitter) shuffle(mode string, x, at value.Value) value.Value {
	blk := e.b.Block
	t := x.Type()
	word := func(x value.Value) value.Value {
		return e.b.Intrinsic("nvvm.shfl.sync."+mode+".i32", nil, types.I32, llir.Int(types.I32, -1), x, at, llir.Int(types.I32, warpThreads-1))
	}
	switch {
	case t.Equal(types.I32):
		return word(x)
	case t.Equal(types.Float):
		return e.b.Bitcast(word(e.b.Bitcast(x, types.I32)), t)
	case t.Equal(types.Double):
		return e.b.Bitcast(e.shuffle(mode, e.b.Bitcast(x, types.I64), at), t)
	case t.Equal(types.I64):
		low := blk.NewZExt(word(blk.NewTrunc(x, types.I32)), t)
		high := blk.NewZExt(word(blk.NewTrunc(blk.NewLShr(x, llir.Int(t, 32)), types.I32)), t)
		return blk.NewOr(low, blk.NewShl(high, llir.Int(t, 32)))
	}
	if _, ok := t.(*types.IntType); !ok {
		panic(fmt.Sprintf("emit: kernel %s: a shuffle of %s", e.k.Name, t))
	}
	return blk.NewTrunc(word(blk.NewZExt(x, types.I32)), t)
}

// kernelFooter tells LLVM how many threads the blocks of kernels have, how many blocks a processor, and which parameters nobody writes to, so that they
// have an address.
func kernelFooter(funcs []function) string {
	var lines, names []string
	for _, f := range funcs {
		if f.threads > 0 {
			resident := ""
			if f.resident > 0 {
				resident = fmt.Sprintf(", !\"minctasm\", i32 %d", f.resident)
			}
			if f.cluster > 0 {
				resident += fmt.Sprintf(", !\"maxclusterrank\", i32 %d", f.cluster)
			}
			lines = append(lines, fmt.Sprintf("!%d = !{ptr @%s, !\"reqntidx\", i32 %d%s}", len(lines), f.name, f.threads, resident))
			names = append(names, fmt.Sprintf("!%d", len(lines)-1))
		}
		if f.maps > 0 {
			var which []string // counted from 1
			for i := f.params - f.maps; i < f.params; i++ {
				which = append(which, fmt.Sprintf("i32 %d", i+1))
			}
			lines = append(lines, fmt.Sprintf("!%d = !{%s}", len(lines), strings.Join(which, ", ")),
				fmt.Sprintf("!%d = !{ptr @%s, !\"grid_constant\", !%d}", len(lines)+1, f.name, len(lines)))
			names = append(names, fmt.Sprintf("!%d", len(lines)-1))
		}
	}
	if lines == nil {
		return ""
	}
	text := "\n!nvvm.annotations = !{"
	for i, n := range names {
		if i > 0 {
			text += ", "
		}
		text += n
	}
	text += "}\n"
	for _, l := range lines {
		text += l + "\n"
	}
	return text
}
