package codegen

import (
	bytesof "encoding/binary"
	"fmt"
	"slices"

	"mdlc/ir"
	"mdlc/ir/loop"
)

// A page is the kernel of one launch as equations: every axis open, nothing
// scheduled. Args says what each of the kernel's buffers is.
type page struct {
	kernel    *loop.Kernel
	args      []pageArg
	text      string       // canonical
	names     []string     // what it leaves out
	scheduled *loop.Kernel // nil: not yet
}

// pageArg is a buffer of a page: an argument or a result of the launch, a symbol, constants, or what parts of a kernel hand on.
type pageArg struct {
	role  argRole
	i     int      // argument, result; extent: how many
	sym   string   // symbol
	words []uint32 // words
}

// isLength reports whether the points of the kernel may be counted by a, of which the launch has the value.
func (a pageArg) isLength() bool { return a.role == symbol || a.role == extent }

type argRole uint8

const (
	argument argRole = iota
	result
	symbol
	extent // an i64: how many modules a stack has
	words
	handedOn // to or by another part of the kernel that it was
)

// lower writes the kernel of a launch. isSym says which arguments are symbols (i64
// where the graph has i32), found where its values count modules.
func lower(l *ir.PlanLaunch, isSym func(arg int) bool, found stacks) (p *page, err error) {
	region := launchRegion(l)
	w := newLowering(l, region, isSym, found)
	defer func() {
		if r := recover(); r != nil {
			panic(fmt.Sprintf("codegen: lower %s (%s): %v", l.Title(), posOf(l), r))
		}
	}()
	switch s := scatterOf(region); {
	case s == nil:
		w.equations()
	case s.Op == ir.OpBucket:
		w.bucket(s)
	default:
		err = w.scatter(s)
	}
	if err != nil {
		return nil, err
	}
	w.kernel().Pos = positions(w.needed())
	p = &page{kernel: w.kernel(), args: w.args()}
	p.text, p.names = canonical(p.kernel)
	return p, nil
}

func posOf(l *ir.PlanLaunch) ir.Pos {
	if l.Node == nil {
		return ir.Pos{}
	}
	return l.Node.Pos
}

// launchRegion is what a launch computes: a cluster's region, or a graph of its one op.
func launchRegion(l *ir.PlanLaunch) *ir.Graph {
	if l.Node != nil && l.Node.Op == ir.OpCluster {
		return l.Node.Regions[0]
	}
	b := ir.NewBuilder("")
	b.Scope().Outer = l.Scope
	if l.Node == nil {
		return b.FinishValues(b.Param(ir.ParamValue, "x", l.Type))
	}
	b.Pos = l.Node.Pos
	args := make([]*ir.Node, len(l.Node.Args))
	for i, a := range l.Node.Args {
		args[i] = b.Param(ir.ParamValue, a.Label(), a.Type)
		if first := slices.Index(l.Node.Args, a); first < i {
			args[i] = args[first] // one buffer, which may be written in place
		}
	}
	return b.FinishValues(ir.Named(b.Make(l.Node.Op, l.Node.Attr, args...), l.Node.Name))
}

// positions lists the places of all that is computed, each once.
func positions(g *ir.Graph) []loop.Pos {
	var out []loop.Pos
	seen := map[ir.Pos]bool{{}: true}
	for _, n := range g.Nodes() {
		if !seen[n.Pos] && n.Op != ir.OpParam {
			seen[n.Pos] = true
			out = append(out, n.Pos)
		}
	}
	return out
}

// lowering writes one kernel. Values are pulled from the results as functions of
// indices; a memo of node, indices and guard makes equal values one.
type lowering struct {
	launch *ir.PlanLaunch
	region *ir.Graph
	scope  *ir.Scope
	b      *loop.Builder
	axes   *axisClasses
	owner  map[*loop.Axis]*ir.Node // of axes that one product sums over alone
	isSym  func(arg int) bool
	stacks map[dimension]bool  // classes
	counts map[int]*loop.Value // of the modules of stacks
	bufs   map[*loop.Buffer]pageArg
	params map[*ir.Node]*loop.Buffer
	syms   map[string]*loop.Value
	tables map[string][]*loop.Value // of words
	memo   map[string]*loop.Value
	names  map[*loop.Value]string // of the nodes that values belong to
	ids    map[any]uint32
}

func newLowering(l *ir.PlanLaunch, region *ir.Graph, isSym func(int) bool, found stacks) *lowering {
	w := &lowering{launch: l, region: region, scope: &ir.Scope{Outer: l.Scope, Syms: region.Syms}, b: loop.NewBuilder(l.Title()),
		axes: classify(region), owner: map[*loop.Axis]*ir.Node{}, isSym: isSym, bufs: map[*loop.Buffer]pageArg{}, params: map[*ir.Node]*loop.Buffer{},
		syms: map[string]*loop.Value{}, counts: map[int]*loop.Value{}, tables: map[string][]*loop.Value{}, memo: map[string]*loop.Value{}, names: map[*loop.Value]string{}, ids: map[any]uint32{}}
	w.stacks = found.of(l, region, w.axes)
	used := map[*ir.Node]bool{}
	for _, n := range w.needed().Nodes() {
		used[n] = true
	}
	inPlace := map[int]bool{}
	for _, a := range l.InPlace {
		inPlace[a] = true
	}
	for i, p := range region.Params {
		if !used[p] && !inPlace[i] {
			continue
		}
		mode, elem := loop.In, p.Type.Elem
		if inPlace[i] {
			mode = loop.InOut
		}
		if isSym(i) {
			elem = loop.I64
		}
		name := p.Name
		if l.Node != nil {
			name = l.Node.Args[i].Label()
		}
		buf := w.buffer(name, elem, mode, p)
		w.bufs[buf] = pageArg{role: argument, i: i}
		w.params[p] = buf
	}
	return w
}

// needed is the region without the results that nobody needs.
func (w *lowering) needed() *ir.Graph {
	g := *w.region
	g.Results = nil
	for k, r := range w.region.Results {
		if w.needs(k) {
			g.Results = append(g.Results, r)
		}
	}
	return &g
}

func (w *lowering) kernel() *loop.Kernel { return w.b.Kernel() }

// args says what the kernel's buffers are, in their order.
func (w *lowering) args() []pageArg {
	var out []pageArg
	for _, b := range w.kernel().Bufs {
		if a, ok := w.bufs[b]; ok {
			out = append(out, a)
		}
	}
	return out
}

func sizes(t ir.Type) []int {
	dims := make([]int, len(t.Dims))
	for i, d := range t.Dims {
		dims[i] = d.Size
	}
	return dims
}

// buffer is memory for n.
func (w *lowering) buffer(name string, elem ir.Elem, mode loop.Mode, n *ir.Node) *loop.Buffer {
	dims := sizes(n.Type)
	var length *loop.Buffer
	if len(dims) > 0 && w.isStack(n, 0) {
		length = w.count(dims[0]).Buf
		dims[0] = stackCapacity(dims[0])
	}
	buf := w.b.Buffer(name, elem, mode, dims...)
	buf.Length = length
	return buf
}

// isStack reports whether dimension d of n is the number of modules of a stack.
func (w *lowering) isStack(n *ir.Node, d int) bool {
	dim := n.Type.Dims[d]
	return dim.Len == nil && dim.Size > 1 && w.stacks[w.axes.find(dimension{n, d})]
}

// equations writes a store for each result. What reads a buffer that is written
// in place gets a Let before all stores.
func (w *lowering) equations() {
	type store struct {
		buf        *loop.Buffer
		idx        []*loop.Value
		guard, val *loop.Value
	}
	var stores []store
	var all []*loop.Value
	if n := w.axes.first; n != nil {
		w.open(n)
	}
	for k, r := range w.region.Results {
		if w.needs(k) {
			idx := w.open(r.Value)
			at, guard, v := w.rowStore(k, r.Value, idx)
			if v == nil {
				at, v = idx, w.pull(r.Value, idx, nil)
			}
			stores, all = append(stores, store{idx: at, guard: guard, val: v}), append(all, v)
		}
	}
	at := 0
	for k, r := range w.region.Results {
		if w.needs(k) {
			stores[at].buf = w.output(k, r.Value)
			at++
		}
	}
	w.lets(all)
	for _, s := range stores {
		w.b.Store(s.buf, s.idx, s.guard, s.val)
	}
	w.dropAxes()
}

// needs reports whether result k is stored.
func (w *lowering) needs(k int) bool {
	return len(w.launch.Results) == 0 || w.launch.Results[k].Buf != ir.NoBuf
}

// output is the buffer of result k: of its own, or the argument's that it takes over.
func (w *lowering) output(k int, n *ir.Node) *loop.Buffer {
	if a := w.launch.InPlace[k]; a >= 0 {
		return w.params[w.region.Params[a]]
	}
	buf := w.buffer(n.Label(), n.Type.Elem, loop.Out, n)
	w.bufs[buf] = pageArg{role: result, i: k}
	return buf
}

// open gives an open axis for each dimension of n, as indices.
func (w *lowering) open(n *ir.Node) []*loop.Value {
	idx := make([]*loop.Value, len(n.Type.Dims))
	var taken []*loop.Axis
	for d, dim := range n.Type.Dims {
		if dim.Len == nil && dim.Size == 1 {
			idx[d] = w.b.Int(loop.I64, 0)
			continue
		}
		a := w.axis(n, d, taken)
		taken = append(taken, a)
		idx[d] = w.b.Index(a)
	}
	return idx
}

// pull gives the element of n at idx; memory is read only where guard holds.
func (w *lowering) pull(n *ir.Node, idx []*loop.Value, guard *loop.Value) *loop.Value {
	key := w.key(n, idx, guard)
	if v := w.memo[key]; v != nil {
		return v
	}
	w.b.SetPos(n.Pos)
	var v *loop.Value
	if n.Op == ir.OpParam {
		v = w.load(n, idx, guard)
	} else {
		v = w.apply(n, idx, guard)
	}
	w.memo[key] = v
	if w.names[v] == "" {
		w.names[v] = n.Name
	}
	return v
}

func (w *lowering) load(p *ir.Node, idx []*loop.Value, guard *loop.Value) *loop.Value {
	v := w.b.Load(w.params[p], idx, guard)
	if v.Elem != p.Type.Elem {
		return w.b.Cast(p.Type.Elem, v)
	}
	return v
}

// apply asks n's row of the op table.
func (w *lowering) apply(n *ir.Node, idx []*loop.Value, guard *loop.Value) *loop.Value {
	if n.Op.Lower == nil {
		panic(fmt.Sprintf("op %s has no value in a kernel", n.Op.Name))
	}
	var taken []*loop.Axis // by the indices, and by earlier calls of Axis
	for _, x := range append(idx[:len(idx):len(idx)], guard) {
		if x != nil {
			taken = append(taken, x.Axes...)
		}
	}
	c := &ir.LowerCtx{B: w.b, Args: make([]ir.Access, len(n.Args)), Scope: w.scope, Guard: guard, Len: w.length, Words: w.words}
	for i, a := range n.Args {
		c.Args[i] = func(idx []*loop.Value) *loop.Value {
			v := w.pull(a, idx, c.Guard)
			w.b.SetPos(n.Pos)
			return v
		}
	}
	c.Axis = func(arg, dim int) *loop.Axis {
		a := w.summed(n, arg, dim, taken)
		taken = append(taken, a)
		return a
	}
	v := n.Op.Lower(c, n, idx)
	if v.Elem != n.Type.Elem {
		panic(fmt.Sprintf("op %s gives %s for %s", n.Op.Name, v.Elem, n.Type))
	}
	return v
}

// length is a symbol as a value: a buffer of one i64.
func (w *lowering) length(name string) *loop.Value {
	if v := w.syms[name]; v != nil {
		return v
	}
	buf := w.b.Buffer(name, loop.I64, loop.In)
	w.bufs[buf] = pageArg{role: symbol, sym: name}
	v := w.b.Load(buf, nil, nil)
	w.syms[name] = v
	return v
}

// count is how many modules a stack has as a value: a buffer of one i64.
func (w *lowering) count(n int) *loop.Value {
	if w.counts[n] == nil {
		buf := w.b.Buffer("count", loop.I64, loop.In)
		w.bufs[buf] = pageArg{role: extent, i: n}
		w.counts[n] = w.b.Load(buf, nil, nil)
	}
	return w.counts[n]
}

// words are constants as a buffer: what they are is no part of the kernel.
func (w *lowering) words(name string, ws ...uint32) []*loop.Value {
	key := fmt.Sprint(ws)
	if w.tables[key] == nil {
		buf := w.b.Buffer(name, loop.U32, loop.In, len(ws))
		w.bufs[buf] = pageArg{role: words, words: ws}
		for i := range ws {
			w.tables[key] = append(w.tables[key], w.b.Load(buf, []*loop.Value{w.b.Int(loop.I64, int64(i))}, nil))
		}
	}
	return w.tables[key]
}

func (w *lowering) key(n *ir.Node, idx []*loop.Value, guard *loop.Value) string {
	k := bytesof.LittleEndian.AppendUint32(nil, w.id(n))
	for _, x := range idx {
		k = bytesof.LittleEndian.AppendUint32(k, w.id(x))
	}
	if guard != nil {
		k = bytesof.LittleEndian.AppendUint32(append(k, ';'), w.id(guard))
	}
	return string(k)
}

func (w *lowering) id(x any) uint32 {
	id, ok := w.ids[x]
	if !ok {
		id = uint32(len(w.ids) + 1)
		w.ids[x] = id
	}
	return id
}

// lets names what the text would otherwise repeat: reductions, products, what
// several values use. Reads of memory that is written in place come first of all.
func (w *lowering) lets(roots []*loop.Value) {
	uses := map[*loop.Value]int{}
	var order []*loop.Value
	var visit func(v *loop.Value)
	visit = func(v *loop.Value) {
		uses[v]++
		if uses[v] > 1 {
			return
		}
		for _, a := range v.Args {
			visit(a)
		}
		if v.Guard != nil {
			visit(v.Guard)
		}
		order = append(order, v)
	}
	for _, v := range roots {
		visit(v)
	}
	number := 0
	for _, v := range order {
		inPlace := v.Op == loop.Load && v.Buf.Mode == loop.InOut
		class := v.Op.Info().Class
		shared := uses[v] > 1 && class != loop.ClassLeaf && v.Elem != loop.I64
		if !inPlace && !shared && class != loop.ClassReduce && class != loop.ClassDot {
			continue
		}
		name := w.names[v]
		if name == "" {
			number++
			name = fmt.Sprintf("v%d", number)
		}
		w.b.Let(name, v)
	}
}
