package codegen

import (
	"fmt"
	"slices"

	"github.com/llir/llvm/ir"
	"github.com/llir/llvm/ir/enum"
	"github.com/llir/llvm/ir/types"
	"github.com/llir/llvm/ir/value"

	"mdlc/codegen/llir"
	"mdlc/codegen/schedule"
	"mdlc/ir/index"
	"mdlc/ir/loop"
	"mdlc/ir/parallel"
)

// Emitted is the LLVM text of one kernel and what a caller needs to run it.
type Emitted struct {
	Name    string
	Phases  []EmittedPhase
	Scratch int        // bytes of scratch of one worker, 64-byte aligned
	funcs   []function // each after those that it calls
}

// function is the text of a function and what it needs of others.
type function struct {
	name, text string
	declare    string   // for modules that call it and do not have it
	calls      []string // names
	intrinsics []string // declarations
	tier       tier
	phase      bool // the loops of a phase, which an entry point calls
	threads    int  // of a block, of a kernel of a GPU
	params     int  // of a kernel of a GPU, the last of which are
	maps       int  // tensor maps
	cluster    int  // blocks of a cluster; 0: there are none
	resident   int  // blocks of it that a processor is to hold at least; 0: any number
}

// EmittedPhase is a function `void Symbol(ptr args, i64 lo, i64 hi, ptr scratch)`
// that runs the points lo..hi of a phase. args holds the addresses of the
// kernel's buffers that are not Local, in order; they must not overlap, except
// that In buffers may overlap one another.
type EmittedPhase struct {
	Symbol string
	Par    []*loop.Axis // the points are their product, last fastest; empty: one point
	Round  *loop.Axis   // of which it is launched for each index, with those beside it that have it; nil: once

	Whole bool // a thread should get its points at once: they go through a loop together

	Threads, PerBlock, Shared int // of a block, where lanes are threads: its threads, its points, and its bytes of shared memory
	Maps                      []EmittedMap
}

// Points are the extents whose product is the number of points.
func (p EmittedPhase) Points() []*loop.Value {
	var out []*loop.Value
	for _, a := range p.Par {
		out = append(out, a.Extent)
	}
	return out
}

// emitError carries an error of the user's making out of the recursion.
type emitError struct{ err error }

func (e *emitter) fail(format string, args ...any) {
	panic(emitError{fmt.Errorf("kernel %s: "+format, append([]any{e.k.Name}, args...)...)})
}

// bug reports a kernel that the steps before emission should not have made.
func (e *emitter) bug(v *loop.Value, format string, args ...any) {
	name := v.Name
	if name == "" {
		name = v.Op.String()
	}
	panic(fmt.Sprintf("emit: kernel %s, value %s: %s", e.k.Name, name, fmt.Sprintf(format, args...)))
}

// Emit writes a kernel that went through the steps layout and expand as LLVM text.
func Emit(k *loop.Kernel, t *Target) (*Emitted, error) {
	return emit(k, t, &parallel.Memo[sharedFunction]{})
}

// emit is Emit with the functions that kernels for t share, as far as they are made, by name.
func emit(k *loop.Kernel, t *Target, made *parallel.Memo[sharedFunction]) (out *Emitted, err error) {
	defer func() {
		if r := recover(); r != nil {
			ee, ok := r.(emitError)
			if !ok {
				panic(r)
			}
			out, err = nil, ee.err
		}
	}()
	if !k.Guarded {
		return nil, fmt.Errorf("kernel %s is not guarded: step edge has not run", k.Name)
	}
	switch {
	case t.GPU:
		k = schedule.Expand(k) // what is a call elsewhere
	case t.Vector >= 64:
		k = schedule.ByIntegers(k)
	}
	e := &emitter{k: k, t: t, b: llir.NewBuilder(), uses: newUses(k), bounds: map[*loop.Value][2]int{}, ahead: map[*loop.For][]ahead{}, followed: map[*loop.Buffer]*loop.Axis{}, nextRows: map[*loop.Buffer]*loop.Axis{}, made: made, callees: map[string]*ir.Func{}}
	e.streamed = streamedBuffers(k)
	out = &Emitted{Name: k.Name}
	offsets := map[*loop.Buffer]int{}
	for _, buf := range k.Bufs {
		if buf.Mode == loop.Local {
			offsets[buf] = out.Scratch
			out.Scratch += (bufferBytes(buf) + 63) / 64 * 64
		}
	}
	for i, ph := range e.phases(k.Body, nil) {
		body := ph.body
		par := schedule.PointAxes(k, body)
		name := fmt.Sprintf("%s_p%d", k.Name, i)
		if t.GPU {
			e.warpPhase(out, name, ph, par)
			continue
		}
		inner, bufs := e.bodyFunc(name+".body", body, par)
		code := e.function(inner)
		if len(e.streamed)+len(e.ahead) > 0 {
			code.tier = tierStreaming
		}
		code.phase = true
		out.funcs = append(append(out.funcs, e.written...), code)
		e.written = nil
		caller := e.function(e.entryFunc(name, inner, bufs, offsets))
		caller.tier = tierEntry
		out.funcs = append(out.funcs, caller)
		out.Phases = append(out.Phases, EmittedPhase{Symbol: name, Par: par, Whole: schedule.TogetherIn(k, body) != nil})
	}
	return out, nil
}

// function finishes f.
func (e *emitter) function(f *ir.Func) function {
	return function{name: f.Name(), text: llir.Text(f), declare: llir.Declaration(f), calls: e.b.Calls(), intrinsics: e.b.Decls()}
}

// streamedBuffers are those that the schedule wants written past the caches.
func streamedBuffers(k *loop.Kernel) map[*loop.Buffer]bool {
	out := map[*loop.Buffer]bool{}
	for _, o := range k.Opts {
		for _, b := range k.Bufs {
			if o.Kind == schedule.Stream && b.Name == o.Axis {
				out[b] = true
			}
		}
	}
	return out
}

// bufferBytes are the bytes of a buffer; of one whose length the launch gives, those that this is multiplied with.
func bufferBytes(b *loop.Buffer) int {
	n := 1
	if b.Strides == nil {
		for i, d := range b.Dims {
			if i > 0 || b.Length == nil {
				n *= d
			}
		}
		return n * b.Elem.Size()
	}
	for i, d := range b.Dims {
		if d == 0 {
			return 0
		}
		n += (d - 1) * b.Strides[i]
	}
	return n * b.Elem.Size()
}

// phaseBody is what a phase does, in rounds over an axis or once.
type phaseBody struct {
	body  []loop.Stmt
	round *loop.Axis
}

// phases are those of a body that is in rounds over an axis, or not. A kernel of a GPU may have one loop around phases.
func (e *emitter) phases(body []loop.Stmt, round *loop.Axis) []phaseBody {
	var out []phaseBody
	for _, s := range loop.Segments(body) {
		if s.Loop == nil {
			out = append(out, phaseBody{s.Body, round})
			continue
		}
		if !e.t.GPU || round != nil || slices.ContainsFunc(out, func(p phaseBody) bool { return p.round != nil }) {
			e.fail("a phase inside a loop is not supported")
		}
		out = append(out, e.phases(s.Loop.Body, s.Loop.Axis)...)
	}
	return out
}

// emitter holds the state of one kernel's emission.
type emitter struct {
	k    *loop.Kernel
	t    *Target
	b    *llir.Builder
	uses *uses

	bufs     map[*loop.Buffer]*ir.Param // of the phase, in the order of their first use
	used     []*loop.Buffer
	places   map[*loop.Buffer]value.Value // of buffers that are no parameters
	streamed map[*loop.Buffer]bool        // written past the caches
	ahead    map[*loop.For][]ahead        // fetched in a loop for the next row
	followed map[*loop.Buffer]*loop.Axis  // fetched in products: what follows, a share in each turn of the loop over the axis
	nextRows map[*loop.Buffer]*loop.Axis  // fetched where rows are transposed: those of the next turn of the loop over the axis
	together *loop.For                    // of the phase: the loop through which points go together, nil: none
	points   func(body []loop.Stmt)       // runs points inside of it
	made     *parallel.Memo[sharedFunction]
	callees  map[string]*ir.Func // shared functions that it calls, by name
	written  []function          // those that no phase before has
	bind     map[*loop.Axis]binding
	fixed    map[*loop.Axis]bool          // Reg axes that a group binds
	opaque   map[string]*loop.Value       // variables of index expressions that are not axes
	ids      map[*loop.Value]int          // their numbers, in order of appearance
	lengths  map[*loop.Buffer]*loop.Value // in roles: the load that all of a length are
	scope    *scope
	lane     value.Value                      // where lanes are threads: the thread's
	isFirst  value.Value                      // whether it is lane 0
	parts    []*loop.Axis                     // of the phase: axes that the warps of a point share
	threads  map[string]threadPart            // variables of index expressions that differ between threads
	shared   map[*loop.Buffer]bool            // of the phase: buffers through which threads of a warp exchange values
	rings    map[*loop.Ring]value.Value       // of the phase: where the barriers are
	thread   value.Value                      // of the phase: its number in its block
	warp     value.Value                      // that of its warp, the same in all threads of it
	block    *block                           // of the phase
	inRole   *role                            // nil: all warps do the same
	asks     value.Value                      // whether the thread asks for copies; nil: it is known to
	frees    value.Value                      // whether it frees slots for its group
	maps     []EmittedMap                     // of the phase
	grouped  bool                             // the phase has products of groups of warps, whose operands are in shared memory
	held     map[*loop.Value][]llir.WgmmaStep // by product of such: what it multiplies that is in registers, once that is there
	eager    bool                             // in steps of a product that registers hold: loads do not branch, and are of neighbours at once
	turn     int                              // counts statements: what reads stored memory is remembered within one only
	bounds   map[*loop.Value][2]int
}

// binding is where an axis stands: v + off, or off where v is nil. Where an axis is spread over threads, thread is
// the part of its index that differs between them, and v is nil.
type binding struct {
	v      value.Value
	off    int
	thread *index.Expr
	n      int // of the registers over an axis: which one
}

// scope remembers what was emitted in a block that dominates the present one.
type scope struct {
	up   *scope
	memo map[memoKey]value.Value
	text map[string]value.Value // index expressions and addresses, by text
	vecs map[value.Value]value.Value
	ands map[[2]value.Value]value.Value
}

type memoKey struct {
	v    *loop.Value
	reg  int // flattened register coordinates
	turn int
}

func (e *emitter) push() {
	e.scope = &scope{up: e.scope, memo: map[memoKey]value.Value{}, text: map[string]value.Value{}, vecs: map[value.Value]value.Value{}, ands: map[[2]value.Value]value.Value{}}
}

func (e *emitter) pop() { e.scope = e.scope.up }

func (s *scope) find(k memoKey) value.Value {
	for ; s != nil; s = s.up {
		if x := s.memo[k]; x != nil {
			return x
		}
	}
	return nil
}

func (s *scope) findText(k string) value.Value {
	for ; s != nil; s = s.up {
		if x := s.text[k]; x != nil {
			return x
		}
	}
	return nil
}

func (s *scope) findVec(k value.Value) value.Value {
	for ; s != nil; s = s.up {
		if x := s.vecs[k]; x != nil {
			return x
		}
	}
	return nil
}

// bodyFunc is the function with the loop over points. The buffers that it uses are parameters
// that do not alias, which is what lets LLVM move loads out of loops.
func (e *emitter) bodyFunc(name string, body []loop.Stmt, par []*loop.Axis) (*ir.Func, []*loop.Buffer) {
	e.bufs, e.used = map[*loop.Buffer]*ir.Param{}, nil
	lo, hi := ir.NewParam("", types.I64), ir.NewParam("", types.I64)
	f := e.b.Start(name)
	f.Visibility = enum.VisibilityHidden
	f.FuncAttrs = append(f.FuncAttrs, enum.FuncAttrNoInline)
	e.reset()
	var extents []value.Value
	for _, a := range par {
		extents = append(extents, e.scalarIndex(a.Extent))
	}
	points := func(body []loop.Stmt) {
		e.loop(span{lo: lo, hi: hi, step: 1}, nil, func(p binding, _ []value.Value) []value.Value {
			rest := p.v
			for i := len(par) - 1; i > 0; i-- {
				e.bind[par[i]] = binding{v: e.b.Block.NewURem(rest, extents[i])}
				rest = e.b.Block.NewUDiv(rest, extents[i])
			}
			if len(par) > 0 {
				e.bind[par[0]] = binding{v: rest}
			}
			e.stmts(body)
			return nil
		})
	}
	if e.together = schedule.TogetherIn(e.k, body); e.together != nil {
		e.points = points
		e.forLoop(e.together)
	} else {
		points(body)
	}
	if len(e.streamed) > 0 {
		e.b.StreamFence()
	}
	e.b.Block.NewRet(nil)
	for _, buf := range e.used {
		f.Params = append(f.Params, e.bufs[buf])
	}
	f.Params = append(f.Params, lo, hi)
	return f, e.used
}

// reset forgets what belongs to the function before.
func (e *emitter) reset() {
	e.places = map[*loop.Buffer]value.Value{}
	e.bind = map[*loop.Axis]binding{}
	e.fixed = map[*loop.Axis]bool{}
	e.held = map[*loop.Value][]llir.WgmmaStep{}
	e.opaque, e.ids, e.lengths = map[string]*loop.Value{}, map[*loop.Value]int{}, map[*loop.Buffer]*loop.Value{}
	e.scope = nil
	e.push()
}

// buffer is the address of a buffer.
func (e *emitter) buffer(b *loop.Buffer) value.Value {
	if p := e.places[b]; p != nil {
		return p
	}
	p := e.bufs[b]
	if p == nil {
		p = ir.NewParam("", e.t.pointer())
		p.Attrs = []ir.ParamAttribute{enum.ParamAttrNoAlias}
		e.bufs[b] = p
		e.used = append(e.used, b)
	}
	return p
}

// entryFunc unpacks the argument block for inner, which takes some of the buffers.
func (e *emitter) entryFunc(name string, inner *ir.Func, bufs []*loop.Buffer, offsets map[*loop.Buffer]int) *ir.Func {
	args, scratch := ir.NewParam("", llir.Ptr), ir.NewParam("", llir.Ptr)
	lo, hi := ir.NewParam("", types.I64), ir.NewParam("", types.I64)
	f := e.b.Start(name, args, lo, hi, scratch)
	slots := map[*loop.Buffer]int{}
	for _, b := range params(e.k) {
		slots[b] = len(slots)
	}
	var pass []value.Value
	for _, b := range bufs {
		if b.Mode == loop.Local {
			pass = append(pass, e.b.GEP(types.I8, scratch, llir.Int(types.I64, int64(offsets[b]))))
			continue
		}
		slot := e.b.GEP(types.I64, args, llir.Int(types.I64, int64(slots[b])))
		pass = append(pass, e.b.Load(llir.Ptr, slot, 8))
	}
	e.b.Call(inner, append(pass, lo, hi)...)
	e.b.Block.NewRet(nil)
	return f
}
