package passes

import (
	"fmt"
	"runtime"

	"mdlc/ir"
	"mdlc/ir/index"
	"mdlc/ir/parallel"
)

// Plan makes the plan of every graph of m: the order of the launches and the
// place of every buffer.
func Plan(m *ir.Module) error {
	return parallel.Each(len(m.Entries), runtime.GOMAXPROCS(0), func(i int) error {
		planEntry(m.Entries[i])
		return nil
	})
}

// planEntry plans the graphs of e. An `every` block keeps clear of what it, and those that
// run after it, read of their step.
func planEntry(e *ir.Entry) {
	again := e.Kind == ir.EntryEval || e.Kind == ir.EntrySample
	e.Graph.Plan = planGraph(e.Graph, around{states: writtenBy(e.Every), again: again})
	for i, v := range e.Every {
		if v.Graph != nil {
			v.Graph.Plan = planGraph(v.Graph, around{step: e.Graph, later: stepReads(e.Every[i+1:])})
		}
	}
}

// around is what runs before and after a graph in the same memory.
type around struct {
	step   *ir.Graph       // of an `every` block: the step whose values it may read
	later  []string        // values of the step that are read after the graph
	states map[string]bool // states that are written while the graph's results are still read
	again  bool            // it may run again before states change, and alone: what is settled is kept
}

// writtenBy is the states that some `every` blocks write.
func writtenBy(blocks []*ir.Every) map[string]bool {
	out := map[string]bool{}
	for _, v := range blocks {
		if v.Graph == nil {
			continue
		}
		for _, r := range v.Graph.Results {
			if r.Kind == ir.ResultState {
				out[r.Name] = true
			}
		}
	}
	return out
}

// stepReads names the values of the step that some `every` blocks read.
func stepReads(blocks []*ir.Every) []string {
	var names []string
	for _, v := range blocks {
		if v.Graph == nil {
			continue
		}
		for _, x := range v.Graph.Params {
			if a := x.Attr.(ir.ParamAttr); a.Kind == ir.ParamValueOf {
				names = append(names, a.Name)
			}
		}
	}
	return names
}

// planGraph plans g with the better of two orders: that of construction, and
// one that frees memory early.
func planGraph(g *ir.Graph, by around) *ir.Plan {
	orders := []ordering{inOrder, thrifty}
	plans := make([]*ir.Plan, len(orders))
	parallel.Each(len(orders), runtime.GOMAXPROCS(0), func(i int) error {
		plans[i] = planWith(g, by, orders[i])
		return nil
	})
	if plans[1].Peak < plans[0].Peak {
		return plans[1]
	}
	return plans[0]
}

func planWith(g *ir.Graph, by around, order ordering) *ir.Plan {
	p := &planner{plan: &ir.Plan{Graph: g}, around: by, order: order, owner: map[int]*ir.PlanLoop{}, homes: map[string]int{}}
	lv := newLevel(p, g, nil, nil)
	for _, x := range g.Params {
		lv.env[value{x, 0}] = p.param(x)
	}
	for _, name := range by.later {
		p.stepValue(name)
	}
	lv.aimAtStates()
	if by.again {
		lv.placeSettled()
	}
	lv.placeAll(lv.runs)
	for _, r := range g.Results {
		if r.Kind == ir.ResultState {
			p.plan.Results = append(p.plan.Results, ir.PlanRef{Buf: p.state(r.Name, r.Value.Type)})
		} else {
			p.plan.Results = append(p.plan.Results, lv.kept(valueOf(r.Value)))
		}
	}
	lv.storeStates()
	p.plan.Code = lv.code
	p.lifetimes()
	p.keep()
	p.arena()
	p.checkArena()
	return p.plan
}

// value is a tensor of a graph: a node, or one of the values of a tuple.
type value struct {
	node *ir.Node
	k    int
}

// valueOf sees through get, and through clusters to constants: those are made where they are needed.
func valueOf(n *ir.Node) value {
	if n.Op != ir.OpGet {
		return value{n, 0}
	}
	c, i := n.Args[0], n.Attr.(ir.GetAttr).I
	if c.Op == ir.OpCluster {
		if r := c.Regions[0].Results[i].Value; isLeaf(r) {
			return value{r, 0}
		}
	}
	return value{c, i}
}

func (v value) typ() ir.Type {
	if v.node.Type.IsTuple() {
		return v.node.Type.Tuple[v.k]
	}
	return v.node.Type
}

// name is for people.
func (v value) name() string {
	if v.node.Op == ir.OpCluster {
		return v.node.Regions[0].Results[v.k].Value.Label()
	}
	if v.node.Type.IsTuple() {
		return fmt.Sprintf("%s%d", v.node.Op.Name, v.k)
	}
	return v.node.Label()
}

// planner plans one graph.
type planner struct {
	around
	plan  *ir.Plan
	order ordering
	loops int
	owner map[int]*ir.PlanLoop // buffer to the loop whose body it belongs to, nil: the graph's
	homes map[string]int       // states, parameters and symbols to their buffers
	fixed []int                // buffers of the step that an `every` block belongs to
}

func (p *planner) add(b *ir.PlanBuf, owner *ir.PlanLoop) int {
	p.plan.Bufs = append(p.plan.Bufs, b)
	p.owner[len(p.plan.Bufs)-1] = owner
	return len(p.plan.Bufs) - 1
}

// alloc adds a buffer of the arena for slots values of type t; slots 0: one, without an axis for it.
func (p *planner) alloc(name string, t ir.Type, slots int, owner *ir.PlanLoop) int {
	dims := sizes(t)
	bytes := t.Bytes()
	if slots > 0 {
		dims = append([]int{slots}, dims...)
		bytes *= slots
	}
	return p.add(&ir.PlanBuf{Name: name, Elem: t.Elem, Dims: dims, Bytes: bytes, First: -1}, owner)
}

func sizes(t ir.Type) []int {
	dims := make([]int, len(t.Dims))
	for i, d := range t.Dims {
		dims[i] = d.Size
	}
	return dims
}

// home is the buffer of the given home and name, made by make on first use.
func (p *planner) home(key string, make func() *ir.PlanBuf) int {
	if b, ok := p.homes[key]; ok {
		return b
	}
	b := p.add(make(), nil)
	p.homes[key] = b
	return b
}

func (p *planner) state(name string, t ir.Type) int {
	return p.home("state "+name, func() *ir.PlanBuf {
		return &ir.PlanBuf{Name: name, Elem: t.Elem, Dims: sizes(t), Bytes: t.Bytes(), Home: ir.PlanState}
	})
}

func (p *planner) symbol(name string) int {
	return p.home("symbol "+name, func() *ir.PlanBuf {
		return &ir.PlanBuf{Name: name, Elem: i64, Bytes: 8, Home: ir.PlanSym}
	})
}

// param is where the parameter x of the planned graph lives.
func (p *planner) param(x *ir.Node) ir.PlanRef {
	a := x.Attr.(ir.ParamAttr)
	switch a.Kind {
	case ir.ParamState:
		return ir.PlanRef{Buf: p.state(a.Name, x.Type)}
	case ir.ParamValueOf:
		return p.stepValue(a.Name)
	}
	return ir.PlanRef{Buf: p.home(a.Kind.String()+" "+a.Name, func() *ir.PlanBuf {
		return &ir.PlanBuf{Name: a.Name, Elem: x.Type.Elem, Dims: sizes(x.Type), Bytes: x.Type.Bytes(), Home: ir.PlanInput, Node: x}
	})}
}

// stepValue is the place of a result of the step that an `every` block belongs to.
func (p *planner) stepValue(name string) ir.PlanRef {
	if p.step == nil {
		panic("pass plan: graph " + p.plan.Graph.Name + " reads " + name + " of no step")
	}
	for i, r := range p.step.Results {
		if r.Name != name || r.IsCheck() {
			continue
		}
		ref := p.step.Plan.Results[i]
		b := *p.step.Plan.Bufs[ref.Buf]
		if b.Home == ir.PlanState {
			return ir.PlanRef{Buf: p.state(b.Name, r.Value.Type), Offset: ref.Offset}
		}
		id := p.home(fmt.Sprint("step ", ref.Buf), func() *ir.PlanBuf { return &b })
		if b.Home == ir.PlanArena {
			p.fixed = append(p.fixed, id)
		}
		return ir.PlanRef{Buf: id, Offset: ref.Offset}
	}
	panic("pass plan: the step of graph " + p.plan.Graph.Name + " has no result " + name)
}

// level is a graph being placed: the planned graph or the body of a loop.
type level struct {
	p        *planner
	g        *ir.Graph
	loop     *ir.PlanLoop // nil: the planned graph
	scope    *ir.Scope
	used     map[value]bool
	isResult map[value]bool       // values that are results as they are
	runs     []*ir.Node           // all nodes but parameters, gets, leaves and what nobody uses
	readers  map[value][]*ir.Node // of runs, those that take a value
	env      map[value]ir.PlanRef
	aim      map[value]ir.PlanRef    // where a value is to be written
	over     map[value]value         // new value to the old one whose memory it takes over
	after    map[*ir.Node][]*ir.Node // what comes before a launch that takes over memory
	bodies   map[*ir.Node]*body      // of the loops at this level
	history  map[int]bool            // results of the loop that histories of its carries hold
	settled  map[*ir.Node]bool       // of the planned graph: what need not run again
	code     []ir.PlanInstr
}

func newLevel(p *planner, g *ir.Graph, loop *ir.PlanLoop, outer *ir.Scope) *level {
	lv := &level{p: p, g: g, loop: loop, scope: &ir.Scope{Outer: outer, Syms: g.Syms}, used: map[value]bool{}, isResult: map[value]bool{}, readers: map[value][]*ir.Node{}, env: map[value]ir.PlanRef{}, aim: map[value]ir.PlanRef{},
		over: map[value]value{}, after: map[*ir.Node][]*ir.Node{}, bodies: map[*ir.Node]*body{}, history: map[int]bool{}}
	for _, r := range g.Results {
		lv.used[valueOf(r.Value)] = true
		lv.isResult[valueOf(r.Value)] = true
	}
	for _, n := range g.Nodes() {
		for _, a := range n.Args {
			if n.Op != ir.OpGet {
				lv.used[valueOf(a)] = true
			}
		}
	}
	for _, n := range g.Nodes() {
		if n.Op != ir.OpParam && n.Op != ir.OpGet && n.Op.Class != ir.ClassLeaf && lv.isUsed(n) {
			lv.runs = append(lv.runs, n)
		}
	}
	for _, n := range lv.runs {
		for _, a := range n.Args {
			v := valueOf(a)
			if ns := lv.readers[v]; len(ns) == 0 || ns[len(ns)-1] != n {
				lv.readers[v] = append(ns, n)
			}
		}
	}
	return lv
}

// isUsed reports whether something needs a value of n. A cluster of constants is not.
func (lv *level) isUsed(n *ir.Node) bool {
	for _, v := range results(n) {
		if lv.used[v] {
			return true
		}
	}
	return false
}

// isTable reports whether n is a constant with memory of its own.
func isTable(n *ir.Node) bool {
	a, ok := n.Attr.(ir.ConstAttr)
	return ok && len(a.Bits) > 1
}

// isLeaf reports whether n is made anew wherever it is needed, as constants are.
func isLeaf(n *ir.Node) bool {
	return n.Op.Class == ir.ClassLeaf && n.Op != ir.OpParam && !isTable(n)
}

func (p *planner) table(n *ir.Node) int {
	return p.home("table "+n.Attr.Text(), func() *ir.PlanBuf {
		return &ir.PlanBuf{Name: value{n, 0}.name(), Elem: n.Type.Elem, Dims: sizes(n.Type), Bytes: n.Type.Bytes(), Home: ir.PlanTable, Node: n}
	})
}

// placeAll emits launches and loops of the level in order.
func (lv *level) placeAll(runs []*ir.Node) {
	for _, n := range lv.p.order(runs, lv.after) {
		if n.Op == ir.OpLoop {
			lv.placeLoop(n)
		} else {
			lv.launch(n)
		}
	}
}

// ref is where v lies; a leaf gets its launch now.
func (lv *level) ref(v value) ir.PlanRef {
	r, ok := lv.env[v]
	switch {
	case ok:
	case isLeaf(v.node):
		lv.launch(v.node)
		r = lv.env[v]
	case isTable(v.node):
		r = ir.PlanRef{Buf: lv.p.table(v.node)}
	default:
		panic(fmt.Sprintf("pass plan: graph %s uses %s before it is computed", lv.g.Name, v.name()))
	}
	return r
}

// target is where v is to be written.
func (lv *level) target(v value) ir.PlanRef {
	if r, ok := lv.aim[v]; ok {
		return r
	}
	if c := lv.initOf(v); c != nil {
		return c.at(index.C(0))
	}
	return ir.PlanRef{Buf: lv.p.alloc(v.name(), v.typ(), 0, lv.loop)}
}

// launch emits n.
func (lv *level) launch(n *ir.Node) {
	l := &ir.PlanLaunch{Node: n, Type: n.Type}
	for _, a := range n.Args {
		l.Args = append(l.Args, lv.ref(valueOf(a)))
	}
	for _, v := range results(n) {
		if !lv.used[v] && n.Op == ir.OpCluster {
			l.Results, l.InPlace = append(l.Results, ir.PlanRef{Buf: ir.NoBuf}), append(l.InPlace, -1)
			continue
		}
		lv.env[v] = lv.target(v)
		l.Results = append(l.Results, lv.env[v])
		l.InPlace = append(l.InPlace, lv.overwritten(v))
	}
	lv.emit(l)
}

// overwritten is the argument of v's node whose memory v takes over, or -1.
func (lv *level) overwritten(v value) int {
	old, ok := lv.over[v]
	if !ok {
		return -1
	}
	for i, a := range v.node.Args {
		if valueOf(a) == old {
			return i
		}
	}
	return -1
}

// results is the values of n.
func results(n *ir.Node) []value {
	if !n.Type.IsTuple() {
		return []value{{n, 0}}
	}
	vs := make([]value, len(n.Type.Tuple))
	for k := range vs {
		vs[k] = value{n, k}
	}
	return vs
}

// copy emits a copy of a value of type t.
func (lv *level) copy(t ir.Type, from, to ir.PlanRef) {
	if from.Buf == to.Buf && index.Equal(offset(from), offset(to)) {
		return
	}
	lv.emit(&ir.PlanLaunch{Type: t, Args: []ir.PlanRef{from}, Results: []ir.PlanRef{to}, InPlace: []int{-1}})
}

func (lv *level) emit(l *ir.PlanLaunch) {
	l.Scope = lv.scope
	lv.code = append(lv.code, ir.PlanInstr{Launch: l})
}

func offset(r ir.PlanRef) *index.Expr {
	if r.Offset == nil {
		return index.C(0)
	}
	return r.Offset
}

// moved is r, off bytes further.
func moved(r ir.PlanRef, off *index.Expr) ir.PlanRef {
	return ir.PlanRef{Buf: r.Buf, Offset: index.Sum(offset(r), off)}
}
